//! The keys of a repository: one master key, sealed once per password.

use std::sync::Arc;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::error::BrokenKey;
use super::{Fault, Identity, Password, Repository, RepositoryError, clock, kdf};
use crate::backend::Backend;
use crate::blocking;
use crate::format::{FileHandle, FileType, FormatError, Id, KeyError, KeyFile, KeyId, MasterKey, ScryptParams};

/// So many keys are tried before the search is given up, as restic does (restic-format 3.6).
const MAX_KEYS: usize = 20;

/// Who a key is for: told by `key list`, otherwise without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOwner {
    /// The user's name.
    pub username: String,
    /// The host's name.
    pub hostname: String,
}

impl From<&Identity> for KeyOwner {
    fn from(identity: &Identity) -> KeyOwner {
        KeyOwner { username: identity.username.clone(), hostname: identity.hostname.clone() }
    }
}

/// A key of the repository as `key list` shows it.
#[derive(Debug)]
pub struct KeyInfo {
    /// Its name.
    pub id: KeyId,
    /// It is the one this repository was opened with.
    pub current: bool,
    /// What it says, or why it cannot be read.
    pub file: Result<KeyFile, RepositoryError>,
}

impl Repository {
    /// All keys, in the order of their names; a damaged one does not hide the others.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, RepositoryError> {
        let mut ids: Vec<KeyId> = self.list(FileType::Key).await?.into_iter().map(|(id, _)| id.into()).collect();
        ids.sort_unstable();
        let mut keys = Vec::with_capacity(ids.len());
        for id in ids {
            let file = match load_key(self.backend(), id).await {
                Ok(file) => Ok(file),
                Err(LoadError::Broken(fault)) => Err(super::unpacked::damaged(FileHandle::from(id), fault)),
                Err(LoadError::Store(error)) => Err(error),
            };
            keys.push(KeyInfo { id, current: id == self.key_id(), file });
        }
        Ok(keys)
    }

    /// Adds a key for `password`: reads it back and opens it before it counts, and removes it if that fails.
    ///
    /// `scrypt`: none means calibrated on this machine.
    pub async fn add_key(
        &self,
        password: &Password,
        owner: &KeyOwner,
        scrypt: Option<ScryptParams>,
    ) -> Result<KeyId, RepositoryError> {
        let scrypt = match scrypt {
            Some(scrypt) => scrypt,
            None => kdf::calibrated().await,
        };
        let id = store_key(self.backend(), self.master_key(), password, scrypt, owner).await?;
        match try_key(self.backend(), id, password).await {
            Ok(master) if self.is_same_key(&master) => Ok(id),
            outcome => {
                let file = FileHandle::from(id);
                // The old keys still open the repository; what is left of the new one only stands in the way.
                self.delete(&file).await?;
                Err(match outcome {
                    Err(TryError::Store(error)) => error,
                    Err(TryError::Broken(fault)) => super::unpacked::damaged(file, fault),
                    Ok(_) | Err(TryError::Refused) => super::unpacked::damaged(file, "it does not open as written"),
                })
            }
        }
    }

    /// Whether `key` opens what the repository's key seals.
    fn is_same_key(&self, key: &MasterKey) -> bool {
        self.master_key().seal(b"key").and_then(|sealed| key.open(&sealed)).is_ok()
    }

    /// Removes the key whose name begins with `prefix`; never the one in use.
    pub async fn remove_key(&self, prefix: &str) -> Result<KeyId, RepositoryError> {
        let key = KeyId::from(self.find_id(FileType::Key, prefix).await?);
        if key == self.key_id() {
            return Err(RepositoryError::KeyInUse { key });
        }
        self.delete(&FileHandle::from(key)).await?;
        Ok(key)
    }

    /// Gives the key in use another password: a new key first, then the old one goes.
    pub async fn change_password(
        &self,
        password: &Password,
        owner: &KeyOwner,
        scrypt: Option<ScryptParams>,
    ) -> Result<KeyId, RepositoryError> {
        let id = self.add_key(password, owner, scrypt).await?;
        self.delete(&FileHandle::from(self.key_id())).await?;
        Ok(id)
    }
}

/// Makes an error that says that a key could not be made.
pub(super) fn uncreatable(fault: impl Into<Fault>) -> RepositoryError {
    RepositoryError::KeyCreation { fault: fault.into() }
}

