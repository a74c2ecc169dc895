//! Files that stand in fixtures/, and repositories unpacked from there.

use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::Repo;

/// A file or folder of fixtures/.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// How many locks a local repository has: files with the name of one, and none that is still being written.
pub(crate) fn locks(repository: &Path) -> usize {
    let files = std::fs::read_dir(repository.join("locks")).into_iter().flatten().flatten();
    files.filter(|file| file.file_name().len() == 64).count()
}

/// A fixture repository, unpacked into a fresh folder that lives as long as this value.
pub(crate) struct Unpacked {
    folder: tempfile::TempDir,
}

impl Unpacked {
    /// The repository of fixtures/repositories/NAME.tar.gz.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let archive = path("repositories").join(format!("{name}.tar.gz"));
        let file = std::fs::File::open(&archive).unwrap_or_else(|error| panic!("{}: {error}", archive.display()));
        let mut archive = tar::Archive::new(GzDecoder::new(file));
        archive.set_preserve_permissions(true);
        archive.unpack(folder.path()).unwrap_or_else(|error| panic!("unpacking {name}: {error}"));
        Self { folder }
    }

    /// The repository's folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// The repository as a client is told of it.
    pub(crate) fn repo(&self, password: &str) -> Repo {
        Repo::at(self.path().to_str().expect("UTF-8")).with_password(password)
    }
}
