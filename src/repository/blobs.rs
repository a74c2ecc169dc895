//! Reading blobs: one by one, or many of them in as few requests as their packs allow.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::index::plaintext_bytes;
use super::{Fault, Index, Location, Repository, RepositoryError};
use crate::backend::BackendError;
use crate::blocking;
use crate::format::{BlobHandle, BlobKind, FileHandle, PackId, PackedBlob, Tree, TreeId, open_blob};

/// Bytes between two wanted blobs that are read along rather than asked around: about what a request costs.
const MAX_GAP_BYTES: u64 = 1 << 20;
/// One read of several blobs ends at this size; one blob may be larger.
const MAX_READ_BYTES: u64 = 8 << 20;
/// One read of several blobs ends when so much would come out of it.
const MAX_PLAIN_BYTES: u64 = 12 << 20;
/// Opening less than this is quicker than handing it to another thread.
const OPEN_HERE_BYTES: usize = 16 << 10;

impl Repository {
    /// A blob's content, from the first copy that is intact.
    pub async fn load_blob(&self, index: &Index, blob: &BlobHandle) -> Result<Vec<u8>, RepositoryError> {
        let mut tried = Vec::new();
        let mut last: Option<Fault> = None;
        for location in index.lookup(blob) {
            // Trees come from a window first; a fault there may be the window's, so they are then read by themselves.
            if blob.kind == BlobKind::Tree
                && let Ok(sealed) = self.inner.windows.read(self, &location).await
                && let Ok(plain) = self.open_copy(&location, sealed).await
            {
                return Ok(plain);
            }
            match self.load_copy(&location).await {
                Ok(plain) => return Ok(plain),
                Err(fault) => last = Some(fault),
            }
            tried.push(location.pack);
        }
        Err(match last {
            None => RepositoryError::BlobUnknown { blob: *blob },
            Some(fault) => RepositoryError::BlobUnreadable { blob: *blob, tried, fault },
        })
    }

    /// A tree.
    pub async fn load_tree(&self, index: &Index, tree: TreeId) -> Result<Tree, RepositoryError> {
        let plain = self.load_blob(index, &BlobHandle::from(tree)).await?;
        Tree::decode(&plain).map_err(|fault| RepositoryError::TreeInvalid { tree, fault: fault.into() })
    }

    async fn load_copy(&self, location: &Location) -> Result<Vec<u8>, Fault> {
        let PackedBlob { offset, length, .. } = location.blob;
        let sealed = self.backend().read_range(&FileHandle::from(location.pack), offset.into(), length.into()).await?;
        self.open_copy(location, sealed).await
    }

    async fn open_copy(&self, location: &Location, sealed: Bytes) -> Result<Vec<u8>, Fault> {
        let packed = location.blob;
        if sealed.len() <= OPEN_HERE_BYTES {
            return Ok(open_blob(self.master_key(), &packed, &sealed)?);
        }
        let repo = self.clone();
        blocking::run(move || Ok(open_blob(repo.master_key(), &packed, &sealed)?)).await
    }

