//! restic's REST protocol, version 2, with version 1's listings where a server knows no other
//! (restic `doc/REST_backend.rst`, `internal/backend/rest`).
//!
//! Files lie flat, `data/<id>`: how they are spread over directories is the server's business.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::error::{ErrorKind, Failure};
use super::http::{HttpClient, failure_by_status};
use super::layout;
use super::location::{Login, RestPlace};
use super::options::{BackendOptions, Environment};
use crate::format::{FileHandle, FileType, Id};

/// What tells a server that we know version 2, and us that a listing has its form.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";

/// A listing of version 1 has no sizes: so many files are asked for theirs at a time.
const SIZES_AT_A_TIME: usize = 5;

pub(super) struct RestStore {
    http: Arc<HttpClient>,
    url: String,
    authorization: Option<HeaderValue>,
}

/// One file of a listing of version 2.
#[derive(Deserialize)]
struct Entry {
    name: String,
    size: u64,
}

impl RestStore {
    /// User and password are those of the location; where it has neither, `RESTIC_REST_USERNAME` and
    /// `RESTIC_REST_PASSWORD`.
    pub(super) fn open(place: &RestPlace, options: &BackendOptions) -> Result<RestStore, Failure> {
        let login = place.login.clone().or_else(|| login_of(&options.environment));
        let authorization = login.map(|login| authorization(&login)).transpose()?;
        Ok(RestStore { http: HttpClient::new(options)?, url: place.url.clone(), authorization })
    }

    pub(super) fn reached(&self) -> bool {
        self.http.reached()
    }

    pub(super) async fn create(&self) -> Result<(), Failure> {
        self.ask(Method::POST, "?create=true", None, Bytes::new()).await.map(|_| ())
    }

    pub(super) async fn read(&self, file: &FileHandle, range: Option<(u64, u64)>) -> Result<Bytes, Failure> {
        let Some((offset, length)) = range else {
            return Ok(self.ask(Method::GET, &path(file), None, Bytes::new()).await?.into_body());
        };
        let end = offset.checked_add(length).ok_or(ErrorKind::TooShort)?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        let range = format!("bytes={offset}-{}", end - 1);
        Ok(self.ask(Method::GET, &path(file), Some(&range), Bytes::new()).await?.into_body())
    }

    pub(super) async fn size(&self, file: &FileHandle) -> Result<u64, Failure> {
        let answer = self.ask(Method::HEAD, &path(file), None, Bytes::new()).await?;
        let length = answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        length.ok_or_else(|| Failure::new(ErrorKind::Unexpected, "the server does not tell the file's size"))
    }

    /// A file that is there already is refused by some servers. One of the same name has the same content.
    pub(super) async fn write(&self, file: &FileHandle, bytes: Bytes) -> Result<(), Failure> {
        if file.file_type == FileType::Config {
            return self.write_once(file, bytes).await;
        }
        let length = bytes.len() as u64;
        match self.post(file, bytes).await {
            Err(failure) if failure.kind == ErrorKind::PermissionDenied => match self.size(file).await {
                Ok(found) if found == length => Ok(()),
                Ok(found) => Err(Failure::new(
                    ErrorKind::AlreadyExists,
                    format!("with {found} bytes instead of {length}, and the server refuses to replace it"),
                )),
                Err(_) => Err(failure),
            },
            result => result,
        }
    }

    /// Writes a file that must not be overwritten. Looked for first, since not every server refuses; looked at again
    /// if the server refuses, since it may be our own write whose answer was lost.
    async fn write_once(&self, file: &FileHandle, bytes: Bytes) -> Result<(), Failure> {
        if let Some(found) = self.find(file).await? {
            return is_ours(&found, &bytes);
        }
        match self.post(file, bytes.clone()).await {
            Err(failure) if failure.kind == ErrorKind::PermissionDenied => match self.find(file).await? {
                Some(found) => is_ours(&found, &bytes),
                None => Err(failure),
            },
            result => result,
        }
    }

    async fn post(&self, file: &FileHandle, bytes: Bytes) -> Result<(), Failure> {
        self.ask(Method::POST, &path(file), None, bytes).await.map(|_| ())
    }

    async fn find(&self, file: &FileHandle) -> Result<Option<Bytes>, Failure> {
        found(self.read(file, None).await)
    }

