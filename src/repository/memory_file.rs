//! A file of a small snapshot, whole in memory.

use std::path::PathBuf;

/// A file of a small snapshot: made by `archive_files`, read by `read_files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryFile {
    /// Where it is in the snapshot, from its root: without a leading slash.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
}
