//! What `restore` tells: each item, the progress, the end; as restic in words and in JSON.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::backup_json::{ErrorObject, ErrorUpdate};
use super::number::{GoFloat, is_zero};
use super::output::{Output, Verbosity};
use super::progress::{Status, Steps};
use super::text;
use super::units::{format_bytes, format_percent, format_seconds};
use crate::repository::{Event, Progress, RestoreAction, RestoreCounts, RestoreEvent};

/// How far a restore is, and what is told of it.
pub(crate) struct RestoreReport {
    output: Output,
    started: OnceLock<Instant>,
    counts: Mutex<RestoreCounts>,
}

/// How far it is, and what it came to, as restic's JSON has it.
#[derive(Serialize)]
struct StatusUpdate {
    message_type: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    seconds_elapsed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_done: Option<GoFloat>,
    #[serde(skip_serializing_if = "is_zero")]
    total_files: u64,
    #[serde(skip_serializing_if = "is_zero")]
    files_restored: u64,
    #[serde(skip_serializing_if = "is_zero")]
    files_skipped: u64,
    #[serde(skip_serializing_if = "is_zero")]
    files_deleted: u64,
    #[serde(skip_serializing_if = "is_zero")]
    total_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_restored: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_skipped: u64,
}

#[derive(Serialize)]
struct VerboseUpdate<'a> {
    message_type: &'static str,
    action: &'static str,
    item: std::borrow::Cow<'a, str>,
    size: u64,
}

impl RestoreReport {
    /// Nothing has begun yet.
    pub(crate) fn new(output: &Output) -> Arc<RestoreReport> {
        Arc::new(RestoreReport { output: output.clone(), started: OnceLock::new(), counts: Mutex::default() })
    }

    /// A listener that tells and counts what happens; what is not the restore's own goes to `steps`.
    pub(crate) fn listener(self: &Arc<RestoreReport>, steps: &Arc<Steps>) -> Progress {
        let (report, others) = (Arc::clone(self), steps.listener(&self.output));
        Progress::new(move |event| match event {
            Event::Restore(RestoreEvent::Counted(counts)) => *report.counts() = counts,
            Event::Restore(RestoreEvent::Done { action, path, size_bytes }) => report.done(action, &path, size_bytes),
            Event::Restore(RestoreEvent::Failed { path, reason }) => report.failed(&path, &reason),
            event => others.report(event),
        })
    }

    /// From now on time counts: opening the repository and waiting for a lock did not.
    pub(crate) fn begin(&self) {
        self.elapsed();
    }

    fn elapsed(&self) -> Duration {
        self.started.get_or_init(Instant::now).elapsed()
    }

    fn counts(&self) -> MutexGuard<'_, RestoreCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, action: RestoreAction, path: &Path, size_bytes: u64) {
        if self.output.verbosity() < Verbosity::Debug {
            return;
        }
        let (word, sized) = match action {
            RestoreAction::DirRestored | RestoreAction::OtherRestored => ("restored", false),
            RestoreAction::FileRestored => ("restored", true),
            RestoreAction::FileUpdated => ("updated", true),
            RestoreAction::FileUnchanged => ("unchanged", true),
            RestoreAction::Deleted => ("deleted", false),
        };
        if self.output.is_json() {
            let item = path.to_string_lossy();
            self.output.json_note(&VerboseUpdate {
                message_type: "verbose_status",
                action: word,
                item,
                size: size_bytes,
            });
            return;
        }
        let name = text::quoted_name(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())).into_owned();
        let size = if sized { format!(" with size {}", format_bytes(size_bytes)) } else { String::new() };
        self.output.debug(&format!("{word:<9} {name}{size}"));
    }

    fn failed(&self, path: &Path, reason: &str) {
        if self.output.is_json() {
            let error = ErrorObject { message: reason };
            let item = path.to_string_lossy();
            self.output.json_error(&ErrorUpdate { message_type: "error", error, during: "restore", item });
        } else {
            self.output.error(&format!("ignoring error for {}: {reason}", path.display()));
        }
    }

    /// Tells what the restore came to.
    pub(crate) fn finish(&self, counts: &RestoreCounts) {
        let seconds = self.elapsed().as_secs();
        if self.output.is_json() {
            self.output.json_note(&update("summary", seconds, None, counts));
        } else {
            self.output.note(&summary(counts, seconds));
        }
    }
}

impl Status for RestoreReport {
    fn lines(&self) -> Vec<String> {
        let counts = *self.counts();
        let time = format_seconds(self.elapsed().as_secs());
        let percent = format_percent(counts.bytes_restored, counts.bytes_total);
        let (done, total) = (format_bytes(counts.bytes_restored), format_bytes(counts.bytes_total));
        let line = format!(
            "[{time}] {percent}  {} files/dirs {done}, total {} files/dirs {total}",
            counts.files_restored, counts.files_total
        );
        vec![line + &besides(&counts)]
    }

