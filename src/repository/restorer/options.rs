//! How to restore.

use std::path::PathBuf;

/// What to do about what is already in the target (restic's `--overwrite`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Compare contents, and write what differs.
    #[default]
    Always,
    /// As `Always`, but a file with the same size and modification time is taken for unchanged.
    IfChanged,
    /// Only what was modified later in the snapshot than in the target.
    IfNewer,
    /// Nothing that is there.
    Never,
}

/// How to restore a tree; nothing of it is stored.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// Where to; made if it is not there.
    pub target: PathBuf,
    /// What to do about what is already there.
    pub overwrite: Overwrite,
    /// Remove what is in the target and not in the snapshot, within what is selected.
    pub delete: bool,
    /// Leave holes for zeros in new files.
    pub sparse: bool,
    /// Change nothing, only tell what would be done.
    pub dry_run: bool,
}
