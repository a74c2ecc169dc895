//! Reads what was restored once more and compares it with the snapshot.

use std::fs::File;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, openat};

use super::compare::{self, Piece};
use super::error::{ItemError, RestoreError};
use super::events::Reporter;
use super::folders::{FolderId, Folders};
use super::names;
use super::options::RestoreOptions;
use super::site::{CAREFULLY, WrittenFiles};
use super::walk::pieces;
use crate::blocking;
use crate::format::{BlobHandle, Node, NodeType, TreeId};
use crate::repository::{Index, Interrupt, Repository, RepositoryError};

/// What [`verify`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files with the right content.
    pub files: u64,
    /// Files with another; each was told as an event.
    pub errors: u64,
}

/// Compares the files that a restore has written with the snapshot, byte for byte by their hashes.
///
/// `options` and `tree` must be those of the restore, with [`RestoreOptions::verify`] set.
pub async fn verify(
    repo: &Repository,
    index: &Index,
    tree: TreeId,
    options: &RestoreOptions,
    written: &WrittenFiles,
) -> Result<Verified, RestoreError> {
    let target = options.target.clone();
    let failed = |source| RestoreError::Target { target: options.target.clone(), source };
    let mut folders = blocking::run(move || Folders::open_target(&target, true)).await.map_err(failed)?;
    let mut reporter = Reporter::new(repo.progress().clone());
    let mut verified = Verified::default();
    let mut waiting = vec![(FolderId::ROOT, Some(tree))];
    while let Some((folder, tree)) = waiting.pop() {
        let Some(tree) = tree else {
            folders.forget(folder);
            continue;
        };
        // Comes up again when all below is done.
        waiting.push((folder, None));
        if repo.options().interrupt.is_requested() {
            return Err(RepositoryError::Interrupted.into());
        }
        let (nodes, _) = names::sift(repo.load_tree(index, tree).await?.nodes);
        let mut jobs = Vec::new();
        for node in nodes {
            let location = folders.location(folder, &node.name);
            let is_folder = node.node_type == NodeType::Dir;
            let below = options.select.of(&location, is_folder).below;
            if let Some(subtree) = node.subtree.filter(|_| is_folder && below) {
                waiting.push((folders.add(folder, node.name), Some(subtree)));
            } else if node.node_type == NodeType::File && written.contains(&location) {
                jobs.push(job(index, node, location)?);
            }
        }
        let interrupt = repo.options().interrupt.clone();
        let results;
        (folders, results) = blocking::run(move || {
            let check = |job| check(&mut folders, folder, job, &interrupt);
            let results: Vec<_> = jobs.into_iter().map(check).collect();
            (folders, results)
        })
        .await;
        for (location, result) in results {
            match result {
                Ok(()) => verified.files += 1,
                Err(error) => reporter.failed(location, &error),
            }
        }
    }
    verified.errors = reporter.counts.errors;
    Ok(verified)
}

struct Job {
    name: Vec<u8>,
    location: PathBuf,
    pieces: Vec<Piece>,
}

fn job(index: &Index, node: Node, location: PathBuf) -> Result<Job, RepositoryError> {
    let pieces = pieces(index, node.content.unwrap_or_default())
        .map_err(|id| RepositoryError::BlobUnknown { blob: BlobHandle::data(id) })?;
    Ok(Job { name: node.name, location, pieces })
}

fn check(folders: &mut Folders, folder: FolderId, job: Job, interrupt: &Interrupt) -> (PathBuf, Result<(), ItemError>) {
    (job.location, compare_whole(folders, folder, &job.name, &job.pieces, interrupt))
}

fn compare_whole(
    folders: &mut Folders,
    folder: FolderId,
    name: &[u8],
    pieces: &[Piece],
    interrupt: &Interrupt,
) -> Result<(), ItemError> {
    let cannot_read = ItemError::io("cannot read it again");
    let place = folders.existing(folder).map_err(&cannot_read)?.ok_or(ItemError::Differs)?;
    let file = openat(place, name, OFlags::RDONLY | CAREFULLY, Mode::empty());
    let file = File::from(file.map_err(|error| cannot_read(error.into()))?);
    let found = compare::compare(&file, pieces, interrupt).map_err(&cannot_read)?;
    if found.is_same { Ok(()) } else { Err(ItemError::Differs) }
}
