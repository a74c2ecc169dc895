//! Where every blob lies: all index files of a repository, merged into sorted tables.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Range;

use crate::format::{BlobHandle, BlobId, BlobKind, IndexFile, PackId, PackedBlob, SEAL_OVERHEAD_BYTES};

/// [`SEAL_OVERHEAD_BYTES`] as lengths in packs count.
#[expect(clippy::cast_possible_truncation, reason = "32")]
const SEAL_OVERHEAD: u32 = SEAL_OVERHEAD_BYTES as u32;

/// One copy of a blob: the pack that holds it and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The pack.
    pub pack: PackId,
    /// The blob and its place in the pack.
    pub blob: PackedBlob,
    /// Where the last blob of the pack ends, as far as the index knows.
    pub(super) blobs_end: u64,
}

/// What all index files together say; exact duplicates are merged, different copies of a blob are all kept
/// (restic-format 8.3).
///
/// 48 bytes a copy, 40 a pack.
#[derive(Debug, Default)]
pub struct Index {
    packs: Vec<PackId>,
    /// Where the last blob of each pack ends.
    ends: Vec<u64>,
    data: Vec<Entry>,
    trees: Vec<Entry>,
}

/// A [`Location`] with its pack by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    id: BlobId,
    pack: u32,
    offset: u32,
    length: u32,
    uncompressed_length: Option<NonZeroU32>,
}

impl Index {
    /// All copies of a blob.
    pub fn lookup(&self, blob: &BlobHandle) -> impl ExactSizeIterator<Item = Location> {
        let table = self.table(blob.kind);
        let entries = table.get(copies(table, &blob.id)).unwrap_or_default();
        let kind = blob.kind;
        entries.iter().map(move |entry| self.location(kind, entry))
    }

    /// Whether any pack holds the blob.
    #[must_use]
    pub fn contains(&self, blob: &BlobHandle) -> bool {
        self.table(blob.kind).binary_search_by(|entry| entry.id.cmp(&blob.id)).is_ok()
    }

    /// The bytes of a blob before compression and sealing, as the index states them.
    #[must_use]
    pub fn plaintext_bytes(&self, blob: &BlobHandle) -> Option<u32> {
        self.lookup(blob).next().map(|location| plaintext_bytes(&location.blob))
    }

    /// All copies of all blobs: data first, each kind in the order of ids.
    pub fn blobs(&self) -> impl Iterator<Item = Location> {
        let data = self.data.iter().map(|entry| self.location(BlobKind::Data, entry));
        data.chain(self.trees.iter().map(|entry| self.location(BlobKind::Tree, entry)))
    }

    /// How many copies of blobs there are.
    #[must_use]
    pub fn blob_count(&self) -> usize {
        self.data.len() + self.trees.len()
    }

    /// All packs that an index file names, in no particular order.
    #[must_use]
    pub fn packs(&self) -> &[PackId] {
        &self.packs
    }

    /// The packs with what they hold, sorted by offset; 8 bytes a blob for the time of the call.
    #[must_use]
    pub fn by_pack(&self) -> PackTable<'_> {
        let numbers = 0..self.data.len() + self.trees.len();
        let mut order: Vec<u32> = numbers.filter_map(|number| u32::try_from(number).ok()).collect();
        order.sort_unstable_by_key(|number| {
            let entry = self.entry(*number).1;
            (entry.pack, entry.offset, entry.length)
        });
        PackTable { index: self, order }
    }

    fn table(&self, kind: BlobKind) -> &[Entry] {
        match kind {
            BlobKind::Data => &self.data,
            BlobKind::Tree => &self.trees,
        }
    }

    /// The entry of a running number over both tables.
    fn entry(&self, number: u32) -> (BlobKind, &Entry) {
        let number = number as usize;
        match number.checked_sub(self.data.len()) {
            None => (BlobKind::Data, &self.data[number]),
            Some(number) => (BlobKind::Tree, &self.trees[number]),
        }
    }

    fn location(&self, kind: BlobKind, entry: &Entry) -> Location {
        Location {
            pack: self.packs[entry.pack as usize],
            blobs_end: self.ends[entry.pack as usize],
            blob: PackedBlob {
                blob: BlobHandle { kind, id: entry.id },
                offset: entry.offset,
                length: entry.length,
                uncompressed_length: entry.uncompressed_length,
            },
        }
    }
}

/// The bytes of a blob before compression and sealing, as an index or header states them.
pub(super) fn plaintext_bytes(packed: &PackedBlob) -> u32 {
    let sealed_bytes = packed.length.saturating_sub(SEAL_OVERHEAD);
    packed.uncompressed_length.map_or(sealed_bytes, NonZeroU32::get)
}

/// The run of entries of one blob in a sorted table.
fn copies(table: &[Entry], id: &BlobId) -> Range<usize> {
    let start = table.partition_point(|entry| entry.id < *id);
    let count = table.iter().skip(start).take_while(|entry| entry.id == *id).count();
    start..start + count
}

/// The blobs of an [`Index`], grouped by pack.
pub struct PackTable<'index> {
    index: &'index Index,
    order: Vec<u32>,
}

