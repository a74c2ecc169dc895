//! A repository comes into being, or is opened.

use std::sync::Arc;

use bytes::Bytes;

use super::kdf;
use super::keys::uncreatable;
use super::keys::{self, KeyOwner};
use super::lock::LockTiming;
use super::unpacked::unsealable;
use super::windows::Windows;
use super::{Identity, Interrupt, Password, Progress, RepositoryError};
use crate::backend::Backend;
use crate::format::{
    Compression, Config, FileHandle, FileType, FormatError, KeyId, MasterKey, Polynomial, ScryptParams, Version,
};

/// The pack size restic writes by default.
pub const DEFAULT_PACK_SIZE_BYTES: u32 = 16 << 20;
/// The pack sizes restic allows.
pub const PACK_SIZE_RANGE_BYTES: std::ops::RangeInclusive<u32> = 4 << 20..=128 << 20;

/// How to work with a repository: nothing of it is stored.
#[derive(Clone)]
pub struct OpenOptions {
    /// The beginning of the name of the key to try first (`--key-hint`).
    pub key_hint: Option<String>,
    /// How blobs are compressed in a repository of version 2.
    pub compression: Compression,
    /// A pack is closed when it has grown to this size, within [`PACK_SIZE_RANGE_BYTES`].
    pub pack_size_bytes: u32,
    /// Who we are in locks and keys.
    pub identity: Identity,
    /// The pauses and periods of locks.
    pub lock_timing: LockTiming,
    /// Who listens.
    pub progress: Progress,
    /// Who may stop us.
    pub interrupt: Interrupt,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            key_hint: None,
            compression: Compression::Auto,
            pack_size_bytes: DEFAULT_PACK_SIZE_BYTES,
            identity: Identity::of_this_process(),
            lock_timing: LockTiming::default(),
            progress: Progress::silent(),
            interrupt: Interrupt::never(),
        }
    }
}

/// What a new repository is to be.
#[derive(Clone)]
pub struct InitOptions {
    /// Its version.
    pub version: Version,
    /// The chunker polynomial of another repository, so that both cut files alike; none: a new random one.
    pub chunker_polynomial: Option<Polynomial>,
    /// The cost of guessing the password; none: calibrated on this machine as restic does (restic-format 3.4).
    pub scrypt: Option<ScryptParams>,
    /// Who the first key is for; none: [`OpenOptions::identity`].
    pub owner: Option<KeyOwner>,
    /// How to go on working with it.
    pub open: OpenOptions,
}

impl Default for InitOptions {
    fn default() -> InitOptions {
        InitOptions {
            version: Version::V2,
            chunker_polynomial: None,
            scrypt: None,
            owner: None,
            open: OpenOptions::default(),
        }
    }
}

/// An open repository; cheap to clone, all clones are the same.
#[derive(Clone)]
pub struct Repository {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) backend: Backend,
    pub(super) config: Config,
    pub(super) key: Arc<MasterKey>,
    pub(super) key_id: KeyId,
    pub(super) options: OpenOptions,
    pub(super) windows: Windows,
}

impl Repository {
    /// Makes a new repository where there is none: first the key, then `config`, which is the commit point.
    ///
    /// Refuses a place that has a `config`, a key or a snapshot already: a `config` that is lost for now is no
    /// reason to make the rest unreadable for ever.
    pub async fn init(
        backend: Backend,
        password: &Password,
        options: InitOptions,
    ) -> Result<Repository, RepositoryError> {
        check_pack_size(&options.open)?;
        if let Some(polynomial) = options.chunker_polynomial {
            check_polynomial(polynomial)?;
        }
        refuse_existing(&backend).await?;
        let polynomial = match options.chunker_polynomial {
            Some(polynomial) => polynomial,
            None => Polynomial::random().map_err(uncreatable)?,
        };
        let scrypt = match options.scrypt {
            Some(scrypt) => scrypt,
            None => kdf::calibrated().await,
        };
        backend.create().await?;
        let key = Arc::new(MasterKey::generate().map_err(uncreatable)?);
        let owner = options.owner.unwrap_or_else(|| KeyOwner::from(&options.open.identity));
        let key_id = keys::store_key(&backend, &key, password, scrypt, &owner).await?;
        let config = Config::new(options.version, polynomial).map_err(uncreatable)?;
        let sealed = seal_config(&key, &config)?;
        backend.write(&FileHandle::CONFIG, Bytes::from(sealed)).await?;
        Ok(Repository {
            inner: Arc::new(Inner { backend, config, key, key_id, options: options.open, windows: Windows::default() }),
        })
    }

