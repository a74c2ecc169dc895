//! How to restore.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::repository::Patterns;

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

/// Which entries of a tree to restore.
#[derive(Clone, Debug, Default)]
pub enum Selection {
    /// All.
    #[default]
    All,
    /// All but what any of the lists matches, and what is below (`--exclude`, `--iexclude`).
    Excluding(Vec<Patterns>),
    /// Only what any of the lists matches (`--include`, `--iinclude`).
    Including(Vec<Patterns>),
}

/// What a selection says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    /// Restore it.
    pub(super) itself: bool,
    /// Look at what is below it.
    pub(super) below: bool,
}

impl Selection {
    /// What it says of an entry, by its path in the tree with a leading slash.
    pub(super) fn of(&self, location: &Path, is_folder: bool) -> Selected {
        match self {
            Selection::All => Selected { itself: true, below: is_folder },
            Selection::Excluding(lists) => {
                let itself = !lists.iter().any(|list| list.matches(location).is_match);
                Selected { itself, below: itself && is_folder }
            }
            Selection::Including(lists) => {
                let matches: Vec<_> = lists.iter().map(|list| list.matches(location)).collect();
                let itself = matches.iter().any(|found| found.is_match);
                Selected { itself, below: is_folder && matches.iter().any(|found| found.may_hold_match) }
            }
        }
    }
}

/// Chooses extended attributes by their names.
pub type SelectXattr = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// How to restore a tree; nothing of it is stored.
#[derive(Clone)]
pub struct RestoreOptions {
    /// Where to; made if it is not there.
    pub target: PathBuf,
    /// What to restore.
    pub select: Selection,
    /// Which extended attributes to restore; none: all.
    pub select_xattr: Option<SelectXattr>,
    /// Restore owners by their names; where this machine does not know the name, by number.
    pub ownership_by_name: bool,
    /// What to do about what is already there.
    pub overwrite: Overwrite,
    /// Remove what is in the target and not in the snapshot, within what is selected.
    pub delete: bool,
    /// Leave holes for zeros in new files.
    pub sparse: bool,
    /// Change nothing, only tell what would be done.
    pub dry_run: bool,
    /// Remember what was restored, for [`verify`](super::verify()).
    pub verify: bool,
}

impl RestoreOptions {
    /// Everything, as restic does it without options.
    #[must_use]
    pub fn to(target: impl Into<PathBuf>) -> RestoreOptions {
        RestoreOptions {
            target: target.into(),
            select: Selection::All,
            select_xattr: None,
            ownership_by_name: false,
            overwrite: Overwrite::default(),
            delete: false,
            sparse: false,
            dry_run: false,
            verify: false,
        }
    }
}
