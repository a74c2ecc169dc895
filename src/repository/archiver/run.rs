//! What all parts of a running backup share: where blobs go, what is counted and told, and whether to go on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::compare::{Ignored, change};
use super::metadata::MetadataReader;
use super::select::Select;
use super::targets::to_path;
use super::{BackupError, BackupEvent, BackupOptions, ItemChange, ItemStats};
use crate::format::{BlobHandle, BlobId, BlobKind, Chunker, Node, NodeType, Summary, Time};
use crate::repository::{BlobSaver, Event, Index, Repository, RepositoryError};

/// Large files that are read at once, as restic has it.
const DEFAULT_READ_CONCURRENCY: usize = 2;
/// Folders whose trees wait to be written: bounds the nodes in memory, not the depth.
const WAITING_FOLDERS: usize = 512;

/// A backup under way.
pub(super) struct Run {
    pub(super) repo: Repository,
    pub(super) index: Arc<Index>,
    pub(super) saver: BlobSaver,
    pub(super) chunker: Chunker,
    pub(super) metadata: MetadataReader,
    pub(super) select: Select,
    pub(super) ignored: Ignored,
    /// Each large file that is read holds one.
    pub(super) reading: Arc<Semaphore>,
    /// Each hop that seals holds one.
    pub(super) sealing: Arc<Semaphore>,
    /// Each folder whose entries are all known holds one until its tree is written.
    pub(super) finishing: Arc<Semaphore>,
    tally: Mutex<Tally>,
    is_stopped: AtomicBool,
}

#[derive(Default)]
struct Tally {
    summary: Summary,
    is_incomplete: bool,
    /// What ends the backup.
    fatal: Option<BackupError>,
}

impl Run {
    /// `select` is made for the paths of the backup.
    pub(super) fn new(
        repo: &Repository,
        index: Arc<Index>,
        saver: BlobSaver,
        select: Select,
        options: &BackupOptions,
    ) -> Result<Self, BackupError> {
        let cores = available_parallelism().map_or(1, usize::from);
        let readers = options.read_concurrency.map_or(DEFAULT_READ_CONCURRENCY, usize::from);
        Ok(Self {
            chunker: Chunker::new(repo.chunker_polynomial()?)?,
            repo: repo.clone(),
            index,
            saver,
            metadata: MetadataReader::new(options.with_atime),
            select,
            // Where inode numbers change, as on FUSE, ctimes are no more reliable.
            ignored: Ignored { ctime: options.ignore_ctime || options.ignore_inode, inode: options.ignore_inode },
            reading: Arc::new(Semaphore::new(readers)),
            sealing: Arc::new(Semaphore::new(cores)),
            finishing: Arc::new(Semaphore::new(WAITING_FOLDERS)),
            tally: Mutex::default(),
            is_stopped: AtomicBool::new(false),
        })
    }

    pub(super) fn tell(&self, event: BackupEvent) {
        self.repo.progress().report(Event::Backup(event));
    }

    /// Something cannot be read: told, and the snapshot is incomplete.
    pub(super) fn failed(&self, path: &Path, reason: impl ToString) {
        self.tally().is_incomplete = true;
        self.tell(BackupEvent::Failed { path: path.to_owned(), reason: reason.to_string(), is_scan: false });
    }

    /// Something that ends the backup; the first one counts.
    pub(super) fn stop(&self, error: BackupError) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.tally().fatal.get_or_insert(error);
    }

    /// Nothing more needs to be done: the backup ends with an error, or was dropped.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Ends what would go on by itself on other threads.
    pub(super) fn let_go(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Saves a blob, and counts it if it is new.
    pub(super) fn save(&self, kind: BlobKind, blob: &[u8], stats: &mut ItemStats) -> Result<BlobId, RepositoryError> {
        let saved = self.saver.save(kind, blob)?;
        let bytes = blob.len() as u64;
        let (count, plain, stored) = match kind {
            BlobKind::Data => (&mut stats.data_blobs, &mut stats.data_bytes, &mut stats.data_stored_bytes),
            BlobKind::Tree => (&mut stats.tree_blobs, &mut stats.tree_bytes, &mut stats.tree_stored_bytes),
        };
        if saved.is_new {
            *count += 1;
            *plain += bytes;
            *stored += saved.stored_bytes;
        }
        Ok(saved.id)
    }

    /// Whether all blobs of a file are in the repository.
    pub(super) fn has_content_of(&self, node: &Node) -> bool {
        let blobs = node.content.iter().flatten();
        blobs.into_iter().all(|&id| self.index.contains(&BlobHandle { kind: BlobKind::Data, id }))
    }

    /// A file or directory is stored.
    pub(super) fn done(&self, item: Vec<u8>, previous: Option<&Node>, node: &Node, stats: ItemStats, start: Instant) {
        let change = change(previous, node);
        self.count(change, node, stats);
        let is_dir = node.node_type == NodeType::Dir;
        let item = if is_dir { to_path([&item[..], b"/"].concat()) } else { to_path(item) };
        self.tell(BackupEvent::ItemDone { item, is_dir, change, stats, duration: start.elapsed() });
    }

    fn count(&self, change: ItemChange, node: &Node, stats: ItemStats) {
        let mut tally = self.tally();
        let summary = &mut tally.summary;
        let counter = match (node.node_type == NodeType::Dir, change) {
            (true, ItemChange::New) => &mut summary.dirs_new,
            (true, ItemChange::Modified) => &mut summary.dirs_changed,
            (true, ItemChange::Unchanged) => &mut summary.dirs_unmodified,
            (false, ItemChange::New) => &mut summary.files_new,
            (false, ItemChange::Modified) => &mut summary.files_changed,
            (false, ItemChange::Unchanged) => &mut summary.files_unmodified,
        };
        *counter += 1;
        summary.total_bytes_processed += node.size;
        add_stats(summary, stats);
    }

    /// Counts what the root directory added, which is no item.
    pub(super) fn count_root(&self, stats: ItemStats) {
        add_stats(&mut self.tally().summary, stats);
    }

    /// The counts so far, and whether something could not be read.
    pub(super) fn summary(&self, start: Time, end: Time) -> (Summary, bool) {
        let tally = self.tally();
        let mut summary = tally.summary.clone();
        (summary.backup_start, summary.backup_end) = (start, end);
        summary.total_files_processed = summary.files_new + summary.files_changed + summary.files_unmodified;
        (summary, tally.is_incomplete)
    }

    /// What ended the backup, if something did.
    pub(super) fn take_fatal(&self) -> Option<BackupError> {
        self.tally().fatal.take()
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add_stats(summary: &mut Summary, stats: ItemStats) {
    summary.data_blobs += stats.data_blobs;
    summary.tree_blobs += stats.tree_blobs;
    summary.data_added += stats.data_bytes + stats.tree_bytes;
    summary.data_added_packed += stats.data_stored_bytes + stats.tree_stored_bytes;
}

/// The path of an entry in a snapshot folder; the root's is empty.
pub(super) fn item_below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    [folder, b"/", name].concat()
}

/// A path in a folder, in the form that the folder was given in.
pub(super) fn path_below(folder: &Path, name: &[u8]) -> PathBuf {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    folder.join(OsStr::from_bytes(name))
}
