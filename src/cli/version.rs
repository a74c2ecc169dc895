//! `version`: what this program is.

use clap::Args;
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::CliError;

/// Print the version of this program
#[derive(Args)]
pub(crate) struct VersionArgs {}

#[derive(Serialize)]
struct Version {
    message_type: &'static str,
    version: &'static str,
    os: &'static str,
    arch: &'static str,
}

/// The program's name and version, as snapshots carry it too.
pub(crate) const PROGRAM_VERSION: &str = concat!("replicator-kuma ", env!("CARGO_PKG_VERSION"));

pub(super) fn run(context: &Context, _args: &VersionArgs) -> Result<Outcome, CliError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if context.output.is_json() {
        let version = env!("CARGO_PKG_VERSION");
        context.output.json(&Version { message_type: "version", version, os, arch })?;
    } else {
        context.output.answer(&format!("{PROGRAM_VERSION} on {os}/{arch}"))?;
    }
    Ok(Outcome::Done)
}
