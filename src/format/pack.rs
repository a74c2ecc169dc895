//! Packs: sealed blobs back to back, then a sealed header that lists them, then the header's length
//! (design document, "Pack Format").
//!
//! An entry of the header is `type (1) ‖ length (4) [‖ uncompressed length (4)] ‖ id (32)`, numbers little-endian;
//! a blob's offset is the sum of the lengths before it.

use std::num::NonZeroU32;

use super::{
    BlobHandle, BlobId, BlobKind, FormatError, MasterKey, PackId, PackedBlob, SEAL_OVERHEAD_BYTES, SealedBlob,
};

const LENGTH_BYTES: usize = 4;
const PLAIN_ENTRY_BYTES: usize = 37;
const COMPRESSED_ENTRY_BYTES: usize = 41;
/// The longest sealed header that restic reads.
const MAX_HEADER_BYTES: usize = 16 * 1024 * 1024;
/// The bytes that a pack has besides its blobs and their entries.
const OVERHEAD_BYTES: usize = SEAL_OVERHEAD_BYTES + LENGTH_BYTES;

/// How much of a pack's end to read at once: it holds the whole header of a pack of up to 15 blobs.
pub const TAIL_BYTES: u64 = (15 * COMPRESSED_ENTRY_BYTES + OVERHEAD_BYTES) as u64;

/// A pack in the making.
///
/// Dropped before [`PackBuilder::finish`], its blobs are lost.
#[derive(Debug, Default)]
pub struct PackBuilder {
    bytes: Vec<u8>,
    blobs: Vec<PackedBlob>,
}

/// A pack ready to be stored.
#[derive(Clone, Debug)]
pub struct FinishedPack {
    /// The SHA-256 of its file.
    pub id: PackId,
    /// Its file.
    pub bytes: Vec<u8>,
    /// What lies where in it, in this order.
    pub blobs: Vec<PackedBlob>,
}

impl PackBuilder {
    /// An empty pack.
    #[must_use]
    pub fn new() -> PackBuilder {
        PackBuilder::default()
    }

    /// Puts a blob behind those already there, and says where; fails if the pack would reach 4 GiB.
    pub fn add(&mut self, sealed: SealedBlob) -> Result<PackedBlob, FormatError> {
        self.push(sealed.blob, sealed.uncompressed_length, &sealed.bytes)
    }

    /// Puts all blobs of another pack behind those already there; fails if the pack would reach 4 GiB.
    pub fn append(&mut self, other: PackBuilder) -> Result<(), FormatError> {
        let mut rest = other.bytes.as_slice();
        for packed in &other.blobs {
            let at = usize::try_from(packed.length).unwrap_or(usize::MAX).min(rest.len());
            let (bytes, behind) = rest.split_at(at);
            self.push(packed.blob, packed.uncompressed_length, bytes)?;
            rest = behind;
        }
        Ok(())
    }

    fn push(
        &mut self,
        blob: BlobHandle,
        uncompressed_length: Option<NonZeroU32>,
        sealed: &[u8],
    ) -> Result<PackedBlob, FormatError> {
        let length_bytes = self.bytes.len() + sealed.len();
        let too_large = |_| FormatError::TooLarge { what: "pack", length_bytes };
        u32::try_from(length_bytes).map_err(too_large)?;
        let offset = u32::try_from(self.bytes.len()).map_err(too_large)?;
        let length = u32::try_from(sealed.len()).map_err(too_large)?;
        let packed = PackedBlob { blob, offset, length, uncompressed_length };
        self.bytes.extend_from_slice(sealed);
        self.blobs.push(packed);
        Ok(packed)
    }

    /// How many bytes of blobs there are; the header is not counted.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How many blobs there are.
    #[must_use]
    pub fn blob_count(&self) -> usize {
        self.blobs.len()
    }

    /// Whether the header has no room for another blob.
    #[must_use]
    pub fn is_full(&self) -> bool {
        SEAL_OVERHEAD_BYTES + (self.blobs.len() + 1) * COMPRESSED_ENTRY_BYTES > MAX_HEADER_BYTES
    }

