//! Object stores: all that opendal reaches. Every operation is as few plain requests as it can be.

use std::sync::Arc;

use bytes::Bytes;
use opendal::{Buffer, HttpTransporter, OperationContext, Operator};

use super::error::{ErrorKind, Failure};
use super::http::{Check, Exchange, HttpClient};
use super::layout;
use crate::format::{FileHandle, FileType, Id};

pub(super) struct ObjectStore {
    operator: Operator,
    http: Arc<HttpClient>,
    /// Tells a listing from another document that comes with a status of success: a proxy's page read as an empty
    /// listing would lose data.
    check_listing: Check,
}

impl ObjectStore {
    pub(super) fn new(operator: Operator, http: Arc<HttpClient>, check_listing: Check) -> ObjectStore {
        ObjectStore { operator, http, check_listing }
    }

    pub(super) fn reached(&self) -> bool {
        self.http.reached()
    }

    pub(super) async fn read(&self, file: &FileHandle, range: Option<(u64, u64)>) -> Result<Bytes, Failure> {
        let path = file.path();
        let Some((offset, length)) = range else {
            return Ok(self.attempt(None, async |store| store.read(&path).await).await?.to_bytes());
        };
        let end = offset.checked_add(length).ok_or(ErrorKind::TooShort)?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        let read = self.attempt(None, async |store| store.read_with(&path).range(offset..end).await);
        let bytes = read.await?.to_bytes();
        // The transport has seen to it for plain requests; a service that reads otherwise is held to it here.
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(ErrorKind::TooShort.into()) }
    }

    /// HEAD is answered without a body, so a missing bucket would look like a missing file. It matters for `config`,
    /// the first file anyone looks for, and that one is small: it is read.
    pub(super) async fn size(&self, file: &FileHandle) -> Result<u64, Failure> {
        if file.file_type == FileType::Config {
            return Ok(self.read(file, None).await?.len() as u64);
        }
        let path = file.path();
        Ok(self.attempt(None, async |store| store.stat(&path).await).await?.content_length())
    }

    pub(super) async fn write(&self, file: &FileHandle, bytes: Bytes) -> Result<(), Failure> {
        let path = file.path();
        if file.file_type == FileType::Config {
            return self.write_once(file, &path, bytes).await;
        }
        self.attempt(None, async |store| store.write(&path, Buffer::from(bytes)).await).await.map(|_| ())
    }

    /// Writes a file that must not be overwritten. Looked for first, since not every server honours the condition;
    /// looked at again if the condition fails, since it may be our own write whose answer was lost.
    async fn write_once(&self, file: &FileHandle, path: &str, bytes: Bytes) -> Result<(), Failure> {
        if let Some(found) = self.find(file).await? {
            return is_ours(&found, &bytes);
        }
        let buffer = Buffer::from(bytes.clone());
        let write = self.attempt(None, async |store| store.write_with(path, buffer).if_not_exists(true).await).await;
        match write {
            Err(failure) if failure.kind == ErrorKind::AlreadyExists => match self.find(file).await? {
                Some(found) => is_ours(&found, &bytes),
                None => Err(failure),
            },
            Err(failure) if failure.kind == ErrorKind::Unsupported => {
                self.attempt(None, async |store| store.write(path, Buffer::from(bytes)).await).await.map(|_| ())
            }
            result => result.map(|_| ()),
        }
    }

    async fn find(&self, file: &FileHandle) -> Result<Option<Bytes>, Failure> {
        match self.read(file, None).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(failure) if failure.kind == ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn delete(&self, file: &FileHandle) -> Result<(), Failure> {
        let path = file.path();
        self.attempt(None, async |store| store.delete(&path).await).await
    }

    pub(super) async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, Failure> {
        if file_type == FileType::Config {
            let config = self.find(&FileHandle { file_type, id: Id::ZERO }).await?;
            return Ok(config.map(|config| (Id::ZERO, config.len() as u64)).into_iter().collect());
        }
        let directory = format!("{}/", layout::directory(file_type));
        let recursive = file_type == FileType::Pack;
        let list = async |store: Operator| store.list_with(&directory).recursive(recursive).await;
        let entries = self.attempt(Some(self.check_listing), list).await?;
        let files = entries.iter().filter(|entry| entry.metadata().is_file());
        Ok(files
            .filter_map(|entry| Some((layout::id_of_name(entry.name())?, entry.metadata().content_length())))
            .collect())
    }

    pub(super) async fn has_legacy_keys(&self) -> Result<bool, Failure> {
        let directory = format!("{}/", layout::LEGACY_KEYS);
        let list = async |store: Operator| store.list(&directory).await;
        let entries = self.attempt(Some(self.check_listing), list).await?;
        Ok(entries.iter().any(|entry| layout::id_of_name(entry.name()).is_some()))
    }

    /// Runs `work` on the operator with a transport of its own, whose view of a failure says more than opendal's.
    async fn attempt<T>(
        &self,
        check: Option<Check>,
        work: impl AsyncFnOnce(Operator) -> opendal::Result<T>,
    ) -> Result<T, Failure> {
        let exchange = Exchange::new(Arc::clone(&self.http), check);
        let context = OperationContext::new().with_http_transport(HttpTransporter::new(exchange.clone()));
        work(self.operator.clone().with_context(context))
            .await
            .map_err(|error| exchange.take_failure().unwrap_or_else(|| failure(error)))
    }
}

fn is_ours(found: &Bytes, ours: &Bytes) -> Result<(), Failure> {
    if found == ours { Ok(()) } else { Err(ErrorKind::AlreadyExists.into()) }
}

/// An error that no request explains: a setting, or an answer that opendal could not read.
fn failure(error: opendal::Error) -> Failure {
    let kind = match error.kind() {
        opendal::ErrorKind::ConfigInvalid => ErrorKind::Setting,
        opendal::ErrorKind::Unsupported => ErrorKind::Unsupported,
        opendal::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unexpected,
    };
    // Its Display is one line; it names the operation and, for a request, the server's address.
    Failure::new(kind, error.to_string())
}
