//! A restic repository: what is stored where, in which order, under which lock.
//!
//! [`Repository`] is open or does not exist. [`Index`] is a value, loaded once and passed by reference.
//! Writing goes packs → index → snapshot, so that a crash after any step leaves at worst what nothing refers to.

mod accounts;
mod archiver;
mod blobs;
mod check;
mod clock;
mod error;
mod filter;
mod find;
mod identity;
mod index;
mod index_files;
mod interrupt;
mod kdf;
mod keys;
mod lexical;
mod lock;
mod memory_file;
mod open;
mod packer;
mod password;
mod progress;
mod restorer;
mod snapshots;
#[cfg(test)]
mod tests;
mod unpacked;
mod windows;

pub use archiver::{
    ArchivedFiles, BackupError, BackupEvent, BackupOptions, BackupOutcome, Excludes, ItemChange, ItemStats,
    ParentChoice, ScanTotals, TagFile,
};
pub use check::{CheckOptions, CheckReport, Finding, ReadData, ReadDataError};
pub use error::{BrokenKey, Fault, LockedBy, RepositoryError};
pub use filter::{Case, InvalidPatterns, Match, Patterns, patterns_of_file};
pub use identity::Identity;
pub use index::{Index, Location};
pub use interrupt::{Interrupt, Interrupter};
pub use keys::{KeyInfo, KeyOwner};
pub use lock::{LockMode, LockTiming};
pub use memory_file::MemoryFile;
pub use open::{DEFAULT_PACK_SIZE_BYTES, InitOptions, OpenOptions, PACK_SIZE_RANGE_BYTES, Repository};
pub use packer::{BlobSaver, BlobWriter, SavedBlob, WriteSummary};
pub use password::Password;
pub use progress::{Event, Progress, Step};
pub use restorer::{
    Overwrite, RestoreAction, RestoreCounts, RestoreError, RestoreEvent, RestoreOptions, Restored, SelectXattr,
    Selection, Verified, WrittenFiles, read_files, restore, verify,
};
pub use snapshots::{FoundSnapshot, SnapshotFilter};
