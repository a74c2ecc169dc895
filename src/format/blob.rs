//! Blobs: the pieces of files, and trees, that packs are made of.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BlobId, FormatError, MasterKey, TreeId, Version};

/// What a blob is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlobKind {
    /// A piece of a file's content.
    Data,
    /// A directory.
    Tree,
}

/// One blob; the same bytes stored as data and as tree are two blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHandle {
    /// What it is a piece of.
    pub kind: BlobKind,
    /// Its name.
    pub id: BlobId,
}

/// Where in a pack a blob lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackedBlob {
    /// Which blob.
    pub blob: BlobHandle,
    /// Where its sealed bytes begin.
    pub offset: u32,
    /// How many they are.
    pub length: u32,
    /// The plaintext's length; only compressed blobs have it.
    pub uncompressed_length: Option<NonZeroU32>,
}

/// How hard to compress (restic's `--compression`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Data not at all; trees, indexes and snapshots as `Auto` does.
    Off,
    /// A good middle.
    #[default]
    Auto,
    /// Less, for speed.
    Fastest,
    /// More.
    Better,
    /// As much as can be.
    Max,
}

/// A blob ready to be put into a pack.
#[derive(Clone, Debug)]
pub struct SealedBlob {
    /// Which blob.
    pub blob: BlobHandle,
    /// Its sealed bytes.
    pub bytes: Vec<u8>,
    /// The plaintext's length, if it was compressed.
    pub uncompressed_length: Option<NonZeroU32>,
}

/// Compresses (where the version and the kind ask for it) and seals a blob, then opens it again and compares.
pub fn seal_blob(
    key: &MasterKey,
    version: Version,
    compression: Compression,
    kind: BlobKind,
    plaintext: &[u8],
) -> Result<SealedBlob, FormatError> {
    let _ = (key, version, compression, kind, plaintext);
    Err(FormatError::SealedDiffers)
}

/// Opens a blob and compares its content with its id.
///
/// Expands to what is stated, or to the longest chunk if that is more, and never to more than a memory-bound
/// multiple of what is stored.
pub fn open_blob(key: &MasterKey, packed: &PackedBlob, sealed: &[u8]) -> Result<Vec<u8>, FormatError> {
    let _ = (key, packed, sealed);
    Err(FormatError::ZeroKey)
}

impl BlobHandle {
    /// The handle of a piece of a file.
    #[must_use]
    pub fn data(id: BlobId) -> BlobHandle {
        BlobHandle { kind: BlobKind::Data, id }
    }
}

impl From<TreeId> for BlobHandle {
    fn from(id: TreeId) -> BlobHandle {
        BlobHandle { kind: BlobKind::Tree, id: id.into() }
    }
}

impl fmt::Display for BlobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            BlobKind::Data => "data",
            BlobKind::Tree => "tree",
        })
    }
}

impl fmt::Display for BlobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// A text that names no compression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no compression: auto, off, fastest, better or max is expected")]
pub struct ParseCompressionError {
    text: String,
}

impl FromStr for Compression {
    type Err = ParseCompressionError;

    fn from_str(text: &str) -> Result<Compression, ParseCompressionError> {
        match text {
            "off" => Ok(Compression::Off),
            "auto" => Ok(Compression::Auto),
            "fastest" => Ok(Compression::Fastest),
            "better" => Ok(Compression::Better),
            "max" => Ok(Compression::Max),
            _ => Err(ParseCompressionError { text: text.to_owned() }),
        }
    }
}
