//! Index files: which blobs lie where in which packs.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize};

use super::json;
use super::{BlobHandle, BlobId, BlobKind, FormatError, PackId, PackedBlob, Version};

/// One file of the index.
///
/// What other programs add to it is not kept: an index is derived from the packs, and made anew rather than changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    /// The packs it speaks of.
    #[serde(default, deserialize_with = "list")]
    pub packs: Vec<IndexPack>,
}

/// The blobs of one pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPack {
    /// Which pack.
    pub id: PackId,
    /// Its blobs, in no particular order.
    #[serde(default, deserialize_with = "list")]
    pub blobs: Vec<PackedBlob>,
}

impl IndexFile {
    /// Its JSON, with the newline that restic puts after an index.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let mut json = json::to_vec(self).map_err(FormatError::json("index"))?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads its JSON; in version 1 no blob may be compressed.
    ///
    /// Nothing is checked against anything else: blobs may overlap, and packs need not exist.
    pub fn decode(version: Version, json: &[u8]) -> Result<IndexFile, FormatError> {
        if json.trim_ascii_start().first() == Some(&b'[') {
            return Err(FormatError::OldIndex);
        }
        let index: IndexFile = serde_json::from_slice(json).map_err(FormatError::json("index"))?;
        let mut blobs = index.packs.iter().flat_map(|pack| &pack.blobs);
        match blobs.find(|packed| version == Version::V1 && packed.uncompressed_length.is_some()) {
            Some(packed) => Err(FormatError::CompressedInVersion1 { blob: packed.blob.id }),
            None => Ok(index),
        }
    }
}

/// A blob as it stands in an index.
#[derive(Serialize, Deserialize)]
struct BlobJson {
    id: BlobId,
    #[serde(rename = "type")]
    kind: BlobKind,
    offset: u32,
    length: u32,
    #[serde(default, skip_serializing_if = "json::is_zero")]
    uncompressed_length: u32,
}

impl Serialize for PackedBlob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let BlobHandle { kind, id } = self.blob;
        let uncompressed_length = self.uncompressed_length.map_or(0, NonZeroU32::get);
        BlobJson { id, kind, offset: self.offset, length: self.length, uncompressed_length }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PackedBlob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PackedBlob, D::Error> {
        let BlobJson { id, kind, offset, length, uncompressed_length } = BlobJson::deserialize(deserializer)?;
        let uncompressed_length = NonZeroU32::new(uncompressed_length);
        Ok(PackedBlob { blob: BlobHandle { kind, id }, offset, length, uncompressed_length })
    }
}

/// A list, which is empty if it is `null`.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
