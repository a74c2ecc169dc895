//! Brings a tree of a snapshot back as files.
//!
//! **No name in a repository can reach outside the target**: every step is one name in one open directory, never a
//! path, and never through a symbolic link.

mod options;

pub use options::{Overwrite, RestoreOptions};
