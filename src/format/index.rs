//! Index files: which blobs lie where in which packs.

use super::{FormatError, PackId, PackedBlob, Version};

/// One file of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexFile {
    /// The packs it speaks of.
    pub packs: Vec<IndexPack>,
}

/// The blobs of one pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPack {
    /// Which pack.
    pub id: PackId,
    /// Its blobs, in no particular order.
    pub blobs: Vec<PackedBlob>,
}

impl IndexFile {
    /// Its JSON.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        Ok(Vec::new())
    }

    /// Reads its JSON; in version 1 no blob may be compressed.
    pub fn decode(version: Version, json: &[u8]) -> Result<IndexFile, FormatError> {
        let _ = version;
        Err(FormatError::TooShort { length_bytes: json.len() })
    }
}
