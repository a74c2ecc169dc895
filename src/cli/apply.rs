//! `apply`: one cycle of a replica.

use std::path::{Path, PathBuf};

use clap::Args;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::kuma_args::{ReplicaArgs, counted, warn};
use super::plan::{Summary, source};
use crate::replicate::{ApplyOptions, ApplyReport, apply, apply_saved};

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

    /// Instead of a snapshot apply what `run` saved before an apply: the folder or its backup.sql; asks no repository
    #[arg(long, value_name = "PATH", conflicts_with_all = ["snapshot", "host", "tag"])]
    file: Option<PathBuf>,
}

const RESTART_NOW: &str = "Kuma runs and goes by its old configuration: restart it now";

pub(super) async fn run(context: &Context, args: &ApplyArgs) -> Result<Outcome, CliError> {
    let options = ApplyOptions { while_running: args.while_running, ..args.replica.options(context) };
    if let Some(path) = &args.file {
        return file(context, path, &options).await;
    }
    let repository = context.open().await?;
    // No lock: a replica needs no right to write to the repository.
    let report = apply(&repository, &options).await?;
    print(context, &report)?;
    Ok(Outcome::Done)
}

/// Undoes an apply.
async fn file(context: &Context, path: &Path, options: &ApplyOptions) -> Result<Outcome, CliError> {
    let output = &context.output;
    let applied = apply_saved(path, options).await?;
    warn(output, &applied.warnings);
    if output.is_json() {
        output.json(&serde_json::json!({
            "message_type": "summary",
            "file": path,
            "changes": applied.changes.to_json(),
            "history_rows_deleted": applied.history_rows_deleted,
            "restart_needed": applied.was_running,
            "warnings": applied.warnings,
        }))?;
        return Ok(Outcome::Done);
    }
    let lines = applied.changes.lines();
    lines.iter().for_each(|line| output.note(line));
    output.note(&format!("applied {} of {}", counted(lines.len(), "change"), path.display()));
    if applied.was_running {
        output.note(RESTART_NOW);
    }
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
        output.note(RESTART_NOW);
    }
    Ok(())
}
