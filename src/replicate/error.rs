//! What can go wrong between Kuma and the repository.

use crate::backend::LocationError;
use std::error::Error;

use crate::format::SnapshotId;
use crate::kuma::{KumaError, SelectionError};
use crate::repository::{BackupError, RepositoryError, RestoreError};

/// An error of publish, plan, apply or demo.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicateError {
    /// Of the Kuma side.
    #[error(transparent)]
    Kuma(#[from] KumaError),
    /// Of the repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// `--tables` or `--settings` cannot be followed.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// No snapshot of the repository carries a Kuma's configuration.
    #[error("no snapshot of the repository holds a configuration of Uptime Kuma: `publish` on the primary makes one")]
    NothingPublished,
    /// The snapshot asked for cannot be used.
    #[error("snapshot {} cannot be applied", snapshot.short())]
    Snapshot {
        /// Which one.
        snapshot: SnapshotId,
        /// Why.
        #[source]
        source: Box<KumaError>,
    },
    /// The configuration cannot be stored.
    #[error(transparent)]
    Store(#[from] BackupError),
    /// The files of a snapshot cannot be read.
    #[error("snapshot {} cannot be read", snapshot.short())]
    Read {
        /// Which one.
        snapshot: SnapshotId,
        /// Why.
        #[source]
        source: Box<RestoreError>,
    },
    /// The folder of a demonstration has something in it.
    #[error("{path} is not empty: name a folder that is not there yet")]
    NotEmpty {
        /// The folder.
        path: String,
    },
    /// The demonstration did not show what it claims.
    #[error("the demonstration failed: {reason}")]
    Demo {
        /// What is wrong.
        reason: &'static str,
    },
    /// A place that no repository can be at.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// There is no repository where there was one.
    #[error(
        "the repository is gone; it is not made anew, or what it held would be forgotten (if that is meant: `init`, or remove {state})"
    )]
    RepositoryGone {
        /// The file that remembers it.
        state: String,
        /// What was found instead.
        #[source]
        source: RepositoryError,
    },
    /// A process cannot be run.
    #[error("cannot {what}")]
    Process {
        /// What was tried.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A command that the operator named failed.
    #[error("failed to {what}: {status}")]
    CommandFailed {
        /// What was tried.
        what: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A saved configuration cannot be read.
    #[error("cannot read the saved configuration at {path}")]
    Saved {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What the daemon wrote down cannot be read.
    #[error("{reason}")]
    State {
        /// Where, and why.
        reason: String,
    },
    /// A folder cannot be made or written.
    #[error("cannot write {path}")]
    Write {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// An error's text and those of its causes, joined by colons; a text that the one before contains is left out.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let told = cause.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        next = cause.source();
    }
    text
}
