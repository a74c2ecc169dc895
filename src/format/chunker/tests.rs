use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::format::Id;

fn polynomial(value: &Value) -> Polynomial {
    value.as_str().unwrap().parse().unwrap()
}

/// Bytes of the generator splitmix64.
fn splitmix64(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn input(description: &Value) -> Vec<u8> {
    let number = |key: &str| description[key].as_u64().unwrap();
    let size = usize::try_from(number("size")).unwrap();
    match description["gen"].as_str().unwrap() {
        "constant" => vec![u8::try_from(number("byte")).unwrap(); size],
        "splitmix64" => splitmix64(number("seed"), size),
        _ => {
            let block = splitmix64(number("seed"), usize::try_from(number("block")).unwrap());
            let mut repeated = block.repeat(size.div_ceil(block.len()));
            repeated.truncate(size);
            repeated
        }
    }
}

/// The chunks of `bytes`, which are pushed in pieces of these sizes, over and over.
fn chunks<'a>(chunker: &mut Chunker, bytes: &'a [u8], piece_sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let (mut start, mut position) = (0, 0);
    let mut piece_sizes = piece_sizes.iter().cycle();
    while position < bytes.len() {
        let end = position.saturating_add(*piece_sizes.next().unwrap()).min(bytes.len());
        while let Some(length) = chunker.next_cut(&bytes[position..end]) {
            position += length;
            chunks.push(&bytes[start..position]);
            start = position;
        }
        position = end;
    }
    if start < bytes.len() {
        chunks.push(&bytes[start..]);
    }
    chunker.reset();
    chunks
}

#[test]
fn chunks_are_those_that_restic_cuts() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../fixtures/vectors/chunker-vectors-a.json")).unwrap();
    let first = &vectors["vectors"][0]["polynomial"];
    for vector in vectors["vectors"].as_array().unwrap() {
        // Debug builds are slow, and one polynomial is enough for the long inputs.
        if vector["input"]["size"].as_u64() > Some(10 << 20) && vector["polynomial"] != *first {
            continue;
        }
        let mut chunker = Chunker::new(polynomial(&vector["polynomial"])).unwrap();
        let bytes = input(&vector["input"]);
        let chunks = chunks(&mut chunker, &bytes, &[usize::MAX]);
        let wanted = vector["chunks"].as_array().unwrap();
        assert_eq!(chunks.len(), wanted.len(), "{}", vector["input"]);
        for (chunk, wanted) in chunks.iter().zip(wanted) {
            assert_eq!(
                (chunk.len() as u64, Id::of(chunk).to_string()),
                (wanted[0].as_u64().unwrap(), wanted[2].as_str().unwrap().into())
            );
        }
    }
}

#[test]
fn zeros_are_cut_at_the_first_place_that_may_be_cut() {
    let table: Value = serde_json::from_str(include_str!("../../../fixtures/vectors/chunker_upstream.json")).unwrap();
    let mut chunker = Chunker::new(polynomial(&table["polynomial"])).unwrap();
    let zeros = vec![0; 2 << 20];
    let chunks = chunks(&mut chunker, &zeros, &[1 << 20]);
    let wanted = table["chunks2_zeros_2MiB"].as_array().unwrap();
    assert_eq!(chunks.len(), wanted.len());
    for (chunk, wanted) in chunks.iter().zip(wanted) {
        assert_eq!(Id::of(chunk).to_string(), wanted["sha256"].as_str().unwrap());
    }
}

#[test]
fn polynomials_of_another_degree_are_refused() {
    for text in ["0", "1", "165", "2482734cacca4", "7fffffffffffffff"] {
        let error = Chunker::new(text.parse().unwrap()).err().unwrap();
        assert!(error.to_string().contains(text), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn chunks_do_not_depend_on_how_the_bytes_come_in(
        seed: u64,
        size in 0_usize..3 << 20,
        piece_sizes in prop::collection::vec(1_usize..300_000, 1..8),
    ) {
        let bytes = splitmix64(seed, size);
        let mut chunker = Chunker::new(Polynomial::from_bits(0x003d_a335_8b4d_c173)).unwrap();
        let whole = chunks(&mut chunker, &bytes, &[usize::MAX]);
        prop_assert_eq!(chunks(&mut chunker, &bytes, &piece_sizes), whole);
    }
}
