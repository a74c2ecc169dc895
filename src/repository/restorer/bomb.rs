//! Finds out early that a small repository unfolds to more entries than any disk can take.
//!
//! Trees that name the same tree many times, level below level, make millions of millions of folders from a few
//! kilobytes. Honest trees hardly ever repeat (inode numbers and times differ): only when one does, all trees are
//! counted, each once.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use futures::StreamExt as _;

use super::error::RestoreError;
use super::options::Selection;
use super::site::Site;
use super::walk::decode;
use crate::blocking;
use crate::format::{BlobHandle, Tree, TreeId};
use crate::repository::{Index, Repository, RepositoryError};

/// Where the file system does not say how many files it can take, or only a part is to be restored.
const ROOM_ANYWHERE: u64 = 1_000_000_000;
/// Trees that are counted at once.
const COUNT_AT_ONCE: usize = 256;

/// Watches for trees that come again.
pub(super) struct Fuse {
    root: Option<TreeId>,
    /// The beginnings of the ids of the trees seen.
    seen: HashSet<u64>,
    room: u64,
}

impl Fuse {
    pub(super) fn new(site: &Site) -> Fuse {
        let is_whole = matches!(site.options.select, Selection::All);
        let room = if is_whole { site.folders.room_for_files() } else { None };
        Fuse { root: None, seen: HashSet::new(), room: room.unwrap_or(ROOM_ANYWHERE) }
    }

    /// Begins to watch.
    pub(super) fn light(&mut self, root: TreeId) {
        self.root = Some(root);
    }

    /// Takes note of a tree; at the first that comes again, counts them all.
    pub(super) async fn pass(&mut self, repo: &Repository, index: &Index, tree: TreeId) -> Result<(), RestoreError> {
        let Some(root) = self.root else { return Ok(()) };
        let [first, ..] = tree.as_bytes().as_chunks::<8>().0 else { return Ok(()) };
        // An empty folder is the same everywhere.
        if self.seen.insert(u64::from_le_bytes(*first)) || tree.to_string() == EMPTY {
            return Ok(());
        }
        self.root = None;
        self.seen = HashSet::new();
        let entries = count(repo, index, root).await?;
        if entries > self.room { Err(RestoreError::Bomb { entries, room: self.room }) } else { Ok(()) }
    }
}

/// `{"nodes":[]}` and a newline (restic-format 6.1).
const EMPTY: &str = "ac08ce34ba4f8123618661bef2425f7028ffb9ac740578a3ee88684d2523fee8";

/// How many entries the tree unfolds to; one that cannot be read has none.
async fn count(repo: &Repository, index: &Index, root: TreeId) -> Result<u64, RestoreError> {
    let mut known: HashMap<TreeId, (u64, Vec<TreeId>)> = HashMap::new();
    let mut next = vec![root];
    while !next.is_empty() {
        if repo.options().interrupt.is_requested() {
            return Err(RepositoryError::Interrupted.into());
        }
        let batch = next.split_off(next.len().saturating_sub(COUNT_AT_ONCE));
        let wanted: HashMap<BlobHandle, TreeId> = batch.into_iter().map(|tree| (tree.into(), tree)).collect();
        let handles: Vec<BlobHandle> = wanted.keys().copied().collect();
        let mut loaded = pin!(repo.load_blobs(index, handles));
        while let Some((handle, blob)) = loaded.next().await {
            let Some(id) = wanted.get(&handle).copied() else { continue };
            let tree = match blob {
                Ok(blob) => blocking::run(move || decode(id, &blob)).await.unwrap_or_default(),
                Err(_) => Tree::default(),
            };
            let below: Vec<TreeId> = tree.nodes.iter().filter_map(|node| node.subtree).collect();
            next.extend(below.iter().filter(|id| !known.contains_key(*id)));
            known.insert(id, (tree.nodes.len() as u64, below));
        }
        next.sort_unstable();
        next.dedup();
        next.retain(|id| !known.contains_key(id));
    }
    Ok(unfold(&known, root))
}

/// Adds up, each tree once, from the bottom.
fn unfold(known: &HashMap<TreeId, (u64, Vec<TreeId>)>, root: TreeId) -> u64 {
    let mut totals: HashMap<TreeId, u64> = HashMap::new();
    let mut stack = vec![root];
    while let Some(tree) = stack.last().copied() {
        let Some((own, below)) = known.get(&tree).filter(|_| !totals.contains_key(&tree)) else {
            totals.entry(tree).or_default();
            stack.pop();
            continue;
        };
        let missing: Vec<TreeId> = below.iter().filter(|id| !totals.contains_key(*id)).copied().collect();
        if missing.is_empty() {
            let total = below.iter().filter_map(|id| totals.get(id)).fold(*own, |sum, more| sum.saturating_add(*more));
            totals.insert(tree, total);
            stack.pop();
        } else {
            stack.extend(missing);
        }
    }
    totals.get(&root).copied().unwrap_or_default()
}
