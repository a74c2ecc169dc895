//! A few files in memory as a tree, with metadata that depends on nothing but names and contents.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Component;
use std::sync::Arc;

use super::{BackupError, ItemStats};
use crate::blocking;
use crate::format::{BlobId, BlobKind, Chunker, Mode, Node, NodeType, Time, TreeBuilder, TreeId};
use crate::repository::{BlobWriter, Index, MemoryFile, Repository, SavedBlob};

/// What storing files from memory came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchivedFiles {
    /// The root directory.
    pub tree: TreeId,
    /// What was added to the repository.
    pub stats: ItemStats,
    /// How many files there are.
    pub files: u64,
    /// How many directories, the root left out.
    pub dirs: u64,
    /// The length of the files.
    pub bytes: u64,
}

/// A directory on the way into a tree.
#[derive(Default)]
struct Folder<'a>(BTreeMap<Vec<u8>, Entry<'a>>);

enum Entry<'a> {
    File(&'a [u8]),
    Folder(Folder<'a>),
}

impl Repository {
    /// The tree that [`archive_files`](Self::archive_files) would make, without a request.
    ///
    /// All entries belong to user and group 0 and have the modes 600 and 700 (they may hold secrets) and the time
    /// 1970-01-01: equal files give equal trees. Fails if a path is empty, leads upwards, or stands twice.
    pub async fn tree_of_files(&self, files: Arc<[MemoryFile]>) -> Result<TreeId, BackupError> {
        let chunker = Chunker::new(self.chunker_polynomial()?)?;
        let hash = |_: BlobKind, bytes: &[u8]| Ok(SavedBlob { id: BlobId::of(bytes), is_new: false, stored_bytes: 0 });
        let archived = blocking::run(move || Archiving::new(chunker, hash).run(&files)).await?;
        Ok(archived.tree)
    }

    /// Stores files as a tree; what is stored already is not stored again. No snapshot is made of it.
    ///
    /// The tree is that of [`tree_of_files`](Self::tree_of_files).
    pub async fn archive_files(
        &self,
        index: Arc<Index>,
        files: Arc<[MemoryFile]>,
    ) -> Result<ArchivedFiles, BackupError> {
        let chunker = Chunker::new(self.chunker_polynomial()?)?;
        let writer = BlobWriter::new(self, index);
        let saver = writer.saver();
        let save = move |kind: BlobKind, bytes: &[u8]| Ok(saver.save(kind, bytes)?);
        let archived = blocking::run(move || Archiving::new(chunker, save).run(&files)).await;
        // What the store says counts more than that sealing stopped because of it.
        writer.finish().await?;
        archived
    }
}

/// Cuts, saves and counts.
struct Archiving<Save> {
    chunker: Chunker,
    save: Save,
    stats: ItemStats,
    dirs: u64,
}

impl<Save: FnMut(BlobKind, &[u8]) -> Result<SavedBlob, BackupError>> Archiving<Save> {
    fn new(chunker: Chunker, save: Save) -> Self {
        Self { chunker, save, stats: ItemStats::default(), dirs: 0 }
    }

    fn run(mut self, files: &[MemoryFile]) -> Result<ArchivedFiles, BackupError> {
        let mut root = Folder::default();
        files.iter().try_for_each(|file| root.insert(file))?;
        let tree = self.folder(&root)?;
        let bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
        Ok(ArchivedFiles { tree, stats: self.stats, files: files.len() as u64, dirs: self.dirs, bytes })
    }

    fn folder(&mut self, folder: &Folder<'_>) -> Result<TreeId, BackupError> {
        let mut tree = TreeBuilder::new();
        for (name, entry) in &folder.0 {
            tree.add(&self.node(name, entry)?)?;
        }
        let blob = tree.finish();
        let saved = (self.save)(BlobKind::Tree, &blob)?;
        if saved.is_new {
            self.stats.tree_blobs += 1;
            self.stats.tree_bytes += blob.len() as u64;
            self.stats.tree_stored_bytes += saved.stored_bytes;
        }
        Ok(TreeId::from_bytes(*saved.id.as_bytes()))
    }

    fn node(&mut self, name: &[u8], entry: &Entry<'_>) -> Result<Node, BackupError> {
        let (node_type, mode) = match entry {
            Entry::File(_) => (NodeType::File, 0o100_600),
            Entry::Folder(_) => (NodeType::Dir, 0o040_700),
        };
        let mut node = Node::new(name, node_type);
        node.mode = Mode::from_unix(mode);
        node.mtime = Time::from_unix(0, 0, 0);
        (node.atime, node.ctime) = (node.mtime, node.mtime);
        match entry {
            Entry::File(bytes) => {
                node.size = bytes.len() as u64;
                node.content = Some(self.content(bytes)?);
            }
            Entry::Folder(folder) => {
                self.dirs += 1;
                node.subtree = Some(self.folder(folder)?);
            }
        }
        Ok(node)
    }

    fn content(&mut self, bytes: &[u8]) -> Result<Vec<BlobId>, BackupError> {
        let mut ids = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(self.chunker.next_cut(rest).unwrap_or(rest.len()));
            let saved = (self.save)(BlobKind::Data, chunk)?;
            if saved.is_new {
                self.stats.data_blobs += 1;
                self.stats.data_bytes += chunk.len() as u64;
                self.stats.data_stored_bytes += saved.stored_bytes;
            }
            ids.push(saved.id);
            rest = after;
        }
        self.chunker.reset();
        Ok(ids)
    }
}

