//! Puts blobs where they belong in files.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{AtFlags, Mode, OFlags, fstat, fstatvfs, openat, unlinkat};
use rustix::io::Errno;

use super::compare::Piece;
use super::error::{ItemError, RestoreError};
use super::events::RestoreAction;
use super::folders::{FolderId, Identity, identity};
use super::links::Claim;
use super::metadata::Object;
use super::site::{CAREFULLY, Site};
use crate::format::{BlobHandle, BlobId, Node};
use crate::repository::RepositoryError;

/// How many files stay open between two of their blobs.
const OPEN_AT_MOST: usize = 64;
/// Files up to this size are begun without asking how much room there is.
const ALWAYS_TRIED_BYTES: u64 = 64 << 20;
/// The smallest hole, and what holes are aligned to.
const HOLE_BYTES: usize = 4096;

/// A file whose content is not complete yet.
pub(super) struct PendingFile {
    folder: FolderId,
    node: Box<Node>,
    start: Start,
    claim: Claim,
    size_bytes: u64,
    /// How many pieces are still to be written.
    missing: usize,
    /// The file, once it is begun.
    identity: Option<Identity>,
    trouble: Trouble,
}

/// How to begin a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing is there.
    New,
    /// What is there goes first.
    Replace,
    /// The file that is there gets what it lacks.
    Update(Identity),
}

/// What went wrong with a file so far; it has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// A piece is missing for good. The others are written, as what is left may be all that is left.
    Content,
    /// The file cannot be written.
    Target,
}

/// A place in a file where a blob belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) blob: BlobId,
    pub(super) file: usize,
    offset: u64,
    length_bytes: u32,
}

impl Start {
    pub(super) fn action(self) -> RestoreAction {
        match self {
            Start::New | Start::Replace => RestoreAction::FileRestored,
            Start::Update(_) => RestoreAction::FileUpdated,
        }
    }
}

impl PendingFile {
    pub(super) fn new(folder: FolderId, mut node: Node, pieces: &[Piece], start: Start, claim: Claim) -> PendingFile {
        node.content = None;
        let size_bytes = super::compare::total_bytes(pieces);
        let node = Box::new(node);
        PendingFile { folder, node, start, claim, size_bytes, missing: 0, identity: None, trouble: Trouble::None }
    }
}

impl Site {
    /// Takes note of a file and of the pieces it lacks.
    pub(super) fn add_pending(&mut self, mut file: PendingFile, pieces: &[Piece], matches: &[bool]) {
        let number = self.pending.len();
        let mut offset = 0;
        for (index, piece) in pieces.iter().enumerate() {
            if matches.get(index) == Some(&true) {
                self.reporter.advanced(piece.length_bytes.into());
            } else {
                file.missing += 1;
                self.uses.push(Use { blob: piece.blob, file: number, offset, length_bytes: piece.length_bytes });
            }
            offset += u64::from(piece.length_bytes);
        }
        self.pending.push(file);
    }

    /// Sorts what was planned and names each blob that it takes once; files that lack no blob are restored now.
    pub(super) fn begin_writing(&mut self) -> Result<Vec<BlobHandle>, RestoreError> {
        self.uses.sort_unstable();
        for number in 0..self.pending.len() {
            if self.pending.get(number).is_some_and(|file| file.missing == 0) {
                let result = self.open_file(number).and_then(|file| self.complete(number, &file));
                self.settle_file(number, result, Trouble::Target)?;
            }
        }
        let mut blobs: Vec<BlobId> = self.uses.iter().map(|one| one.blob).collect();
        blobs.dedup();
        Ok(blobs.into_iter().map(BlobHandle::data).collect())
    }

    /// Writes a blob to all places where it belongs; or tells all files that they will not get it.
    pub(super) fn write_blob(
        &mut self,
        blob: BlobId,
        content: Result<&[u8], &RepositoryError>,
    ) -> Result<(), RestoreError> {
        let first = self.uses.partition_point(|one| one.blob < blob);
        let mut next = first;
        while let Some(one) = self.uses.get(next).copied().filter(|one| one.blob == blob) {
            next += 1;
            self.go_on()?;
            match content {
                Ok(bytes) => self.write_piece(one, bytes)?,
                Err(error) => self.blame(one.file, error),
            }
        }
        Ok(())
    }

