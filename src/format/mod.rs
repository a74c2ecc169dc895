//! restic's design document as pure functions: bytes in, values out.

mod file;
mod id;

pub use file::{FileHandle, FileType};
pub use id::{Id, ParseIdError};
