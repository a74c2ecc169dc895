//! A store in memory, with faults on order: for tests and demonstrations.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Operation;
use super::error::{ErrorKind, Failure};
use crate::format::{FileHandle, FileType, Id};

/// What an injected fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing happens, and the attempt fails.
    Fail(ErrorKind),
    /// The operation is done, but its answer is lost: the attempt fails.
    LoseAnswer(ErrorKind),
    /// A read returns, or a write stores, only so many bytes, and nobody says so.
    Truncate(usize),
    /// A listing lacks its last so many entries, and nobody says so; anything else fails.
    Omit(usize),
}

/// A fault that waits for its turn: it hits `times` operations of one kind after letting `skip` of them pass.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which operation it waits for; none: any.
    pub operation: Option<Operation>,
    /// Which files it waits for; none: any.
    pub file_type: Option<FileType>,
    /// How many such operations pass first.
    pub skip: usize,
    /// How many of them it then hits; `usize::MAX`: for ever.
    pub times: usize,
    /// What it does.
    pub effect: Effect,
}

#[derive(Default)]
pub(super) struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: HashMap<FileHandle, Bytes>,
    faults: Vec<Fault>,
}

impl MemoryStore {
    pub(super) fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    pub(super) fn read(&self, file: &FileHandle, range: Option<(u64, u64)>) -> Result<Bytes, Failure> {
        let mut state = self.lock();
        let effect = state.take_fault(Operation::Read, file.file_type)?;
        let bytes = state.files.get(file).cloned().ok_or(ErrorKind::NotFound)?;
        let mut bytes = match range {
            None => bytes,
            Some((offset, length)) => slice(&bytes, offset, length)?,
        };
        if let Some(Effect::Truncate(length)) = effect {
            bytes.truncate(length);
        }
        answer(effect, bytes)
    }

    pub(super) fn size(&self, file: &FileHandle) -> Result<u64, Failure> {
        let mut state = self.lock();
        let effect = state.take_fault(Operation::Size, file.file_type)?;
        let size = state.files.get(file).map(|bytes| bytes.len() as u64).ok_or(ErrorKind::NotFound)?;
        answer(effect, size)
    }

    pub(super) fn write(&self, file: &FileHandle, mut bytes: Bytes) -> Result<(), Failure> {
        let mut state = self.lock();
        let effect = state.take_fault(Operation::Write, file.file_type)?;
        if file.file_type == FileType::Config && state.files.contains_key(file) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if let Some(Effect::Truncate(length)) = effect {
            bytes.truncate(length);
        }
        state.files.insert(*file, bytes);
        answer(effect, ())
    }

    pub(super) fn delete(&self, file: &FileHandle) -> Result<(), Failure> {
        let mut state = self.lock();
        let effect = state.take_fault(Operation::Delete, file.file_type)?;
        state.files.remove(file);
        answer(effect, ())
    }

    pub(super) fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, Failure> {
        let mut state = self.lock();
        let effect = state.take_fault(Operation::List, file_type)?;
        let files = state.files.iter().filter(|(file, _)| file.file_type == file_type);
        let mut listing: Vec<(Id, u64)> = files.map(|(file, bytes)| (file.id, bytes.len() as u64)).collect();
        listing.sort_unstable();
        if let Some(Effect::Omit(count)) = effect {
            listing.truncate(listing.len().saturating_sub(count));
        }
        answer(effect, listing)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The effect that hits this operation, if any; one that must fail before anything is done has failed already.
    fn take_fault(&mut self, operation: Operation, file_type: FileType) -> Result<Option<Effect>, Failure> {
        let mut hit = None;
        for fault in &mut self.faults {
            let matches = fault.operation.is_none_or(|wanted| wanted == operation)
                && fault.file_type.is_none_or(|wanted| wanted == file_type);
            if !matches || fault.times == 0 {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = if fault.times == usize::MAX { fault.times } else { fault.times - 1 };
            hit = Some(fault.effect);
            break;
        }
        match hit {
            Some(Effect::Fail(kind)) => Err(Failure::new(kind, "an injected fault")),
            hit => Ok(hit),
        }
    }
}

fn answer<T>(effect: Option<Effect>, value: T) -> Result<T, Failure> {
    match effect {
        Some(Effect::LoseAnswer(kind)) => Err(Failure::new(kind, "an injected loss of the answer")),
        _ => Ok(value),
    }
}

/// The part of `bytes` that a range asks for, or [`ErrorKind::TooShort`].
pub(super) fn slice(bytes: &Bytes, offset: u64, length: u64) -> Result<Bytes, Failure> {
    let start = usize::try_from(offset).ok();
    let end = offset.checked_add(length).and_then(|end| usize::try_from(end).ok());
    match (start, end) {
        (Some(start), Some(end)) if end <= bytes.len() => Ok(bytes.slice(start..end)),
        _ => Err(ErrorKind::TooShort.into()),
    }
}
