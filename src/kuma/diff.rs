//! What differs between two configurations: rows by key, link rows by content, settings by key.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Value;
use super::changes::{Changes, RowChange, TableChanges};
use super::dump::{Dump, Row, Table};
use super::schema::Identity;
use super::show::Names;

/// What must change in `old` to become `new`.
///
/// Compared are the tables that both have, in the columns that both have, and the settings that take part in both. Its users: the log of a publish, a plan, an
/// apply, and the check after an apply.
#[must_use]
pub fn diff(old: &Dump, new: &Dump) -> Changes {
    let names = Names { old, new };
    let both = new.tables.iter().filter_map(|table| Some((old.table(table.spec.name)?, table)));
    let tables = both.map(|(was, is)| {
        let (was, is) = (table_of_shared_settings(was, old, new), table_of_shared_settings(is, old, new));
        diff_table(&was, &is, &names)
    });
    let tables = tables.filter(|changes| !changes.rows.is_empty());
    Changes { tables: tables.collect(), files: Vec::new() }
}

/// Of table `setting` the keys that take part in both dumps; a key that one does not speak of is not missing there.
fn table_of_shared_settings<'a>(table: &'a Table, old: &Dump, new: &Dump) -> Cow<'a, Table> {
    let (Identity::SettingKey, Some(key)) = (table.spec.identity, table.column("key")) else {
        return Cow::Borrowed(table);
    };
    let mut table = table.clone();
    let shared = |key: &str| old.settings.contains(key) && new.settings.contains(key);
    table.rows.retain(|row| row.get(key).and_then(Value::as_text).is_some_and(shared));
    Cow::Owned(table)
}

fn diff_table(old: &Table, new: &Table, names: &Names<'_>) -> TableChanges {
    let columns: Vec<String> = new.columns.iter().filter(|name| old.column(name).is_some()).cloned().collect();
    let (old_rows, new_rows) = (project(old, &columns), project(new, &columns));
    let key: Vec<usize> = key_columns(new.spec.identity, &columns);
    let counted: Vec<usize> =
        (0..columns.len()).filter(|i| columns.get(*i).is_some_and(|name| new.spec.counts(name))).collect();
    let rows = match_rows(old_rows, new_rows, &key, &counted);
    let mut changes = TableChanges { spec: new.spec, columns, rows: Vec::new() };
    for (old, new) in rows {
        let subject = names.subject(&changes, old.as_ref(), new.as_ref());
        changes.rows.push(RowChange { subject, old, new });
    }
    changes
}

fn project(table: &Table, columns: &[String]) -> Vec<Row> {
    let indexes: Vec<usize> = columns.iter().filter_map(|name| table.column(name)).collect();
    table.rows.iter().map(|row| pick(row, &indexes)).collect()
}

fn pick(row: &Row, indexes: &[usize]) -> Row {
    indexes.iter().map(|index| row.get(*index).cloned().unwrap_or(Value::Null)).collect()
}

fn key_columns(identity: Identity, columns: &[String]) -> Vec<usize> {
    let names: &[&str] = match identity {
        Identity::Id => &["id"],
        Identity::Link(columns) => columns,
        Identity::SettingKey => &["key"],
    };
    names.iter().filter_map(|name| columns.iter().position(|column| column == name)).collect()
}

/// Pairs old rows with new ones and leaves out the equal ones. A key may stand for several rows (a tag twice on one
/// monitor): of those, equal ones are paired first, the others in their order.
fn match_rows(old: Vec<Row>, new: Vec<Row>, key: &[usize], counted: &[usize]) -> Vec<(Option<Row>, Option<Row>)> {
    let mut by_key: HashMap<Row, Vec<Row>> = HashMap::new();
    let mut order = Vec::new();
    for row in old {
        let rows = by_key.entry(pick(&row, key)).or_default();
        if rows.is_empty() {
            order.push(pick(&row, key));
        }
        rows.push(row);
    }
    let mut left = Vec::new();
    for row in new {
        let equal = |old: &Row| counted.iter().all(|index| old.get(*index) == row.get(*index));
        let found = by_key.get_mut(&pick(&row, key)).and_then(|rows| Some((rows.iter().position(equal)?, rows)));
        match found {
            Some((position, rows)) => drop(rows.remove(position)),
            None => left.push(row),
        }
    }
    let mut pairs: Vec<_> = Vec::new();
    for row in left {
        let key = pick(&row, key);
        let old = by_key.get_mut(&key).filter(|rows| !rows.is_empty()).map(|rows| rows.remove(0));
        pairs.push((old, Some(row)));
    }
    let gone = order.iter().filter_map(|key| by_key.remove(key)).flatten();
    pairs.extend(gone.map(|row| (Some(row), None)));
    pairs
}