    /// Writes the header, reads it again and compares; a pack without blobs is an error.
    pub fn finish(self, key: &MasterKey) -> Result<FinishedPack, FormatError> {
        let PackBuilder { mut bytes, blobs } = self;
        if blobs.is_empty() {
            return Err(FormatError::PackHeader("there are no blobs to list"));
        }
        let header = key.seal(&encode_entries(&blobs))?;
        let length_bytes = header.len();
        let length = u32::try_from(length_bytes).ok().filter(|_| length_bytes <= MAX_HEADER_BYTES);
        let length = length.ok_or(FormatError::TooLarge { what: "pack header", length_bytes })?;
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&length.to_le_bytes());
        match decode_pack(key, &bytes) {
            Ok(listed) if listed == blobs => Ok(FinishedPack { id: PackId::of(&bytes), bytes, blobs }),
            _ => Err(FormatError::SealedDiffers),
        }
    }
}

/// How long the sealed header is that lies before the last four bytes of a pack.
///
/// `tail` is the pack's end, four bytes at least; read [`TAIL_BYTES`] to have most headers in it.
pub fn header_length(tail: &[u8], pack_size_bytes: u64) -> Result<u32, FormatError> {
    let smallest = PLAIN_ENTRY_BYTES + OVERHEAD_BYTES;
    let Some((_, length)) = tail.split_last_chunk::<LENGTH_BYTES>().filter(|_| pack_size_bytes >= smallest as u64)
    else {
        return Err(FormatError::PackHeader("the file is too short"));
    };
    let length = u32::from_le_bytes(*length);
    if (length as usize) < SEAL_OVERHEAD_BYTES {
        return Err(FormatError::PackHeader("its length is too short"));
    }
    if u64::from(length) > pack_size_bytes - LENGTH_BYTES as u64 {
        return Err(FormatError::PackHeader("its length is more than the file's"));
    }
    if length as usize > MAX_HEADER_BYTES {
        return Err(FormatError::PackHeader("its length is more than 16 MiB"));
    }
    Ok(length)
}

/// Reads the sealed header of a pack, without the length behind it.
///
/// Blobs that would reach into the header are an error; unused bytes before it are not.
pub fn decode_header(
    key: &MasterKey,
    sealed_header: &[u8],
    pack_size_bytes: u64,
) -> Result<Vec<PackedBlob>, FormatError> {
    let blobs = decode_entries(&key.open(sealed_header)?)?;
    let header_bytes = (sealed_header.len() + LENGTH_BYTES) as u64;
    let blob_bytes: u64 = blobs.iter().map(|packed| u64::from(packed.length)).sum();
    if blob_bytes.saturating_add(header_bytes) > pack_size_bytes {
        return Err(FormatError::PackHeader("its blobs are longer than the file"));
    }
    Ok(blobs)
}

/// Reads the header of a pack whose file is at hand.
pub fn decode_pack(key: &MasterKey, pack: &[u8]) -> Result<Vec<PackedBlob>, FormatError> {
    let pack_size_bytes = pack.len() as u64;
    let length = header_length(pack, pack_size_bytes)? as usize;
    let end = pack.len().saturating_sub(LENGTH_BYTES);
    let header = pack.get(end.saturating_sub(length)..end).unwrap_or_default();
    decode_header(key, header, pack_size_bytes)
}

/// How large a pack of these blobs and nothing else is: what restic's check expects of a pack in the index.
#[must_use]
pub fn size_with<'a>(blobs: impl IntoIterator<Item = &'a PackedBlob>) -> u64 {
    let sizes = blobs.into_iter().map(|packed| {
        let entry_bytes = if packed.uncompressed_length.is_some() { COMPRESSED_ENTRY_BYTES } else { PLAIN_ENTRY_BYTES };
        u64::from(packed.length) + entry_bytes as u64
    });
    sizes.sum::<u64>() + OVERHEAD_BYTES as u64
}

