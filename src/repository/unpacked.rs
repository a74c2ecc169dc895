//! Files that are stored one by one: index, snapshot, lock (and keys, which are not sealed).

use bytes::Bytes;

use super::{Fault, Repository, RepositoryError};
use crate::blocking;
use crate::format::{FileHandle, FileType, Id, unpacked};

/// A file's bytes are not those its name stands for.
#[derive(Debug, thiserror::Error)]
#[error("its content has the hash {actual}")]
struct OtherHash {
    actual: Id,
}

impl Repository {
    /// All files of a type with their sizes in bytes.
    pub async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, RepositoryError> {
        Ok(self.backend().list(file_type).await?)
    }

    /// The stored bytes of a file whose name is the hash of its content; a mismatch is read once more, then an error.
    pub async fn load_raw(&self, file: &FileHandle) -> Result<Bytes, RepositoryError> {
        let mut actual = Id::ZERO;
        for _ in 0..2 {
            let bytes = self.backend().read(file).await?;
            actual = Id::of(&bytes);
            if actual == file.id || file.file_type == FileType::Config {
                return Ok(bytes);
            }
        }
        Err(damaged(*file, OtherHash { actual }))
    }

    /// The plain content of a sealed file, decompressed where it was compressed.
    pub async fn load_unpacked(&self, file: &FileHandle) -> Result<Vec<u8>, RepositoryError> {
        let sealed = self.load_raw(file).await?;
        let (repo, file) = (self.clone(), *file);
        blocking::run(move || repo.open_unpacked(&file, &sealed)).await
    }

    /// Opens the bytes of a sealed file.
    pub(super) fn open_unpacked(&self, file: &FileHandle, sealed: &[u8]) -> Result<Vec<u8>, RepositoryError> {
        let plain = self.master_key().open(sealed).map_err(|fault| damaged(*file, fault))?;
        if file.file_type == FileType::Config {
            return Ok(plain);
        }
        unpacked::decode(self.version(), plain).map_err(|fault| damaged(*file, fault))
    }

    /// Seals `content`, opens it again and compares, and stores it under the hash of the sealed bytes.
    pub async fn save_unpacked(&self, file_type: FileType, content: Vec<u8>) -> Result<Id, RepositoryError> {
        let repo = self.clone();
        let (id, sealed) = blocking::run(move || repo.seal_unpacked(file_type, &content)).await?;
        self.backend().write(&FileHandle { file_type, id }, sealed).await?;
        Ok(id)
    }

    /// Seals `content` and checks that it opens again to the same bytes.
    pub(super) fn seal_unpacked(&self, file_type: FileType, content: &[u8]) -> Result<(Id, Bytes), RepositoryError> {
        let what = format!("a new {file_type}");
        let compression = self.options().compression;
        let encoded = unpacked::encode(self.version(), compression, content).map_err(unsealable(&what))?;
        let sealed = self.master_key().seal(&encoded).map_err(unsealable(&what))?;
        let id = Id::of(&sealed);
        let opened = self.open_unpacked(&FileHandle { file_type, id }, &sealed).map_err(unsealable(&what))?;
        if opened != content {
            return Err(unsealable(&what)("other bytes came out"));
        }
        Ok((id, Bytes::from(sealed)))
    }

    /// Deletes a file; one that is gone already is not an error.
    pub async fn delete(&self, file: &FileHandle) -> Result<(), RepositoryError> {
        Ok(self.backend().delete(file).await?)
    }
}

/// An error that names `file` and says what is wrong with it.
pub(super) fn damaged(file: FileHandle, fault: impl Into<Fault>) -> RepositoryError {
    RepositoryError::Damaged { file, fault: fault.into() }
}

/// Makes an error that says that `what` could not be sealed.
pub(super) fn unsealable<F: Into<Fault>>(what: &str) -> impl Fn(F) -> RepositoryError {
    move |fault| RepositoryError::Unsealable { what: what.to_owned(), fault: fault.into() }
}