    /// Forgets the files of this batch, complete or not.
    pub(super) fn end_writing(&mut self) {
        self.open_files.clear();
        self.pending.clear();
        self.uses.clear();
    }

    /// Removes the files that were begun and will never be complete: nobody shall take them for restored.
    fn abandon(&mut self) {
        for file in &self.pending {
            let begun_by_us = file.identity.is_some() && file.missing > 0 && !matches!(file.start, Start::Update(_));
            if begun_by_us && let Ok(place) = self.folders.ensure(file.folder) {
                // It is the way out of an error: a further one changes nothing.
                let _ = unlinkat(place, &file.node.name[..], AtFlags::empty());
            }
        }
    }

    fn write_piece(&mut self, one: Use, bytes: &[u8]) -> Result<(), RestoreError> {
        if self.pending.get(one.file).is_none_or(|file| file.trouble == Trouble::Target) {
            return Ok(());
        }
        let is_wrongly_stated = usize::try_from(one.length_bytes) != Ok(bytes.len());
        if is_wrongly_stated && !self.corrects_end(one, bytes.len() as u64) {
            let stated_bytes = one.length_bytes;
            let error = ItemError::Length { blob: one.blob, found_bytes: bytes.len(), stated_bytes };
            return self.settle_file(one.file, Err(error), Trouble::Content);
        }
        let result = self.open_file(one.file).and_then(|file| {
            self.write_at(one, &file, bytes)?;
            self.reporter.advanced(bytes.len() as u64);
            let Some(pending) = self.pending.get_mut(one.file) else { return Ok(()) };
            pending.missing -= 1;
            if pending.missing == 0 { self.complete(one.file, &file) } else { self.keep_open(one.file, file) }
        });
        self.settle_file(one.file, result, Trouble::Target)
    }

    /// A length that the index states wrongly does no harm at the end of a file.
    fn corrects_end(&mut self, one: Use, found_bytes: u64) -> bool {
        let Some(pending) = self.pending.get_mut(one.file) else { return false };
        let is_last = one.offset + u64::from(one.length_bytes) == pending.size_bytes && one.length_bytes > 0;
        if is_last {
            pending.size_bytes = one.offset + found_bytes;
            self.reporter.corrected(one.length_bytes.into(), found_bytes);
        }
        is_last
    }

    fn write_at(&self, one: Use, file: &File, bytes: &[u8]) -> Result<(), ItemError> {
        let leaves_holes = self.options.sparse
            && self.pending.get(one.file).is_some_and(|file| !matches!(file.start, Start::Update(_)));
        let result = match leaves_holes {
            true => write_around_zeros(file, bytes, one.offset),
            false => file.write_all_at(bytes, one.offset),
        };
        result.map_err(ItemError::io("cannot write the file"))
    }

    /// The file, begun if it is not yet.
    pub(super) fn open_file(&mut self, number: usize) -> Result<File, ItemError> {
        if let Some(place) = self.open_files.iter().position(|(open, _)| *open == number)
            && let Some((_, file)) = self.open_files.remove(place)
        {
            return Ok(file);
        }
        let cannot_begin = ItemError::io::<io::Error>("cannot write the file");
        let Some(pending) = self.pending.get(number) else { return Err(cannot_begin(Errno::NOENT.into())) };
        let (start, size_bytes, begun) = (pending.start, pending.size_bytes, pending.identity);
        let (folder, name) = (pending.folder, pending.node.name.clone());
        let place = self.folders.ensure(folder).map_err(ItemError::io("cannot reach the folder"))?;
        let expected = match (begun, start) {
            (Some(identity), _) | (None, Start::Update(identity)) => Some(identity),
            (None, Start::New | Start::Replace) => None,
        };
        if begun.is_none() {
            self.check_room(&place, size_bytes)?;
        }
        let file = match expected {
            Some(_) => openat(&place, &name[..], OFlags::WRONLY | CAREFULLY, Mode::empty()),
            None => {
                if start == Start::Replace
                    && let Some(stat) = self.existing(folder, &name)?
                {
                    self.remove_existing(&place, &name, &stat, self.options.delete)?;
                }
                let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                openat(&place, &name[..], new, Mode::RUSR | Mode::WUSR)
            }
        };
        let file = File::from(file.map_err(|error| cannot_begin(error.into()))?);
        let found = identity(&fstat(&file).map_err(|error| cannot_begin(error.into()))?);
        if expected.is_some_and(|expected| expected != found) {
            return Err(cannot_begin(Errno::STALE.into()));
        }
        if let Some(pending) = self.pending.get_mut(number) {
            pending.identity = Some(found);
        }
        Ok(file)
    }

