//! Reading files: cut into chunks, saved, and counted.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::metadata::{self, Attributes};
use super::run::Run;
use super::targets::to_path;
use super::task::Task;
use super::{BackupError, BackupEvent, ItemStats};
use crate::blocking;
use crate::format::{BlobId, BlobKind, Chunker, Node, NodeType};
use crate::repository::RepositoryError;

/// How much is asked of the system at once.
const READ_BYTES: usize = 512 << 10;
/// A hop that reads a large file ends when it has cut so much.
const BYTES_PER_HOP: usize = 4 << 20;

/// A file that is to be read.
pub(super) struct FileJob {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Where it stands in the snapshot.
    pub(super) item: Vec<u8>,
    /// Its name in the snapshot.
    pub(super) name: Vec<u8>,
    /// What the parent snapshot has in its place.
    pub(super) previous: Option<Node>,
    /// Its length when it was looked at: a hint.
    pub(super) size: u64,
}

/// Why a file is not stored, or nothing more is.
enum FileError {
    /// It cannot be read.
    Read(String),
    /// Blobs cannot be stored.
    Save(RepositoryError),
}

impl From<RepositoryError> for FileError {
    fn from(error: RepositoryError) -> Self {
        Self::Save(error)
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Read(error.to_string())
    }
}

/// The chunks of a stream.
struct Chunks<R> {
    input: R,
    chunker: Chunker,
    /// Read, and not yet part of a chunk.
    buffer: Vec<u8>,
    used: usize,
    is_at_end: bool,
}

impl<R: Read> Chunks<R> {
    fn new(input: R, chunker: Chunker) -> Self {
        Self { input, chunker, buffer: Vec::new(), used: 0, is_at_end: false }
    }

    /// The next chunk; none at the end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        loop {
            let fresh = self.buffer.get(self.used..).unwrap_or_default();
            if let Some(length) = self.chunker.next_cut(fresh) {
                chunk.extend_from_slice(fresh.get(..length).unwrap_or_default());
                self.used += length;
                return Ok(Some(chunk));
            }
            chunk.extend_from_slice(fresh);
            self.used = self.buffer.len();
            if self.is_at_end {
                return Ok(Some(chunk).filter(|chunk| !chunk.is_empty()));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.used = 0;
        let read = (&mut self.input).take(READ_BYTES as u64).read_to_end(&mut self.buffer)?;
        self.is_at_end = read < READ_BYTES;
        Ok(())
    }
}

impl Run {
    /// Reads and saves small files, one after the other, on this blocking thread.
    pub(super) fn save_small_files(&self, jobs: Vec<FileJob>) -> Vec<Node> {
        jobs.into_iter().filter_map(|job| self.save_small_file(&job)).collect()
    }

    fn save_small_file(&self, job: &FileJob) -> Option<Node> {
        if self.is_stopped() {
            return None;
        }
        let start = Instant::now();
        self.tell(BackupEvent::FileStarted { item: to_path(job.item.clone()) });
        let mut stats = ItemStats::default();
        let read = self.open(job).and_then(|(mut node, file)| {
            let mut chunks = Chunks::new(file, self.chunker.clone());
            while let Some(chunk) = chunks.next()? {
                let id = self.save(BlobKind::Data, &chunk, &mut stats)?;
                add_chunk(&mut node, id, chunk.len());
                self.tell(BackupEvent::BytesDone { bytes: chunk.len() as u64 });
            }
            Ok(node)
        });
        self.conclude(job, read, stats, start)
    }

    /// Reads a large file and saves its chunks, several at once.
    pub(super) async fn save_large_file(self: Arc<Self>, job: FileJob) -> Vec<Node> {
        let start = Instant::now();
        self.tell(BackupEvent::FileStarted { item: to_path(job.item.clone()) });
        let run = Arc::clone(&self);
        let (job, opened) = blocking::run(move || {
            let opened = run.open(&job);
            (job, opened)
        })
        .await;
        let (read, stats) = match opened {
            Ok((node, file)) => self.save_chunks(node, file).await,
            Err(error) => (Err(error), ItemStats::default()),
        };
        self.conclude(&job, read, stats, start).into_iter().collect()
    }

