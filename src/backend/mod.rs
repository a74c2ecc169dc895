//! A file handle becomes an object: backends, their URL forms and credentials.
//!
//! [`Backend`] is one concrete type over a closed set of [stores](store): memory, a local folder, and what opendal
//! reaches. A store makes *one attempt* of *one operation*; everything that all of them share (how many at a time, how
//! often again, what is recorded) is done once, in [`Backend`].

mod error;
mod location;
mod memory;
mod options;
mod record;
mod store;

pub use error::{BackendError, ErrorKind, Operation};
pub use location::{Location, LocationError};
pub use memory::{Effect, Fault};
pub use options::{BackendOptions, Environment, RetryOptions};
pub use record::Call;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::format::{FileHandle, FileType, Id};
use error::Failure;
use memory::MemoryStore;
use record::Recorder;
use store::Store;

/// A place that keeps a repository's files; cheap to clone, all clones share one connection limit.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    name: String,
    connections: usize,
    slots: Semaphore,
    recorder: Recorder,
}

impl Backend {
    /// Opens the store at `location`; makes no request yet.
    pub fn open(location: &Location, options: &BackendOptions) -> Result<Backend, BackendError> {
        let _ = options;
        Err(BackendError::new(Operation::Open, location.to_string(), ErrorKind::Unsupported.into()))
    }

    /// A store in this process's memory, for tests and demonstrations; records its calls.
    #[must_use]
    pub fn memory() -> Backend {
        Backend::over(Store::Memory(MemoryStore::default()), "memory:".to_owned(), 5, true)
    }

    fn over(store: Store, name: String, connections: usize, record_calls: bool) -> Backend {
        Backend {
            inner: Arc::new(Inner {
                store,
                name,
                connections,
                slots: Semaphore::new(connections),
                recorder: Recorder::new(record_calls),
            }),
        }
    }

    /// Makes what a new repository needs before its first file: the directories of a local one, nothing elsewhere.
    pub async fn create(&self) -> Result<(), BackendError> {
        self.run(Operation::Create, self.location(), || self.inner.store.create()).await
    }

    /// Reads a whole file.
    pub async fn read(&self, file: &FileHandle) -> Result<Bytes, BackendError> {
        self.run(Operation::Read, file.path(), || self.inner.store.read(file, None)).await
    }

    /// Reads exactly `length` bytes from `offset`; a file that ends earlier is an error of kind
    /// [`ErrorKind::TooShort`].
    pub async fn read_range(&self, file: &FileHandle, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.run(Operation::Read, file.path(), || self.inner.store.read(file, Some((offset, length)))).await
    }

    /// The size of a file in bytes.
    pub async fn size(&self, file: &FileHandle) -> Result<u64, BackendError> {
        self.run(Operation::Size, file.path(), || self.inner.store.size(file)).await
    }

    /// Whether a file is there.
    pub async fn exists(&self, file: &FileHandle) -> Result<bool, BackendError> {
        match self.size(file).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a whole file, which is there with all its bytes or not at all.
    ///
    /// A file named by its content may be written twice; `config` may not ([`ErrorKind::AlreadyExists`]).
    pub async fn write(&self, file: &FileHandle, bytes: Bytes) -> Result<(), BackendError> {
        self.run(Operation::Write, file.path(), || self.inner.store.write(file, bytes.clone())).await
    }

    /// Deletes a file; one that is not there is not an error.
    pub async fn delete(&self, file: &FileHandle) -> Result<(), BackendError> {
        self.run(Operation::Delete, file.path(), || self.inner.store.delete(file)).await
    }

    /// All files of a type with their sizes in bytes, in no particular order: the whole listing or an error.
    ///
    /// Names that are not 64 hexadecimal digits are left out, as restic does (restic-format 1.3).
    pub async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, BackendError> {
        self.run(Operation::List, file_type.to_string(), || self.inner.store.list(file_type)).await
    }

    /// How many operations run at the same time; more wait.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.connections
    }

    /// Where this is, for messages: without secrets.
    #[must_use]
    pub fn location(&self) -> String {
        self.inner.name.clone()
    }

    /// Every attempt made so far, in order, if calls are recorded.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.inner.recorder.calls()
    }

    /// Forgets the recorded calls.
    pub fn forget_calls(&self) {
        self.inner.recorder.clear();
    }

    /// Makes a coming operation of a [memory](Backend::memory) store fail; other stores ignore it.
    pub fn inject(&self, fault: Fault) {
        if let Store::Memory(memory) = &self.inner.store {
            memory.inject(fault);
        }
    }

    async fn run<T, F>(&self, operation: Operation, what: String, attempt: impl Fn() -> F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let _slot = self.inner.slots.acquire().await;
        self.inner.recorder.record(operation, &what);
        let result = attempt().await;
        result.map_err(|failure| BackendError::new(operation, what, failure))
    }
}
