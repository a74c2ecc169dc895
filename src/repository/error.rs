//! What can go wrong with a repository, each error naming the thing it is about.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::backend::BackendError;
use crate::format::{
    BlobHandle, FileHandle, FileType, Id, KeyId, Lock, LockId, PackId, Polynomial, SnapshotId, TreeId,
};

/// What is wrong inside a file or blob, as the layer that found it says it.
pub type Fault = Box<dyn Error + Send + Sync>;

/// An operation on a repository that failed.
///
/// Its text says what; the text of its [`source`](Error::source) says why. Ways out are the business of `cli`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// There is no `config` where the repository should be.
    #[error("there is no repository at {location}")]
    NoRepository {
        /// Where it was looked for.
        location: String,
        /// The store's own words.
        source: BackendError,
    },
    /// `config` is there and holds nothing, as an interrupted upload leaves it.
    #[error("the config file of the repository at {location} is empty")]
    EmptyConfig {
        /// Where the repository is.
        location: String,
    },
    /// The repository has a version that this program does not know.
    #[error("the repository at {location} is of version {version}; known are 1 and 2")]
    UnknownVersion {
        /// Where the repository is.
        location: String,
        /// Its version.
        version: u64,
    },
    /// A repository, or a part of one, is already where a new one should be made.
    #[error("the repository at {location} already has {what}")]
    AlreadyThere {
        /// Where the new one should be.
        location: String,
        /// What was found: a config, keys or snapshots.
        what: &'static str,
    },
    /// The repository has the directories of restic before 0.1 on S3 (`key/`, `snapshot/`…), which restic dropped after 0.17.
    #[error("the repository at {location} has the s3legacy layout")]
    LegacyLayout {
        /// Where the repository is.
        location: String,
    },
    /// No key opens with this password.
    #[error("wrong password for the repository at {location}, or no key for it{}", broken_keys(.broken))]
    WrongPassword {
        /// Where the repository is.
        location: String,
        /// Keys that could not be tried because they are damaged.
        broken: Vec<BrokenKey>,
    },
    /// So many keys were tried in vain that the search ended before all were.
    #[error("none of the first {limit} keys opens with this password; choose one by a key hint")]
    TooManyKeys {
        /// How many were tried.
        limit: usize,
    },
    /// There are keys, and all that were tried are damaged.
    #[error("no key of the repository at {location} is usable{}", broken_keys(.broken))]
    NoUsableKey {
        /// Where the repository is.
        location: String,
        /// The damaged keys.
        broken: Vec<BrokenKey>,
    },
    /// A file of the repository is there and cannot be used.
    #[error("{file} is damaged or not for this program")]
    Damaged {
        /// Which file.
        file: FileHandle,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// Something that was just sealed does not open again to what it was: memory or processor are not reliable.
    #[error("{what} was sealed and does not open again to the same bytes; nothing was written")]
    Unsealable {
        /// What was sealed.
        what: String,
        /// How it failed.
        #[source]
        fault: Fault,
    },
    /// No index file knows the blob.
    #[error("{blob} is in no index")]
    BlobUnknown {
        /// Which blob.
        blob: BlobHandle,
    },
    /// Every copy of a blob is damaged or cannot be read.
    #[error("{blob} cannot be read from {}", packs(.tried))]
    BlobUnreadable {
        /// Which blob.
        blob: BlobHandle,
        /// The packs that were tried.
        tried: Vec<PackId>,
        /// What is wrong with the last of them.
        #[source]
        fault: Fault,
    },
    /// A tree's bytes are what was stored, and are not a tree.
    #[error("tree {tree} cannot be decoded")]
    TreeInvalid {
        /// Which tree.
        tree: TreeId,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// Somebody else holds a lock that excludes ours.
    #[error("the repository is already locked {0}")]
    Locked(Box<LockedBy>),
    /// A lock file cannot be understood, so that nobody knows whether it excludes ours.
    #[error("lock {lock} cannot be read")]
    LockUnreadable {
        /// Which lock.
        lock: LockId,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// Our own lock could not be kept fresh, or somebody removed it: the work was stopped.
    #[error("the lock on the repository was lost: {reason}")]
    LockLost {
        /// How it was lost.
        reason: &'static str,
    },
    /// The operator stopped the work.
    #[error("interrupted")]
    Interrupted,
    /// No file has a name that begins so.
    #[error("no {file_type} begins with {prefix:?}")]
    UnknownPrefix {
        /// Files of which type were looked at.
        file_type: FileType,
        /// The beginning of a name.
        prefix: String,
    },
    /// Several files have names that begin so.
    #[error("{prefix:?} is not enough to tell {} {file_type}s apart: {}", .candidates.len(), ids(.candidates))]
    AmbiguousPrefix {
        /// Files of which type were looked at.
        file_type: FileType,
        /// The beginning of a name.
        prefix: String,
        /// All that begin so.
        candidates: Vec<Id>,
    },
    /// No snapshot passes the filter.
    #[error("there is no snapshot{filter}")]
    NoSnapshot {
        /// The filter in words, with a leading blank, or nothing.
        filter: String,
    },
    /// A snapshot is not there.
    #[error("there is no snapshot {snapshot}")]
    SnapshotMissing {
        /// Which.
        snapshot: SnapshotId,
    },
    /// A folder of a snapshot is not there.
    #[error("the snapshot has no {path:?}")]
    SubfolderMissing {
        /// The path as far as it was followed.
        path: String,
    },
    /// What should be a folder of a snapshot is something else.
    #[error("{path:?} is not a folder in the snapshot")]
    NotAFolder {
        /// The path as far as it was followed.
        path: String,
    },
    /// The key that this very session uses cannot be removed.
    #[error("key {key} is the one in use, it cannot be removed")]
    KeyInUse {
        /// Which key.
        key: KeyId,
    },
    /// The key derivation's parameters cannot be used.
    #[error("a key cannot be made")]
    KeyCreation {
        /// Why.
        #[source]
        fault: Fault,
    },
    /// The chunker polynomial of the repository would cut files badly or not at all.
    #[error(
        "the chunker polynomial {polynomial} of the repository cuts files badly or not at all: it can only be read"
    )]
    UnsuitedPolynomial {
        /// The polynomial: reducible, or of another degree than 53.
        polynomial: Polynomial,
    },
    /// An option has a value out of its range.
    #[error("{0}")]
    Option(String),
    /// The writer of blobs stopped after an error, which its `finish` returns.
    #[error("writing stopped after an error")]
    WriterStopped,
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// A key that cannot be used, and why.
#[derive(Debug)]
pub struct BrokenKey {
    /// Which key.
    pub key: KeyId,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Whose lock excludes ours, and since when.
#[derive(Clone, Debug)]
pub struct LockedBy {
    /// The lock's name.
    pub id: LockId,
    /// What it says.
    pub lock: Lock,
    /// How old it was when it was read; zero for a time in the future.
    pub age: Duration,
    /// Its holder is gone (restic-format 9.3): `unlock` removes it.
    pub stale: bool,
}

impl fmt::Display for LockedBy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LockedBy { id, lock, age, .. } = self;
        write!(
            out,
            "{}by process {} on {} by {} (UID {}, GID {}), since {}, {} s ago, lock {}",
            if lock.exclusive { "exclusively " } else { "" },
            lock.pid,
            lock.hostname.escape_debug(),
            lock.username.escape_debug(),
            lock.uid,
            lock.gid,
            lock.time,
            age.as_secs(),
            id.short(),
        )?;
        if self.stale { out.write_str("; it is stale") } else { Ok(()) }
    }
}

/// An error with all its causes, in one line.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn broken_keys(broken: &[BrokenKey]) -> String {
    let texts: Vec<String> =
        broken.iter().map(|key| format!("; key {}: {}", key.key, with_causes(key.fault.as_ref()))).collect();
    texts.concat()
}

fn packs(tried: &[PackId]) -> String {
    let names: Vec<String> = tried.iter().map(|pack| format!("pack {pack}")).collect();
    names.join(", ")
}

fn ids(ids: &[Id]) -> String {
    let shown = 10;
    let mut names: Vec<String> = ids.iter().take(shown).map(Id::short).collect();
    if ids.len() > shown {
        names.push("…".to_owned());
    }
    names.join(", ")
}
