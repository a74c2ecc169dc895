//! What `backup` tells: each item, the progress, the end; as restic in words and in JSON.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::backup_json::{
    ErrorObject, ErrorUpdate, StatusUpdate, VerboseUpdate, duration, summary_output, verbose_update,
};
use super::number::GoFloat;
use super::output::{Output, Verbosity};
use super::progress::{Status, Steps};
use super::{text, units};
use crate::format::Summary;
use crate::repository::{BackupEvent, BackupOutcome, Event, ItemChange, ItemStats, Progress, ScanTotals};

/// Slower than this nobody wants to know when it ends.
const SLOWEST_BYTES_PER_SECOND: u64 = 1024;

/// How far a backup is, and what is told of it.
pub(crate) struct BackupReport {
    output: Output,
    started: OnceLock<Instant>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: bool,
    totals: ScanTotals,
    scanned: bool,
    files: u64,
    bytes: u64,
    errors: u64,
    current: BTreeSet<PathBuf>,
}

impl BackupReport {
    /// Nothing has begun yet.
    pub(crate) fn new(output: &Output) -> Arc<BackupReport> {
        Arc::new(BackupReport { output: output.clone(), started: OnceLock::new(), state: Mutex::default() })
    }

    /// A listener that tells and counts what happens; what is not the backup's own goes to `steps`.
    pub(crate) fn listener(self: &Arc<BackupReport>, steps: &Arc<Steps>) -> Progress {
        let (report, others) = (Arc::clone(self), steps.listener(&self.output));
        Progress::new(move |event| match event {
            Event::Backup(event) => report.hear(event),
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, event: BackupEvent) {
        match event {
            BackupEvent::Scanned { totals, is_complete } => self.scanned(totals, is_complete),
            BackupEvent::FileStarted { item } => {
                self.state().current.insert(item);
            }
            BackupEvent::BytesDone { bytes } => {
                let mut state = self.state();
                state.begun = true;
                state.bytes += bytes;
            }
            BackupEvent::FileEnded { item } => {
                self.state().current.remove(&item);
            }
            BackupEvent::ItemDone { item, is_dir, change, stats, duration } => {
                let mut state = self.state();
                state.begun = true;
                if !is_dir {
                    state.files += 1;
                    state.current.remove(&item);
                }
                drop(state);
                self.item_done(&item, is_dir, change, stats, duration);
            }
            BackupEvent::Failed { path, reason, is_scan } => self.failed(&path, &reason, is_scan),
            BackupEvent::Warning(text) => self.output.error(&text),
        }
    }

    fn scanned(&self, totals: ScanTotals, is_complete: bool) {
        let mut state = self.state();
        (state.begun, state.totals, state.scanned) = (true, totals, is_complete);
        drop(state);
        if !is_complete {
            return;
        }
        let seconds = self.elapsed().as_secs_f64();
        if self.output.is_json() {
            if self.output.verbosity() >= Verbosity::Verbose {
                let update = VerboseUpdate {
                    message_type: "verbose_status",
                    action: "scan_finished",
                    duration: GoFloat(seconds),
                    data_size: totals.bytes,
                    total_files: totals.files,
                    ..VerboseUpdate::default()
                };
                self.print(&update);
            }
            return;
        }
        let size = units::format_bytes(totals.bytes);
        self.output.verbose(&format!("scan finished in {seconds:.3}s: {} files, {size}", totals.files));
    }

    fn item_done(&self, item: &Path, is_dir: bool, change: ItemChange, stats: ItemStats, duration: Duration) {
        let action = match change {
            ItemChange::New => "new",
            ItemChange::Modified => "modified",
            ItemChange::Unchanged => "unchanged",
        };
        if self.output.is_json() {
            if self.output.verbosity() >= Verbosity::Verbose {
                self.print(&verbose_update(item, is_dir, action, stats, duration));
            }
            return;
        }
        if self.output.verbosity() < Verbosity::Debug {
            return;
        }
        let name = text::quoted_name(std::os::unix::ffi::OsStrExt::as_bytes(item.as_os_str())).into_owned();
        let mut line = format!("{action:<9} {name}");
        if change != ItemChange::Unchanged {
            let (added, stored) = (units::format_bytes(stats.data_bytes), units::format_bytes(stats.data_stored_bytes));
            let metadata = match is_dir {
                true => format!(", {} metadata", units::format_bytes(stats.tree_stored_bytes)),
                false => String::new(),
            };
            let seconds = duration.as_secs_f64();
            line.push_str(&format!(", saved in {seconds:.3}s ({added} added, {stored} stored{metadata})"));
        }
        self.output.debug(&line);
    }

    fn failed(&self, path: &Path, reason: &str, is_scan: bool) {
        if !is_scan {
            let mut state = self.state();
            state.begun = true;
            state.errors += 1;
        }
        if self.output.is_json() {
            let during = if is_scan { "scan" } else { "archival" };
            let item = path.to_string_lossy();
            let error = ErrorObject { message: reason };
            self.output.json_error(&ErrorUpdate { message_type: "error", error, during, item });
        } else if !is_scan {
            self.output.error(&format!("error: {}: {reason}", path.display()));
        } else if self.output.verbosity() >= Verbosity::Verbose {
            self.output.error(&format!("scan: {}: {reason}", path.display()));
        }
    }

    /// Tells what the backup came to.
    pub(crate) fn finish(&self, outcome: &BackupOutcome, dry_run: bool) {
        let BackupOutcome { snapshot, summary, .. } = outcome;
        if self.output.is_json() {
            self.print(&summary_output(outcome, dry_run));
            return;
        }
        for line in summary_lines(summary, dry_run) {
            match line {
                (Verbosity::Verbose, line) => self.output.verbose(&line),
                (_, line) => self.output.note(&line),
            }
        }
        match snapshot {
            Some((id, _)) => self.output.note(&format!("snapshot {} saved", id.short())),
            None if dry_run => {}
            None => self.output.note("skipped creating snapshot"),
        }
    }

    /// A reader that went away is met again at the end.
    fn print(&self, object: &impl Serialize) {
        self.output.json_note(object);
    }
}

impl Status for BackupReport {
    fn lines(&self) -> Vec<String> {
        let state = self.state();
        if !state.begun {
            return Vec::new();
        }
        let time = units::format_seconds(self.elapsed().as_secs());
        let (files, bytes) = (state.files, units::format_bytes(state.bytes));
        let totals = state.totals;
        let line = if totals.files == 0 && totals.dirs == 0 {
            format!("[{time}] {files} files, {bytes}, {} errors", state.errors)
        } else {
            let left = self.seconds_left(&state);
            let (percent, end) = match left {
                0 => (String::new(), String::new()),
                _ => (
                    format!("{}  ", units::format_percent(state.bytes, totals.bytes)),
                    format!(" ETA {}", units::format_seconds(left)),
                ),
            };
            let total = units::format_bytes(totals.bytes);
            format!(
                "[{time}] {percent}{files} files {bytes}, total {} files {total}, {} errors{end}",
                totals.files, state.errors
            )
        };
        let current = state.current.iter().take(2).map(|path| path.to_string_lossy().into_owned());
        std::iter::once(line).chain(current).collect()
    }

    fn print_json(&self, output: &Output) {
        let state = self.state();
        if !state.begun {
            return;
        }
        output.json_note(&StatusUpdate {
            message_type: "status",
            seconds_elapsed: self.elapsed().as_secs(),
            seconds_remaining: self.seconds_left(&state),
            percent_done: GoFloat::ratio(state.bytes, state.totals.bytes),
            total_files: state.totals.files,
            files_done: state.files,
            total_bytes: state.totals.bytes,
            bytes_done: state.bytes,
            error_count: state.errors,
            current_files: state.current.iter().map(|path| path.to_string_lossy()).collect(),
        });
    }
}

impl BackupReport {
    /// When it ends at the rate so far; 0 if nobody knows.
    fn seconds_left(&self, state: &State) -> u64 {
        let elapsed = self.elapsed().as_secs().max(1);
        let rate = state.bytes / elapsed;
        match state.totals.bytes.checked_sub(state.bytes) {
            Some(left) if state.scanned && rate > SLOWEST_BYTES_PER_SECOND => left / rate,
            _ => 0,
        }
    }
}

/// The end in words, each line with how verbose one must be to see it.
fn summary_lines(summary: &Summary, dry_run: bool) -> Vec<(Verbosity, String)> {
    let counts = |what: &str, new: u64, changed: u64, same: u64| {
        (Verbosity::Normal, format!("{what:<12} {new:5} new, {changed:5} changed, {same:5} unmodified"))
    };
    let blobs = |what: &str, new: u64| (Verbosity::Verbose, format!("{what:<12} {new:5} new"));
    let verb = if dry_run { "Would add" } else { "Added" };
    let (added, stored) = (units::format_bytes(summary.data_added), units::format_bytes(summary.data_added_packed));
    let time = units::format_seconds(duration(summary).as_secs());
    let (files, bytes) = (summary.total_files_processed, units::format_bytes(summary.total_bytes_processed));
    vec![
        (Verbosity::Normal, String::new()),
        counts("Files:", summary.files_new, summary.files_changed, summary.files_unmodified),
        counts("Dirs:", summary.dirs_new, summary.dirs_changed, summary.dirs_unmodified),
        blobs("Data Blobs:", summary.data_blobs),
        blobs("Tree Blobs:", summary.tree_blobs),
        (Verbosity::Normal, format!("{verb} to the repository: {added:<5} ({stored:<5} stored)")),
        (Verbosity::Normal, String::new()),
        (Verbosity::Normal, format!("processed {files} files, {bytes} in {time}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::output::capture::captured;
    use super::*;
    use crate::format::{Snapshot, SnapshotId, Time, TreeId};

    fn outcome() -> BackupOutcome {
        let tree = TreeId::from_bytes([1; 32]);
        let summary = Summary {
            backup_start: "2026-11-23T12:52:46.5Z".parse().unwrap(),
            backup_end: "2026-11-23T12:52:48Z".parse().unwrap(),
            files_new: 2,
            dirs_new: 2,
            data_blobs: 2,
            tree_blobs: 3,
            data_added: 2003,
            data_added_packed: 1194,
            total_files_processed: 2,
            total_bytes_processed: 6,
            ..Summary::default()
        };
        let snapshot = Some((SnapshotId::from_bytes([0x5d; 32]), Snapshot::new(Time::ZERO, tree, Vec::new())));
        BackupOutcome { snapshot, tree, summary, is_incomplete: false }
    }

    #[test]
    fn the_end_is_told_as_restic_tells_it() {
        let (output, stdout, _) = captured(Verbosity::Verbose, false, false);
        BackupReport::new(&output).finish(&outcome(), false);
        let expected = "
Files:           2 new,     0 changed,     0 unmodified
Dirs:            2 new,     0 changed,     0 unmodified
Data Blobs:      2 new
Tree Blobs:      3 new
Added to the repository: 1.956 KiB (1.166 KiB stored)

processed 2 files, 6 B in 0:01
snapshot 5d5d5d5d saved
";
        assert_eq!(stdout.text(), expected);
    }

    #[test]
    fn the_summary_has_the_fields_of_restic_in_its_order() {
        let (output, stdout, _) = captured(Verbosity::Normal, true, false);
        BackupReport::new(&output).finish(&outcome(), false);
        let expected = format!(
            r#"{{"message_type":"summary","files_new":2,"files_changed":0,"files_unmodified":0,"dirs_new":2,"dirs_changed":0,"dirs_unmodified":0,"data_blobs":2,"tree_blobs":3,"data_added":2003,"data_added_packed":1194,"total_files_processed":2,"total_bytes_processed":6,"total_duration":1.5,"backup_start":"2026-11-23T12:52:46.5Z","backup_end":"2026-11-23T12:52:48Z","snapshot_id":"{}"}}"#,
            "5d".repeat(32)
        );
        assert_eq!(stdout.text().trim_end(), expected);
    }

    fn done(change: ItemChange) -> Event {
        let stats = ItemStats { data_bytes: 3, data_stored_bytes: 35, ..ItemStats::default() };
        let duration = Duration::from_millis(8);
        Event::Backup(BackupEvent::ItemDone { item: "/src/a".into(), is_dir: false, change, stats, duration })
    }

    #[test]
    fn items_are_told_to_who_wants_to_know() {
        let (output, stdout, _) = captured(Verbosity::Debug, false, false);
        let listener = BackupReport::new(&output).listener(&Steps::new());
        listener.report(done(ItemChange::New));
        listener.report(done(ItemChange::Unchanged));
        assert_eq!(stdout.text(), "new       /src/a, saved in 0.008s (3 B added, 35 B stored)\nunchanged /src/a\n");
        let (output, stdout, _) = captured(Verbosity::Verbose, true, false);
        let listener = BackupReport::new(&output).listener(&Steps::new());
        listener.report(done(ItemChange::Modified));
        let expected = r#"{"message_type":"verbose_status","action":"modified","item":"/src/a","duration":0.008,"data_size":3,"data_size_in_repo":35,"metadata_size":0,"metadata_size_in_repo":0,"total_files":0}"#;
        assert_eq!(stdout.text().trim_end(), expected);
    }

    #[test]
    fn progress_is_told_as_restic_tells_it() {
        let (output, stdout, _) = captured(Verbosity::Normal, true, false);
        let report = BackupReport::new(&output);
        let listener = report.listener(&Steps::new());
        assert!(report.lines().is_empty());
        let totals = ScanTotals { files: 4, dirs: 1, others: 0, bytes: 400 };
        listener.report(Event::Backup(BackupEvent::Scanned { totals, is_complete: true }));
        listener.report(Event::Backup(BackupEvent::FileStarted { item: "/src/b".into() }));
        listener.report(Event::Backup(BackupEvent::BytesDone { bytes: 100 }));
        assert_eq!(report.lines(), ["[0:00] 0 files 100 B, total 4 files 400 B, 0 errors", "/src/b"]);
        report.print_json(&output);
        let expected = r#"{"message_type":"status","percent_done":0.25,"total_files":4,"total_bytes":400,"bytes_done":100,"current_files":["/src/b"]}"#;
        assert_eq!(stdout.text().trim_end(), expected);
    }

    #[test]
    fn an_error_is_told_on_stderr() {
        let failed =
            || Event::Backup(BackupEvent::Failed { path: "/x".into(), reason: "denied".to_owned(), is_scan: false });
        let (output, _, stderr) = captured(Verbosity::Normal, true, false);
        BackupReport::new(&output).listener(&Steps::new()).report(failed());
        let expected = r#"{"message_type":"error","error":{"message":"denied"},"during":"archival","item":"/x"}"#;
        assert_eq!(stderr.text().trim_end(), expected);
        let (output, _, stderr) = captured(Verbosity::Quiet, false, false);
        BackupReport::new(&output).listener(&Steps::new()).report(failed());
        assert_eq!(stderr.text(), "error: /x: denied\n");
    }
}
