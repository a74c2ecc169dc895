//! Pieces of tree packs kept for a while: trees that are walked together lie together.
//!
//! A snapshot's trees are written child after child, so that a walk from the root reads one neighbourhood of one pack.
//! Read tree by tree that is a request each; read as a window it is one for hundreds.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::{Location, Repository};
use crate::backend::BackendError;
use crate::format::{FileHandle, PackId};

/// A pack of trees up to this size is read whole; about what arrives in the time of a request.
const WINDOW_BYTES: u64 = 256 << 10;
/// How much of a window lies behind the tree that was asked for: its parents; its children lie before it.
const BEHIND_BYTES: u64 = 64 << 10;
/// Windows of different packs are read at the same time, those of one pack one after the other.
const SHARDS: usize = 16;
/// So many windows a shard are kept: 16 MiB in all.
const WINDOWS_PER_SHARD: usize = 4;

/// The windows that were read last.
#[derive(Default)]
pub(super) struct Windows {
    shards: [Mutex<VecDeque<Window>>; SHARDS],
}

struct Window {
    pack: PackId,
    start: u64,
    bytes: Bytes,
}

impl Windows {
    /// The sealed bytes of a tree, from a window that is kept or read now.
    pub(super) async fn read(&self, repo: &Repository, location: &Location) -> Result<Bytes, BackendError> {
        let pack = location.pack;
        let blob_start = u64::from(location.blob.offset);
        let blob_end = blob_start + u64::from(location.blob.length);
        let mut windows = self.shard(pack).lock().await;
        if let Some(sealed) = windows.iter().find_map(|window| window.get(pack, blob_start, blob_end)) {
            return Ok(sealed);
        }
        let (start, end) = borders(location);
        let bytes = repo.backend().read_range(&FileHandle::from(pack), start, end - start).await?;
        let window = Window { pack, start, bytes };
        let sealed = window.get(pack, blob_start, blob_end).unwrap_or_default();
        windows.truncate(WINDOWS_PER_SHARD - 1);
        windows.push_front(window);
        Ok(sealed)
    }

    /// A range of a pack, if a window that is kept has it.
    pub(super) async fn kept(&self, pack: PackId, start: u64, end: u64) -> Option<Bytes> {
        self.shard(pack).lock().await.iter().find_map(|window| window.get(pack, start, end))
    }

    fn shard(&self, pack: PackId) -> &Mutex<VecDeque<Window>> {
        &self.shards[usize::from(pack.as_bytes()[0]) % SHARDS]
    }
}

impl Window {
    fn get(&self, pack: PackId, start: u64, end: u64) -> Option<Bytes> {
        let start = usize::try_from(start.checked_sub(self.start)?).ok()?;
        let end = usize::try_from(end.checked_sub(self.start)?).ok()?;
        (self.pack == pack && start <= end && end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }
}

/// Where a window around a tree begins and ends, within what the index says that the pack holds.
fn borders(location: &Location) -> (u64, u64) {
    let offset = u64::from(location.blob.offset);
    let blob_end = offset + u64::from(location.blob.length);
    let pack_end = location.blobs_end.max(blob_end);
    if pack_end <= WINDOW_BYTES {
        return (0, pack_end);
    }
    let end = pack_end.min(blob_end + BEHIND_BYTES);
    (offset.min(end.saturating_sub(WINDOW_BYTES)), end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{BlobHandle, BlobId, PackedBlob};

    fn location(offset: u32, length: u32, blobs_end: u64) -> Location {
        let blob = PackedBlob { blob: BlobHandle::data(BlobId::of(b"")), offset, length, uncompressed_length: None };
        Location { pack: PackId::of(b""), blob, blobs_end }
    }

    #[test]
    fn a_small_pack_is_read_whole_and_a_large_one_around_the_tree() {
        const KIB: u64 = 1 << 10;
        assert_eq!(borders(&location(1000, 50, 2000)), (0, 2000));
        assert_eq!(borders(&location(0, 50, 1024 * KIB)), (0, 50 + 64 * KIB));
        assert_eq!(borders(&location(512 << 10, 1024, 1024 * KIB)), (321 * KIB, 577 * KIB));
        assert_eq!(borders(&location(1023 << 10, 1024, 1024 * KIB)), (768 * KIB, 1024 * KIB));
        // A tree larger than a window, and an index that contradicts itself.
        assert_eq!(borders(&location(10, 1 << 20, 1024 * KIB + 10)), (10, 1024 * KIB + 10));
        assert_eq!(borders(&location(u32::MAX, u32::MAX, 0)).1, 2 * u64::from(u32::MAX));
    }
}
