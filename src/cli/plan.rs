//! `plan`: what an apply would change here.

use clap::Args;
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::kuma_args::{ReplicaArgs, counted, warn};
use super::text;
use crate::format::SnapshotId;
use crate::replicate::{ApplyReport, plan};

/// Tell what an apply would change here, and change nothing
///
/// Secrets are never printed. The exit code is 0 if there is nothing to do, and 2 if there is.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma plan
  replicator-kuma plan --snapshot 5d4b6f64          against an older snapshot
  replicator-kuma plan --json | jq .changes         for scripts")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    replica: ReplicaArgs,
}

/// A plan, or what an apply did.
#[derive(Serialize)]
pub(crate) struct Summary<'a> {
    message_type: &'static str,
    snapshot_id: SnapshotId,
    snapshot_time: &'a str,
    snapshot_host: &'a str,
    changes: serde_json::Value,
    history_rows_deleted: u64,
    restart_needed: bool,
    warnings: &'a [String],
}

impl<'a> Summary<'a> {
    /// The report as an object of this type.
    pub(crate) fn new(message_type: &'static str, report: &'a ApplyReport) -> Summary<'a> {
        Summary {
            message_type,
            snapshot_id: report.snapshot,
            snapshot_time: &report.snapshot_time,
            snapshot_host: &report.snapshot_host,
            changes: report.changes.to_json(),
            history_rows_deleted: report.history_rows_deleted,
            restart_needed: report.restart_needed,
            warnings: &report.warnings,
        }
    }
}

/// The snapshot in words.
pub(crate) fn source(report: &ApplyReport) -> String {
    let words = format!("snapshot {} of {} at {}", report.snapshot.short(), report.snapshot_host, report.snapshot_time);
    text::one_line(&words).into_owned()
}

pub(super) async fn run(context: &Context, args: &PlanArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    let options = args.replica.options(context);
    // No lock: a replica needs no right to write to the repository.
    let report = plan(&repository, &options).await?;
    print(context, &report)?;
    Ok(if report.changes.is_empty() { Outcome::Done } else { Outcome::ChangesWait })
}

fn print(context: &Context, report: &ApplyReport) -> Result<(), CliError> {
    warn(&context.output, &report.warnings);
    if context.output.is_json() {
        context.output.json(&Summary::new("plan", report))?;
        return Ok(());
    }
    let lines = report.changes.lines();
    for line in &lines {
        context.output.answer(line)?;
    }
    context.output.note(&match lines.len() {
        0 => format!("nothing to do: this Kuma is as {} says", source(report)),
        count => format!("{} to become as {} says; `apply` makes them", counted(count, "change"), source(report)),
    });
    Ok(())
}
