//! The objects that `backup --json` prints, field for field as restic's.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::number::{GoFloat, is_zero};
use crate::format::{Summary, Time};
use crate::repository::{BackupOutcome, ItemStats};

/// How far a backup is.
#[derive(Serialize)]
pub(crate) struct StatusUpdate<'a> {
    pub(crate) message_type: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) seconds_elapsed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) seconds_remaining: u64,
    pub(crate) percent_done: GoFloat,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) total_files: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) files_done: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) total_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) bytes_done: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) error_count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) current_files: Vec<Cow<'a, str>>,
}

/// One item, or the end of the scan.
#[derive(Default, Serialize)]
pub(crate) struct VerboseUpdate<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) action: &'static str,
    pub(crate) item: Cow<'a, str>,
    pub(crate) duration: GoFloat,
    pub(crate) data_size: u64,
    pub(crate) data_size_in_repo: u64,
    pub(crate) metadata_size: u64,
    pub(crate) metadata_size_in_repo: u64,
    pub(crate) total_files: u64,
}

/// An error of one item, as restic's JSON has it.
#[derive(Serialize)]
pub(crate) struct ErrorUpdate<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) error: ErrorObject<'a>,
    pub(crate) during: &'static str,
    pub(crate) item: Cow<'a, str>,
}

/// Its text.
#[derive(Serialize)]
pub(crate) struct ErrorObject<'a> {
    pub(crate) message: &'a str,
}

/// What a backup came to.
#[derive(Serialize)]
pub(crate) struct SummaryOutput {
    pub(crate) message_type: &'static str,
    pub(crate) files_new: u64,
    pub(crate) files_changed: u64,
    pub(crate) files_unmodified: u64,
    pub(crate) dirs_new: u64,
    pub(crate) dirs_changed: u64,
    pub(crate) dirs_unmodified: u64,
    pub(crate) data_blobs: u64,
    pub(crate) tree_blobs: u64,
    pub(crate) data_added: u64,
    pub(crate) data_added_packed: u64,
    pub(crate) total_files_processed: u64,
    pub(crate) total_bytes_processed: u64,
    pub(crate) total_duration: GoFloat,
    pub(crate) backup_start: Time,
    pub(crate) backup_end: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot_id: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
}

/// One item, as restic's JSON has it.
pub(crate) fn verbose_update<'a>(
    item: &'a Path,
    is_dir: bool,
    action: &'static str,
    stats: ItemStats,
    duration: Duration,
) -> VerboseUpdate<'a> {
    let item = item.to_string_lossy();
    if action == "unchanged" {
        return VerboseUpdate { message_type: "verbose_status", action, item, ..VerboseUpdate::default() };
    }
    VerboseUpdate {
        message_type: "verbose_status",
        action,
        item,
        duration: GoFloat(duration.as_secs_f64()),
        data_size: stats.data_bytes,
        data_size_in_repo: stats.data_stored_bytes,
        metadata_size: if is_dir { stats.tree_bytes } else { 0 },
        metadata_size_in_repo: if is_dir { stats.tree_stored_bytes } else { 0 },
        total_files: 0,
    }
}

/// What a backup came to, as restic's JSON has it.
pub(crate) fn summary_output(outcome: &BackupOutcome, dry_run: bool) -> SummaryOutput {
    let summary = &outcome.summary;
    SummaryOutput {
        message_type: "summary",
        files_new: summary.files_new,
        files_changed: summary.files_changed,
        files_unmodified: summary.files_unmodified,
        dirs_new: summary.dirs_new,
        dirs_changed: summary.dirs_changed,
        dirs_unmodified: summary.dirs_unmodified,
        data_blobs: summary.data_blobs,
        tree_blobs: summary.tree_blobs,
        data_added: summary.data_added,
        data_added_packed: summary.data_added_packed,
        total_files_processed: summary.total_files_processed,
        total_bytes_processed: summary.total_bytes_processed,
        total_duration: GoFloat(duration(summary).as_secs_f64()),
        backup_start: summary.backup_start,
        backup_end: summary.backup_end,
        snapshot_id: outcome.snapshot.as_ref().map(|(id, _)| id.to_string()),
        dry_run,
    }
}

/// How long the backup took; nothing if the clock went back.
pub(crate) fn duration(summary: &Summary) -> Duration {
    let (start, end) = (summary.backup_start.timestamp(), summary.backup_end.timestamp());
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}