    pub(super) async fn delete(&self, file: &FileHandle) -> Result<(), Failure> {
        match found(self.ask(Method::DELETE, &path(file), None, Bytes::new()).await) {
            Err(failure) if failure.kind == ErrorKind::PermissionDenied => {
                let words = failure.source.map(|source| source.to_string()).unwrap_or_default();
                let text = format!("{words} (an append-only server lets nothing but locks be deleted)");
                Err(Failure::new(ErrorKind::PermissionDenied, text))
            }
            result => result.map(|_| ()),
        }
    }

    /// A directory that is not there is an empty one: servers over object stores know no other.
    pub(super) async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, Failure> {
        if file_type == FileType::Config {
            let config = self.find(&FileHandle { file_type, id: Id::ZERO }).await?;
            return Ok(config.map(|config| (Id::ZERO, config.len() as u64)).into_iter().collect());
        }
        let directory = format!("{}/", layout::directory(file_type));
        let Some(answer) = found(self.ask(Method::GET, &directory, None, Bytes::new()).await)? else {
            return Ok(Vec::new());
        };
        if answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == VERSION_2) {
            let entries: Vec<Entry> = listing(answer.body())?;
            return Ok(entries
                .into_iter()
                .filter_map(|entry| Some((layout::id_of_name(&entry.name)?, entry.size)))
                .collect());
        }
        let names: Vec<String> = listing(answer.body())?;
        self.sizes(file_type, names.iter().filter_map(|name| layout::id_of_name(name)).collect()).await
    }

    /// What version 1 leaves out. A file that went away in the meantime is in no listing.
    async fn sizes(&self, file_type: FileType, ids: Vec<Id>) -> Result<Vec<(Id, u64)>, Failure> {
        let size = |id| async move {
            let size = found(self.size(&FileHandle { file_type, id }).await)?;
            Ok::<_, Failure>(size.map(|size| (id, size)))
        };
        let sizes: Vec<_> = stream::iter(ids).map(size).buffer_unordered(SIZES_AT_A_TIME).try_collect().await?;
        Ok(sizes.into_iter().flatten().collect())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        range: Option<&str>,
        body: Bytes,
    ) -> Result<http::Response<Bytes>, Failure> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header(ACCEPT, VERSION_2);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        let request = request.body(body.into()).map_err(|error| Failure::new(ErrorKind::Setting, error))?;
        let answer = self.http.exchange(request).await?;
        match failure_by_status(&answer) {
            None => Ok(answer),
            Some(mut failure) => {
                if answer.status() == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
                    failure.kind = ErrorKind::CredentialsMissing;
                }
                Err(failure)
            }
        }
    }
}

fn login_of(environment: &Environment) -> Option<Login> {
    let (user, password) = (environment.get("RESTIC_REST_USERNAME"), environment.get("RESTIC_REST_PASSWORD"));
    (user.is_some() || password.is_some()).then(|| Login {
        user: user.unwrap_or_default().to_owned(),
        password: Zeroizing::new(password.unwrap_or_default().to_owned()),
    })
}

/// Basic authentication: RFC 7617.
fn authorization(login: &Login) -> Result<HeaderValue, Failure> {
    let pair = Zeroizing::new(format!("{}:{}", login.user, login.password.as_str()));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).map_err(|error| Failure::new(ErrorKind::Setting, error))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `data/<id>`, not `data/<xx>/<id>`.
fn path(file: &FileHandle) -> String {
    match file.file_type {
        FileType::Config => "config".to_owned(),
        file_type => format!("{}/{}", layout::directory(file_type), file.id),
    }
}

fn found<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.kind == ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn is_ours(found: &Bytes, ours: &Bytes) -> Result<(), Failure> {
    if found == ours { Ok(()) } else { Err(ErrorKind::AlreadyExists.into()) }
}

/// A whole listing; `null` is how Go writes an empty one. Anything else, a proxy's page too, is an error.
fn listing<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, Failure> {
    serde_json::from_slice::<Option<Vec<T>>>(body)
        .map(Option::unwrap_or_default)
        .map_err(|error| Failure::new(ErrorKind::Unexpected, format!("the answer is not a listing: {error}")))
}

#[cfg(test)]
mod tests;
