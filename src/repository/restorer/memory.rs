//! Reads a small tree into memory.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::pin::pin;

use futures::StreamExt as _;

use super::error::RestoreError;
use super::names;
use super::walk::{decode, pieces};
use crate::format::{BlobHandle, BlobId, NodeType, TreeId};
use crate::repository::{Index, MemoryFile, Repository, RepositoryError};

/// More entries than a small tree has.
const MAX_ENTRIES: usize = 100_000;

/// All regular files of a tree, in no particular order, at most `limit_bytes` of content in all.
///
/// The lengths that the index states are added up before anything is fetched, and compared with what comes. Folders
/// that lie side by side, and then the contents, come with few requests. Any fault is an error here: a part of a
/// small snapshot is of no use.
pub async fn read_files(
    repo: &Repository,
    index: &Index,
    tree: TreeId,
    limit_bytes: u64,
) -> Result<Vec<MemoryFile>, RestoreError> {
    let found = find_files(repo, index, tree).await?;
    let mut total_bytes: u64 = 0;
    let mut wanted = HashSet::new();
    for (_, content) in &found {
        let pieces =
            pieces(index, content.clone()).map_err(|id| RepositoryError::BlobUnknown { blob: BlobHandle::data(id) })?;
        total_bytes = total_bytes.saturating_add(super::compare::total_bytes(&pieces));
        wanted.extend(content.iter().copied().map(BlobHandle::data));
    }
    if total_bytes > limit_bytes {
        return Err(RestoreError::TooMuch { limit_bytes });
    }
    let mut blobs: HashMap<BlobId, Vec<u8>> = HashMap::new();
    let mut loaded = pin!(repo.load_blobs(index, wanted));
    while let Some((blob, content)) = loaded.next().await {
        blobs.insert(blob.id, content?);
    }
    let assemble = |(path, content): (PathBuf, Vec<BlobId>)| {
        let bytes: Vec<u8> = content.iter().filter_map(|id| blobs.get(id)).flatten().copied().collect();
        total_bytes = total_bytes.saturating_sub(bytes.len() as u64);
        MemoryFile { path, bytes }
    };
    Ok(found.into_iter().map(assemble).collect())
}

/// Paths and contents of all regular files: the folders of one depth are read together.
async fn find_files(
    repo: &Repository,
    index: &Index,
    root: TreeId,
) -> Result<Vec<(PathBuf, Vec<BlobId>)>, RestoreError> {
    let mut files = Vec::new();
    let mut entries = 0;
    let mut level: Vec<(PathBuf, TreeId)> = vec![(PathBuf::new(), root)];
    while !level.is_empty() {
        let wanted: HashMap<BlobHandle, TreeId> = level.iter().map(|(_, id)| (BlobHandle::from(*id), *id)).collect();
        let mut trees = HashMap::new();
        let handles: Vec<BlobHandle> = wanted.keys().copied().collect();
        let mut loaded = pin!(repo.load_blobs(index, handles));
        while let Some((handle, blob)) = loaded.next().await {
            if let Some(id) = wanted.get(&handle) {
                trees.insert(*id, decode(*id, &blob?)?);
            }
        }
        let mut next = Vec::new();
        for (path, id) in level {
            let Some(tree) = trees.get(&id) else { continue };
            entries += tree.nodes.len();
            if entries > MAX_ENTRIES {
                return Err(RestoreError::TooManyEntries { limit: MAX_ENTRIES });
            }
            let (nodes, unfit) = names::sift(tree.nodes.clone());
            if let Some((name, fault)) = unfit.into_iter().next() {
                return Err(RestoreError::Name { folder: path, name, reason: fault.to_string() });
            }
            for node in nodes {
                let path = path.join(OsStr::from_bytes(&node.name));
                match (node.node_type, node.subtree) {
                    (NodeType::File, _) => files.push((path, node.content.unwrap_or_default())),
                    (NodeType::Dir, Some(subtree)) => next.push((path, subtree)),
                    _ => {}
                }
            }
        }
        level = next;
    }
    Ok(files)
}
