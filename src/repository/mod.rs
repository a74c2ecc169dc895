//! A restic repository: what is stored where, in which order, under which lock.

mod memory_file;
mod restorer;

pub use memory_file::MemoryFile;
pub use restorer::{Overwrite, RestoreOptions};
