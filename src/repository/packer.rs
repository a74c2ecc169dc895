//! Writing blobs: known ones are left out, new ones go into packs, and what packs hold goes into index files.
//!
//! The order is that of *Read and Write Ordering*: an index entry is written after its pack, and whoever refers to a
//! blob (a snapshot) writes after [`BlobWriter::finish`]. An error at any point leaves packs that no index knows, or
//! index files whose blobs nobody refers to: neither counts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::unpacked::unsealable;
use super::{Index, Repository, RepositoryError};
use crate::blocking;
use crate::format::{
    BlobHandle, BlobId, BlobKind, FileHandle, FileType, FinishedPack, IndexFile, IndexId, IndexPack, PackBuilder,
    seal_blob,
};

/// An index file is saved when it names so many blobs (restic-format 8.4).
const BLOBS_PER_INDEX: usize = 50_000;

/// What saving one blob came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedBlob {
    /// The blob's name.
    pub id: BlobId,
    /// It was not in the repository before.
    pub is_new: bool,
    /// The bytes it takes in its pack; 0 if it is not new.
    pub stored_bytes: u64,
}

/// What a whole writing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// The packs stored.
    pub packs: Vec<IndexPack>,
    /// The index files stored.
    pub indexes: Vec<IndexId>,
    /// The bytes of the packs.
    pub pack_bytes: u64,
}

/// Writes blobs to a repository. Nothing counts before [`finish`](BlobWriter::finish); dropped, it stops.
pub struct BlobWriter {
    saver: BlobSaver,
    uploads: JoinSet<Result<WriteSummary, RepositoryError>>,
}

impl Drop for BlobWriter {
    /// Who still holds a [`BlobSaver`] cannot save any more; the uploads end with their set.
    fn drop(&mut self) {
        self.saver.lock().packs = None;
    }
}

/// A handle on a [`BlobWriter`] for the threads that seal; cheap to clone.
#[derive(Clone)]
pub struct BlobSaver {
    shared: Arc<Shared>,
}

struct Shared {
    repo: Repository,
    index: Arc<Index>,
    state: Mutex<State>,
}

/// What the sealing threads share. The lock is held to look and to append, never to seal or to send.
struct State {
    /// New blobs: in an open pack, on their way, or stored.
    new: HashSet<BlobHandle>,
    data: PackBuilder,
    trees: PackBuilder,
    /// None: finished, or stopped.
    packs: Option<mpsc::Sender<FinishedPack>>,
}

impl BlobWriter {
    /// A writer that leaves out what `index` knows.
    #[must_use]
    pub fn new(repo: &Repository, index: Arc<Index>) -> BlobWriter {
        BlobWriter::with(repo, index, |packs| upload(repo.clone(), packs).boxed())
    }

    /// A writer that does and counts everything as the real one, and stores nothing (`--dry-run`).
    #[must_use]
    pub fn dry_run(repo: &Repository, index: Arc<Index>) -> BlobWriter {
        BlobWriter::with(repo, index, |packs| discard(packs).boxed())
    }

    fn with(
        repo: &Repository,
        index: Arc<Index>,
        upload: impl FnOnce(mpsc::Receiver<FinishedPack>) -> BoxFuture<'static, Result<WriteSummary, RepositoryError>>,
    ) -> BlobWriter {
        // One pack may wait while all connections are busy; then sealing waits too.
        let (sender, receiver) = mpsc::channel(1);
        let state =
            State { new: HashSet::new(), data: PackBuilder::new(), trees: PackBuilder::new(), packs: Some(sender) };
        let shared = Shared { repo: repo.clone(), index, state: Mutex::new(state) };
        let mut uploads = JoinSet::new();
        uploads.spawn(upload(receiver));
        BlobWriter { saver: BlobSaver { shared: Arc::new(shared) }, uploads }
    }

