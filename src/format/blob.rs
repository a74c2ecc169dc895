//! Blobs: the pieces of files, and trees, that packs are made of.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::compress::{compress, expand};
use super::{BlobId, FormatError, MAX_CHUNK_BYTES, MasterKey, TreeId, Version};

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

/// Compresses (where version, kind and content ask for it) and seals a blob, then opens it again and compares.
///
/// In version 2 trees are always compressed, and data unless compression is off, even if that makes it longer; an
/// empty blob never is, since a length of zero says "not compressed" (restic-format 5.5).
pub fn seal_blob(
    key: &MasterKey,
    version: Version,
    compression: Compression,
    kind: BlobKind,
    plaintext: &[u8],
) -> Result<SealedBlob, FormatError> {
    let length = u32::try_from(plaintext.len());
    let length = length.map_err(|_| FormatError::TooLarge { what: "blob", length_bytes: plaintext.len() })?;
    let is_compressed = version == Version::V2 && (kind == BlobKind::Tree || compression != Compression::Off);
    let uncompressed_length = NonZeroU32::new(length).filter(|_| is_compressed);
    let bytes = match uncompressed_length {
        Some(_) => key.seal_unchecked(&compress(compression, plaintext)?)?,
        None => key.seal_unchecked(plaintext)?,
    };
    match open_and_expand(key, &bytes, uncompressed_length) {
        Ok(opened) if opened == plaintext => {
            let blob = BlobHandle { kind, id: BlobId::of(plaintext) };
            Ok(SealedBlob { blob, bytes, uncompressed_length })
        }
        _ => Err(FormatError::SealedDiffers),
    }
}

/// Opens a blob and compares its content with its id.
///
/// A wrong uncompressed length alone is no loss, the id decides: it expands to what is stated, or to the longest
/// chunk if that is more. But what expands to more than 64 MiB and 256 times its stored size is refused.
pub fn open_blob(key: &MasterKey, packed: &PackedBlob, sealed: &[u8]) -> Result<Vec<u8>, FormatError> {
    let plaintext = open_and_expand(key, sealed, packed.uncompressed_length)?;
    let found = BlobId::of(&plaintext);
    if found != packed.blob.id {
        return Err(FormatError::WrongContent { wanted: packed.blob.id, found });
    }
    Ok(plaintext)
}

fn open_and_expand(
    key: &MasterKey,
    sealed: &[u8],
    uncompressed_length: Option<NonZeroU32>,
) -> Result<Vec<u8>, FormatError> {
    let opened = key.open(sealed)?;
    let Some(stated_bytes) = uncompressed_length else { return Ok(opened) };
    // A usize has at least 32 bits wherever this runs; the bound on expansion holds anyway.
    let stated_bytes = usize::try_from(stated_bytes.get()).unwrap_or(usize::MAX);
    expand(&opened, stated_bytes, stated_bytes.max(MAX_CHUNK_BYTES))
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
