//! How to back up, and what came of it.

use std::num::NonZeroUsize;

use super::BackupError;
use crate::format::{Snapshot, SnapshotId, Summary, Time, TreeId};
use crate::repository::Patterns;

/// How to back up; of it, only the parent's id, `excludes.texts`, `hostname`, `tags`, `time` and `program_version` are
/// stored.
#[derive(Clone, Debug, Default)]
pub struct BackupOptions {
    /// What to leave out.
    pub excludes: Excludes,
    /// The snapshot to compare with; files that look as they do there are not read.
    pub parent: Option<(SnapshotId, Snapshot)>,
    /// Take a file for unchanged although its inode number (and so its ctime) differs.
    pub ignore_inode: bool,
    /// Take a file for unchanged although its ctime differs.
    pub ignore_ctime: bool,
    /// Store when files were read last; else the time of their last change stands in its place.
    pub with_atime: bool,
    /// Do everything but writing.
    pub dry_run: bool,
    /// Make no snapshot if its tree would be that of the parent.
    pub skip_if_unchanged: bool,
    /// Count files and bytes ahead of the backup, for its progress.
    pub scan: bool,
    /// How many large files are read at once; none: two.
    pub read_concurrency: Option<NonZeroUsize>,
    /// The time of the snapshot; none: now.
    pub time: Option<Time>,
    /// The host of the snapshot.
    pub hostname: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its program version.
    pub program_version: String,
}

/// What to leave out of a backup. Paths that were named themselves are never left out.
#[derive(Clone, Debug, Default)]
pub struct Excludes {
    /// Absolute paths that one of these lists matches.
    pub patterns: Vec<Patterns>,
    /// The patterns as the snapshot tells them.
    pub texts: Vec<String>,
    /// What lies in a directory beside such a file.
    pub if_present: Vec<TagFile>,
    /// What is longer and no directory.
    pub larger_than_bytes: Option<u64>,
    /// What lies on another file system than the path that was named.
    pub other_file_systems: bool,
}

/// A file that keeps its directory out of backups; the file itself is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFile {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// What it must begin with.
    pub(super) header: Vec<u8>,
}

/// Which snapshot to compare with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParentChoice {
    /// `latest`, or the beginning of a name (`--parent`), and it must be there; none: the newest, if there is one.
    ///
    /// The rest says among which the newest is chosen (`--group-by`), of those that are not newer than the backup.
    pub name: Option<String>,
    /// Only those of this host.
    pub host: Option<String>,
    /// Only those that have all the paths of the backup.
    pub by_paths: bool,
    /// Only those with all these tags.
    pub tags: Option<Vec<String>>,
}

/// What a backup came to.
#[derive(Clone, Debug)]
pub struct BackupOutcome {
    /// The snapshot; none in a dry run, and if it was skipped as unchanged.
    pub snapshot: Option<(SnapshotId, Snapshot)>,
    /// The root directory.
    pub tree: TreeId,
    /// The counts, as the snapshot tells them.
    pub summary: Summary,
    /// Something could not be read: restic's exit code 3.
    pub is_incomplete: bool,
}

impl TagFile {
    /// A tag file as `--exclude-if-present` names it: `NAME`, or `NAME:HEADER`.
    pub fn parse(spec: &str) -> Result<Self, BackupError> {
        let (name, header) = spec.split_once(':').unwrap_or((spec, ""));
        if name.is_empty() {
            return Err(BackupError::TagFile);
        }
        Ok(Self { name: name.into(), header: header.into() })
    }

    /// The file that marks caches (`--exclude-caches`): <https://bford.info/cachedir/>.
    #[must_use]
    pub fn of_caches() -> Self {
        Self { name: b"CACHEDIR.TAG".to_vec(), header: b"Signature: 8a477f597d28d172789f06886806bc55".to_vec() }
    }
}
