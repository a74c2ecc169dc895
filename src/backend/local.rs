//! A local folder, as restic keeps one (restic `internal/backend/local`; restic-format 1.1 to 1.4).
//!
//! A file appears under its name with all its bytes or not at all, and a crash after [`LocalStore::write`] does not
//! undo it: the bytes go to a temporary file in the final directory, which is synced, renamed and made read-only, and
//! then the directory is synced. Blocking calls run on tokio's blocking threads, once per operation.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::{ErrorKind, Failure};
use super::layout;
use crate::format::{FileHandle, FileType, Id};

pub(super) struct LocalStore {
    folder: Folder,
}

#[derive(Clone)]
struct Folder {
    root: PathBuf,
    modes: Modes,
}

/// Who may read: the owner, and the group too if it may read `config` (restic-format 1.4).
#[derive(Clone, Copy)]
struct Modes {
    directory: u32,
    file: u32,
}

impl LocalStore {
    pub(super) fn open(root: &Path) -> LocalStore {
        let group_reads = fs::metadata(root.join("config")).is_ok_and(|config| config.mode() & 0o040 != 0);
        let modes =
            if group_reads { Modes { directory: 0o770, file: 0o440 } } else { Modes { directory: 0o700, file: 0o400 } };
        LocalStore { folder: Folder { root: root.to_owned(), modes } }
    }

    pub(super) async fn create(&self) -> Result<(), Failure> {
        self.blocking(Folder::create).await
    }

    pub(super) async fn read(&self, file: &FileHandle, range: Option<(u64, u64)>) -> Result<Bytes, Failure> {
        let path = file.path();
        self.blocking(move |folder| folder.read(&path, range)).await
    }

    pub(super) async fn size(&self, file: &FileHandle) -> Result<u64, Failure> {
        let path = file.path();
        self.blocking(move |folder| Ok(fs::metadata(folder.root.join(path))?.len())).await
    }

    pub(super) async fn write(&self, file: &FileHandle, bytes: Bytes) -> Result<(), Failure> {
        let path = file.path();
        let may_replace = file.file_type != FileType::Config;
        self.blocking(move |folder| folder.write(&path, &bytes, may_replace)).await
    }

    pub(super) async fn delete(&self, file: &FileHandle) -> Result<(), Failure> {
        let path = file.path();
        self.blocking(move |folder| match fs::remove_file(folder.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        })
        .await
    }

    pub(super) async fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, Failure> {
        self.blocking(move |folder| folder.list(file_type)).await
    }

    pub(super) async fn has_legacy_keys(&self) -> Result<bool, Failure> {
        self.blocking(|folder| Ok(folder.root.join(layout::LEGACY_KEYS).is_dir())).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let folder = self.folder.clone();
        match tokio::task::spawn_blocking(move || work(&folder)).await {
            Ok(result) => result,
            Err(error) => Err(Failure::new(ErrorKind::Io, error)),
        }
    }
}

impl Folder {
    fn create(&self) -> Result<(), Failure> {
        if self.root.join("config").symlink_metadata().is_ok() {
            return Err(Failure::new(ErrorKind::AlreadyExists, "there is a config file in it"));
        }
        for directory in layout::directories() {
            self.make_directory(&self.root.join(directory))?;
        }
        Ok(sync_directory(&self.root)?)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(self.modes.directory).create(path)
    }

    fn read(&self, path: &str, range: Option<(u64, u64)>) -> Result<Bytes, Failure> {
        let path = self.root.join(path);
        let Some((offset, length)) = range else {
            return Ok(Bytes::from(fs::read(path)?));
        };
        let file = File::open(path)?;
        // Looked at before the buffer is made: a length may come from a damaged index.
        if offset.checked_add(length).is_none_or(|end| file.metadata().is_ok_and(|metadata| end > metadata.len())) {
            return Err(ErrorKind::TooShort.into());
        }
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| ErrorKind::TooShort)?];
        match file.read_exact_at(&mut buffer, offset) {
            Ok(()) => Ok(Bytes::from(buffer)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ErrorKind::TooShort.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, path: &str, bytes: &[u8], may_replace: bool) -> Result<(), Failure> {
        let path = self.root.join(path);
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ErrorKind::Setting.into());
        };
        let name = format!("{}-tmp-", name.to_string_lossy());
        // Removed when dropped, unless it has got its final name.
        let mut file = self.temporary_file(directory, &name)?;
        file.write_all(bytes)?;
        let synced = sync(file.as_file())?;
        // What is named by its content is replaced by the same content; that also mends a damaged file.
        let renamed = if may_replace { file.persist(&path) } else { file.persist_noclobber(&path) };
        renamed.map_err(|error| error.error)?;
        if synced {
            sync_directory(directory)?;
        }
        // Last, and without insisting: some network file systems know no modes, some rename nothing read-only.
        match fs::set_permissions(&path, Permissions::from_mode(self.modes.file)) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Repositories that went through an object store have lost their empty directories: they are made on demand.
    fn temporary_file(&self, directory: &Path, prefix: &str) -> io::Result<tempfile::NamedTempFile> {
        let create = || {
            tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o600)).tempfile_in(directory)
        };
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_directory(directory)?;
                directory.parent().map_or(Ok(()), sync_directory)?;
                create()
            }
            result => result,
        }
    }

    /// A missing directory is an empty one; any other trouble, with a single entry even, is an error.
    fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, Failure> {
        let mut listing = Vec::new();
        if file_type == FileType::Config {
            if let Ok(metadata) = fs::metadata(self.root.join("config")) {
                listing.push((Id::ZERO, metadata.len()));
            }
            return Ok(listing);
        }
        let directory = self.root.join(layout::directory(file_type));
        if file_type != FileType::Pack {
            list_directory(&directory, &mut listing)?;
            return Ok(listing);
        }
        for entry in entries(&directory)? {
            let path = entry?.path();
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => list_directory(&path, &mut listing)?,
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(listing)
    }
}

fn list_directory(directory: &Path, listing: &mut Vec<(Id, u64)>) -> io::Result<()> {
    for entry in entries(directory)? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(layout::id_of_name) else { continue };
        match entry.metadata() {
            Ok(metadata) => listing.push((id, metadata.len())),
            // Deleted while we looked: as if it had been deleted before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(directory) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// Whether the file system can sync at all; one that cannot is used without, as restic does.
fn sync(file: &File) -> io::Result<bool> {
    match file.sync_all() {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => Ok(false),
        Err(error) => Err(error),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    sync(&File::open(path)?).map(|_| ())
}

#[cfg(test)]
mod tests;
