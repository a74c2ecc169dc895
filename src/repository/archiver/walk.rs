//! The walk through folders, depth first and without recursion: a folder's place is on a stack of its own, since
//! paths may be two thousand folders deep.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::files::FileJob;
use super::listing::{Entry, Place};
use super::run::Run;
use super::targets::{Target, to_path};
use super::task::Task;
use super::{BackupError, ItemStats};
use crate::blocking;
use crate::format::{BlobKind, MIN_CHUNK_BYTES, Node, NodeType, TreeBuilder, TreeId};

/// Files below this length are one chunk, and are read many in a hop.
const SMALL_BYTES: u64 = MIN_CHUNK_BYTES as u64;
/// A hop that reads small files takes so many…
const FILES_PER_HOP: usize = 64;
/// … or so many bytes of them.
const BYTES_PER_HOP: u64 = 4 << 20;

/// A folder that is being walked.
struct OpenFolder {
    /// Its own node; the root's says nothing.
    node: Node,
    place: Place,
    start: Instant,
    entries: std::vec::IntoIter<Entry>,
    /// Small files that wait to be read together.
    small: Vec<FileJob>,
    small_bytes: u64,
    gathered: Gathered,
}

/// The nodes of a folder, there or to come.
#[derive(Default)]
struct Gathered {
    ready: Vec<Node>,
    later: Vec<Task<Vec<Node>>>,
}

