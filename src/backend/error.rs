//! What can go wrong in a store, as a closed list of kinds that a caller can act upon.

use std::error::Error;
use std::fmt;
use std::io;

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
    /// The server sends us to another address, which we do not follow: it is not the repository's.
    #[error("the server redirects to another address")]
    Redirected,
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
    /// No connection could be made for another reason: no route, no answer.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The connection was there and broke.
    #[error("the connection broke")]
    Broken,
    /// Not a byte moved for too long.
    #[error("no answer in time")]
    Timeout,
    /// The store asks for fewer requests, or is out of order for now.
    #[error("the server is overloaded or out of order")]
    Unavailable,
    /// No space left on the device, or a quota is reached.
    #[error("no space left")]
    Full,
    /// The store can only be read.
    #[error("the file system is read-only")]
    ReadOnly,
    /// The answer is not one that the protocol knows.
    #[error("unexpected answer")]
    Unexpected,
    /// The store cannot do this.
    #[error("not supported")]
    Unsupported,
    /// The location, an option or a variable cannot be used.
    #[error("the location or a setting cannot be used")]
    Setting,
    /// Any other error of the operating system.
    #[error("input/output error")]
    Io,
}

/// How long another attempt is worth making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Somebody has to do something first.
    None,
    /// A few times: most likely it is no passing trouble.
    Short,
    /// For the whole budget: it passes by itself.
    Long,
}

impl ErrorKind {
    /// How long to go on; `reached` tells whether this store has ever answered. Before it did, a host that cannot be
    /// reached is most likely a typing mistake.
    pub(super) fn patience(self, reached: bool) -> Patience {
        match self {
            ErrorKind::UnknownHost | ErrorKind::Refused | ErrorKind::Unreachable if !reached => Patience::Short,
            ErrorKind::UnknownHost | ErrorKind::Refused | ErrorKind::Unreachable => Patience::Long,
            ErrorKind::Broken | ErrorKind::Timeout | ErrorKind::Unavailable => Patience::Long,
            ErrorKind::Unexpected | ErrorKind::Io => Patience::Short,
            _ => Patience::None,
        }
    }
}

/// An operation on a store that failed: what was tried on what, why, and the error below it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {what}: {kind}{}", Times(*attempts))]
pub struct BackendError {
    scheme: &'static str,
    operation: Operation,
    what: String,
    kind: ErrorKind,
    attempts: u32,
    source: Option<Box<dyn Error + Send + Sync>>,
}

struct Times(u32);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 | 1 => Ok(()),
            attempts => write!(f, " (tried {attempts} times)"),
        }
    }
}

impl BackendError {
    pub(super) fn new(
        scheme: &'static str,
        operation: Operation,
        what: String,
        attempts: u32,
        failure: Failure,
    ) -> BackendError {
        BackendError { scheme, operation, what, kind: failure.kind, attempts, source: failure.source }
    }

    /// The kind of repository: `local`, `rest`, `s3`, or `memory`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme
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

    /// How many attempts were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
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

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => return ErrorKind::NotFound.into(),
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => ErrorKind::Full,
            io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
            io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename => ErrorKind::Setting,
            io::ErrorKind::TimedOut | io::ErrorKind::StaleNetworkFileHandle => ErrorKind::Broken,
            _ => ErrorKind::Io,
        };
        Failure::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_read_only_one_have_kinds_of_their_own_and_are_not_retried() {
        for (error, kind) in [
            (io::ErrorKind::StorageFull, ErrorKind::Full),
            (io::ErrorKind::QuotaExceeded, ErrorKind::Full),
            (io::ErrorKind::ReadOnlyFilesystem, ErrorKind::ReadOnly),
            (io::ErrorKind::PermissionDenied, ErrorKind::PermissionDenied),
            (io::ErrorKind::NotFound, ErrorKind::NotFound),
            (io::ErrorKind::NotADirectory, ErrorKind::Setting),
        ] {
            assert_eq!(Failure::from(io::Error::from(error)).kind, kind);
            assert_eq!(kind.patience(true), Patience::None);
        }
    }

    #[test]
    fn an_unreachable_host_is_a_typing_mistake_until_it_has_answered_once() {
        for kind in [ErrorKind::UnknownHost, ErrorKind::Refused, ErrorKind::Unreachable] {
            assert_eq!(kind.patience(false), Patience::Short);
            assert_eq!(kind.patience(true), Patience::Long);
        }
    }

    #[test]
    fn the_text_names_what_was_tried_on_what_and_leaves_the_source_to_the_source() {
        let failure = Failure::new(ErrorKind::Full, "quota of 5 MB");
        let error = BackendError::new("local", Operation::Write, "config at /srv/repo".to_owned(), 3, failure);
        assert_eq!(error.to_string(), "cannot write config at /srv/repo: no space left (tried 3 times)");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("quota of 5 MB"));
    }
}
