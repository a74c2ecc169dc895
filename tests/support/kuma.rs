//! Databases of real Kumas, unpacked from fixtures/kuma/, and what they hold.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::fixtures;

/// Every whole database that stands in fixtures/kuma/.
pub(crate) const DATABASES: [&str; 9] = [
    "kuma-v2",
    "kuma-v2-state2",
    "kuma-v2-fresh",
    "kuma-v2-fresh-nouser",
    "kuma-v2-upgraded-from-v1",
    "kuma-v2.0.2-fresh",
    "kuma-v1",
    "kuma-v1-state2",
    "kuma-v1-fresh",
];

/// A Kuma's data directory, with a copy of a fixture as its kuma.db; gone with this value.
pub(crate) struct Kuma {
    folder: tempfile::TempDir,
}

impl Kuma {
    /// A copy of fixtures/kuma/NAME.db.zst.
    pub(crate) fn new(name: &str) -> Self {
        let kuma = Self { folder: tempfile::tempdir().unwrap() };
        unpack(&format!("{name}.db"), &kuma.database());
        kuma
    }

    /// What was copied from under a running server.
    pub(crate) fn live() -> Self {
        let kuma = Self { folder: tempfile::tempdir().unwrap() };
        for file in ["kuma.db", "kuma.db-wal", "kuma.db-shm"] {
            unpack(&format!("live-v2/{file}"), &kuma.folder.path().join(file));
        }
        kuma
    }

    /// The data directory.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("kuma.db")
    }

    /// The database, opened as an operator would with sqlite3; foreign keys are not enforced.
    pub(crate) fn open(&self) -> Connection {
        let connection = Connection::open(self.database()).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection
    }

    /// Runs SQL on the database.
    pub(crate) fn run(&self, sql: &str) -> &Self {
        self.open().execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        self
    }

    /// The first value that `sql` gives, as text.
    pub(crate) fn ask(&self, sql: &str) -> String {
        let connection = self.open();
        connection.query_row(sql, [], |row| Ok(shown(row.get_ref(0)?))).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// All rows that `sql` gives.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        rows(&self.open(), sql)
    }
}

/// All rows that `sql` gives, each value with its type, exact to the bit.
pub(crate) fn rows(connection: &Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|i| Ok(shown(row.get_ref(i)?))).collect()).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn shown(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?} ({:016x})", number.to_bits()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("text {}", hex::encode(bytes)),
        },
        ValueRef::Blob(bytes) => format!("blob {}", hex::encode(bytes)),
    }
}

fn unpack(name: &str, target: &Path) {
    let packed = fixtures::path("kuma").join(format!("{name}.zst"));
    let file = std::fs::File::open(&packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
    let mut out = std::fs::File::create(target).unwrap();
    zstd::stream::copy_decode(file, &mut out).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
}