impl<'a> Folder<'a> {
    fn insert(&mut self, file: &'a MemoryFile) -> Result<(), BackupError> {
        let misplaced = || BackupError::Place { path: file.path.clone() };
        let mut parts = Vec::new();
        for component in file.path.components() {
            match component {
                Component::Normal(name) if !name.as_bytes().contains(&0) => parts.push(name.as_bytes().to_vec()),
                _ => return Err(misplaced()),
            }
        }
        let name = parts.pop().ok_or_else(misplaced)?;
        let mut folder = self;
        for part in parts {
            match folder.0.entry(part).or_insert_with(|| Entry::Folder(Folder::default())) {
                Entry::Folder(below) => folder = below,
                Entry::File(_) => return Err(misplaced()),
            }
        }
        match folder.0.insert(name, Entry::File(&file.bytes)) {
            None => Ok(()),
            Some(_) => Err(misplaced()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::format::ScryptParams;
    use crate::repository::{InitOptions, Password};

    fn files(files: &[(&str, &[u8])]) -> Arc<[MemoryFile]> {
        files.iter().map(|(path, bytes)| MemoryFile { path: path.into(), bytes: bytes.to_vec() }).collect()
    }

    async fn repository() -> Repository {
        let scrypt = Some(ScryptParams { n: 1024, r: 1, p: 1 });
        let options = InitOptions { scrypt, ..InitOptions::default() };
        Repository::init(Backend::memory(), &Password::new("geheim"), options).await.unwrap()
    }

    #[tokio::test]
    async fn equal_files_give_equal_trees_and_are_stored_once() {
        let repo = repository().await;
        let some = files(&[("backup/current/a", b"1"), ("backup/current/b", b""), ("backup/x", b"1")]);
        let reversed = some.iter().rev().cloned().collect::<Arc<[_]>>();
        let tree = repo.tree_of_files(Arc::clone(&some)).await.unwrap();
        assert_eq!(repo.tree_of_files(Arc::clone(&reversed)).await.unwrap(), tree);

        let index = Arc::new(repo.load_index().await.unwrap());
        let made = repo.archive_files(index, some).await.unwrap();
        assert_eq!((made.tree, made.files, made.dirs, made.bytes), (tree, 3, 2, 2));
        assert_eq!((made.stats.data_blobs, made.stats.data_bytes, made.stats.tree_blobs), (1, 1, 3));

        let index = Arc::new(repo.load_index().await.unwrap());
        let calls = repo.backend().calls().len();
        let again = repo.archive_files(index, reversed).await.unwrap();
        assert_eq!((again.tree, again.stats), (tree, ItemStats::default()));
        assert_eq!(repo.backend().calls().len(), calls);
    }

    #[tokio::test]
    async fn a_changed_byte_gives_another_tree() {
        let repo = repository().await;
        let tree_of = async |content: &[u8]| repo.tree_of_files(files(&[("a", content)])).await.unwrap();
        assert_ne!(tree_of(b"1").await, tree_of(b"2").await);
        assert_eq!(tree_of(b"1").await, tree_of(b"1").await);
    }

    #[tokio::test]
    async fn paths_that_have_no_place_are_refused() {
        let repo = repository().await;
        for paths in [&[""][..], &["/a"], &["../a"], &["a/../b"], &["a\0"], &["a", "a"], &["a", "a/b"], &["a/b", "a"]] {
            let files = files(&paths.iter().map(|path| (*path, &b""[..])).collect::<Vec<_>>());
            let error = repo.tree_of_files(files).await.unwrap_err();
            assert!(matches!(error, BackupError::Place { .. }), "{paths:?}: {error}");
        }
    }
}
