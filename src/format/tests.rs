//! What no single file of the format can say alone: files that restic and rustic sealed open, what is written is read
//! again, and no bytes make a decoder panic.

use std::num::NonZeroU32;

use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// One repository of `fixtures/vectors/sealed-files.json`, opened.
struct Opened {
    record: Value,
    key: MasterKey,
    config: Config,
}

impl Opened {
    fn all() -> Vec<Opened> {
        let records: Vec<Value> =
            serde_json::from_str(include_str!("../../fixtures/vectors/sealed-files.json")).unwrap();
        records.into_iter().map(Opened::new).collect()
    }

    fn new(record: Value) -> Opened {
        let (_, key_file) = files(&record, "keys/").pop().unwrap();
        let key = KeyFile::decode(&key_file).unwrap().open(record["password"].as_str().unwrap().as_bytes()).unwrap();
        let (_, config) = files(&record, "config").pop().unwrap();
        let config = Config::decode(&key.open(&config).unwrap()).unwrap();
        Opened { record, key, config }
    }

    /// Ids and JSON of the files in a directory.
    fn unpacked(&self, directory: &str) -> Vec<(Id, Vec<u8>)> {
        let open = |(id, file): (Id, Vec<u8>)| {
            (id, unpacked::decode(self.config.version, self.key.open(&file).unwrap()).unwrap())
        };
        files(&self.record, directory).into_iter().map(open).collect()
    }
}

/// Ids and bytes of the files whose paths begin so; every file is named by its content.
fn files(record: &Value, prefix: &str) -> Vec<(Id, Vec<u8>)> {
    let files = record["files"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with(prefix));
    files
        .map(|(path, base64)| {
            let bytes = BASE64_STANDARD.decode(base64.as_str().unwrap()).unwrap();
            let id = path.rsplit('/').next().and_then(|name| name.parse().ok()).unwrap_or(Id::ZERO);
            assert!(path == "config" || id == Id::of(&bytes), "{path}");
            (id, bytes)
        })
        .collect()
}

#[test]
fn repositories_of_restic_and_rustic_open_with_their_passwords() {
    for opened in Opened::all() {
        let expected = &opened.record["config"];
        assert_eq!(opened.config.version.number(), expected["version"].as_u64().unwrap());
        assert_eq!(opened.config.id, expected["id"].as_str().unwrap());
        assert_eq!(opened.config.chunker_polynomial.to_string(), expected["chunker_polynomial"].as_str().unwrap());
    }
}

#[test]
fn their_snapshots_indexes_and_locks_are_read_and_written_alike() {
    for opened in Opened::all() {
        for (id, json) in opened.unpacked("snapshots/") {
            assert_eq!(opened.record["snapshots"][id.to_string()].as_str().unwrap().as_bytes(), json);
            let snapshot = Snapshot::decode(&json).unwrap();
            // rustic has another order of fields, and more of them: nothing is lost, but the order changes.
            if snapshot.program_version.starts_with("rustic") {
                assert_eq!(Snapshot::decode(&snapshot.encode().unwrap()).unwrap(), snapshot);
                assert!(!snapshot.extra.is_empty());
            } else {
                assert_eq!(snapshot.encode().unwrap(), json);
            }
        }
        for (_, json) in opened.unpacked("locks/") {
            assert_eq!(Lock::decode(&json).unwrap().encode().unwrap(), json);
        }
        for (_, json) in opened.unpacked("index/").iter().filter(|(_, json)| json.ends_with(b"\n")) {
            assert_eq!(&IndexFile::decode(opened.config.version, json).unwrap().encode().unwrap(), json);
        }
    }
}

#[test]
fn their_packs_list_the_recorded_blobs_and_each_opens() {
    for opened in Opened::all() {
        for (id, pack) in files(&opened.record, "data/") {
            let blobs = pack::decode_pack(&opened.key, &pack).unwrap();
            let listed: Vec<Value> = blobs
                .iter()
                .map(|packed| {
                    let uncompressed_length = packed.uncompressed_length.map(NonZeroU32::get);
                    let BlobHandle { kind, id } = packed.blob;
                    serde_json::json!([kind.to_string(), id, packed.offset, packed.length, uncompressed_length])
                })
                .collect();
            assert_eq!(Value::from(listed), opened.record["packs"][id.to_string()]);
            assert_eq!(pack::size_with(&blobs), pack.len() as u64);
            for packed in blobs {
                let sealed = &pack[packed.offset as usize..][..packed.length as usize];
                open_blob(&opened.key, &packed, sealed).unwrap();
            }
        }
    }
}