    fn print_json(&self, output: &Output) {
        let counts = *self.counts();
        let percent_done = GoFloat::ratio(counts.bytes_restored, counts.bytes_total);
        output.json_note(&update("status", self.elapsed().as_secs(), Some(percent_done), &counts));
    }
}

fn update(
    message_type: &'static str,
    seconds_elapsed: u64,
    percent_done: Option<GoFloat>,
    counts: &RestoreCounts,
) -> StatusUpdate {
    StatusUpdate {
        message_type,
        seconds_elapsed,
        percent_done,
        total_files: counts.files_total,
        files_restored: counts.files_restored,
        files_skipped: counts.files_skipped,
        files_deleted: counts.files_deleted,
        total_bytes: counts.bytes_total,
        bytes_restored: counts.bytes_restored,
        bytes_skipped: counts.bytes_skipped,
    }
}

fn summary(counts: &RestoreCounts, seconds: u64) -> String {
    let time = format_seconds(seconds);
    let (done, total) = (format_bytes(counts.bytes_restored), format_bytes(counts.bytes_total));
    let (files, all_files) = (counts.files_restored, counts.files_total);
    let line = if files == all_files && counts.bytes_restored == counts.bytes_total {
        format!("Summary: Restored {all_files} files/dirs ({total}) in {time}")
    } else {
        format!("Summary: Restored {files} / {all_files} files/dirs ({done} / {total}) in {time}")
    };
    line + &besides(counts)
}

/// What was left as it is, and what was removed.
fn besides(counts: &RestoreCounts) -> String {
    let mut text = String::new();
    if counts.files_skipped > 0 {
        text += &format!(", skipped {} files/dirs {}", counts.files_skipped, format_bytes(counts.bytes_skipped));
    }
    if counts.files_deleted > 0 {
        text += &format!(", deleted {} files/dirs", counts.files_deleted);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::output::capture::captured;
    use super::*;

    #[test]
    fn the_end_is_told_as_restic_tells_it() {
        let whole = RestoreCounts {
            files_total: 6,
            files_restored: 6,
            bytes_total: 6,
            bytes_restored: 6,
            ..Default::default()
        };
        assert_eq!(summary(&whole, 0), "Summary: Restored 6 files/dirs (6 B) in 0:00");
        let part = RestoreCounts { files_restored: 4, files_skipped: 2, bytes_skipped: 6, files_deleted: 1, ..whole };
        let expected =
            "Summary: Restored 4 / 6 files/dirs (6 B / 6 B) in 0:05, skipped 2 files/dirs 6 B, deleted 1 files/dirs";
        assert_eq!(summary(&part, 5), expected);
    }

    #[test]
    fn json_has_the_fields_of_restic_in_its_order() {
        let (output, stdout, stderr) = captured(Verbosity::Debug, true, false);
        let report = RestoreReport::new(&output);
        let counts = RestoreCounts {
            files_total: 4,
            files_restored: 4,
            files_skipped: 2,
            bytes_skipped: 6,
            ..Default::default()
        };
        let listener = report.listener(&Steps::new());
        let action = RestoreAction::FileUnchanged;
        listener.report(Event::Restore(RestoreEvent::Done { action, path: "/src/a".into(), size_bytes: 3 }));
        listener.report(Event::Restore(RestoreEvent::Counted(counts)));
        report.print_json(&output);
        listener.report(Event::Restore(RestoreEvent::Failed { path: "/x".into(), reason: "denied".to_owned() }));
        report.finish(&counts);
        let expected = [
            r#"{"message_type":"verbose_status","action":"unchanged","item":"/src/a","size":3}"#,
            r#"{"message_type":"status","percent_done":0,"total_files":4,"files_restored":4,"files_skipped":2,"bytes_skipped":6}"#,
            r#"{"message_type":"summary","total_files":4,"files_restored":4,"files_skipped":2,"bytes_skipped":6}"#,
        ];
        assert_eq!(stdout.text().lines().collect::<Vec<_>>(), expected);
        let error = r#"{"message_type":"error","error":{"message":"denied"},"during":"restore","item":"/x"}"#;
        assert_eq!(stderr.text().trim_end(), error);
    }

    #[test]
    fn items_are_told_to_who_wants_to_know() {
        let (output, stdout, _) = captured(Verbosity::Debug, false, false);
        let listener = RestoreReport::new(&output).listener(&Steps::new());
        for (action, path) in [(RestoreAction::FileRestored, "/a"), (RestoreAction::DirRestored, "/d")] {
            listener.report(Event::Restore(RestoreEvent::Done { action, path: path.into(), size_bytes: 3 }));
        }
        assert_eq!(stdout.text(), "restored  /a with size 3 B\nrestored  /d\n");
    }
}
