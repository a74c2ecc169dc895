//! The files of a repository and where they lie (restic-format 1.1).

use std::fmt;

use super::Id;

/// What a file of a repository is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileType {
    /// The one file without a name of its own.
    Config,
    /// A key.
    Key,
    /// A lock.
    Lock,
    /// A snapshot.
    Snapshot,
    /// An index.
    Index,
    /// A pack.
    Pack,
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileType::Config => "config",
            FileType::Key => "key",
            FileType::Lock => "lock",
            FileType::Snapshot => "snapshot",
            FileType::Index => "index",
            FileType::Pack => "pack",
        })
    }
}

/// One file of a repository; `config` has the id [`Id::ZERO`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileHandle {
    /// What it is for.
    pub file_type: FileType,
    /// Its name.
    pub id: Id,
}

impl FileHandle {
    /// The handle of `config`.
    pub const CONFIG: FileHandle = FileHandle { file_type: FileType::Config, id: Id::ZERO };

    /// Its path in the default layout: `config`, `keys/…`, `data/ab/abcd…`.
    #[must_use]
    pub fn path(&self) -> String {
        let id = self.id.to_string();
        match self.file_type {
            FileType::Config => "config".to_owned(),
            FileType::Key => format!("keys/{id}"),
            FileType::Lock => format!("locks/{id}"),
            FileType::Snapshot => format!("snapshots/{id}"),
            FileType::Index => format!("index/{id}"),
            FileType::Pack => format!("data/{}/{id}", id.get(..2).unwrap_or_default()),
        }
    }
}

impl fmt::Display for FileHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file_type {
            FileType::Config => f.write_str("config"),
            file_type => write!(f, "{file_type} {}", self.id),
        }
    }
}
