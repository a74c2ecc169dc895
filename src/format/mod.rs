//! restic's design document as pure functions: bytes in, values out.

mod chunker;
mod file;
mod id;
mod polynomial;

pub use chunker::{Chunker, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, UnfitPolynomial};
pub use file::{FileHandle, FileType};
pub use id::{Id, ParseIdError};
pub use polynomial::{Polynomial, PolynomialError};
