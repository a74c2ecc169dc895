//! `apply`: one cycle of a replica.

use clap::Args;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::kuma_args::{ReplicaArgs, counted, warn};
use super::plan::{Summary, source};
use crate::replicate::{ApplyOptions, ApplyReport, apply};

/// Make this Kuma's configuration that of a snapshot
///
/// All changes are made in one transaction, or none. The history of monitors that stay is kept.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma apply
  replicator-kuma apply --snapshot 5d4b6f64         back to an older snapshot
  replicator-kuma apply --while-running && docker restart uptime-kuma")]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    replica: ReplicaArgs,

    /// Write even if Kuma runs on the database; it goes by its old configuration until it is restarted
    #[arg(long)]
    while_running: bool,
}

pub(super) async fn run(context: &Context, args: &ApplyArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    let options = ApplyOptions { while_running: args.while_running, ..args.replica.options(context) };
    // No lock: a replica needs no right to write to the repository.
    let report = apply(&repository, &options).await?;
    print(context, &report)?;
    Ok(Outcome::Done)
}

fn print(context: &Context, report: &ApplyReport) -> Result<(), CliError> {
    let output = &context.output;
    warn(output, &report.warnings);
    if output.is_json() {
        output.json(&Summary::new("summary", report))?;
        return Ok(());
    }
    let lines = report.changes.lines();
    lines.iter().for_each(|line| output.note(line));
    match lines.len() {
        0 => output.note(&format!("nothing to do: this Kuma is as {} says", source(report))),
        count => output.note(&format!("applied {} of {}", counted(count, "change"), source(report))),
    }
    if report.history_rows_deleted > 0 {
        output.note(&format!("{} rows of history went with deleted monitors", report.history_rows_deleted));
    }
    if report.restart_needed {
        output.note("Kuma runs and goes by its old configuration: restart it now");
    }
    Ok(())
}
