//! restic's design document as pure functions: bytes in, values out.
//!
//! Its chapters are the files of this directory. **Nothing here does I/O, reads the clock or the environment**;
//! randomness is used for nonces, salts and new keys. No decoder panics, whatever the bytes; none allocates or
//! calculates more than in proportion to what it is given, but for scrypt, whose price is bounded ([`ScryptParams`]).

mod blob;
mod chunker;
mod compress;
mod config;
mod crypto;
mod error;
mod file;
mod id;
mod index;
mod json;
mod json_reader;
mod key;
mod lock;
mod name;
mod node;
pub mod pack;
mod polynomial;
mod snapshot;
mod time;
mod tree;
pub mod unpacked;

pub use blob::{
    BlobHandle, BlobKind, Compression, PackedBlob, ParseCompressionError, SealedBlob, open_blob, seal_blob,
};
pub use chunker::{Chunker, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES};
pub use compress::expand;
pub use config::{Config, Version};
pub use crypto::{MasterKey, SEAL_OVERHEAD_BYTES};
pub use error::FormatError;
pub use file::{FileHandle, FileType};
pub use id::{BlobId, Id, IndexId, KeyId, LockId, PackId, ParseIdError, SnapshotId, TreeId};
pub use index::{IndexFile, IndexPack};
pub use json::{Extra, to_vec as to_json};
pub use json_reader::JsonError;
pub use key::{KeyError, KeyFile, ScryptParams};
pub use lock::Lock;
pub use node::{ExtendedAttribute, Mode, Node, NodeType};
pub use pack::{FinishedPack, PackBuilder};
pub use polynomial::{Polynomial, PolynomialError};
pub use snapshot::{Snapshot, Summary};
pub use time::{ParseTimeError, Time};
pub use tree::{Tree, TreeBuilder};

#[cfg(test)]
mod tests;