    /// A handle for blocking threads.
    #[must_use]
    pub fn saver(&self) -> BlobSaver {
        self.saver.clone()
    }

    /// Saves one blob on a blocking thread. For many small ones, hand a batch to [`BlobSaver::save`] in one hop.
    pub async fn save(&self, kind: BlobKind, plaintext: Vec<u8>) -> Result<SavedBlob, RepositoryError> {
        let saver = self.saver();
        blocking::run(move || saver.save(kind, &plaintext)).await
    }

    /// Stores what is left, and the index; from then on the blobs are in the repository.
    pub async fn finish(mut self) -> Result<WriteSummary, RepositoryError> {
        let saver = self.saver();
        let flushed = blocking::run(move || saver.flush()).await;
        match self.uploads.join_next().await {
            Some(Ok(Ok(summary))) => flushed.map(|()| summary),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) | None => Err(RepositoryError::WriterStopped),
        }
    }
}

impl BlobSaver {
    /// Saves one blob: known or pending ones cost a look-up, new ones are sealed here and now.
    ///
    /// For blocking threads only: waits while all connections are busy uploading.
    pub fn save(&self, kind: BlobKind, plaintext: &[u8]) -> Result<SavedBlob, RepositoryError> {
        let blob = BlobHandle { kind, id: BlobId::of(plaintext) };
        if self.shared.index.contains(&blob) || !self.lock().take(blob)? {
            return Ok(SavedBlob { id: blob.id, is_new: false, stored_bytes: 0 });
        }
        let repo = &self.shared.repo;
        let sealed = seal_blob(repo.master_key(), repo.version(), repo.options().compression, blob, plaintext)
            .map_err(unsealable(&blob.to_string()))?;
        let stored_bytes = sealed.bytes.len() as u64;
        let full = {
            let mut state = self.lock();
            let limit = repo.options().pack_size_bytes as usize;
            let builder = state.builder(kind);
            builder.add(sealed).map_err(unsealable(&blob.to_string()))?;
            // The size is passed first, then the pack is closed (restic-format 5.4).
            (builder.size_bytes() >= limit || builder.is_full()).then(|| std::mem::take(builder))
        };
        if let Some(builder) = full {
            self.send(builder)?;
        }
        Ok(SavedBlob { id: blob.id, is_new: true, stored_bytes })
    }

    /// Whether a blob is in the index or was saved by this writer.
    #[must_use]
    pub fn contains(&self, blob: &BlobHandle) -> bool {
        self.shared.index.contains(blob) || self.lock().new.contains(blob)
    }

    /// Sends what the open packs hold, and closes the way.
    fn flush(&self) -> Result<(), RepositoryError> {
        let (data, trees) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.data), std::mem::take(&mut state.trees))
        };
        let sent = [data, trees].into_iter().filter(|builder| builder.blob_count() > 0).try_for_each(|b| self.send(b));
        self.lock().packs = None;
        sent
    }

    fn send(&self, builder: PackBuilder) -> Result<(), RepositoryError> {
        let sender = self.lock().packs.clone().ok_or(RepositoryError::WriterStopped)?;
        let pack = builder.finish(self.shared.repo.master_key()).map_err(unsealable("a new pack"))?;
        sender.blocking_send(pack).map_err(|_| RepositoryError::WriterStopped)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Remembers a blob; false if it was known.
    fn take(&mut self, blob: BlobHandle) -> Result<bool, RepositoryError> {
        if self.packs.is_none() { Err(RepositoryError::WriterStopped) } else { Ok(self.new.insert(blob)) }
    }

    fn builder(&mut self, kind: BlobKind) -> &mut PackBuilder {
        match kind {
            BlobKind::Data => &mut self.data,
            BlobKind::Tree => &mut self.trees,
        }
    }
}