    /// Does not begin a file that can never fit: it would fill the disk for nothing.
    fn check_room(&self, place: &OwnedFd, needed_bytes: u64) -> Result<(), ItemError> {
        if needed_bytes <= ALWAYS_TRIED_BYTES || self.options.sparse {
            return Ok(());
        }
        // Without an answer, writing will tell.
        let Ok(room) = fstatvfs(place) else { return Ok(()) };
        let free_bytes = room.f_bavail.saturating_mul(room.f_frsize);
        if needed_bytes > free_bytes { Err(ItemError::TooBig { needed_bytes, free_bytes }) } else { Ok(()) }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the other branch of its caller can fail")]
    fn keep_open(&mut self, number: usize, file: File) -> Result<(), ItemError> {
        if self.open_files.len() >= OPEN_AT_MOST {
            self.open_files.pop_front();
        }
        self.open_files.push_back((number, file));
        Ok(())
    }

    /// All content is there: what remains is the length and the metadata.
    fn complete(&mut self, number: usize, file: &File) -> Result<(), ItemError> {
        let Some(pending) = self.pending.get(number).filter(|pending| pending.trouble == Trouble::None) else {
            return Ok(());
        };
        let cannot_write = ItemError::io("cannot write the file");
        if file.metadata().map_err(&cannot_write)?.len() != pending.size_bytes {
            file.set_len(pending.size_bytes).map_err(&cannot_write)?;
        }
        let location = self.folders.location(pending.folder, &pending.node.name);
        if let Some(identity) = pending.identity {
            self.links.restored(pending.claim, identity);
        }
        if self.options.verify {
            self.written.add(location.clone());
        }
        self.reporter.restored(pending.start.action(), location, pending.size_bytes);
        let place = self.folders.ensure(pending.folder).map_err(ItemError::io("cannot reach the folder"))?;
        let object = Object::open(file.as_fd(), &place, &pending.node.name);
        Ok(object.apply(&pending.node, self.wanted())?)
    }

    fn blame(&mut self, number: usize, error: &RepositoryError) {
        let Some(pending) = self.pending.get_mut(number) else { return };
        if pending.trouble == Trouble::None {
            pending.trouble = Trouble::Content;
            let location = self.folders.location(pending.folder, &pending.node.name);
            self.reporter.failed(location, error);
        }
    }

    fn settle_file(
        &mut self,
        number: usize,
        result: Result<(), ItemError>,
        trouble: Trouble,
    ) -> Result<(), RestoreError> {
        let (Err(error), Some(pending)) = (result, self.pending.get_mut(number)) else { return Ok(()) };
        let is_first = pending.trouble == Trouble::None;
        pending.trouble = trouble;
        let location = self.folders.location(pending.folder, &pending.node.name);
        let error = error.fatal(&location)?;
        if is_first {
            self.reporter.failed(location, &error);
        }
        Ok(())
    }
}

/// However a restore ends, by an error or because nobody waits for it any more.
impl Drop for Site {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Writes all but whole blocks of zeros.
fn write_around_zeros(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let lead = (HOLE_BYTES - usize::try_from(offset % HOLE_BYTES as u64).unwrap_or_default()) % HOLE_BYTES;
    let (head, rest) = bytes.split_at(lead.min(bytes.len()));
    let mut at = offset;
    for block in std::iter::once(head).chain(rest.chunks(HOLE_BYTES)) {
        if block.iter().any(|byte| *byte != 0) {
            file.write_all_at(block, at)?;
        }
        at += block.len() as u64;
    }
    Ok(())
}