/// A key that is the same in every run.
fn fixed_key() -> MasterKey {
    MasterKey::from_bytes(&[7; 64]).unwrap()
}

/// What all decoders do with some bytes is of no interest here, only that they return.
fn decode_with_everything(bytes: &[u8]) {
    let key = fixed_key();
    let _ = key.open(bytes);
    let _ = MasterKey::from_json(bytes);
    let _ = KeyFile::decode(bytes);
    let _ = Config::decode(bytes);
    let _ = Snapshot::decode(bytes);
    let _ = Lock::decode(bytes);
    let _ = Tree::decode(bytes);
    for version in [Version::V1, Version::V2] {
        let _ = IndexFile::decode(version, bytes);
        let _ = unpacked::decode(version, bytes.to_vec());
    }
    let _ = unpacked::decode(Version::V2, [&[2], bytes].concat());
    let size = bytes.len() as u64;
    let _ = pack::header_length(bytes, size);
    let _ = pack::decode_pack(&key, bytes);
    // Behind the seal too: a hostile repository has valid codes.
    let sealed = key.seal(bytes).unwrap();
    let _ = pack::decode_header(&key, &sealed, size);
    let blob = BlobHandle::data(BlobId::of(b""));
    for uncompressed_length in [None, NonZeroU32::new(1), Some(NonZeroU32::MAX)] {
        let _ = open_blob(&key, &PackedBlob { blob, offset: 0, length: 0, uncompressed_length }, &sealed);
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = (text.parse::<Id>().is_ok(), text.parse::<Time>().is_ok(), text.parse::<Polynomial>().is_ok());
}

fn id<T: From<Id> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    any::<[u8; 32]>().prop_map(|bytes| Id::from_bytes(bytes).into())
}

fn time() -> impl Strategy<Value = Time> {
    (any::<i64>(), 0..2_000_000_000_u32, -1439..=1439_i32)
        .prop_map(|(seconds, nanoseconds, minutes)| Time::from_unix(seconds, nanoseconds, minutes * 60))
}

fn extra() -> impl Strategy<Value = Extra> {
    let value = prop_oneof![Just("1.50"), Just("{\"a\": [null]}"), Just("\"\\u003c\""), Just("true")];
    prop::collection::vec(("x_[a-z<]{0,4}", value), 0..3).prop_map(|fields| {
        let fields: Vec<_> =
            fields.iter().enumerate().map(|(at, (name, value))| format!("\"{name}{at}\":{value}")).collect();
        json::Fields::of("test", format!("{{{}}}", fields.join(",")).as_bytes()).unwrap().rest()
    })
}

fn summary() -> impl Strategy<Value = Summary> {
    (time(), time(), any::<[u64; 12]>(), extra()).prop_map(|(backup_start, backup_end, counts, extra)| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = counts;
        Summary {
            backup_start,
            backup_end,
            files_new: a,
            files_changed: b,
            files_unmodified: c,
            dirs_new: d,
            dirs_changed: e,
            dirs_unmodified: f,
            data_blobs: g,
            tree_blobs: h,
            data_added: i,
            data_added_packed: j,
            total_files_processed: k,
            total_bytes_processed: l,
            extra,
        }
    })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let texts = || prop::collection::vec(".{0,6}", 0..3);
    let ids = (id(), prop::option::of(id()), prop::option::of(id()));
    let who = (".{0,6}", ".{0,6}", any::<u32>(), any::<u32>(), ".{0,6}");
    let what = (time(), texts(), texts(), texts(), prop::option::of(summary()), extra());
    (ids, who, what).prop_map(|((tree, parent, original), (hostname, username, uid, gid, program_version), what)| {
        let (time, paths, excludes, tags, summary, extra) = what;
        Snapshot {
            parent,
            hostname,
            username,
            uid,
            gid,
            excludes,
            tags,
            original,
            program_version,
            summary,
            extra,
            ..Snapshot::new(time, tree, paths)
        }
    })
}

