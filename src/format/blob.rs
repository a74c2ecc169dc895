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

/// Compresses (where version, kind and content ask for it) and seals a blob, then opens it again: what comes out must
/// have the blob's id, or nothing is returned.
///
/// In version 2 trees are always compressed, and data unless compression is off, even if that makes it longer; an
/// empty blob never is, since a length of zero says "not compressed" (restic-format 5.5).
pub fn seal_blob(
    key: &MasterKey,
    version: Version,
    compression: Compression,
    blob: BlobHandle,
    plaintext: &[u8],
) -> Result<SealedBlob, FormatError> {
    let length = u32::try_from(plaintext.len());
    let length = length.map_err(|_| FormatError::TooLarge { what: "blob", length_bytes: plaintext.len() })?;
    let is_compressed = version == Version::V2 && (blob.kind == BlobKind::Tree || compression != Compression::Off);
    let uncompressed_length = NonZeroU32::new(length).filter(|_| is_compressed);
    let bytes = match uncompressed_length {
        Some(_) => key.seal_unchecked(&compress(compression, plaintext)?)?,
        None => key.seal_unchecked(plaintext)?,
    };
    match open(key, blob.id, uncompressed_length, &bytes) {
        Ok(_) => Ok(SealedBlob { blob, bytes, uncompressed_length }),
        _ => Err(FormatError::SealedDiffers),
    }
}

/// Opens a blob and compares its content with its id.
///
/// A wrong uncompressed length alone is no loss, the id decides: it expands to what is stated, or to the longest
/// chunk if that is more. But what expands to more than 64 MiB and 256 times its stored size is refused.
pub fn open_blob(key: &MasterKey, packed: &PackedBlob, sealed: &[u8]) -> Result<Vec<u8>, FormatError> {
    open(key, packed.blob.id, packed.uncompressed_length, sealed)
}

