//! What can go wrong in a store, as a closed list of kinds that a caller can act upon.

use std::error::Error;
use std::fmt;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Making the store usable; no request is made.
    Open,
    /// Making the directories of a new repository.
    Create,
    /// Reading a file or a part of it.
    Read,
    /// Asking for a file's size.
    Size,
    /// Writing a file.
    Write,
    /// Deleting a file.
    Delete,
    /// Listing the files of one type.
    List,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Open => "open",
            Operation::Create => "create",
            Operation::Read => "read",
            Operation::Size => "look for",
            Operation::Write => "write",
            Operation::Delete => "delete",
            Operation::List => "list",
        })
    }
}

/// Why it failed; the text says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// A file that must not be overwritten is already there.
    #[error("it is already there")]
    AlreadyExists,
    /// The file ends before the range that was asked for.
    #[error("the file is shorter than the range asked for")]
    TooShort,
    /// The store knows who asks, and says no.
    #[error("permission denied")]
    PermissionDenied,
    /// There are no credentials, or only a half of them.
    #[error("credentials are missing")]
    CredentialsMissing,
    /// The store does not accept the credentials.
    #[error("the credentials were not accepted")]
    CredentialsRejected,
    /// The bucket does not exist.
    #[error("there is no such bucket")]
    BucketMissing,
    /// The bucket lives in another region, or the request was signed for another one.
    #[error("wrong region")]
    WrongRegion,
    /// This machine's clock differs too much from the store's.
    #[error("the clock of this machine differs too much from the server's")]
    ClockSkew,
    /// The host's name cannot be resolved.
    #[error("unknown host")]
    UnknownHost,
    /// Nobody listens at that host and port.
    #[error("connection refused")]
    Refused,
    /// TLS failed: no trusted certificate, another name, or no TLS at all.
    #[error("no trusted TLS connection")]
    Tls,
    /// The connection broke, or could not be made for another reason.
    #[error("the connection failed")]
    Unreachable,
    /// No answer, or no progress, in time.
    #[error("no answer in time")]
    Timeout,
    /// The store asks for fewer requests, or is out of order for now.
    #[error("the server is overloaded or out of order")]
    Unavailable,
    /// No space left on the device, or a quota is reached.
    #[error("no space left")]
    Full,
    /// The store may be read only.
    #[error("read-only")]
    ReadOnly,
    /// The answer is not one that the protocol knows.
    #[error("unexpected answer")]
    Unexpected,
    /// The store cannot do this.
    #[error("not supported")]
    Unsupported,
    /// An option or variable has a value that cannot be used.
    #[error("unusable setting")]
    Setting,
    /// Any other error of the operating system.
    #[error("input/output error")]
    Io,
}

impl ErrorKind {
    /// Whether the same attempt may succeed later without anyone doing anything.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        use ErrorKind::{Io, Refused, Timeout, Tls, Unavailable, Unexpected, UnknownHost, Unreachable};
        matches!(self, Io | Refused | Timeout | Tls | Unavailable | Unexpected | UnknownHost | Unreachable)
    }
}

/// An operation on a store that failed: what was tried on what, why, and the error below it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {what}: {kind}")]
pub struct BackendError {
    operation: Operation,
    what: String,
    kind: ErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl BackendError {
    pub(super) fn new(operation: Operation, what: String, failure: Failure) -> BackendError {
        BackendError { operation, what, kind: failure.kind, source: failure.source }
    }

    /// What was tried.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Why it failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the file is simply not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}

/// One failed attempt, before [`super::Backend`] adds what was tried on what.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(super) fn new(kind: ErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure { kind, source: Some(source.into()) }
    }
}

impl From<ErrorKind> for Failure {
    fn from(kind: ErrorKind) -> Failure {
        Failure { kind, source: None }
    }
}
