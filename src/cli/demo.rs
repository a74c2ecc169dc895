//! `demo`: the main job on a database that comes along.

use std::path::PathBuf;

use clap::Args;

use super::context::{Context, Outcome};
use super::error::CliError;
use crate::replicate::demo;
use crate::repository::RepositoryError;

/// See the main job done, on databases that come along
///
/// Lays out a primary, a replica and a local repository in a folder, and publishes, plans and applies with the code of
/// the real commands. Nothing else on this machine is touched.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Where to; it must be empty or not there [default: a new temporary folder, which is kept]
    folder: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: &DemoArgs) -> Result<Outcome, CliError> {
    let output = context.output.clone();
    let mut tell = move |line: &str| output.note(line);
    let work = async { Ok::<(), CliError>(demo(args.folder.clone(), &mut tell).await?) };
    tokio::select! {
        done = work => done?,
        () = context.interrupt.requested() => return Err(RepositoryError::Interrupted.into()),
    }
    Ok(Outcome::Done)
}