    /// Many blobs, in no particular order, each once: blobs that lie close together in a pack come with one request.
    ///
    /// A copy that is damaged or cannot be read falls back to [`Repository::load_blob`] with all the other copies.
    pub fn load_blobs<'a>(
        &'a self,
        index: &'a Index,
        blobs: impl IntoIterator<Item = BlobHandle>,
    ) -> impl Stream<Item = (BlobHandle, Result<Vec<u8>, RepositoryError>)> + 'a {
        let (reads, unknown) = plan(index, blobs);
        let unknown = unknown.into_iter().map(|blob| (blob, Err(RepositoryError::BlobUnknown { blob })));
        let found = stream::iter(reads)
            .map(move |read| self.load_read(index, read))
            .buffer_unordered(self.backend().connections())
            .flat_map(stream::iter);
        stream::iter(unknown).chain(found)
    }

    async fn load_read(&self, index: &Index, read: Read) -> Vec<(BlobHandle, Result<Vec<u8>, RepositoryError>)> {
        let wanted: Vec<BlobHandle> = read.blobs.iter().map(|packed| packed.blob).collect();
        let opened = match self.fetch(&read).await {
            Ok(sealed) => {
                let repo = self.clone();
                blocking::run(move || read.open_all(&repo, &sealed)).await
            }
            Err(_) => wanted.iter().map(|_| None).collect(),
        };
        let mut loaded = Vec::with_capacity(wanted.len());
        for (blob, plain) in wanted.into_iter().zip(opened) {
            let result = match plain {
                Some(plain) => Ok(plain),
                // Reads this copy again, then the others: its error is the one that counts.
                None => self.load_blob(index, &blob).await,
            };
            loaded.push((blob, result));
        }
        loaded
    }

    async fn fetch(&self, read: &Read) -> Result<Bytes, BackendError> {
        if let Some(kept) = self.inner.windows.kept(read.pack, read.start, read.end).await {
            return Ok(kept);
        }
        self.backend().read_range(&FileHandle::from(read.pack), read.start, read.end - read.start).await
    }
}

/// One request for several blobs of a pack.
#[derive(Debug, PartialEq)]
struct Read {
    pack: PackId,
    start: u64,
    end: u64,
    plain_bytes: u64,
    blobs: Vec<PackedBlob>,
}

impl Read {
    fn new(pack: PackId, blob: PackedBlob) -> Read {
        let start = u64::from(blob.offset);
        let plain_bytes = u64::from(plaintext_bytes(&blob));
        Read { pack, start, end: start + u64::from(blob.length), plain_bytes, blobs: vec![blob] }
    }

    /// Takes `blob` along if it is near enough and the whole does not grow too big; blobs come by their offsets.
    fn take(&mut self, blob: PackedBlob) -> bool {
        let end = self.end.max(u64::from(blob.offset) + u64::from(blob.length));
        let plain_bytes = self.plain_bytes + u64::from(plaintext_bytes(&blob));
        let near = u64::from(blob.offset) <= self.end + MAX_GAP_BYTES;
        let fits = end - self.start <= MAX_READ_BYTES && plain_bytes <= MAX_PLAIN_BYTES;
        if near && fits {
            (self.end, self.plain_bytes) = (end, plain_bytes);
            self.blobs.push(blob);
        }
        near && fits
    }

    /// Each blob's content, or none where this copy of it is damaged.
    fn open_all(&self, repo: &Repository, sealed: &Bytes) -> Vec<Option<Vec<u8>>> {
        let open = |packed: &PackedBlob| {
            let start = usize::try_from(u64::from(packed.offset) - self.start).ok()?;
            let end = start.checked_add(packed.length as usize)?;
            open_blob(repo.master_key(), packed, sealed.get(start..end)?).ok()
        };
        self.blobs.iter().map(open).collect()
    }
}

/// Groups blobs by the pack of their first copy and joins neighbours; the second list is unknown to the index.
fn plan(index: &Index, blobs: impl IntoIterator<Item = BlobHandle>) -> (Vec<Read>, Vec<BlobHandle>) {
    let mut packs: BTreeMap<PackId, Vec<PackedBlob>> = BTreeMap::new();
    let (mut seen, mut unknown) = (HashSet::new(), Vec::new());
    for blob in blobs.into_iter().filter(|blob| seen.insert(*blob)) {
        match index.lookup(&blob).next() {
            Some(location) => packs.entry(location.pack).or_default().push(location.blob),
            None => unknown.push(blob),
        }
    }
    let mut reads: Vec<Read> = Vec::new();
    for (pack, mut blobs) in packs {
        blobs.sort_unstable_by_key(|blob| blob.offset);
        let first_of_pack = reads.len();
        for blob in blobs {
            let joined =
                reads.get_mut(first_of_pack..).and_then(<[Read]>::last_mut).is_some_and(|read| read.take(blob));
            if !joined {
                reads.push(Read::new(pack, blob));
            }
        }
    }
    (reads, unknown)
}
