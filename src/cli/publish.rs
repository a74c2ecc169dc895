//! `publish`: one cycle of the primary.

use clap::Args;
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::kuma_args::{KumaArgs, counted, warn};
use super::snapshot_filter::{TagList, flattened};
use super::units;
use crate::format::{SnapshotId, TreeId};
use crate::replicate::{PublishOptions, PublishReport, publish};

/// Publish this Kuma's configuration, if it changed
///
/// The configuration is read in one transaction of the live database and compared with the newest snapshot. If it
/// differs, it is stored as a new one, and what changed is told in words. Kuma need not be stopped.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma publish
  replicator-kuma publish --data-dir /srv/kuma/data --tag berlin
  replicator-kuma publish --dry-run                 what would be published")]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    kuma: KumaArgs,

    /// The host that the snapshot names [env: RESTIC_HOST] [default: this host's name]
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Option<String>,

    /// Tags for the snapshot
    #[arg(long, value_name = "TAG[,TAG…]")]
    tag: Vec<TagList>,

    /// Make a new snapshot even if nothing changed
    #[arg(short, long)]
    force: bool,

    /// Do everything but writing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Summary<'a> {
    message_type: &'static str,
    changed: bool,
    changes: serde_json::Value,
    snapshot_id: Option<SnapshotId>,
    parent: Option<SnapshotId>,
    tree: TreeId,
    rows: usize,
    digest: &'a str,
    data_added: u64,
    warnings: &'a [String],
    dry_run: bool,
}

pub(super) async fn run(context: &Context, args: &PublishArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    // It takes the lock itself, and only if there is something to write.
    let report = publish(&repository, &options(context, args)).await?;
    print(context, args.dry_run, &report)?;
    Ok(Outcome::Done)
}

fn options(context: &Context, args: &PublishArgs) -> PublishOptions {
    PublishOptions {
        kuma: args.kuma.options(&context.settings.environment),
        host: args.host.clone().or_else(|| context.settings.host.clone()),
        tags: flattened(&args.tag),
        force: args.force,
        dry_run: args.dry_run,
        no_lock: false,
        retry_lock: context.settings.retry_lock,
    }
}

fn print(context: &Context, dry_run: bool, report: &PublishReport) -> Result<(), CliError> {
    warn(&context.output, &report.warnings);
    if context.output.is_json() {
        context.output.json(&Summary {
            message_type: "summary",
            changed: report.changed,
            changes: report.changes.to_json(),
            snapshot_id: report.snapshot,
            parent: report.parent,
            tree: report.tree,
            rows: report.rows,
            digest: &report.digest,
            data_added: report.added_bytes,
            warnings: &report.warnings,
            dry_run,
        })?;
        return Ok(());
    }
    for line in report.changes.lines() {
        context.output.note(&line);
    }
    context.output.note(&conclusion(dry_run, report));
    Ok(())
}

fn conclusion(dry_run: bool, report: &PublishReport) -> String {
    let what = match (report.parent, report.changes.lines().len()) {
        (None, _) => counted(report.rows, "row"),
        // The rows are the same, but others take part (--tables, --settings), or none can be compared.
        (Some(_), 0) => format!("all {} anew", counted(report.rows, "row")),
        (Some(_), changes) => counted(changes, "change"),
    };
    match (&report.snapshot, &report.parent) {
        (Some(snapshot), _) => {
            let added = units::format_bytes(report.added_bytes);
            format!("published {what}: snapshot {} saved, {added} added to the repository", snapshot.short())
        }
        (None, Some(parent)) if !report.changed => format!("nothing changed since snapshot {}", parent.short()),
        (None, _) if dry_run => format!("{what} would be published"),
        (None, _) => "nothing was published".to_owned(),
    }
}