fn open(
    key: &MasterKey,
    wanted: BlobId,
    uncompressed_length: Option<NonZeroU32>,
    sealed: &[u8],
) -> Result<Vec<u8>, FormatError> {
    let mut plaintext = key.open(sealed)?;
    if let Some(stated_bytes) = uncompressed_length {
        // A usize has at least 32 bits wherever this runs; the bound on expansion holds anyway.
        let stated_bytes = usize::try_from(stated_bytes.get()).unwrap_or(usize::MAX);
        plaintext = expand(&plaintext, stated_bytes, stated_bytes.max(MAX_CHUNK_BYTES))?;
    }
    let found = BlobId::of(&plaintext);
    if found == wanted { Ok(plaintext) } else { Err(FormatError::WrongContent { wanted, found }) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::SEAL_OVERHEAD_BYTES;

    const TEXT: &[u8] = b"over and over and over and over and over and over";

    fn seal(version: Version, compression: Compression, kind: BlobKind, plaintext: &[u8]) -> (MasterKey, SealedBlob) {
        let key = MasterKey::generate().unwrap();
        let blob = BlobHandle { kind, id: BlobId::of(plaintext) };
        let sealed = seal_blob(&key, version, compression, blob, plaintext).unwrap();
        (key, sealed)
    }

    fn placed(sealed: &SealedBlob) -> PackedBlob {
        let length = u32::try_from(sealed.bytes.len()).unwrap();
        PackedBlob { blob: sealed.blob, offset: 0, length, uncompressed_length: sealed.uncompressed_length }
    }

    #[test]
    fn what_is_sealed_opens_again_in_every_version_and_compression() {
        for version in [Version::V1, Version::V2] {
            for compression in [Compression::Off, Compression::Auto, Compression::Max] {
                for (kind, plaintext) in [(BlobKind::Data, TEXT), (BlobKind::Tree, TEXT), (BlobKind::Data, b"")] {
                    let (key, sealed) = seal(version, compression, kind, plaintext);
                    assert_eq!(sealed.blob, BlobHandle { kind, id: BlobId::of(plaintext) });
                    assert_eq!(open_blob(&key, &placed(&sealed), &sealed.bytes).unwrap(), plaintext);
                }
            }
        }
    }

    #[test]
    fn version_and_kind_decide_what_is_compressed() {
        let is_compressed = |version, compression, kind, plaintext| {
            let sealed = seal(version, compression, kind, plaintext).1;
            if sealed.uncompressed_length.is_none() {
                assert_eq!(sealed.bytes.len(), plaintext.len() + SEAL_OVERHEAD_BYTES);
            }
            sealed.uncompressed_length.map(NonZeroU32::get)
        };
        let length = u32::try_from(TEXT.len()).ok();
        assert_eq!(is_compressed(Version::V1, Compression::Max, BlobKind::Data, TEXT), None);
        assert_eq!(is_compressed(Version::V1, Compression::Max, BlobKind::Tree, TEXT), None);
        assert_eq!(is_compressed(Version::V2, Compression::Off, BlobKind::Data, TEXT), None);
        assert_eq!(is_compressed(Version::V2, Compression::Off, BlobKind::Tree, TEXT), length);
        assert_eq!(is_compressed(Version::V2, Compression::Auto, BlobKind::Data, TEXT), length);
        assert_eq!(is_compressed(Version::V2, Compression::Auto, BlobKind::Tree, b""), None);
        // Even where it makes the blob longer.
        assert_eq!(is_compressed(Version::V2, Compression::Auto, BlobKind::Data, b"x"), Some(1));
    }

    #[test]
    fn nothing_is_sealed_under_an_id_that_is_not_its_own() {
        let key = MasterKey::generate().unwrap();
        let blob = BlobHandle::data(BlobId::of(b"something else"));
        let sealed = seal_blob(&key, Version::V2, Compression::Auto, blob, TEXT);
        assert!(matches!(sealed, Err(FormatError::SealedDiffers)));
    }

    #[test]
    fn a_blob_under_another_s_id_is_refused() {
        let (key, sealed) = seal(Version::V2, Compression::Auto, BlobKind::Data, TEXT);
        let mut packed = placed(&sealed);
        packed.blob.id = BlobId::of(b"something else");
        let error = open_blob(&key, &packed, &sealed.bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("blob {} has the content of {}", BlobId::of(b"something else"), BlobId::of(TEXT))
        );
    }

    #[test]
    fn a_wrong_uncompressed_length_alone_loses_nothing() {
        let (key, sealed) = seal(Version::V2, Compression::Auto, BlobKind::Data, TEXT);
        for length in [1, 48, 50, u32::MAX] {
            let packed = PackedBlob { uncompressed_length: NonZeroU32::new(length), ..placed(&sealed) };
            assert_eq!(open_blob(&key, &packed, &sealed.bytes).unwrap(), TEXT, "{length}");
        }
        let packed = PackedBlob { uncompressed_length: None, ..placed(&sealed) };
        assert!(matches!(open_blob(&key, &packed, &sealed.bytes), Err(FormatError::WrongContent { .. })));
    }

    #[test]
    fn a_blob_that_expands_to_more_than_a_chunk_and_than_stated_is_refused() {
        let long = vec![0; MAX_CHUNK_BYTES + 1];
        let (key, sealed) = seal(Version::V2, Compression::Auto, BlobKind::Data, &long);
        assert_eq!(open_blob(&key, &placed(&sealed), &sealed.bytes).unwrap(), long);
        let packed = PackedBlob { uncompressed_length: NonZeroU32::new(100), ..placed(&sealed) };
        assert!(matches!(open_blob(&key, &packed, &sealed.bytes), Err(FormatError::TooLong { .. })));
    }

    #[test]
    fn compressions_go_by_restic_s_names() {
        assert_eq!("better".parse(), Ok(Compression::Better));
        assert_eq!(
            "best".parse::<Compression>().unwrap_err().to_string(),
            "\"best\" is no compression: auto, off, fastest, better or max is expected"
        );
    }
}
