//! Packs read whole: their hash, every blob in them, and their header.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};

use super::report::{Finding, Reporter};
use crate::backend::BackendError;
use crate::blocking;
use crate::format::{FileHandle, FormatError, PackId, PackedBlob, open_blob, pack};
use crate::repository::error::with_causes;
use crate::repository::{Event, Index, Repository, Step};

/// So much of a pack is read with one request: restic's default packs at once, larger ones in several.
const READ_BYTES: u64 = 32 << 20;
/// The header's length at the end of a pack.
const LENGTH_BYTES: usize = 4;
/// No header and its length take more (restic-format 5.3).
const MAX_TAIL_BYTES: u64 = (16 << 20) + LENGTH_BYTES as u64;
/// So many faults of one pack are kept.
const MAX_FAULTS: usize = 100;

/// Reads `packs`, which have the given sizes in bytes, and reports all that is wrong with them.
pub(super) async fn check(repo: &Repository, index: &Index, packs: Vec<(PackId, u64)>, reporter: &mut Reporter) {
    let progress = reporter.progress().clone();
    progress.report(Event::StepStarted { step: Step::Packs, total: packs.len() as u64 });
    let wanted: std::collections::HashMap<PackId, u64> = packs.into_iter().collect();
    let table = index.by_pack();
    let jobs = table.iter().filter_map(|(pack, blobs)| wanted.get(&pack).map(|size| (pack, *size, blobs)));
    let mut checks = stream::iter(jobs)
        .map(|(pack, size, blobs)| async move { check_pack(repo, pack, size, blobs).await })
        .buffer_unordered(repo.backend().connections());
    while let Some(finding) = checks.next().await {
        finding.into_iter().for_each(|finding| reporter.add(finding));
        progress.report(Event::StepAdvanced { step: Step::Packs });
    }
    progress.report(Event::StepFinished { step: Step::Packs });
}

/// A pack with faults is read once more: if it is well then, that is told too, since reading is not reliable.
async fn check_pack(repo: &Repository, pack: PackId, size: u64, blobs: Vec<PackedBlob>) -> Option<Finding> {
    let first = match PackReader::new(repo, pack, size).check(&blobs).await {
        Ok(faults) if faults.is_empty() => return None,
        outcome => outcome,
    };
    let second = PackReader::new(repo, pack, size).check(&blobs).await;
    let mut faults = match (first, second) {
        (Ok(mut first), Ok(second)) if second.is_empty() => {
            first.push("nothing was wrong at the second attempt".to_owned());
            first
        }
        (Ok(_), Ok(second)) => second,
        (Ok(faults), Err(_)) => faults,
        (Err(error), _) => return Some(Finding::PackUnreadable { pack, fault: with_causes(&error) }),
    };
    faults.truncate(MAX_FAULTS);
    Some(Finding::PackDamaged { pack, faults })
}

/// Reads a pack from its beginning to its end, piece by piece.
struct PackReader<'repo> {
    repo: &'repo Repository,
    pack: PackId,
    size: u64,
    /// What was read and may still be needed, from the offset `start`.
    buffer: BytesMut,
    start: u64,
    hash: Sha256,
    faults: Vec<String>,
}

impl<'repo> PackReader<'repo> {
    fn new(repo: &'repo Repository, pack: PackId, size: u64) -> PackReader<'repo> {
        let (buffer, hash) = (BytesMut::new(), Sha256::new());
        PackReader { repo, pack, size, buffer, start: 0, hash, faults: Vec::new() }
    }

    /// All that is wrong with the pack, which should hold `blobs`, given by their offsets.
    async fn check(mut self, blobs: &[PackedBlob]) -> Result<Vec<String>, BackendError> {
        let mut position = 0;
        let mut has_gaps = false;
        for packed in blobs {
            let (offset, end) = (u64::from(packed.offset), u64::from(packed.offset) + u64::from(packed.length));
            has_gaps |= offset != position;
            // A blob that overlaps the one before is not opened: what that costs has no bound.
            if offset >= position {
                self.check_blob(packed, offset, end).await?;
                position = end;
            }
        }
        if has_gaps {
            self.faults.push("the index has gaps or overlapping blobs".to_owned());
        }
        self.check_header(blobs, position).await?;
        Ok(self.faults)
    }

    async fn check_blob(&mut self, packed: &PackedBlob, offset: u64, end: u64) -> Result<(), BackendError> {
        if end > self.size {
            self.faults.push(format!("{} lies beyond the end of the pack", packed.blob));
            return Ok(());
        }
        let sealed = self.read(offset, end).await?;
        let (repo, packed) = (self.repo.clone(), *packed);
        let opened = blocking::run(move || open_blob(repo.master_key(), &packed, &sealed).map(drop)).await;
        if let Err(fault) = opened {
            self.faults.push(format!("{}: {}", packed.blob, with_causes(&fault)));
        }
        Ok(())
    }

    /// The rest of the pack, its hash, and what its header says.
    async fn check_header(&mut self, blobs: &[PackedBlob], position: u64) -> Result<(), BackendError> {
        let tail_start = position.min(self.size).max(self.size.saturating_sub(MAX_TAIL_BYTES));
        let tail = self.read(tail_start, self.size).await?;
        let actual = PackId::from_bytes(std::mem::take(&mut self.hash).finalize().into());
        if actual != self.pack {
            self.faults.push(format!("its content has the hash {actual}"));
            return Ok(());
        }
        match self.decode_header(&tail) {
            Err(fault) => self.faults.push(with_causes(&fault)),
            Ok(header) => compare(&header, blobs, &mut self.faults),
        }
        Ok(())
    }

    fn decode_header(&self, tail: &[u8]) -> Result<Vec<PackedBlob>, FormatError> {
        let header_bytes = pack::header_length(tail, self.size)? as usize;
        let end = tail.len().saturating_sub(LENGTH_BYTES);
        let header = tail.get(end.saturating_sub(header_bytes)..end).unwrap_or_default();
        pack::decode_header(self.repo.master_key(), header, self.size)
    }

    /// The bytes from `from` to `to`; those before `from` are given up. Both never go back.
    async fn read(&mut self, from: u64, to: u64) -> Result<Bytes, BackendError> {
        let file = FileHandle::from(self.pack);
        while self.start + (self.buffer.len() as u64) < to {
            let next = self.start + self.buffer.len() as u64;
            let bytes = self.repo.backend().read_range(&file, next, READ_BYTES.min(self.size - next)).await?;
            self.hash.update(&bytes);
            self.give_up(from);
            self.buffer.extend_from_slice(&bytes);
        }
        self.give_up(from);
        let length = usize::try_from(to - from).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(Bytes::copy_from_slice(&self.buffer[..length]))
    }

    fn give_up(&mut self, before: u64) {
        let count = usize::try_from(before.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.buffer.len());
        drop(self.buffer.split_to(count));
        self.start += count as u64;
    }
}

/// What header and index do not agree about.
fn compare(header: &[PackedBlob], indexed: &[PackedBlob], faults: &mut Vec<String>) {
    let indexed: std::collections::HashSet<&PackedBlob> = indexed.iter().collect();
    if header.len() != indexed.len() {
        faults.push(format!("the header names {} blobs, the index {}", header.len(), indexed.len()));
    }
    for packed in header.iter().filter(|packed| !indexed.contains(packed)) {
        faults.push(format!("{} is in the index at another place or not at all", packed.blob));
    }
}
