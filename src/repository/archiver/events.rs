//! What a backup tells while it runs.

use std::path::PathBuf;
use std::time::Duration;

/// How an entry compares with the same path of the parent snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemChange {
    /// The parent does not have it.
    New,
    /// It differs, if only in its times.
    Modified,
    /// Nothing about it differs.
    Unchanged,
}

/// What storing an entry added to the repository; bytes as they were and as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemStats {
    /// Data blobs that were not known.
    pub data_blobs: u64,
    /// Their bytes.
    pub data_bytes: u64,
    /// Their bytes compressed and sealed.
    pub data_stored_bytes: u64,
    /// Tree blobs that were not known.
    pub tree_blobs: u64,
    /// Their bytes.
    pub tree_bytes: u64,
    /// Their bytes compressed and sealed.
    pub tree_stored_bytes: u64,
}

/// What the scan that goes before the backup has found so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanTotals {
    /// Files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Links, pipes and devices.
    pub others: u64,
    /// The length of the files.
    pub bytes: u64,
}

/// One thing that happened during a backup. Paths of items are those in the snapshot, of directories with a slash at
/// the end, as restic shows them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BackupEvent {
    /// The scan went on, or ended.
    Scanned {
        /// What it has found.
        totals: ScanTotals,
        /// It has seen all.
        is_complete: bool,
    },
    /// A file is about to be read.
    FileStarted {
        /// Its path in the snapshot.
        item: PathBuf,
    },
    /// So much of a file has been read, or need not be.
    BytesDone {
        /// How much.
        bytes: u64,
    },
    /// A file that was started is not read any longer.
    FileEnded {
        /// Its path in the snapshot.
        item: PathBuf,
    },
    /// A file or directory is stored.
    ItemDone {
        /// Its path in the snapshot.
        item: PathBuf,
        /// It is a directory.
        is_dir: bool,
        /// How it compares with the parent snapshot.
        change: ItemChange,
        /// What it added.
        stats: ItemStats,
        /// How long it took.
        duration: Duration,
    },
    /// Something could not be read, or not wholly: the snapshot is made without it.
    Failed {
        /// Its path in the file system.
        path: PathBuf,
        /// Why, in words.
        reason: String,
        /// It was the scan that could not read it, which does not make the snapshot incomplete.
        is_scan: bool,
    },
    /// Something the operator should know of that costs no file: a tag file that cannot be read.
    Warning(String),
}

impl std::ops::AddAssign for ItemStats {
    fn add_assign(&mut self, other: Self) {
        self.data_blobs += other.data_blobs;
        self.data_bytes += other.data_bytes;
        self.data_stored_bytes += other.data_stored_bytes;
        self.tree_blobs += other.tree_blobs;
        self.tree_bytes += other.tree_bytes;
        self.tree_stored_bytes += other.tree_stored_bytes;
    }
}
