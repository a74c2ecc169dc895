//! The closed set of stores. Each makes one attempt of one operation and knows nothing of retries.

use bytes::Bytes;

use super::error::Failure;
use super::local::LocalStore;
use super::memory::MemoryStore;
use super::object::ObjectStore;
use super::rest::RestStore;
use crate::format::{FileHandle, FileType, Id};

pub(super) enum Store {
    Memory(MemoryStore),
    Local(LocalStore),
    Object(ObjectStore),
    Rest(RestStore),
}

impl Store {
    /// The kind of repository, as locations name it.
    pub(super) fn scheme(&self) -> &'static str {
        match self {
            Store::Memory(_) => "memory",
            Store::Local(_) => "local",
            Store::Object(_) => "s3",
            Store::Rest(_) => "rest",
        }
    }

    pub(super) async fn create(&self) -> Result<(), Failure> {
        match self {
            Store::Memory(_) | Store::Object(_) => Ok(()),
            Store::Local(local) => local.create().await,
            Store::Rest(rest) => rest.create().await,
        }
    }

    pub(super) async fn read(&self, file: &FileHandle, range: Option<(u64, u64)>) -> Result<Bytes, Failure> {
        match self {
            Store::Memory(memory) => memory.read(file, range),
            Store::Local(local) => local.read(file, range).await,
            Store::Object(object) => object.read(file, range).await,
            Store::Rest(rest) => rest.read(file, range).await,
        }
    }

    pub(super) async fn size(&self, file: &FileHandle) -> Result<u64, Failure> {
        match self {
            Store::Memory(memory) => memory.size(file),
            Store::Local(local) => local.size(file).await,
            Store::Object(object) => object.size(file).await,
            Store::Rest(rest) => rest.size(file).await,
        }
    }

    pub(super) async fn write(&self, file: &FileHandle, bytes: Bytes) -> Result<(), Failure> {
        match self {
            Store::Memory(memory) => memory.write(file, bytes),
            Store::Local(local) => local.write(file, bytes).await,
            Store::Object(object) => object.write(file, bytes).await,
            Store::Rest(rest) => rest.write(file, bytes).await,
        }
    }

    pub(super) async fn delete(&self, file: &FileHandle) -> Result<(), Failure> {
        match self {
            Store::Memory(memory) => memory.delete(file),
            Store::Local(local) => local.delete(file).await,
            Store::Object(object) => object.delete(file).await,
            Store::Rest(rest) => rest.delete(file).await,
        }
    }

    pub(super) async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, Failure> {
        match self {
            Store::Memory(memory) => memory.list(file_type),
            Store::Local(local) => local.list(file_type).await,
            Store::Object(object) => object.list(file_type).await,
            Store::Rest(rest) => rest.list(file_type).await,
        }
    }

    pub(super) async fn has_legacy_keys(&self) -> Result<bool, Failure> {
        match self {
            Store::Memory(_) | Store::Rest(_) => Ok(false),
            Store::Local(local) => local.has_legacy_keys().await,
            Store::Object(object) => object.has_legacy_keys().await,
        }
    }

    /// Whether it has ever answered: until then, a host that cannot be reached is most likely a typing mistake.
    pub(super) fn reached(&self) -> bool {
        match self {
            Store::Memory(_) | Store::Local(_) => true,
            Store::Object(object) => object.reached(),
            Store::Rest(rest) => rest.reached(),
        }
    }
}
