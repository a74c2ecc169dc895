//! The files of a repository and where they lie (restic-format 1.1).

use std::fmt;

use super::{Id, IndexId, KeyId, LockId, PackId, SnapshotId};

/// What a file of a repository is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileType {
    /// The one file without a name of its own.
    Config,
    /// The master key, sealed with a password; the only file that is not sealed with the master key.
    Key,
    /// A claim that someone reads or changes the repository.
    Lock,
    /// A snapshot: what was stored, when, by whom.
    Snapshot,
    /// Says which blobs lie where in which packs.
    Index,
    /// Blobs, back to back.
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
        let id = self.id;
        match self.file_type {
            FileType::Config => "config".to_owned(),
            FileType::Key => format!("keys/{id}"),
            FileType::Lock => format!("locks/{id}"),
            FileType::Snapshot => format!("snapshots/{id}"),
            FileType::Index => format!("index/{id}"),
            FileType::Pack => format!("data/{:02x}/{id}", id.as_bytes()[0]),
        }
    }
}

macro_rules! handle_of {
    ($($id:ident => $file_type:ident),*) => {$(
        impl From<$id> for FileHandle {
            fn from(id: $id) -> FileHandle {
                FileHandle { file_type: FileType::$file_type, id: id.into() }
            }
        }
    )*};
}

handle_of!(KeyId => Key, LockId => Lock, SnapshotId => Snapshot, IndexId => Index, PackId => Pack);

impl fmt::Display for FileHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file_type {
            FileType::Config => f.write_str("config"),
            file_type => write!(f, "{file_type} {}", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_its_place_in_the_default_layout() {
        let id = Id::from_bytes([0x0a; 32]);
        let name = "0a".repeat(32);
        assert_eq!(FileHandle::CONFIG.path(), "config");
        assert_eq!(FileHandle::from(PackId::from(id)).path(), format!("data/0a/{name}"));
        assert_eq!(FileHandle::from(IndexId::from(id)).path(), format!("index/{name}"));
        assert_eq!(FileHandle::from(KeyId::from(id)).path(), format!("keys/{name}"));
        assert_eq!(FileHandle::from(LockId::from(id)).path(), format!("locks/{name}"));
        assert_eq!(FileHandle::from(SnapshotId::from(id)).path(), format!("snapshots/{name}"));
    }

    #[test]
    fn a_handle_names_its_file_in_messages() {
        assert_eq!(FileHandle::CONFIG.to_string(), "config");
        assert_eq!(FileHandle::from(PackId::from(Id::ZERO)).to_string(), format!("pack {}", "00".repeat(32)));
    }
}
