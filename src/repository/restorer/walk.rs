//! Walks the tree to be restored, folder by folder, and brings the content in batches.
//!
//! Nothing is kept of what is done, and of what is to come only the folders on the way down and one batch: a tree of
//! any size takes the same memory. A folder's metadata is set after the batch that holds its last file.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use tokio::sync::mpsc;

use super::bomb::Fuse;
use super::compare::Piece;
use super::error::{ItemError, RestoreError};
use super::finish::Finish;
use super::folders::FolderId;
use super::names::{self, UnfitName};
use super::options::Selected;
use super::site::{Entry, Site};
use crate::blocking;
use crate::format::{BlobHandle, BlobId, Node, NodeType, Tree, TreeId};
use crate::repository::{Index, Repository, RepositoryError};

/// A batch is closed when it has so many files or other steps, or so many pieces of content.
const BATCH_STEPS: usize = 50_000;
const BATCH_PIECES: usize = 500_000;
/// Entries of one folder, and pieces of their content, that are looked at in one go.
const VISIT_AT_ONCE: usize = 1000;
const PIECES_AT_ONCE: usize = 100_000;
/// Trees that are read ahead with one that is needed, and the bytes that all that wait may have.
const AHEAD_TREES: usize = 32;
const AHEAD_BYTES: u64 = 16 << 20;
/// Blobs that are written in one go, and that may wait for it.
const WRITE_AT_ONCE: usize = 16;

/// A restore on its way through a tree.
pub(super) struct Walk<'a> {
    repo: &'a Repository,
    index: &'a Index,
    site: Arc<Mutex<Site>>,
    /// The folders from the target down to where we are.
    frames: Vec<Frame>,
    ahead_bytes: u64,
    fuse: Fuse,
}

/// A folder on the way down.
struct Frame {
    folder: FolderId,
    node: Option<Box<Node>>,
    is_selected: bool,
    /// Something below is selected.
    has_selected: bool,
    keep: Option<HashSet<Vec<u8>>>,
    folders: VecDeque<Subfolder>,
    ahead: HashMap<TreeId, (u64, Result<Tree, RepositoryError>)>,
}

/// A folder that is still to be entered.
struct Subfolder {
    node: Node,
    selected: Selected,
}

