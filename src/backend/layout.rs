//! Where the files of each type lie in the default layout (restic-format 1.1).

use crate::format::{FileType, Id};

/// The directory of a file type; `config` has none.
pub(super) fn directory(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Config => "",
        FileType::Key => "keys",
        FileType::Lock => "locks",
        FileType::Snapshot => "snapshots",
        FileType::Index => "index",
        FileType::Pack => "data",
    }
}

/// Where the keys lie in the layout that restic once had on S3 (restic-format 1.5).
pub(super) const LEGACY_KEYS: &str = "key";

/// All directories of a new local repository, parents first.
pub(super) fn directories() -> impl Iterator<Item = String> {
    let top = ["", "data", "index", "keys", "locks", "snapshots"].into_iter().map(str::to_owned);
    top.chain((0..=255).map(|first_byte| format!("data/{first_byte:02x}")))
}

/// The id that a file's name is, or none: such a name is ignored (restic-format 1.3).
pub(super) fn id_of_name(name: &str) -> Option<Id> {
    if name.len() == 64 { name.parse().ok() } else { None }
}