    /// Reads a stream of any length and saves it as the content of `node`.
    pub(super) async fn save_stream(
        self: &Arc<Self>,
        job: &FileJob,
        node: Node,
        input: Box<dyn Read + Send>,
    ) -> Option<Node> {
        let start = Instant::now();
        self.tell(BackupEvent::FileStarted { item: to_path(job.item.clone()) });
        let (read, stats) = self.save_chunks(node, input).await;
        if let Err(FileError::Read(reason)) = &read {
            // There is nothing else to save, and half a stream is no backup of it.
            self.stop(BackupError::Input { reason: reason.clone() });
            return None;
        }
        let read = read.and_then(|node| match node.size {
            // A command that failed leaves an empty stream: that is no backup of its output.
            0 => Err(FileError::Read("no data read".to_owned())),
            _ => Ok(node),
        });
        self.conclude(job, read, stats, start)
    }

    async fn save_chunks(
        self: &Arc<Self>,
        mut node: Node,
        input: impl Read + Send + 'static,
    ) -> (Result<Node, FileError>, ItemStats) {
        let mut stats = ItemStats::default();
        let mut chunks = Chunks::new(input, self.chunker.clone());
        let mut saving = VecDeque::new();
        loop {
            let (returned, cut) = blocking::run(move || {
                let cut = some_chunks(&mut chunks);
                (chunks, cut)
            })
            .await;
            chunks = returned;
            match cut {
                Ok(cut) if cut.is_empty() => break,
                Ok(cut) => {
                    for chunk in cut {
                        saving.push_back((chunk.len(), self.start_saving(chunk).await));
                    }
                }
                Err(error) => return (Err(error.into()), stats),
            }
        }
        for (length, task) in saving {
            match task.join().await {
                Some(Ok((id, added))) => {
                    add_chunk(&mut node, id, length);
                    stats += added;
                }
                Some(Err(error)) => return (Err(error.into()), stats),
                None => return (Err(RepositoryError::Interrupted.into()), stats),
            }
        }
        (Ok(node), stats)
    }

    /// Begins to save a chunk as soon as a core is free for it.
    async fn start_saving(self: &Arc<Self>, chunk: Vec<u8>) -> Task<Result<(BlobId, ItemStats), RepositoryError>> {
        let slot = Arc::clone(&self.sealing).acquire_owned().await;
        let run = Arc::clone(self);
        Task::spawn(async move {
            let _slot = slot;
            blocking::run(move || {
                let mut stats = ItemStats::default();
                let id = run.save(BlobKind::Data, &chunk, &mut stats)?;
                run.tell(BackupEvent::BytesDone { bytes: chunk.len() as u64 });
                Ok((id, stats))
            })
            .await
        })
    }

    /// Opens a file; its node is made of what was opened, not of what was seen before.
    fn open(&self, job: &FileJob) -> Result<(Node, std::fs::File), FileError> {
        let file = metadata::open(&job.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileError::Read("the file changed its type, refusing to archive".to_owned()));
        }
        let mut node = self.node(&job.name, &job.path, &metadata, Attributes::Required);
        node.content = Some(Vec::new());
        node.size = 0;
        Ok((node, file))
    }

    /// A node of what the system says; what it cannot say is told.
    pub(super) fn node(&self, name: &[u8], path: &Path, metadata: &std::fs::Metadata, attributes: Attributes) -> Node {
        let (node, problems) = self.metadata.node(name, path, metadata, attributes);
        problems.into_iter().for_each(|problem| self.failed(path, format!("incomplete metadata: {problem}")));
        node
    }

    fn conclude(&self, job: &FileJob, read: Result<Node, FileError>, stats: ItemStats, start: Instant) -> Option<Node> {
        match read {
            Ok(node) => {
                debug_assert_eq!(node.node_type, NodeType::File);
                self.done(job.item.clone(), job.previous.as_ref(), &node, stats, start);
                return Some(node);
            }
            Err(FileError::Read(reason)) => self.failed(&job.path, reason),
            Err(FileError::Save(error)) => self.stop(error.into()),
        }
        self.tell(BackupEvent::FileEnded { item: to_path(job.item.clone()) });
        None
    }
}

fn add_chunk(node: &mut Node, id: BlobId, length: usize) {
    node.size += length as u64;
    node.content.get_or_insert_default().push(id);
}

/// The next chunks of a stream, some MiB together; none at its end.
fn some_chunks(chunks: &mut Chunks<impl Read>) -> io::Result<Vec<Vec<u8>>> {
    let mut cut = Vec::new();
    let mut length = 0;
    while length < BYTES_PER_HOP
        && let Some(chunk) = chunks.next()?
    {
        length += chunk.len();
        cut.push(chunk);
    }
    Ok(cut)
}
