//! What a restore tells while it runs, and counts.

use std::error::Error;
use std::path::PathBuf;

use crate::repository::{Event, Progress};

/// How far a restore is, counted as restic's messages count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreCounts {
    /// Entries found so far that are to be restored.
    pub files_total: u64,
    /// Entries restored; with a filter, also the folders on the way to them.
    pub files_restored: u64,
    /// Entries left as they are.
    pub files_skipped: u64,
    /// Entries removed.
    pub files_deleted: u64,
    /// The length of all content that is to be restored.
    pub bytes_total: u64,
    /// How much of it is done.
    pub bytes_restored: u64,
    /// The length of the files left as they are.
    pub bytes_skipped: u64,
    /// Entries that could not be restored, or not wholly.
    pub errors: u64,
}

/// What was done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreAction {
    /// A folder is there, with its metadata.
    DirRestored,
    /// A file was written.
    FileRestored,
    /// A file was there, and parts of it were written.
    FileUpdated,
    /// An entry was left as it is; the metadata of a file with the right content is set.
    FileUnchanged,
    /// A link, pipe or device was made, or a further name of a file.
    OtherRestored,
    /// An entry was removed.
    Deleted,
}

/// One thing that happened during a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreEvent {
    /// The counts changed.
    Counted(RestoreCounts),
    /// An entry is done.
    Done {
        /// What was done.
        action: RestoreAction,
        /// The path in the snapshot; of a removed entry the path in the file system.
        path: PathBuf,
        /// The length of a file.
        size_bytes: u64,
    },
    /// An entry could not be restored, or not wholly; the others go on.
    Failed {
        /// The path in the snapshot.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
}

/// Counts, and tells.
pub(super) struct Reporter {
    progress: Progress,
    pub(super) counts: RestoreCounts,
}

impl Reporter {
    pub(super) fn new(progress: Progress) -> Reporter {
        Reporter { progress, counts: RestoreCounts::default() }
    }

    /// An entry is to be restored.
    pub(super) fn found(&mut self, size_bytes: u64) {
        self.counts.files_total += 1;
        self.counts.bytes_total = self.counts.bytes_total.saturating_add(size_bytes);
        self.tell_counts();
    }

    /// A part of what is to be restored has another length than was thought.
    pub(super) fn corrected(&mut self, stated_bytes: u64, found_bytes: u64) {
        let total = self.counts.bytes_total.saturating_sub(stated_bytes);
        self.counts.bytes_total = total.saturating_add(found_bytes);
    }

    /// A part of a file's content is where it belongs.
    pub(super) fn advanced(&mut self, bytes: u64) {
        self.counts.bytes_restored = self.counts.bytes_restored.saturating_add(bytes);
        self.tell_counts();
    }

    /// An entry that was [found](Reporter::found) is restored.
    pub(super) fn restored(&mut self, action: RestoreAction, path: PathBuf, size_bytes: u64) {
        self.counts.files_restored += 1;
        self.done(action, path, size_bytes);
    }

    /// An entry stays as it is.
    pub(super) fn skipped(&mut self, path: PathBuf, size_bytes: u64) {
        self.counts.files_skipped += 1;
        self.counts.bytes_skipped = self.counts.bytes_skipped.saturating_add(size_bytes);
        self.done(RestoreAction::FileUnchanged, path, size_bytes);
    }

    /// An entry of the target is gone.
    pub(super) fn deleted(&mut self, path: PathBuf) {
        self.counts.files_deleted += 1;
        self.done(RestoreAction::Deleted, path, 0);
    }

    /// An entry could not be restored.
    pub(super) fn failed(&mut self, path: PathBuf, error: &dyn Error) {
        self.counts.errors += 1;
        self.tell(RestoreEvent::Failed { path, reason: in_words(error) });
    }

    fn done(&mut self, action: RestoreAction, path: PathBuf, size_bytes: u64) {
        self.tell(RestoreEvent::Done { action, path, size_bytes });
        self.tell_counts();
    }

    fn tell_counts(&self) {
        self.tell(RestoreEvent::Counted(self.counts));
    }

    fn tell(&self, event: RestoreEvent) {
        self.progress.report(Event::Restore(event));
    }
}

/// An error and what it comes from, in one line.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}
