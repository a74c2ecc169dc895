//! What one cycle costs on each side: reading, encoding, decoding, comparing, applying.
//!
//! `cargo bench --bench replicate [FILTER]`. The databases are a real one of 65 monitors (see fixtures/README.md), and the
//! same with more monitors. Requests are asserted by `tests/replicate/requests.rs`: they do not depend on the machine.

#![allow(missing_docs, reason = "a benchmark has no interface")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails may as well panic")]

use std::path::Path;

use divan::{Bencher, black_box};
use replicator_kuma::format::expand;
use replicator_kuma::kuma::{
    ApplyRules, DataDir, Database, Decoded, Dump, Facts, Selection, SnapshotFile, apply, decode, diff, encode, plan,
};

const PRIMARY: &[u8] = include_bytes!("../fixtures/kuma/kuma-v2.db.zst");
const EDITED: &[u8] = include_bytes!("../fixtures/kuma/kuma-v2-state2.db.zst");
const AT_MOST_BYTES: usize = 8 << 20;
/// How many monitors a database has.
const SIZES: [u32; 2] = [65, 2000];

fn main() {
    divan::main();
}

/// A data directory with a copy of a database, grown to so many monitors.
struct Kuma(tempfile::TempDir);

impl Kuma {
    fn new(packed: &[u8], monitors: u32) -> Kuma {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kuma.db");
        std::fs::write(&path, expand(packed, AT_MOST_BYTES, AT_MOST_BYTES).unwrap()).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        let columns: String = connection
            .query_row(
                "SELECT group_concat('\"' || name || '\"', ',') FROM pragma_table_info('monitor') WHERE name <> 'id'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        let grow = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO monitor (id, {columns}) SELECT n.i, {columns} FROM n, monitor WHERE monitor.id = 21"
        );
        if monitors > 65 {
            connection.execute(&grow, [1000 + monitors - 66]).unwrap();
        }
        Kuma(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn data(&self) -> DataDir {
        DataDir::find(Some(self.path()), None).unwrap()
    }

    fn dump(&self) -> (Facts, Dump) {
        Database::open(self.data().database()).unwrap().dump(&Selection::default()).unwrap()
    }

    fn files(&self) -> Vec<SnapshotFile> {
        let (facts, dump) = self.dump();
        encode(&facts, &dump, Vec::new(), None)
    }

    fn snapshot(&self) -> Decoded {
        decode(&self.files()).unwrap()
    }
}

/// Opening included: what `publish` does first.
#[divan::bench(args = SIZES)]
fn dump(bencher: Bencher<'_, '_>, monitors: u32) {
    let kuma = Kuma::new(PRIMARY, monitors);
    bencher.bench_local(|| black_box(kuma.dump()));
}

/// What a daemon does at each tick on a connection that stays open.
#[divan::bench(args = SIZES)]
fn dump_and_digest_on_an_open_connection(bencher: Bencher<'_, '_>, monitors: u32) {
    let kuma = Kuma::new(PRIMARY, monitors);
    let database = Database::open(kuma.data().database()).unwrap();
    bencher.bench_local(|| black_box(database.dump(&Selection::default()).unwrap().1.digest()));
}

#[divan::bench(args = SIZES)]
fn encode_dump(bencher: Bencher<'_, '_>, monitors: u32) {
    let (facts, dump) = Kuma::new(PRIMARY, monitors).dump();
    bencher.bench_local(|| black_box(encode(&facts, &dump, Vec::new(), None)));
}

#[divan::bench(args = SIZES)]
fn decode_snapshot(bencher: Bencher<'_, '_>, monitors: u32) {
    let files = Kuma::new(PRIMARY, monitors).files();
    bencher.bench_local(|| black_box(decode(&files).unwrap()));
}

#[divan::bench(args = SIZES)]
fn diff_of_51_changes(bencher: Bencher<'_, '_>, monitors: u32) {
    let (old, new) = (Kuma::new(PRIMARY, monitors).dump().1, Kuma::new(EDITED, monitors).dump().1);
    bencher.bench_local(|| black_box(diff(&old, &new)));
}

#[divan::bench(args = SIZES)]
fn plan_with_nothing_to_do(bencher: Bencher<'_, '_>, monitors: u32) {
    let kuma = Kuma::new(PRIMARY, monitors);
    let (data, snapshot) = (kuma.data(), kuma.snapshot());
    bencher.bench_local(|| black_box(plan(&data, &snapshot, &ApplyRules::default()).unwrap()));
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn apply_of_51_changes(bencher: Bencher<'_, '_>, monitors: u32) {
    let snapshot = Kuma::new(EDITED, monitors).snapshot();
    bencher
        .with_inputs(|| Kuma::new(PRIMARY, monitors))
        .bench_local_values(|kuma| black_box(apply(&kuma.data(), &snapshot, &ApplyRules::default()).unwrap()));
}
