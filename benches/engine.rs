//! What the engine costs: sealing and opening, cutting chunks, packing, and the JSON of trees and indexes.
//!
//! `cargo bench --bench engine [FILTER]`. Inputs are generated, the same in every run.

#![allow(missing_docs, reason = "a benchmark has no interface")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails may as well panic")]

use std::fmt::Write;
use std::num::NonZeroU32;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use replicator_kuma::format::{
    BlobHandle, BlobId, Chunker, Compression, IndexFile, IndexPack, MasterKey, Node, NodeType, PackBuilder, PackId,
    PackedBlob, Polynomial, SealedBlob, Tree, TreeBuilder, Version, open_blob, pack, seal_blob,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// A polynomial that restic made.
const POLYNOMIAL: Polynomial = Polynomial::from_bits(0x0025_b468_838d_cb75);

fn main() {
    divan::main();
}

/// Content that does not compress: splitmix64.
fn random(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// Content as a dump of a database has it.
fn text(length: usize) -> Vec<u8> {
    let mut text = String::with_capacity(length + 200);
    for id in 0_u64.. {
        let noise = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        writeln!(
            text,
            "INSERT INTO \"monitor\" VALUES({id},'api-{noise}','https://host-{noise:x}.example.com/',60,1);"
        )
        .unwrap();
        if text.len() >= length {
            break;
        }
    }
    text.truncate(length);
    text.into_bytes()
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Random4KiB,
    Random1MiB,
    Text4KiB,
    Text1MiB,
}

const CONTENTS: [Content; 4] = [Content::Random4KiB, Content::Random1MiB, Content::Text4KiB, Content::Text1MiB];

impl Content {
    fn bytes(self) -> Vec<u8> {
        match self {
            Content::Random4KiB => random(4 * KIB),
            Content::Random1MiB => random(MIB),
            Content::Text4KiB => text(4 * KIB),
            Content::Text1MiB => text(MIB),
        }
    }
}

fn sealed(key: &MasterKey, plaintext: &[u8]) -> SealedBlob {
    seal_level(key, Compression::Auto, plaintext)
}

fn seal_level(key: &MasterKey, level: Compression, plaintext: &[u8]) -> SealedBlob {
    let blob = BlobHandle::data(BlobId::of(plaintext));
    seal_blob(key, Version::V2, level, blob, plaintext).unwrap()
}

fn at_start(blob: &SealedBlob) -> PackedBlob {
    let length = u32::try_from(blob.bytes.len()).unwrap();
    PackedBlob { blob: blob.blob, offset: 0, length, uncompressed_length: blob.uncompressed_length }
}

/// From bytes to a blob that may be stored: digest, compression, encryption, and opening it again.
#[divan::bench(args = CONTENTS)]
fn seal(bencher: Bencher, content: Content) {
    let (key, plaintext) = (MasterKey::generate().unwrap(), content.bytes());
    bencher.counter(BytesCount::of_slice(&plaintext)).bench_local(|| sealed(&key, black_box(&plaintext)));
}

/// From a stored blob to its bytes.
#[divan::bench(args = CONTENTS)]
fn open(bencher: Bencher, content: Content) {
    let (key, plaintext) = (MasterKey::generate().unwrap(), content.bytes());
    let blob = sealed(&key, &plaintext);
    let packed = at_start(&blob);
    bencher
        .counter(BytesCount::of_slice(&plaintext))
        .bench_local(|| open_blob(&key, &packed, black_box(&blob.bytes)).unwrap());
}

#[derive(Clone, Copy, Debug)]
struct Level(Compression);

const LEVELS: [Level; 5] = [
    Level(Compression::Off),
    Level(Compression::Fastest),
    Level(Compression::Auto),
    Level(Compression::Better),
    Level(Compression::Max),
];

/// What the levels of compression cost on text.
#[divan::bench(args = LEVELS)]
fn seal_text(bencher: Bencher, level: Level) {
    let (key, plaintext) = (MasterKey::generate().unwrap(), text(MIB));
    bencher.counter(BytesCount::of_slice(&plaintext)).bench_local(|| seal_level(&key, level.0, black_box(&plaintext)));
}

/// Finds the cuts in 32 MiB.
#[divan::bench]
fn chunk(bencher: Bencher) {
    let bytes = random(32 * MIB);
    let chunker = Chunker::new(POLYNOMIAL).unwrap();
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        let mut chunker = chunker.clone();
        let mut rest = black_box(bytes.as_slice());
        let mut cuts = 0;
        while let Some((_, behind)) = chunker.next_cut(rest).and_then(|cut| rest.split_at_checked(cut)) {
            rest = behind;
            cuts += 1;
        }
        cuts
    });
}

