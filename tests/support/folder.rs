//! What a folder holds, as a value that two folders can be compared by.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// One entry: what a restore must bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The whole `st_mode`: type and permissions.
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
    pub(crate) content: Content,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    File { size_bytes: u64, sha256: String },
    Link(PathBuf),
    Folder,
    Other { device: u64 },
}

/// Every entry below a folder, by its path in it.
pub(crate) fn entries(folder: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    walk(folder, Path::new(""), &mut found);
    found
}

fn walk(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Entry>) {
    let folder = root.join(below);
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let name = below.join(entry.expect("a folder entry").file_name());
        let entry = describe(&root.join(&name));
        let is_folder = entry.content == Content::Folder;
        found.insert(name.clone(), entry);
        if is_folder {
            walk(root, &name, found);
        }
    }
}

fn describe(path: &Path) -> Entry {
    let metadata = path.symlink_metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let content = if metadata.is_dir() {
        Content::Folder
    } else if metadata.is_symlink() {
        Content::Link(std::fs::read_link(path).expect("a link"))
    } else if metadata.is_file() {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Content::File { size_bytes: metadata.len(), sha256: hex::encode(Sha256::digest(bytes)) }
    } else {
        Content::Other { device: metadata.rdev() }
    };
    let owner = (metadata.uid(), metadata.gid());
    Entry { mode: metadata.mode(), owner, modified: (metadata.mtime(), metadata.mtime_nsec()), content }
}