fn encode_entries(blobs: &[PackedBlob]) -> Vec<u8> {
    let mut header = Vec::with_capacity(blobs.len() * COMPRESSED_ENTRY_BYTES);
    for packed in blobs {
        let kind = match packed.blob.kind {
            BlobKind::Data => 0,
            BlobKind::Tree => 1,
        };
        let compressed = if packed.uncompressed_length.is_some() { 2 } else { 0 };
        header.push(kind | compressed);
        header.extend_from_slice(&packed.length.to_le_bytes());
        if let Some(length) = packed.uncompressed_length {
            header.extend_from_slice(&length.get().to_le_bytes());
        }
        header.extend_from_slice(packed.blob.id.as_bytes());
    }
    header
}

fn decode_entries(mut header: &[u8]) -> Result<Vec<PackedBlob>, FormatError> {
    const CUT_OFF: FormatError = FormatError::PackHeader("it ends within an entry");
    let mut blobs = Vec::with_capacity(header.len() / PLAIN_ENTRY_BYTES);
    let mut offset = 0_u32;
    while let Some((&entry_type, rest)) = header.split_first() {
        let (kind, is_compressed) = match entry_type {
            0 => (BlobKind::Data, false),
            1 => (BlobKind::Tree, false),
            2 => (BlobKind::Data, true),
            3 => (BlobKind::Tree, true),
            _ => return Err(FormatError::PackHeader("it has an entry of an unknown type")),
        };
        let (length, mut rest) = rest.split_first_chunk().ok_or(CUT_OFF)?;
        let length = u32::from_le_bytes(*length);
        let mut uncompressed_length = None;
        if is_compressed {
            let (bytes, behind) = rest.split_first_chunk().ok_or(CUT_OFF)?;
            uncompressed_length = NonZeroU32::new(u32::from_le_bytes(*bytes));
            rest = behind;
        }
        let (id, rest) = rest.split_first_chunk().ok_or(CUT_OFF)?;
        let blob = BlobHandle { kind, id: BlobId::from_bytes(*id) };
        blobs.push(PackedBlob { blob, offset, length, uncompressed_length });
        offset = offset.checked_add(length).ok_or(FormatError::PackHeader("its blobs are longer than 4 GiB"))?;
        header = rest;
    }
    Ok(blobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Compression, Version, open_blob, seal_blob};

    fn blob(key: &MasterKey, kind: BlobKind, plaintext: &[u8]) -> SealedBlob {
        let blob = BlobHandle { kind, id: BlobId::of(plaintext) };
        seal_blob(key, Version::V2, Compression::Auto, blob, plaintext).unwrap()
    }

    fn builder(key: &MasterKey) -> PackBuilder {
        let mut builder = PackBuilder::new();
        for (kind, plaintext) in [(BlobKind::Data, b"one".as_slice()), (BlobKind::Tree, b"two"), (BlobKind::Data, b"")]
        {
            builder.add(blob(key, kind, plaintext)).unwrap();
        }
        builder
    }

    /// A pack whose header is these bytes.
    fn with_header(key: &MasterKey, blob_bytes: usize, header: &[u8]) -> Vec<u8> {
        let header = key.seal(header).unwrap();
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        [vec![1; blob_bytes].as_slice(), &header, &length].concat()
    }

    fn reason(result: Result<impl Sized, FormatError>) -> String {
        result.map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_pack_lists_what_was_put_in_and_gives_it_back() {
        let key = MasterKey::generate().unwrap();
        let pack = builder(&key).finish(&key).unwrap();
        assert_eq!(pack.id, PackId::of(&pack.bytes));
        assert_eq!(pack.bytes.len() as u64, size_with(&pack.blobs));
        assert_eq!(decode_pack(&key, &pack.bytes).unwrap(), pack.blobs);
        for (packed, plaintext) in pack.blobs.iter().zip([b"one".as_slice(), b"two", b""]) {
            let sealed = &pack.bytes[packed.offset as usize..][..packed.length as usize];
            assert_eq!(open_blob(&key, packed, sealed).unwrap(), plaintext);
        }
    }

    #[test]
    fn a_short_header_lies_in_the_tail() {
        let key = MasterKey::generate().unwrap();
        let mut builder = PackBuilder::new();
        for number in 0..15_u8 {
            builder.add(blob(&key, BlobKind::Data, &[number])).unwrap();
        }
        let pack = builder.finish(&key).unwrap();
        let tail = &pack.bytes[pack.bytes.len() - usize::try_from(TAIL_BYTES).unwrap()..];
        let length = header_length(tail, pack.bytes.len() as u64).unwrap() as usize;
        assert_eq!(length + 4, tail.len());
        assert_eq!(decode_header(&key, &tail[..length], pack.bytes.len() as u64).unwrap(), pack.blobs);
    }

    #[test]
    fn two_packs_become_one() {
        let key = MasterKey::generate().unwrap();
        let mut merged = builder(&key);
        merged.append(builder(&key)).unwrap();
        assert_eq!(merged.blob_count(), 6);
        let pack = merged.finish(&key).unwrap();
        let [.., last] = pack.blobs.as_slice() else { panic!("blobs are expected") };
        let sealed = &pack.bytes[last.offset as usize..][..last.length as usize];
        assert_eq!(open_blob(&key, last, sealed).unwrap(), b"");
    }

    #[test]
    fn a_pack_without_blobs_is_neither_written_nor_read() {
        let key = MasterKey::generate().unwrap();
        assert_eq!(reason(PackBuilder::new().finish(&key)), "pack header: there are no blobs to list");
        assert_eq!(reason(decode_pack(&key, &with_header(&key, 0, b""))), "pack header: the file is too short");
    }

    #[test]
    fn a_header_of_an_impossible_length_is_refused() {
        for (length, message) in [
            (0, "pack header: its length is too short"),
            (31, "pack header: its length is too short"),
            (97, "pack header: its length is more than the file's"),
            (u32::MAX, "pack header: its length is more than the file's"),
        ] {
            let tail = [vec![0; 96].as_slice(), &length.to_le_bytes()].concat();
            assert_eq!(reason(header_length(&tail, 100)), message);
        }
        let most = (16_u32 << 20).to_le_bytes();
        assert_eq!(header_length(&most, 1 << 40).unwrap(), 16 << 20);
        let more = ((16_u32 << 20) + 1).to_le_bytes();
        assert_eq!(reason(header_length(&more, 1 << 40)), "pack header: its length is more than 16 MiB");
        assert_eq!(reason(header_length(b"abc", 100)), "pack header: the file is too short");
    }

    #[test]
    fn a_header_that_says_nonsense_is_refused() {
        let key = MasterKey::generate().unwrap();
        let entry = |entry_type: u8, length: u32| {
            let mut entry = vec![entry_type];
            entry.extend(length.to_le_bytes());
            entry.extend([7; 36]);
            entry.truncate(if entry_type < 2 { PLAIN_ENTRY_BYTES } else { COMPRESSED_ENTRY_BYTES });
            entry
        };
        let read = |header: &[u8]| decode_pack(&key, &with_header(&key, 100, header));
        assert_eq!(read(&[entry(0, 40), entry(3, 60)].concat()).unwrap().len(), 2);
        for (header, message) in [
            (entry(4, 40), "pack header: it has an entry of an unknown type"),
            (entry(0, 101), "pack header: its blobs are longer than the file"),
            ([entry(0, u32::MAX), entry(1, 1)].concat(), "pack header: its blobs are longer than 4 GiB"),
            ([entry(0, 40), vec![0; 5]].concat(), "pack header: it ends within an entry"),
            (entry(2, 40)[..40].to_vec(), "pack header: it ends within an entry"),
        ] {
            assert_eq!(reason(read(&header)), message);
        }
    }

    #[test]
    fn unused_bytes_before_the_header_do_no_harm() {
        let key = MasterKey::generate().unwrap();
        let entry = [vec![0, 40, 0, 0, 0], vec![7; 32]].concat();
        assert_eq!(decode_pack(&key, &with_header(&key, 4000, &entry)).unwrap()[0].length, 40);
    }
}
