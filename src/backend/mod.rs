//! A file handle becomes an object: backends, their URL forms and credentials.
//!
//! [`Backend`] is one concrete type over a closed set of stores: memory, a local folder, and what opendal reaches. A
//! store makes *one attempt* of *one operation*; what all of them share (how many at a time, how often again, what is
//! recorded) is done once, in [`Backend`].
//!
//! **Invariant:** a listing is whole or an error. A short one taken for a whole one would delete what it lacks.
//!
//! **Invariant:** nothing here reads the process's environment or calls libc's name services.

mod aws;
mod error;
mod http;
mod layout;
mod local;
mod location;
mod memory;
mod object;
mod options;
mod record;
mod rest;
mod retry;
mod s3;
#[cfg(test)]
mod scripted;
mod store;

pub use error::{BackendError, ErrorKind, Operation};
pub use location::{Location, LocationError};
pub use memory::{Effect, Fault};
pub use options::{BackendOptions, BucketLookup, Environment, S3Options};
pub use record::Call;
pub use retry::{RetryNotice, RetryOptions};

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::format::{FileHandle, FileType, Id};
use error::Failure;
use local::LocalStore;
use location::Place;
use memory::MemoryStore;
use record::Recorder;
use rest::RestStore;
use retry::Schedule;
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
    retry: RetryOptions,
    on_retry: Option<RetryNotice>,
    recorder: Recorder,
}

/// As restic's: more do not make a local disk faster.
const LOCAL_CONNECTIONS: usize = 2;
/// As restic's.
const REMOTE_CONNECTIONS: usize = 5;

impl Backend {
    /// Opens the store at `location`; makes no request yet, so only what is wrong with the settings is an error.
    pub fn open(location: &Location, options: &BackendOptions) -> Result<Backend, BackendError> {
        let failed = |failure| BackendError::new(location.scheme(), Operation::Open, location.to_string(), 1, failure);
        let (store, connections) = match &location.place {
            Place::Local(path) => (Store::Local(LocalStore::open(path)), LOCAL_CONNECTIONS),
            Place::S3(place) => (Store::Object(s3::open(place, options).map_err(failed)?), REMOTE_CONNECTIONS),
            Place::Rest(place) => (Store::Rest(RestStore::open(place, options).map_err(failed)?), REMOTE_CONNECTIONS),
        };
        Ok(Backend::over(store, location.to_string(), connections, options))
    }

    /// A store in this process's memory, for tests and demonstrations; it records its calls and makes no second
    /// attempts.
    #[must_use]
    pub fn memory() -> Backend {
        let options = BackendOptions { record_calls: true, retry: RetryOptions::NEVER, ..BackendOptions::default() };
        Backend::memory_with(&options)
    }

    /// A store in this process's memory, with options.
    #[must_use]
    pub fn memory_with(options: &BackendOptions) -> Backend {
        Backend::over(Store::Memory(MemoryStore::default()), "memory".to_owned(), REMOTE_CONNECTIONS, options)
    }

    fn over(store: Store, name: String, connections: usize, options: &BackendOptions) -> Backend {
        let connections = options.connections.unwrap_or(connections).clamp(1, Semaphore::MAX_PERMITS);
        Backend {
            inner: Arc::new(Inner {
                store,
                name,
                connections,
                slots: Semaphore::new(connections),
                retry: options.retry,
                on_retry: options.on_retry.clone(),
                recorder: Recorder::new(options.record_calls),
            }),
        }
    }

    /// Makes what a new repository needs before its first file: the directories of a local one or of one on a REST
    /// server, nothing elsewhere.
    pub async fn create(&self) -> Result<(), BackendError> {
        self.run(Operation::Create, What::Place, || self.inner.store.create()).await
    }

    /// Reads a whole file.
    pub async fn read(&self, file: &FileHandle) -> Result<Bytes, BackendError> {
        self.run(Operation::Read, What::File(file), || self.inner.store.read(file, None)).await
    }

    /// Reads exactly `length` bytes from `offset`; a file that ends earlier is an error of kind
    /// [`ErrorKind::TooShort`].
    pub async fn read_range(&self, file: &FileHandle, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.run(Operation::Read, What::File(file), || self.inner.store.read(file, Some((offset, length)))).await
    }

    /// The size of a file in bytes.
    pub async fn size(&self, file: &FileHandle) -> Result<u64, BackendError> {
        self.run(Operation::Size, What::File(file), || self.inner.store.size(file)).await
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
        self.run(Operation::Write, What::File(file), || self.inner.store.write(file, bytes.clone())).await
    }

    /// Deletes a file; one that is not there is not an error.
    pub async fn delete(&self, file: &FileHandle) -> Result<(), BackendError> {
        self.run(Operation::Delete, What::File(file), || self.inner.store.delete(file)).await
    }

    /// All files of a type with their sizes in bytes, in no particular order: the whole listing or an error.
    ///
    /// Names that are not 64 hexadecimal digits are left out, as restic does (restic-format 1.3).
    pub async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, BackendError> {
        self.run(Operation::List, What::Type(file_type), || self.inner.store.list(file_type)).await
    }

    /// Whether keys lie where they did in the s3legacy layout, which is not read here (restic-format 1.5).
    pub async fn has_legacy_keys(&self) -> Result<bool, BackendError> {
        self.run(Operation::List, What::Place, || self.inner.store.has_legacy_keys()).await
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

    /// Makes attempts until one succeeds or another is not worth making.
    async fn run<T, F>(&self, operation: Operation, what: What<'_>, attempt: impl Fn() -> F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let inner = &*self.inner;
        let start = Instant::now();
        let mut schedule = Schedule::new(inner.retry);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let failure = match self.attempt(operation, &what, &attempt).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let patience = failure.kind.patience(inner.store.reached());
            let name = what.name_in(&inner.name);
            let error = BackendError::new(inner.store.scheme(), operation, name, attempts, failure);
            let Some(pause) = schedule.next_pause(patience, start.elapsed()) else { return Err(error) };
            if let Some(notice) = &inner.on_retry {
                notice.tell(&error, pause);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt, in its turn. A pause between attempts holds no turn.
    async fn attempt<T, F>(&self, operation: Operation, what: &What<'_>, work: &impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let _turn = self.inner.slots.acquire().await;
        self.inner.recorder.record(operation, || what.path());
        work().await
    }
}

/// What an operation is done to.
enum What<'a> {
    Place,
    File(&'a FileHandle),
    Type(FileType),
}

impl What<'_> {
    /// For people: never without the place it is in.
    fn name_in(&self, place: &str) -> String {
        match self {
            What::Place => place.to_owned(),
            What::File(file) => format!("{file} in {place}"),
            What::Type(file_type) => format!("{file_type} files in {place}"),
        }
    }

    /// For the record of calls.
    fn path(&self) -> String {
        match self {
            What::Place => String::new(),
            What::File(file) => file.path(),
            What::Type(file_type) => layout::directory(*file_type).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
