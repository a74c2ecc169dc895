//! What ends a backup. What only costs a file is told as [`super::BackupEvent::Failed`].

use std::io;
use std::path::PathBuf;

use crate::format::FormatError;
use crate::repository::RepositoryError;

/// A backup that made no snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// None of the paths is there.
    #[error("all source directories/files do not exist")]
    NoSource,
    /// Nothing was left to store.
    #[error("snapshot is empty")]
    Empty,
    /// A path of the backup cannot be looked at.
    #[error("cannot read {}", .path.display())]
    Source {
        /// The path.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The stream that is the backup's only source ended with an error.
    #[error("the input cannot be read: {reason}")]
    Input {
        /// Why, in words.
        reason: String,
    },
    /// Two of the paths would have the same place in the snapshot, or one has none.
    #[error("{} has no place of its own in the snapshot", .path.display())]
    Place {
        /// The path.
        path: PathBuf,
    },
    /// What stands before a colon in `--exclude-if-present` is empty.
    #[error("no name for exclusion tagfile provided")]
    TagFile,
    /// What was to be written cannot be.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The repository failed, or the operator stopped the work.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}
