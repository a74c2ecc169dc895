//! The differences between two configurations: in values, for the apply; in words and as JSON, for people and programs.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::dump::Row;
use super::schema::{Identity, TableSpec};
use super::show::{self, Subject};

/// The differences between two configurations; see [`diff`](super::diff()).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The tables in which something differs.
    pub tables: Vec<TableChanges>,
    /// The files that differ.
    pub files: Vec<FileChange>,
}

/// What differs in one table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableChanges {
    /// The table.
    pub spec: &'static TableSpec,
    /// The columns of all rows here.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<RowChange>,
}

/// One row that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// What it is about, in words.
    pub(super) subject: Subject,
    /// The row as it was; none if it is added.
    pub old: Option<Row>,
    /// The row as it will be; none if it is deleted.
    pub new: Option<Row>,
}

/// One file that differs; files are never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path below the data directory.
    pub path: String,
    /// Its size as it was; none if it is new.
    pub old_size_bytes: Option<u64>,
    /// Its size as it will be.
    pub new_size_bytes: u64,
}

impl RowChange {
    /// The indexes of the columns that differ, of a row that was there and stays.
    pub(super) fn differing(&self, spec: &TableSpec, columns: &[String]) -> Vec<usize> {
        let (Some(old), Some(new)) = (&self.old, &self.new) else { return Vec::new() };
        let differs = |index: &usize| old.get(*index) != new.get(*index);
        let counts = |index: &usize| columns.get(*index).is_some_and(|name| spec.counts(name));
        (0..columns.len()).filter(counts).filter(differs).collect()
    }
}

impl Changes {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.files.is_empty()
    }

    /// How many rows and files differ.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).sum::<usize>() + self.files.len()
    }

    /// One line a change, such as `monitor 7 "api": interval 60 → 30`; never a secret.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let rows = self.tables.iter().flat_map(|table| table.rows.iter().map(|row| show::line(table, row)));
        rows.chain(self.files.iter().map(show::file_line)).collect()
    }

    /// The changes as JSON, values of columns that may hold secrets left out.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let rows = self.tables.iter().flat_map(|table| table.rows.iter().map(|row| row_json(table, row)));
        let file = |file: &FileChange| {
            let change = if file.old_size_bytes.is_some() { "changed" } else { "added" };
            json!({ "change": change, "file": file.path, "line": show::file_line(file) })
        };
        Json::Array(rows.chain(self.files.iter().map(file)).collect())
    }
}

fn row_json(table: &TableChanges, row: &RowChange) -> Json {
    let change = match (&row.old, &row.new) {
        (None, _) => "added",
        (_, None) => "deleted",
        _ => "changed",
    };
    let present = row.new.as_ref().or(row.old.as_ref());
    let value = |name: &str| {
        let index = table.columns.iter().position(|column| column == name)?;
        present?.get(index)
    };
    let mut json = json!({ "change": change, "table": table.spec.name });
    let keys: &[&str] = match table.spec.identity {
        Identity::Id => &["id"],
        Identity::Link(columns) => columns,
        Identity::SettingKey => &["key"],
    };
    let key: BTreeMap<&str, Json> =
        keys.iter().filter_map(|name| Some((*name, show::plain_json(value(name)?)))).collect();
    let columns: BTreeMap<&str, Json> = row
        .differing(table.spec, &table.columns)
        .into_iter()
        .filter_map(|index| Some((table.columns.get(index)?.as_str(), show::column_json(table, row, index))))
        .collect();
    json["key"] = json!(key);
    json["name"] = json!(row.subject.name);
    if change == "changed" {
        json["columns"] = json!(columns);
    }
    json["line"] = json!(show::line(table, row));
    json
}
