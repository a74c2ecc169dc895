//! Which pieces of a file are already what they should be.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};

use crate::format::{BlobId, Id};
use crate::repository::Interrupt;

/// One blob of a file's content and the bytes it takes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) blob: BlobId,
    pub(super) length_bytes: u32,
}

/// How long a content of these pieces is.
pub(super) fn total_bytes(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| u64::from(piece.length_bytes)).sum()
}

/// How a file on disk compares with what it should be.
pub(super) struct Comparison {
    /// For each piece, whether its content is in its place.
    pub(super) matches: Vec<bool>,
    /// The file is exactly what it should be.
    pub(super) is_same: bool,
}

/// Compares a file piece by piece. An interruption ends it early: what is not compared does not match.
///
/// A length that the index states wrongly moves all that comes after it, but nothing comes after the last piece: it is
/// also right if it ends where the file ends.
pub(super) fn compare(file: &File, pieces: &[Piece], interrupt: &Interrupt) -> io::Result<Comparison> {
    let size_bytes = file.metadata()?.len();
    let mut offset = 0;
    let mut matches = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let end = offset + u64::from(piece.length_bytes);
        let is_there = end <= size_bytes && !interrupt.is_requested();
        matches.push(is_there && hash(file, offset, end)? == Some(Id::from(piece.blob)));
        offset = end;
    }
    let mut is_same = offset == size_bytes && matches.iter().all(|matches| *matches);
    if let (Some((last, before)), Some(false)) = (pieces.split_last(), matches.last())
        && offset != size_bytes
        && matches.iter().take(before.len()).all(|matches| *matches)
        && let rest = size_bytes.saturating_sub(total_bytes(before))
        && (1..=u64::from(u32::MAX)).contains(&rest)
    {
        is_same = hash(file, size_bytes - rest, size_bytes)? == Some(Id::from(last.blob));
    }
    Ok(Comparison { matches, is_same })
}

/// The hash of a range, or none if the file ends before.
fn hash(file: &File, mut offset: u64, end: u64) -> io::Result<Option<Id>> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    while offset < end {
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buffer.len());
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        match file.read_exact_at(chunk, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        hasher.update(chunk);
        offset += wanted as u64;
    }
    Ok(Some(Id::from_bytes(hasher.finalize().into())))
}