impl PackTable<'_> {
    /// Each pack that holds blobs, with them in the order of their offsets.
    pub fn iter(&self) -> impl Iterator<Item = (PackId, Vec<PackedBlob>)> {
        self.order.chunk_by(|a, b| self.index.entry(*a).1.pack == self.index.entry(*b).1.pack).filter_map(|group| {
            let locate = |number: &u32| {
                let (kind, entry) = self.index.entry(*number);
                self.index.location(kind, entry)
            };
            let pack = locate(group.first()?).pack;
            Some((pack, group.iter().map(|number| locate(number).blob).collect()))
        })
    }
}

/// Merges index files into an [`Index`].
#[derive(Default)]
pub(super) struct IndexBuilder {
    index: Index,
    numbers: HashMap<PackId, u32>,
}

impl IndexBuilder {
    /// Takes over all that `file` says.
    pub(super) fn add(&mut self, file: &IndexFile) {
        for pack in &file.packs {
            let number = self.number(pack.id);
            let ends = pack.blobs.iter().map(|packed| u64::from(packed.offset) + u64::from(packed.length));
            let end = &mut self.index.ends[number as usize];
            *end = ends.fold(*end, u64::max);
            for packed in &pack.blobs {
                let entry = Entry {
                    id: packed.blob.id,
                    pack: number,
                    offset: packed.offset,
                    length: packed.length,
                    uncompressed_length: packed.uncompressed_length,
                };
                match packed.blob.kind {
                    BlobKind::Data => self.index.data.push(entry),
                    BlobKind::Tree => self.index.trees.push(entry),
                }
            }
        }
    }

    /// The merged index.
    pub(super) fn finish(self) -> Index {
        let mut index = self.index;
        for table in [&mut index.data, &mut index.trees] {
            table.sort_unstable();
            table.dedup();
            table.shrink_to_fit();
        }
        index
    }

    fn number(&mut self, pack: PackId) -> u32 {
        let Index { packs, ends, .. } = &mut self.index;
        *self.numbers.entry(pack).or_insert_with(|| {
            packs.push(pack);
            ends.push(0);
            u32::try_from(packs.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::IndexPack;

    fn packed(kind: BlobKind, name: u8, offset: u32) -> PackedBlob {
        let blob = BlobHandle { kind, id: BlobId::from_bytes([name; 32]) };
        PackedBlob { blob, offset, length: 100, uncompressed_length: NonZeroU32::new(u32::from(name)) }
    }

    fn pack(name: u8, blobs: &[PackedBlob]) -> IndexPack {
        IndexPack { id: PackId::from_bytes([name; 32]), blobs: blobs.to_vec() }
    }

    fn index(files: &[&[IndexPack]]) -> Index {
        let mut builder = IndexBuilder::default();
        files.iter().for_each(|packs| builder.add(&IndexFile { packs: packs.to_vec() }));
        builder.finish()
    }

    #[test]
    fn a_copy_of_a_blob_takes_48_bytes() {
        assert_eq!(size_of::<Entry>(), 48);
    }

    #[test]
    fn the_same_in_several_files_is_merged_and_other_copies_are_kept() {
        let (first, second) = (packed(BlobKind::Data, 7, 0), packed(BlobKind::Data, 7, 100));
        let files = [pack(1, &[first]), pack(2, &[first])];
        let index = index(&[&files, &files, &[pack(1, &[second])]]);
        let found: Vec<(PackId, PackedBlob)> =
            index.lookup(&first.blob).map(|location| (location.pack, location.blob)).collect();
        let expected = [(files[0].id, first), (files[0].id, second), (files[1].id, first)];
        assert_eq!(found, expected);
        assert_eq!((index.blob_count(), index.packs().len()), (3, 2));
    }

    #[test]
    fn data_and_trees_of_one_name_are_two_blobs() {
        let (data, tree) = (packed(BlobKind::Data, 7, 0), packed(BlobKind::Tree, 7, 50));
        let index = index(&[&[pack(1, &[data])], &[pack(2, &[tree])]]);
        assert!(index.contains(&data.blob) && index.contains(&tree.blob));
        assert_eq!(index.lookup(&tree.blob).map(|location| location.blob).collect::<Vec<_>>(), [tree]);
        assert!(!index.contains(&packed(BlobKind::Data, 8, 0).blob));
        assert_eq!(index.lookup(&packed(BlobKind::Tree, 6, 0).blob).len(), 0);
    }

    #[test]
    fn blobs_are_grouped_by_pack_in_the_order_of_their_offsets() {
        let blobs = [300, 100, 200].map(|offset| packed(BlobKind::Data, 9, offset));
        let tree = packed(BlobKind::Tree, 1, 0);
        let index = index(&[&[pack(2, &blobs), pack(1, &[tree])], &[pack(2, &[tree]), pack(3, &[])]]);
        let mut groups: Vec<(PackId, Vec<u32>)> = Vec::new();
        for (pack, blobs) in index.by_pack().iter() {
            groups.push((pack, blobs.iter().map(|packed| packed.offset).collect()));
        }
        groups.sort_unstable();
        let id = |name| PackId::from_bytes([name; 32]);
        assert_eq!(groups, [(id(1), vec![0]), (id(2), vec![0, 100, 200, 300])]);
        assert_eq!(index.packs().len(), 3);
    }
}