fn packed_blob() -> impl Strategy<Value = PackedBlob> {
    let kind = prop_oneof![Just(BlobKind::Data), Just(BlobKind::Tree)];
    (kind, id(), any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(kind, id, offset, length, uncompressed)| {
        let blob = BlobHandle { kind, id };
        PackedBlob { blob, offset, length, uncompressed_length: NonZeroU32::new(uncompressed) }
    })
}

fn index() -> impl Strategy<Value = IndexFile> {
    let pack = (id(), prop::collection::vec(packed_blob(), 0..4)).prop_map(|(id, blobs)| IndexPack { id, blobs });
    prop::collection::vec(pack, 0..4).prop_map(|packs| IndexFile { packs })
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decode_with_everything(&bytes);
    }

    #[test]
    fn no_damage_to_json_makes_a_decoder_panic(
        snapshot in snapshot(), index in index(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut: bool,
    ) {
        for mut json in [snapshot.encode().unwrap(), index.encode().unwrap()] {
            let at = at.index(json.len());
            json[at] = byte;
            json.truncate(if cut { at } else { json.len() });
            decode_with_everything(&json);
        }
    }

    #[test]
    fn a_time_is_read_as_it_was_written(time in time()) {
        prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written(snapshot in snapshot()) {
        let json = snapshot.encode().unwrap();
        prop_assert_eq!(&Snapshot::decode(&json).unwrap(), &snapshot);
        prop_assert_eq!(unpacked::decode(Version::V2, unpacked::encode(Version::V2, Compression::Auto, &json).unwrap()).unwrap(), json);
    }

    #[test]
    fn an_index_is_read_as_it_was_written(index in index()) {
        prop_assert_eq!(IndexFile::decode(Version::V2, &index.encode().unwrap()).unwrap(), index);
    }

    #[test]
    fn a_lock_is_read_as_it_was_written(
        (time, exclusive, pid) in (time(), any::<bool>(), any::<i64>()),
        (hostname, username, uid, gid, extra) in (".{0,9}", ".{0,9}", any::<u32>(), any::<u32>(), extra()),
    ) {
        let lock = Lock { time, exclusive, hostname, username, pid, uid, gid, extra };
        prop_assert_eq!(Lock::decode(&lock.encode().unwrap()).unwrap(), lock);
    }

    #[test]
    fn a_key_file_is_read_as_it_was_written(
        (created, username, hostname, kdf) in (time(), ".{0,9}", ".{0,9}", ".{0,9}"),
        (n, r, p, extra) in (any::<u64>(), any::<u32>(), any::<u32>(), extra()),
        (salt, data) in (any::<Vec<u8>>(), any::<Vec<u8>>()),
    ) {
        let params = ScryptParams { n, r, p };
        let key = KeyFile { created, username, hostname, kdf, params, salt, data, extra };
        prop_assert_eq!(KeyFile::decode(&key.encode().unwrap()).unwrap(), key);
    }

    #[test]
    fn a_config_is_read_as_it_was_written(id in ".{0,9}", bits: u64, extra in extra(), v2: bool) {
        let version = if v2 { Version::V2 } else { Version::V1 };
        let config = Config { version, id, chunker_polynomial: Polynomial::from_bits(bits), extra };
        prop_assert_eq!(Config::decode(&config.encode().unwrap()).unwrap(), config);
    }

    #[test]
    fn a_blob_opens_to_what_was_sealed(plaintext: Vec<u8>, v2: bool, tree: bool) {
        let version = if v2 { Version::V2 } else { Version::V1 };
        let kind = if tree { BlobKind::Tree } else { BlobKind::Data };
        let blob = BlobHandle { kind, id: BlobId::of(&plaintext) };
        let key = fixed_key();
        let sealed = seal_blob(&key, version, Compression::Auto, blob, &plaintext).unwrap();
        let mut builder = PackBuilder::new();
        let packed = builder.add(sealed.clone()).unwrap();
        prop_assert_eq!(open_blob(&key, &packed, &sealed.bytes).unwrap(), plaintext);
        let pack = builder.finish(&key).unwrap();
        prop_assert_eq!(pack::decode_pack(&key, &pack.bytes).unwrap(), [packed]);
    }
}