/// Seals `master` with `password` and stores it as a key.
pub(super) async fn store_key(
    backend: &Backend,
    master: &Arc<MasterKey>,
    password: &Password,
    scrypt: ScryptParams,
    owner: &KeyOwner,
) -> Result<KeyId, RepositoryError> {
    let secret = Zeroizing::new(password.as_bytes().to_vec());
    let (master, owner) = (Arc::clone(master), owner.clone());
    let encoded =
        blocking::run(move || KeyFile::seal(&master, &secret, scrypt, clock::now(), &owner.username, &owner.hostname))
            .await
            .map_err(uncreatable)?;
    let encoded = encoded.encode().map_err(uncreatable)?;
    let id = KeyId::of(&encoded);
    backend.write(&FileHandle::from(id), Bytes::from(encoded)).await?;
    Ok(id)
}

/// The first key that opens with `password`: the hinted one, then the others as listed.
///
/// A key may open and yet not be this repository's: the one that opens `config` is.
pub(super) async fn search(
    backend: &Backend,
    password: &Password,
    hint: Option<&str>,
    config: &[u8],
) -> Result<(KeyId, MasterKey), RepositoryError> {
    let mut ids: Vec<Id> = backend.list(FileType::Key).await?.into_iter().map(|(id, _)| id).collect();
    if let Some(hint) = hint {
        ids.sort_by_key(|id| !id.to_string().starts_with(hint));
    }
    let mut failed = FailedSearch::default();
    for id in ids.iter().take(MAX_KEYS).map(|id| KeyId::from(*id)) {
        match try_key(backend, id, password).await {
            Ok(master) => match master.open(config) {
                Ok(_) => return Ok((id, master)),
                Err(fault) => failed.config = Some(fault),
            },
            Err(TryError::Refused) => failed.refused += 1,
            Err(TryError::Broken(fault)) => failed.broken.push(BrokenKey { key: id, fault }),
            Err(TryError::Store(error)) => return Err(error),
        }
    }
    if ids.is_empty() && backend.has_legacy_keys().await? {
        return Err(RepositoryError::LegacyLayout { location: backend.location() });
    }
    Err(failed.into_error(backend.location(), ids.len()))
}

/// What became of the keys that were tried.
#[derive(Default)]
struct FailedSearch {
    refused: usize,
    broken: Vec<BrokenKey>,
    /// Why `config` did not open with a key that did.
    config: Option<FormatError>,
}

impl FailedSearch {
    fn into_error(self, location: String, key_count: usize) -> RepositoryError {
        let FailedSearch { refused, broken, config } = self;
        if let Some(fault) = config {
            super::unpacked::damaged(FileHandle::CONFIG, fault)
        } else if key_count > MAX_KEYS {
            RepositoryError::TooManyKeys { limit: MAX_KEYS }
        } else if refused == 0 && !broken.is_empty() {
            RepositoryError::NoUsableKey { location, broken }
        } else {
            RepositoryError::WrongPassword { location, broken }
        }
    }
}

/// Why a key did not open.
enum TryError {
    Refused,
    Broken(Fault),
    Store(RepositoryError),
}

async fn try_key(backend: &Backend, id: KeyId, password: &Password) -> Result<MasterKey, TryError> {
    let file = load_key(backend, id).await.map_err(|error| match error {
        LoadError::Broken(fault) => TryError::Broken(fault),
        LoadError::Store(error) => TryError::Store(error),
    })?;
    let secret = Zeroizing::new(password.as_bytes().to_vec());
    blocking::run(move || file.open(&secret)).await.map_err(|error| match error {
        KeyError::WrongPassword => TryError::Refused,
        fault => TryError::Broken(fault.into()),
    })
}

/// Why a key's file could not be loaded.
enum LoadError {
    Broken(Fault),
    Store(RepositoryError),
}

async fn load_key(backend: &Backend, id: KeyId) -> Result<KeyFile, LoadError> {
    let file: FileHandle = FileHandle::from(id);
    let mut bytes = backend.read(&file).await.map_err(|error| LoadError::Store(error.into()))?;
    if Id::of(&bytes) != file.id {
        bytes = backend.read(&file).await.map_err(|error| LoadError::Store(error.into()))?;
    }
    if Id::of(&bytes) != file.id {
        return Err(LoadError::Broken("its content does not match its name".into()));
    }
    KeyFile::decode(&bytes).map_err(|fault| LoadError::Broken(fault.into()))
}
