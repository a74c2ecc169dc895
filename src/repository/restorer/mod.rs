//! Brings a tree of a snapshot back as files.
//!
//! **No name in a repository can reach outside the target**: every step is one name in one open folder, never a path,
//! and never through a symbolic link. **Content is what its ids say, or it is reported**: blobs are compared with
//! their ids, their lengths with the index, and a hard link with what it claims to be. A file that could not be
//! restored wholly keeps the time of the restore, so that no later one takes it for unchanged.

mod bomb;
mod compare;
mod content;
mod error;
mod events;
mod finish;
mod folders;
mod links;
mod memory;
mod metadata;
mod names;
mod options;
mod remove;
mod site;
#[cfg(test)]
mod tests;
mod verify;
mod walk;

use std::sync::PoisonError;

use super::{Index, Repository};
use crate::blocking;
use crate::format::TreeId;

pub use error::RestoreError;
pub use events::{RestoreAction, RestoreCounts, RestoreEvent};
pub use memory::read_files;
pub use options::{Overwrite, RestoreOptions, SelectXattr, Selection};
pub use site::WrittenFiles;
pub use verify::{Verified, verify};

/// What a restore did.
#[derive(Clone, Debug)]
pub struct Restored {
    /// How much; [`RestoreCounts::errors`] says whether it is all there.
    pub counts: RestoreCounts,
    /// The files written, if they are to be verified.
    pub written: WrittenFiles,
}

/// Restores a tree as [`RestoreOptions`] say, telling what happens as [events](RestoreEvent) to the repository's
/// listener.
///
/// What concerns one entry is told and counted, and the others go on. An error ends the restore: the target cannot be
/// made, is full, or the operator interrupts. Files that are not complete then are removed again.
pub async fn restore(
    repo: &Repository,
    index: &Index,
    tree: TreeId,
    options: RestoreOptions,
) -> Result<Restored, RestoreError> {
    let (progress, interrupt) = (repo.progress().clone(), repo.options().interrupt.clone());
    let site = blocking::run(move || site::Site::open(options, progress, interrupt)).await?;
    let site = walk::Walk::new(repo, index, site).run(tree).await?;
    let mut site = site.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Restored { counts: site.reporter.counts, written: std::mem::take(&mut site.written) })
}