/// Stores what the targets name, and returns the root directory.
pub(super) async fn walk(run: &Arc<Run>, targets: Target, parent: Option<TreeId>) -> Result<TreeId, BackupError> {
    let previous = run.load_previous(parent, Path::new("/")).await;
    let root = Place { item: Vec::new(), name: Vec::new(), previous: None };
    let entries = run.clone().list_targets(root.item.clone(), targets, previous).await;
    let mut stack = vec![OpenFolder::new(Node::new("", NodeType::Dir), root, entries)];
    let mut root = None;
    while let Some(folder) = stack.last_mut()
        && !run.is_stopped()
    {
        if let Some(entry) = folder.entries.next() {
            if let Some(below) = run.enter(folder, entry).await {
                stack.push(below);
            }
        } else if let Some(mut done) = stack.pop() {
            run.read_small_files(&mut done).await;
            if stack.is_empty() && done.gathered.is_empty() {
                return Err(BackupError::Empty);
            }
            let is_root = stack.is_empty();
            let task = run.finish(done, is_root).await;
            match stack.last_mut() {
                Some(above) => above.gathered.later.push(task),
                None => root = Some(task),
            }
        }
    }
    let nodes = match root {
        Some(task) => task.join().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let tree = nodes.into_iter().next().and_then(|node| node.subtree);
    match (run.take_fatal(), tree) {
        (None, Some(tree)) => Ok(tree),
        (Some(error), _) => Err(error),
        (None, None) => Err(crate::repository::RepositoryError::Interrupted.into()),
    }
}

impl Run {
    /// Starts what an entry needs; a folder's own entries come next.
    async fn enter(self: &Arc<Self>, folder: &mut OpenFolder, entry: Entry) -> Option<OpenFolder> {
        match entry {
            Entry::Node(node) => folder.gathered.ready.push(node),
            Entry::File(job) if job.size < SMALL_BYTES => {
                folder.small_bytes += job.size;
                folder.small.push(job);
                if folder.small.len() >= FILES_PER_HOP || folder.small_bytes >= BYTES_PER_HOP {
                    self.read_small_files(folder).await;
                }
            }
            Entry::File(job) => {
                let slot = Arc::clone(&self.reading).acquire_owned().await;
                let run = Arc::clone(self);
                folder.gathered.later.push(Task::spawn(async move {
                    let _slot = slot;
                    run.save_large_file(job).await
                }));
            }
            Entry::Folder { path, place } => return self.open_folder(path, place).await,
            Entry::Targets { target, place } => return self.open_targets(target, place).await,
        }
        None
    }

    async fn read_small_files(self: &Arc<Self>, folder: &mut OpenFolder) {
        if folder.small.is_empty() {
            return;
        }
        folder.small_bytes = 0;
        let jobs = std::mem::take(&mut folder.small);
        let slot = Arc::clone(&self.sealing).acquire_owned().await;
        let run = Arc::clone(self);
        folder.gathered.later.push(Task::spawn(async move {
            let _slot = slot;
            blocking::run(move || run.save_small_files(jobs)).await
        }));
    }

    /// Lists a folder; one that cannot be listed is told and left out.
    async fn open_folder(self: &Arc<Self>, path: PathBuf, place: Place) -> Option<OpenFolder> {
        let start = Instant::now();
        let previous = self.load_previous_of(place.previous.as_ref(), &path).await;
        let run = Arc::clone(self);
        let (place, path, listed) = blocking::run(move || {
            let listed = run.list_folder(&path, &place, previous);
            (place, path, listed)
        })
        .await;
        match listed {
            Ok((node, entries)) => Some(OpenFolder { start, ..OpenFolder::new(node, place, entries) }),
            Err(error) => self.left_out(&path, error),
        }
    }

    /// Opens a folder that stands between the root and what was named.
    async fn open_targets(self: &Arc<Self>, target: Target, place: Place) -> Option<OpenFolder> {
        let start = Instant::now();
        let path = to_path(target.metadata_path.clone());
        let previous = self.load_previous_of(place.previous.as_ref(), &path).await;
        let run = Arc::clone(self);
        let (place, path, node) = blocking::run(move || {
            let node = run.node_between(&path, &place);
            (place, path, node)
        })
        .await;
        match node {
            Ok(node) => {
                let entries = self.clone().list_targets(place.item.clone(), target, previous).await;
                Some(OpenFolder { start, ..OpenFolder::new(node, place, entries) })
            }
            Err(error) => self.left_out(&path, error),
        }
    }

    fn left_out<T>(&self, path: &Path, error: io::Error) -> Option<T> {
        self.failed(path, error);
        None
    }

    /// What the parent snapshot has in a folder, by name; what cannot be read of it is told and counts as nothing.
    async fn load_previous_of(&self, previous: Option<&Node>, path: &Path) -> HashMap<Vec<u8>, Node> {
        let is_folder = |node: &&Node| node.node_type == NodeType::Dir;
        self.load_previous(previous.filter(is_folder).and_then(|node| node.subtree), path).await
    }

    async fn load_previous(&self, tree: Option<TreeId>, path: &Path) -> HashMap<Vec<u8>, Node> {
        let Some(tree) = tree else { return HashMap::new() };
        match self.repo.load_tree(&self.index, tree).await {
            Ok(tree) => tree.nodes.into_iter().map(|node| (node.name.clone(), node)).collect(),
            Err(error) => {
                self.failed(path, format!("the parent snapshot cannot be read here: {error}"));
                HashMap::new()
            }
        }
    }

    /// Begins to write a folder's tree as soon as all below it is stored; the task returns its node.
    async fn finish(self: &Arc<Self>, folder: OpenFolder, is_root: bool) -> Task<Vec<Node>> {
        let slot = Arc::clone(&self.finishing).acquire_owned().await;
        let run = Arc::clone(self);
        Task::spawn(async move {
            let _slot = slot;
            let OpenFolder { mut node, place, start, gathered, .. } = folder;
            let nodes = gathered.all().await;
            let _sealing = run.sealing.acquire().await;
            if run.is_stopped() {
                return Vec::new();
            }
            let run_here = Arc::clone(&run);
            let saved = blocking::run(move || run_here.save_tree(nodes)).await;
            match saved {
                Err(error) => {
                    run.stop(error);
                    return Vec::new();
                }
                Ok((tree, stats)) if is_root => {
                    node.subtree = Some(tree);
                    run.count_root(stats);
                }
                Ok((tree, stats)) => {
                    node.subtree = Some(tree);
                    run.done(place.item, place.previous.as_ref(), &node, stats, start);
                }
            }
            vec![node]
        })
    }

    /// Writes a tree of these nodes, on this blocking thread.
    pub(super) fn save_tree(&self, mut nodes: Vec<Node>) -> Result<(TreeId, ItemStats), BackupError> {
        nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut tree = TreeBuilder::new();
        nodes.iter().try_for_each(|node| tree.add(node))?;
        let mut stats = ItemStats::default();
        let id = self.save(BlobKind::Tree, &tree.finish(), &mut stats)?;
        Ok((TreeId::from_bytes(*id.as_bytes()), stats))
    }
}

impl OpenFolder {
    fn new(node: Node, place: Place, entries: Vec<Entry>) -> Self {
        let gathered = Gathered::default();
        let entries = entries.into_iter();
        Self { node, place, start: Instant::now(), entries, small: Vec::new(), small_bytes: 0, gathered }
    }
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.later.is_empty()
    }

    async fn all(self) -> Vec<Node> {
        let mut nodes = self.ready;
        for task in self.later {
            nodes.extend(task.join().await.unwrap_or_default());
        }
        nodes
    }
}