/// Stores packs as they come, and index files once their packs are stored. The first error ends it, and with it the
/// way for more packs.
async fn upload(repo: Repository, mut packs: mpsc::Receiver<FinishedPack>) -> Result<WriteSummary, RepositoryError> {
    let mut under_way = FuturesUnordered::new();
    let mut stored = Stored::default();
    loop {
        let free = under_way.len() < repo.backend().connections();
        tokio::select! {
            Some(pack) = under_way.next() => stored.add(&repo, pack?).await?,
            pack = packs.recv(), if free => match pack {
                Some(pack) => under_way.push(store_pack(&repo, pack)),
                None => break,
            },
        }
    }
    while let Some(pack) = under_way.next().await {
        stored.add(&repo, pack?).await?;
    }
    stored.save_index(&repo).await?;
    Ok(stored.summary)
}

/// Takes packs and gives them up.
async fn discard(mut packs: mpsc::Receiver<FinishedPack>) -> Result<WriteSummary, RepositoryError> {
    while packs.recv().await.is_some() {}
    Ok(WriteSummary::default())
}

async fn store_pack(repo: &Repository, pack: FinishedPack) -> Result<(IndexPack, u64), RepositoryError> {
    let size = pack.bytes.len() as u64;
    repo.backend().write(&FileHandle::from(pack.id), Bytes::from(pack.bytes)).await?;
    Ok((IndexPack { id: pack.id, blobs: pack.blobs }, size))
}

/// The packs that are stored, and those of them that no index file names yet.
#[derive(Default)]
struct Stored {
    summary: WriteSummary,
    unindexed: Vec<IndexPack>,
    unindexed_blobs: usize,
}

impl Stored {
    async fn add(&mut self, repo: &Repository, (pack, size): (IndexPack, u64)) -> Result<(), RepositoryError> {
        self.unindexed_blobs += pack.blobs.len();
        self.summary.pack_bytes += size;
        self.unindexed.push(pack);
        if self.unindexed_blobs >= BLOBS_PER_INDEX { self.save_index(repo).await } else { Ok(()) }
    }

    async fn save_index(&mut self, repo: &Repository) -> Result<(), RepositoryError> {
        if self.unindexed.is_empty() {
            return Ok(());
        }
        let file = IndexFile { packs: std::mem::take(&mut self.unindexed) };
        self.unindexed_blobs = 0;
        let content = file.encode().map_err(unsealable("a new index"))?;
        let id = repo.save_unpacked(FileType::Index, content).await?;
        self.summary.indexes.push(id.into());
        self.summary.packs.extend(file.packs);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::format::{PackId, PackedBlob, ScryptParams};
    use crate::repository::{InitOptions, Password};

    fn pack(number: u32, blob_count: u32) -> IndexPack {
        let blob = |offset: u32| PackedBlob {
            blob: BlobHandle::data(BlobId::of(&[number, offset].map(u32::to_le_bytes).concat())),
            offset,
            length: 33,
            uncompressed_length: None,
        };
        IndexPack { id: PackId::of(&number.to_le_bytes()), blobs: (0..blob_count).map(blob).collect() }
    }

    #[tokio::test]
    async fn an_index_file_is_saved_whenever_it_names_fifty_thousand_blobs() {
        let scrypt = Some(ScryptParams { n: 2, r: 1, p: 1 });
        let init = InitOptions { scrypt, ..InitOptions::default() };
        let repo = Repository::init(Backend::memory(), &Password::new("x"), init).await.unwrap();
        let mut stored = Stored::default();
        for (number, blob_count, indexes) in [(0, 49_999, 0), (1, 1, 1), (2, 10, 1)] {
            stored.add(&repo, (pack(number, blob_count), 0)).await.unwrap();
            assert_eq!(stored.summary.indexes.len(), indexes);
        }
        stored.save_index(&repo).await.unwrap();
        stored.save_index(&repo).await.unwrap();
        assert_eq!(stored.summary.indexes.len(), 2);
        assert_eq!(repo.load_index().await.unwrap().blob_count(), 50_010);
    }
}