    /// Opens the repository at `backend` with `password`.
    ///
    /// Reads `config` first, so that a wrong place is named before a password is tried; then keys, the hinted one
    /// first, at most 20 of them. A damaged key does not end the search, it is told if no other key opens.
    pub async fn open(
        backend: Backend,
        password: &Password,
        options: OpenOptions,
    ) -> Result<Repository, RepositoryError> {
        check_pack_size(&options)?;
        let location = backend.location();
        let sealed = match backend.read(&FileHandle::CONFIG).await {
            Ok(sealed) if sealed.is_empty() => return Err(RepositoryError::EmptyConfig { location }),
            Ok(sealed) => sealed,
            Err(source) if source.is_not_found() => return Err(RepositoryError::NoRepository { location, source }),
            Err(error) => return Err(error.into()),
        };
        let (key_id, key) = keys::search(&backend, password, options.key_hint.as_deref(), &sealed).await?;
        let config = open_config(&location, &key, &sealed)?;
        Ok(Repository {
            inner: Arc::new(Inner {
                backend,
                config,
                key: Arc::new(key),
                key_id,
                options,
                windows: Windows::default(),
            }),
        })
    }

    /// Where the repository's files are.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.inner.backend
    }

    /// What the repository says of itself.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The repository's version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.inner.config.version
    }

    /// The key that the password opened.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.inner.key_id
    }

    /// The key of everything else in the repository.
    pub(crate) fn master_key(&self) -> &Arc<MasterKey> {
        &self.inner.key
    }

    /// How it was opened.
    #[must_use]
    pub fn options(&self) -> &OpenOptions {
        &self.inner.options
    }

    /// Who listens to what happens.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.inner.options.progress
    }

    /// The polynomial to cut files with; refused unless its degree is 53, as restic would not be able to use the
    /// same repository for backups (restic-format 10.6).
    pub fn chunker_polynomial(&self) -> Result<Polynomial, RepositoryError> {
        check_polynomial(self.inner.config.chunker_polynomial)
    }
}

fn check_polynomial(polynomial: Polynomial) -> Result<Polynomial, RepositoryError> {
    match polynomial.degree() {
        Some(Polynomial::DEGREE) if polynomial.is_irreducible() => Ok(polynomial),
        _ => Err(RepositoryError::UnsuitedPolynomial { polynomial }),
    }
}

fn check_pack_size(options: &OpenOptions) -> Result<(), RepositoryError> {
    let size = options.pack_size_bytes;
    if PACK_SIZE_RANGE_BYTES.contains(&size) {
        return Ok(());
    }
    Err(RepositoryError::Option(format!("a pack size of {size} bytes is not within 4 to 128 MiB")))
}

async fn refuse_existing(backend: &Backend) -> Result<(), RepositoryError> {
    let there = |what| RepositoryError::AlreadyThere { location: backend.location(), what };
    if backend.exists(&FileHandle::CONFIG).await? {
        return Err(there("a config"));
    }
    if !backend.list(FileType::Key).await?.is_empty() {
        return Err(there("keys"));
    }
    if !backend.list(FileType::Snapshot).await?.is_empty() {
        return Err(there("snapshots"));
    }
    Ok(())
}

fn seal_config(key: &MasterKey, config: &Config) -> Result<Vec<u8>, RepositoryError> {
    let content = config.encode().map_err(unsealable("config"))?;
    key.seal(&content).map_err(unsealable("config"))
}

/// `config` is sealed and never compressed (restic-format 4.1); it has no name to compare its bytes with.
fn open_config(location: &str, key: &MasterKey, sealed: &[u8]) -> Result<Config, RepositoryError> {
    let damaged = |fault| RepositoryError::Damaged { file: FileHandle::CONFIG, fault };
    let plain = key.open(sealed).map_err(|fault| damaged(fault.into()))?;
    Config::decode(&plain).map_err(|fault| match fault {
        FormatError::UnsupportedVersion { version } => {
            RepositoryError::UnknownVersion { location: location.to_owned(), version }
        }
        fault => damaged(fault.into()),
    })
}
