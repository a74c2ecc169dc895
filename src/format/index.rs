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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The examples of the design document.
    fn vector(version: &str) -> String {
        let vectors: Value = serde_json::from_str(include_str!("../../fixtures/vectors/index_json.json")).unwrap();
        vectors[version].to_string()
    }

    #[test]
    fn the_examples_of_the_design_document_are_read() {
        let index = IndexFile::decode(Version::V2, vector("v2").as_bytes()).unwrap();
        let [pack] = index.packs.as_slice() else { panic!("one pack is expected: {index:?}") };
        assert_eq!(pack.id.short(), "73d04e61");
        let blobs = pack.blobs.iter().map(|packed| {
            let uncompressed_length = packed.uncompressed_length.map(NonZeroU32::get);
            (packed.blob.kind, packed.blob.id.short(), packed.offset, packed.length, uncompressed_length)
        });
        assert_eq!(
            blobs.collect::<Vec<_>>(),
            [
                (BlobKind::Data, "3ec79977".to_owned(), 0, 38, None),
                (BlobKind::Tree, "9ccb846e".to_owned(), 38, 112, Some(511)),
                (BlobKind::Data, "d3dc577b".to_owned(), 150, 123, Some(234)),
            ]
        );
    }

    #[test]
    fn an_index_is_written_as_restic_writes_it() {
        let json = vector("v2");
        // What was superseded is not written any more.
        let packs = json.split_once(r#""packs""#).unwrap().1;
        let written = IndexFile::decode(Version::V2, json.as_bytes()).unwrap().encode().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), format!("{{\"packs\"{packs}\n"));
    }

    #[test]
    fn version_1_has_no_compressed_blobs() {
        assert!(IndexFile::decode(Version::V1, vector("v1").as_bytes()).is_ok());
        let error = IndexFile::decode(Version::V1, vector("v2").as_bytes()).unwrap_err();
        assert!(matches!(error, FormatError::CompressedInVersion1 { blob } if blob.short() == "9ccb846e"));
    }

    #[test]
    fn an_index_of_nothing_may_be_spelt_in_many_ways() {
        for json in [r#"{"packs":[]}"#, r#"{"packs":null}"#, "{}", r#"{"packs_to_delete":[7]}"#] {
            assert_eq!(IndexFile::decode(Version::V2, json.as_bytes()).unwrap(), IndexFile::default());
        }
        assert_eq!(IndexFile::default().encode().unwrap(), b"{\"packs\":[]}\n");
    }

    #[test]
    fn what_restic_0_1_wrote_is_named_as_such() {
        assert!(matches!(IndexFile::decode(Version::V1, b" [{}]"), Err(FormatError::OldIndex)));
    }

    #[test]
    fn numbers_and_types_that_cannot_be_are_refused() {
        let id = "44".repeat(32);
        let blob = |fields: &str| {
            let json = format!(r#"{{"packs":[{{"id":"{id}","blobs":[{{"id":"{id}",{fields}}}]}}]}}"#);
            IndexFile::decode(Version::V2, json.as_bytes()).is_ok()
        };
        assert!(blob(r#""type":"data","offset":4294967295,"length":4294967295,"uncompressed_length":0"#));
        assert!(!blob(r#""type":"data","offset":4294967296,"length":0"#));
        assert!(!blob(r#""type":"data","offset":-1,"length":0"#));
        assert!(!blob(r#""type":"data","offset":1.0,"length":0"#));
        assert!(!blob(r#""type":"meta","offset":0,"length":0"#));
        assert!(!blob(r#""offset":0,"length":0"#));
    }
}
