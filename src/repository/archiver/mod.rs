//! Stores local files, a stream or a few files in memory as a tree, and makes snapshots of them.
//!
//! What is read and how it is written follows restic 0.19 so closely that the same folder gives the same tree id: the
//! unit of evidence of this module.
//!
//! The walk is asynchronous, its work is not: listing a folder, reading files and sealing blobs are hops to blocking
//! threads, one for a folder, a batch of small files, or some MiB of a large one. A folder's tree is written when all
//! below it is: what was started for it is awaited by a task that its parent awaits in turn, so that the walk itself
//! never waits for sealing, only for a free place to read.

mod backup;
mod compare;
mod error;
mod events;
mod files;
mod listing;
mod memory;
mod metadata;
mod options;
mod run;
mod scan;
mod select;
mod stream;
mod targets;
mod task;
mod walk;

pub use error::BackupError;
pub use events::{BackupEvent, ItemChange, ItemStats, ScanTotals};
pub use memory::ArchivedFiles;
pub use options::{BackupOptions, BackupOutcome, Excludes, ParentChoice, TagFile};