/// A tree, sorted out.
struct Survey {
    entries: Vec<Node>,
    folders: VecDeque<Subfolder>,
    keep: Option<HashSet<Vec<u8>>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(repo: &'a Repository, index: &'a Index, site: Site) -> Walk<'a> {
        let fuse = Fuse::new(&site);
        Walk { repo, index, site: Arc::new(Mutex::new(site)), frames: Vec::new(), ahead_bytes: 0, fuse }
    }

    /// Restores all that is selected, and hands back the site with what it counted.
    pub(super) async fn run(mut self, tree: TreeId) -> Result<Arc<Mutex<Site>>, RestoreError> {
        self.fuse.light(tree);
        let root = self.repo.load_tree(self.index, tree).await;
        self.enter(FolderId::ROOT, None, false, root).await?;
        while let Some(frame) = self.frames.last_mut() {
            match frame.folders.pop_front() {
                Some(subfolder) => self.descend(subfolder).await?,
                None => self.leave().await?,
            }
        }
        self.flush().await?;
        Ok(self.site)
    }

    async fn descend(&mut self, Subfolder { mut node, selected }: Subfolder) -> Result<(), RestoreError> {
        let Some(parent) = self.frames.last().map(|frame| frame.folder) else { return Ok(()) };
        let name = node.name.clone();
        let (folder, is_entered) = self
            .on_site(move |site| {
                site.go_on()?;
                let location = site.folders.location(parent, &name);
                let folder = site.folders.add(parent, name);
                let result = if selected.itself { site.visit_folder(folder) } else { Ok(()) };
                let is_entered = result.is_ok();
                site.settle(&location, result)?;
                Ok::<_, RestoreError>((folder, is_entered))
            })
            .await?;
        if !is_entered {
            self.on_site(move |site| site.folders.forget(folder)).await;
            return Ok(());
        }
        let tree = match node.subtree.take() {
            None => Err(ItemError::NoSubtree),
            Some(_) if !selected.below => {
                self.frames.push(Frame::empty(folder, Some(Box::new(node)), selected.itself));
                return Ok(());
            }
            Some(tree) => {
                self.fuse.pass(self.repo, self.index, tree).await?;
                self.load_tree(tree).await.map_err(ItemError::from)
            }
        };
        self.enter(folder, Some(Box::new(node)), selected.itself, tree).await
    }

    /// Begins a folder. One whose tree cannot be read is as good as empty, but nothing is removed from it.
    async fn enter(
        &mut self,
        folder: FolderId,
        node: Option<Box<Node>>,
        is_selected: bool,
        tree: Result<Tree, impl Into<ItemError>>,
    ) -> Result<(), RestoreError> {
        let mut frame = Frame::empty(folder, node, is_selected);
        let tree = tree.map_err(Into::into);
        let survey = self.on_site(move |site| survey(site, folder, tree)).await?;
        frame.keep = survey.keep;
        frame.has_selected =
            !survey.entries.is_empty() || survey.folders.iter().any(|subfolder| subfolder.selected.itself);
        frame.folders = survey.folders;
        self.frames.push(frame);
        let mut entries = survey.entries.into_iter();
        while entries.len() > 0 {
            let batch = self.prepare(&mut entries);
            let is_full = self
                .on_site(move |site| {
                    site.visit(folder, batch)?;
                    Ok::<_, RestoreError>(is_full(site))
                })
                .await?;
            if is_full {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Ends the innermost folder: what remains to be done with it waits for the content of its files.
    async fn leave(&mut self) -> Result<(), RestoreError> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let waiting: u64 = frame.ahead.values().map(|(bytes, _)| bytes).sum();
        self.ahead_bytes = self.ahead_bytes.saturating_sub(waiting);
        let is_restored = frame.is_selected || frame.has_selected;
        if let Some(parent) = self.frames.last_mut() {
            parent.has_selected |= is_restored;
        }
        let Frame { folder, node, keep, .. } = frame;
        let step = if is_restored { Finish::Leave { folder, node, keep } } else { Finish::Forget { folder } };
        let is_full = self
            .on_site(move |site| {
                site.finish.push(step);
                is_full(site)
            })
            .await;
        if is_full { self.flush().await } else { Ok(()) }
    }

    /// Brings the content of all files of the batch, then does what waited for it.
    async fn flush(&mut self) -> Result<(), RestoreError> {
        self.write_contents().await?;
        self.on_site(|site| {
            site.end_writing();
            site.finish()
        })
        .await
    }

    async fn write_contents(&self) -> Result<(), RestoreError> {
        let blobs = self.on_site(Site::begin_writing).await?;
        let (sender, mut receiver) = mpsc::channel(WRITE_AT_ONCE);
        let interrupt = &self.repo.options().interrupt;
        let read = async move {
            let mut loaded = pin!(self.repo.load_blobs(self.index, blobs));
            loop {
                let next = tokio::select! {
                    next = loaded.next() => next,
                    () = interrupt.requested() => return,
                };
                // A writer that has gone has said why.
                let Some(next) = next else { return };
                if sender.send(next).await.is_err() {
                    return;
                }
            }
        };
        let write = async move {
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, WRITE_AT_ONCE).await > 0 {
                let batch = std::mem::take(&mut batch);
                self.on_site(move |site| write_batch(site, &batch)).await?;
            }
            Ok(())
        };
        let ((), written) = tokio::join!(read, write);
        written.and_then(|()| self.lock().go_on())
    }

    /// The tree of the folder that is entered next; with it come the trees of the folders beside it.
    async fn load_tree(&mut self, tree: TreeId) -> Result<Tree, RepositoryError> {
        let Some(frame) = self.frames.last_mut() else { return self.repo.load_tree(self.index, tree).await };
        if let Some((bytes, ready)) = frame.ahead.remove(&tree) {
            self.ahead_bytes = self.ahead_bytes.saturating_sub(bytes);
            return ready;
        }
        let mut wanted = HashMap::from([(BlobHandle::from(tree), tree)]);
        for next in frame.folders.iter().filter(|next| next.selected.below).take(AHEAD_TREES) {
            let Some(next) = next.node.subtree.filter(|next| !frame.ahead.contains_key(next)) else { continue };
            let bytes = u64::from(self.index.plaintext_bytes(&BlobHandle::from(next)).unwrap_or_default());
            if self.ahead_bytes + bytes > AHEAD_BYTES {
                break;
            }
            if wanted.insert(BlobHandle::from(next), next).is_none() {
                self.ahead_bytes += bytes;
            }
        }
        let handles: Vec<BlobHandle> = wanted.keys().copied().collect();
        let mut loaded = pin!(self.repo.load_blobs(self.index, handles));
        let mut result = Err(RepositoryError::BlobUnknown { blob: tree.into() });
        while let Some((handle, blob)) = loaded.next().await {
            let Some(id) = wanted.get(&handle).copied() else { continue };
            let decoded = match blob {
                Ok(blob) => blocking::run(move || decode(id, &blob)).await,
                Err(error) => Err(error),
            };
            if id == tree {
                result = decoded;
            } else {
                let bytes = self.index.plaintext_bytes(&handle).unwrap_or_default().into();
                frame.ahead.insert(id, (bytes, decoded));
            }
        }
        result
    }

    /// Looks up how long the pieces of the next files are: the index decides, not the node.
    fn prepare(&self, nodes: &mut impl Iterator<Item = Node>) -> Vec<Entry> {
        let (mut batch, mut piece_count) = (Vec::new(), 0);
        while batch.len() < VISIT_AT_ONCE
            && piece_count < PIECES_AT_ONCE
            && let Some(mut node) = nodes.next()
        {
            let content = node.content.take().unwrap_or_default();
            piece_count += content.len();
            batch.push(Entry { pieces: pieces(self.index, content), node });
        }
        batch
    }

    async fn on_site<T: Send + 'static>(&self, work: impl FnOnce(&mut Site) -> T + Send + 'static) -> T {
        let site = Arc::clone(&self.site);
        blocking::run(move || work(&mut site.lock().unwrap_or_else(PoisonError::into_inner))).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Site> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Frame {
    fn empty(folder: FolderId, node: Option<Box<Node>>, is_selected: bool) -> Frame {
        let (folders, ahead) = (VecDeque::new(), HashMap::new());
        Frame { folder, node, is_selected, has_selected: false, keep: None, folders, ahead }
    }
}

/// Lengths of the blobs of a file, or the first that no index knows.
pub(super) fn pieces(index: &Index, content: Vec<BlobId>) -> Result<Vec<Piece>, BlobId> {
    let piece = |blob| {
        let length_bytes = index.plaintext_bytes(&BlobHandle::data(blob)).ok_or(blob)?;
        Ok(Piece { blob, length_bytes })
    };
    content.into_iter().map(piece).collect()
}

pub(super) fn decode(tree: TreeId, blob: &[u8]) -> Result<Tree, RepositoryError> {
    Tree::decode(blob).map_err(|fault| RepositoryError::TreeInvalid { tree, fault: fault.into() })
}

/// Tells what must not or cannot be restored, and keeps what is selected.
fn survey(site: &mut Site, folder: FolderId, tree: Result<Tree, ItemError>) -> Result<Survey, RestoreError> {
    let mut survey = Survey { entries: Vec::new(), folders: VecDeque::new(), keep: None };
    let location = site.location_of(folder);
    let tree = match tree {
        Ok(tree) => tree,
        Err(error) => {
            site.settle(&location, Err(error))?;
            return Ok(survey);
        }
    };
    let (nodes, unfit) = names::sift(tree.nodes);
    for (name, fault) in unfit {
        site.may_delete = false;
        let place = if fault == UnfitName::Repeated { site.folders.location(folder, &name) } else { location.clone() };
        site.settle(&place, Err(fault.into()))?;
    }
    survey.keep = site.options.delete.then(|| nodes.iter().map(|node| node.name.clone()).collect());
    // Sockets are made by who listens on them.
    for node in nodes.into_iter().filter(|node| node.node_type != NodeType::Socket) {
        let location: PathBuf = site.folders.location(folder, &node.name);
        let is_folder = node.node_type == NodeType::Dir;
        let selected = site.select(&location, is_folder);
        match is_folder {
            true if selected.itself || selected.below => survey.folders.push_back(Subfolder { node, selected }),
            false if selected.itself => survey.entries.push(node),
            _ => {}
        }
    }
    Ok(survey)
}

fn is_full(site: &Site) -> bool {
    site.pending.len() >= BATCH_STEPS || site.finish.len() >= BATCH_STEPS || site.uses.len() >= BATCH_PIECES
}

fn write_batch(site: &mut Site, batch: &[(BlobHandle, Result<Vec<u8>, RepositoryError>)]) -> Result<(), RestoreError> {
    for (blob, content) in batch {
        site.write_blob(blob.id, content.as_deref())?;
    }
    Ok(())
}
