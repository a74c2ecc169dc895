//! `manifest.json`: what a dump holds, of which Kuma and which schema it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::dump::{Dump, Table};
use super::facts::{Column, Facts, SchemaVersion, default_values};
use super::{SnapshotFile, Value};

/// The version of the layout that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// `manifest.json`. It holds nothing that changes without the configuration: no time and no host name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `replicator-kuma`.
    pub format: String,
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Kuma's version, where it could be found out.
    pub kuma_version: Option<String>,
    /// Which Kuma it is: see [`Facts::instance`].
    pub instance: Option<String>,
    /// The state of Kuma's schema.
    pub schema: SchemaVersion,
    /// See [`Dump::digest`].
    pub digest: String,
    /// The tables.
    pub tables: Vec<ManifestTable>,
    /// The keys of table `setting` that take part, whether there is a row or not.
    pub settings: BTreeSet<String>,
    /// The files beside the dump.
    pub files: Vec<ManifestFile>,
}

/// A table in the manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestTable {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: usize,
    /// The SHA-256 of what the rows mean: see [`Table::digest`].
    pub sha256: String,
    /// All columns that the table has, in its own order.
    pub columns: Vec<String>,
    /// Those of them that are not in the dump, because Kuma rewrites them by itself.
    pub left_out: Vec<String>,
    /// What a new row gets in a column if nothing is said; not here: NULL.
    pub defaults: BTreeMap<String, serde_json::Value>,
    /// Columns whose default differs from row to row.
    pub computed: Vec<String>,
}

/// A file in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path in the snapshot, such as `upload/logo1.png`.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

impl Manifest {
    pub(super) fn of(facts: &Facts, dump: &Dump, files: &[SnapshotFile], kuma_version: Option<String>) -> Manifest {
        let table = |table: &Table| {
            let columns = facts.tables.get(table.spec.name).map(Vec::as_slice).unwrap_or_default();
            ManifestTable::of(table, columns)
        };
        Manifest {
            format: "replicator-kuma".to_owned(),
            format_version: FORMAT_VERSION,
            kuma_version,
            instance: facts.instance.clone(),
            schema: facts.version.clone(),
            digest: dump.digest().to_string(),
            tables: dump.tables.iter().map(table).collect(),
            settings: dump.settings.clone(),
            files: files.iter().map(ManifestFile::of).collect(),
        }
    }
}

impl ManifestTable {
    fn of(table: &Table, columns: &[Column]) -> ManifestTable {
        let (mut defaults, mut computed) = (BTreeMap::new(), Vec::new());
        for (column, default) in columns.iter().zip(default_values(columns)) {
            match default.and_then(|value| to_json(&value)) {
                Some(serde_json::Value::Null) => {}
                Some(value) => drop(defaults.insert(column.name.clone(), value)),
                None => computed.push(column.name.clone()),
            }
        }
        let names = columns.iter().map(|column| column.name.clone());
        ManifestTable {
            name: table.spec.name.to_owned(),
            rows: table.rows.len(),
            sha256: hex::encode(table.digest()),
            columns: names.clone().collect(),
            left_out: names.filter(|name| table.column(name).is_none()).collect(),
            defaults,
            computed,
        }
    }

    /// What a new row gets in this column if nothing is said; `None` where that differs from row to row.
    #[must_use]
    pub fn default_value(&self, column: &str) -> Option<Value> {
        if self.computed.iter().any(|computed| computed == column) {
            return None;
        }
        Some(match self.defaults.get(column) {
            Some(serde_json::Value::String(text)) => Value::Text(text.clone().into()),
            Some(serde_json::Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Value::Integer(integer),
                (None, Some(real)) => Value::Real(real),
                (None, None) => Value::Null,
            },
            _ => Value::Null,
        })
    }
}

fn to_json(value: &Value) -> Option<serde_json::Value> {
    match value {
        Value::Null => Some(serde_json::Value::Null),
        Value::Integer(number) => Some((*number).into()),
        Value::Real(number) => serde_json::Number::from_f64(*number).map(serde_json::Value::Number),
        Value::Text(_) => value.as_text().map(Into::into),
        Value::Blob(_) => None,
    }
}

impl ManifestFile {
    pub(super) fn of(file: &SnapshotFile) -> ManifestFile {
        ManifestFile {
            path: file.path.clone(),
            size_bytes: file.bytes.len() as u64,
            sha256: hex::encode(Sha256::digest(&file.bytes)),
        }
    }
}