/// Puts sealed blobs of 4 KiB together to a pack of 16 MiB.
#[divan::bench]
fn pack_4_kib_blobs(bencher: Bencher) {
    let key = MasterKey::generate().unwrap();
    let blob = sealed(&key, &random(4 * KIB));
    let count = 16 * MIB / blob.bytes.len();
    bencher.counter(BytesCount::new(16 * MIB)).with_inputs(|| vec![blob.clone(); count]).bench_local_values(|blobs| {
        let mut builder = PackBuilder::new();
        for blob in blobs {
            builder.add(blob).unwrap();
        }
        builder.finish(&key).unwrap()
    });
}

/// Lists the blobs of a pack of 4000.
#[divan::bench]
fn list_pack(bencher: Bencher) {
    let key = MasterKey::generate().unwrap();
    let blob = sealed(&key, b"x");
    let mut builder = PackBuilder::new();
    for _ in 0..4000 {
        builder.add(blob.clone()).unwrap();
    }
    let finished = builder.finish(&key).unwrap();
    bencher
        .counter(ItemsCount::new(4000_usize))
        .bench_local(|| pack::decode_pack(&key, black_box(&finished.bytes)).unwrap());
}

const NODES: u32 = 10_000;

fn nodes() -> Vec<Node> {
    let node = |number: u32| {
        let id = BlobId::of(&number.to_le_bytes());
        let json = format!(
            "{{\"nodes\":[{{\"name\":\"file-{number:05}.txt\",\"type\":\"file\",\"mode\":420,\
             \"mtime\":\"2024-05-06T07:08:09.123456789Z\",\"atime\":\"2024-05-06T07:08:09.123456789Z\",\
             \"ctime\":\"2024-05-06T07:08:09.123456789Z\",\"uid\":1000,\"gid\":1000,\"user\":\"kim\",\
             \"group\":\"kim\",\"inode\":{number},\"device_id\":2049,\"size\":4096,\"links\":1,\
             \"content\":[\"{id}\"]}}]}}\n"
        );
        Tree::decode(json.as_bytes()).unwrap().nodes.remove(0)
    };
    let nodes: Vec<Node> = (0..NODES).map(node).collect();
    assert!(nodes.iter().all(|node| node.node_type == NodeType::File));
    nodes
}

/// Writes a directory of 10,000 files.
#[divan::bench]
fn encode_tree(bencher: Bencher) {
    let nodes = nodes();
    bencher.counter(ItemsCount::new(NODES)).bench_local(|| {
        let mut builder = TreeBuilder::new();
        for node in black_box(&nodes) {
            builder.add(node).unwrap();
        }
        builder.finish()
    });
}

/// Reads a directory of 10,000 files.
#[divan::bench]
fn decode_tree(bencher: Bencher) {
    let json = Tree { nodes: nodes() }.encode().unwrap();
    bencher.counter(ItemsCount::new(NODES)).bench_local(|| Tree::decode(black_box(&json)).unwrap());
}

const INDEXED_BLOBS: u32 = 50_000;

/// As many blobs as restic writes into one index, 200 to a pack.
fn index() -> IndexFile {
    let blob = |number: u32| {
        let blob = BlobHandle::data(BlobId::of(&number.to_le_bytes()));
        PackedBlob { blob, offset: number, length: 4128, uncompressed_length: NonZeroU32::new(9000) }
    };
    let pack = |number: u32| IndexPack {
        id: PackId::of(&number.to_le_bytes()),
        blobs: (number * 200..(number + 1) * 200).map(blob).collect(),
    };
    IndexFile { packs: (0..INDEXED_BLOBS / 200).map(pack).collect() }
}

/// Writes a full index.
#[divan::bench]
fn encode_index(bencher: Bencher) {
    let index = index();
    bencher.counter(ItemsCount::new(INDEXED_BLOBS)).bench_local(|| black_box(&index).encode().unwrap());
}

/// Reads a full index.
#[divan::bench]
fn decode_index(bencher: Bencher) {
    let json = index().encode().unwrap();
    bencher
        .counter(ItemsCount::new(INDEXED_BLOBS))
        .bench_local(|| IndexFile::decode(Version::V2, black_box(&json)).unwrap());
}
