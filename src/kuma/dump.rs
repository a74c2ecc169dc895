//! The dump: Kuma's configuration as values, from one consistent read of a live database.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::database::Database;
use super::facts::Facts;
use super::schema::{Identity, TABLES, TableSpec};
use super::{KumaError, Selection, Value};

/// A row: one value for each of its table's columns.
pub type Row = Vec<Value>;

/// Rows of one configuration table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Which one.
    pub spec: &'static TableSpec,
    /// The names of its columns, volatile ones left out.
    pub columns: Vec<String>,
    /// Its rows: by `id`, or settings by key.
    pub rows: Vec<Row>,
}

/// Kuma's configuration at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Dump {
    /// The tables that were read, in the order of [`TABLES`]. A table that is not here is not known to be empty.
    pub tables: Vec<Table>,
    /// The setting keys that take part, whether there is a row or not.
    pub settings: BTreeSet<String>,
}

/// The SHA-256 of what a configuration means; see [`Dump::digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigDigest([u8; 32]);

impl std::fmt::Display for ConfigDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl PartialEq for TableSpec {
    fn eq(&self, other: &TableSpec) -> bool {
        self.name == other.name
    }
}

impl Database {
    /// Reads the facts and the selected configuration in one read transaction, so that no dump mixes two states.
    ///
    /// A table that should be there and cannot be read is an error: published as empty, it would empty every replica.
    pub fn dump(&self, selection: &Selection) -> Result<(Facts, Dump), KumaError> {
        let begun = self.connection().unchecked_transaction();
        let transaction = begun.map_err(|error| KumaError::of_sqlite(self.path(), "begin to read", error))?;
        let read = self.dump_inside(selection);
        // A read transaction has nothing to commit; if it cannot be ended, it ends with the connection.
        drop(transaction);
        self.check_unchanged()?;
        read
    }

    /// Like [`Database::dump`], inside the transaction that the caller has begun.
    pub(super) fn dump_inside(&self, selection: &Selection) -> Result<(Facts, Dump), KumaError> {
        let facts = Facts::read(self)?;
        let mut tables = Vec::new();
        for spec in TABLES.iter().filter(|table| selection.has_table(table.name)) {
            if let Some(columns) = facts.tables.get(spec.name) {
                let names = columns.iter().map(|column| column.name.clone());
                tables.push(self.read_table(spec, spec.carried(names), selection)?);
            }
        }
        let settings = selection.settings().map(str::to_owned).collect();
        Ok((facts, Dump { tables, settings }))
    }

    fn read_table(
        &self,
        spec: &'static TableSpec,
        columns: Vec<String>,
        selection: &Selection,
    ) -> Result<Table, KumaError> {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let order = if spec.identity == Identity::SettingKey { "key" } else { "id" };
        let sql = format!("SELECT {} FROM {} ORDER BY {order}", names.join(", "), quoted(spec.name));
        let mut rows: Vec<Row> = self.sqlite("read a table", |connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows =
                statement.query_map([], |row| (0..names.len()).map(|i| Ok(Value::from(row.get_ref(i)?))).collect());
            rows?.collect()
        })?;
        let mut table = Table { spec, columns, rows: Vec::new() };
        if let (Identity::SettingKey, Some(key)) = (spec.identity, table.column("key")) {
            rows.retain(|row| row.get(key).and_then(Value::as_text).is_some_and(|key| selection.has_setting(key)));
        }
        table.rows = rows;
        Ok(table)
    }
}

impl TableSpec {
    /// Of a table's columns those that a dump carries: not the volatile ones, and not the `id` of a setting.
    pub(super) fn carried(&self, columns: impl IntoIterator<Item = String>) -> Vec<String> {
        let meaningless = |name: &str| self.identity == Identity::SettingKey && name == "id";
        columns.into_iter().filter(|name| !self.volatile.contains(&name.as_str()) && !meaningless(name)).collect()
    }

    /// Whether a difference in this column counts.
    pub(super) fn counts(&self, column: &str) -> bool {
        column != "id" || self.identity == Identity::Id
    }
}

impl Table {
    /// The index of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// A row's value in a column; NULL where there is no such column.
    #[must_use]
    pub fn value<'a>(&self, row: &'a Row, column: &str) -> &'a Value {
        self.column(column).and_then(|index| row.get(index)).unwrap_or(&Value::Null)
    }

    /// Leaves out the columns that a dump does not carry.
    pub(super) fn leave_out_volatile(&mut self) {
        let carried = self.spec.carried(self.columns.iter().cloned());
        let kept: Vec<usize> = carried.iter().filter_map(|name| self.column(name)).collect();
        for row in &mut self.rows {
            *row = kept.iter().map(|index| row.get(*index).cloned().unwrap_or(Value::Null)).collect();
        }
        self.columns = carried;
    }

    /// The SHA-256 of what the rows mean: independent of the order of columns and of ids that mean nothing.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut counted: Vec<(&String, usize)> = self.columns.iter().zip(0..).collect();
        counted.retain(|(name, _)| self.spec.counts(name));
        counted.sort();
        let mut forms: Vec<Vec<u8>> = self.rows.iter().map(|row| canonical(row, &counted)).collect();
        forms.sort();
        let mut hash = Sha256::new();
        for (name, _) in counted {
            hash.update(format!("{name}\n"));
        }
        for form in forms {
            hash.update((form.len() as u64).to_be_bytes());
            hash.update(form);
        }
        hash.finalize().into()
    }
}

fn canonical(row: &Row, columns: &[(&String, usize)]) -> Vec<u8> {
    let mut form = Vec::new();
    for value in columns.iter().filter_map(|(_, index)| row.get(*index)) {
        value.append_canonical(&mut form);
    }
    form
}

impl Dump {
    /// The table of this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.spec.name == name)
    }

    /// The SHA-256 of what the configuration means. Heartbeats, volatile columns, ids of link rows and the order of
    /// columns have no part in it: two databases with this digest are configured alike.
    #[must_use]
    pub fn digest(&self) -> ConfigDigest {
        let mut hash = Sha256::new();
        for table in &self.tables {
            hash.update(table.spec.name);
            hash.update([0]);
            hash.update(table.digest());
        }
        for key in &self.settings {
            hash.update(key);
            hash.update([0]);
        }
        ConfigDigest(hash.finalize().into())
    }
}

/// An SQL identifier, quoted: `group` is a reserved word.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
