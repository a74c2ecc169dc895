//! The closed set of stores. Each makes one attempt of one operation and knows nothing of retries.

use bytes::Bytes;

use super::error::Failure;
use super::memory::MemoryStore;
use crate::format::{FileHandle, FileType, Id};

pub(super) enum Store {
    Memory(MemoryStore),
}

impl Store {
    pub(super) async fn create(&self) -> Result<(), Failure> {
        match self {
            Store::Memory(_) => Ok(()),
        }
    }

    pub(super) async fn read(&self, file: &FileHandle, range: Option<(u64, u64)>) -> Result<Bytes, Failure> {
        match self {
            Store::Memory(memory) => memory.read(file, range),
        }
    }

    pub(super) async fn size(&self, file: &FileHandle) -> Result<u64, Failure> {
        match self {
            Store::Memory(memory) => memory.size(file),
        }
    }

    pub(super) async fn write(&self, file: &FileHandle, bytes: Bytes) -> Result<(), Failure> {
        match self {
            Store::Memory(memory) => memory.write(file, bytes),
        }
    }

    pub(super) async fn delete(&self, file: &FileHandle) -> Result<(), Failure> {
        match self {
            Store::Memory(memory) => memory.delete(file),
        }
    }

    pub(super) async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, Failure> {
        match self {
            Store::Memory(memory) => memory.list(file_type),
        }
    }
}
