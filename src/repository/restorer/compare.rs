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

/// For each piece, whether `file` has its content in its place. An interruption ends the comparison early: what is
/// not compared does not match.
pub(super) fn matching(file: &File, pieces: &[Piece], interrupt: &Interrupt) -> io::Result<Vec<bool>> {
    let size_bytes = file.metadata()?.len();
    let mut offset = 0;
    let mut matches = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let end = offset + u64::from(piece.length_bytes);
        let is_there = end <= size_bytes && !interrupt.is_requested();
        matches.push(is_there && hash(file, offset, end)? == Some(Id::from(piece.blob)));
        offset = end;
    }
    Ok(matches)
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
