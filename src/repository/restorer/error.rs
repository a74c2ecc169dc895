//! What ends a restore, and what only costs an entry.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::metadata::MetadataError;
use super::names::UnfitName;
use crate::format::{BlobId, NodeType};
use crate::repository::RepositoryError;

/// A restore that ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The target is not there and cannot be made, or is no folder.
    #[error("cannot restore to {}", .target.display())]
    Target {
        /// The target.
        target: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The target's file system, or a quota on it, has no room for more.
    #[error("no space left in the target for {}", .path.display())]
    Full {
        /// The entry that was being restored.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A small repository that names the same folders in each other over and over.
    #[error("the snapshot unfolds to {entries} entries; the target's file system has room for {room}")]
    Bomb {
        /// How many entries.
        entries: u64,
        /// How many files the file system can take.
        room: u64,
    },
    /// The files do not fit into the memory that was allowed for them.
    #[error("the snapshot has more than the {limit_bytes} bytes in files that are expected here")]
    TooMuch {
        /// What was allowed.
        limit_bytes: u64,
    },
    /// More entries than a small snapshot has.
    #[error("the snapshot has more than {limit} entries, far more than are expected here")]
    TooManyEntries {
        /// How many are too many.
        limit: usize,
    },
    /// An entry has a name that no file can have.
    #[error("{:?} in folder {:?} of the snapshot: {reason}", String::from_utf8_lossy(.name), .folder)]
    Name {
        /// The folder in the snapshot.
        folder: PathBuf,
        /// The name.
        name: Vec<u8>,
        /// What is wrong with it.
        reason: String,
    },
    /// The repository failed, or the operator stopped the work.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Why one entry is not restored, or not wholly.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemError {
    #[error("{action}")]
    Io { action: &'static str, source: io::Error },
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Name(#[from] UnfitName),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("a folder without a tree")]
    NoSubtree,
    #[error("an entry of type {:?} cannot be restored", .0.as_str())]
    Type(NodeType),
    #[error("blob {blob} has {found_bytes} bytes, but the index says {stated_bytes}")]
    Length { blob: BlobId, found_bytes: usize, stated_bytes: u32 },
    #[error("it takes {needed_bytes} bytes, and the target has room for {free_bytes}")]
    TooBig { needed_bytes: u64, free_bytes: u64 },
    #[error("its content is not what was restored")]
    Differs,
    #[error("{} is its hard link and was not restored", .0.display())]
    Leader(PathBuf),
}

impl ItemError {
    /// Adds to an error what was tried.
    pub(super) fn io<E: Into<io::Error>>(action: &'static str) -> impl Fn(E) -> ItemError {
        move |source| ItemError::Io { action, source: source.into() }
    }

    /// The error that ends the whole restore, if this is one: nothing else would fit either.
    pub(super) fn fatal(self, path: &Path) -> Result<ItemError, RestoreError> {
        match self {
            ItemError::Io { source, .. } if is_full(&source) => {
                Err(RestoreError::Full { path: path.to_owned(), source })
            }
            other => Ok(other),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    [Errno::NOSPC, Errno::DQUOT].iter().any(|full| error.raw_os_error() == Some(full.raw_os_error()))
}
