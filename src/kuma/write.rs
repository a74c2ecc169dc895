//! Writing changes, row by row. Rows that stay are updated, so that what is not in a dump (volatile columns, columns of
//! another schema) stays as it is.

use rusqlite::params_from_iter;

use super::changes::{Changes, RowChange, TableChanges};
use super::database::Database;
use super::dump::{Row, quoted};
use super::facts::Facts;
use super::schema::{HISTORY_TABLES, Identity};
use super::{KumaError, Value};

/// Writes all changes. First everything that goes, in every table; then what changes; then what comes: a unique value
/// may pass from one row to another.
pub(super) fn changes(database: &Database, changes: &Changes) -> Result<(), KumaError> {
    for table in &changes.tables {
        for row in table.rows.iter().filter(|row| row.new.is_none()) {
            delete(database, table, row)?;
        }
    }
    for table in &changes.tables {
        free_unique_values(database, table)?;
        for row in table.rows.iter().filter(|row| row.old.is_some() && row.new.is_some()) {
            update(database, table, row)?;
        }
        for row in table.rows.iter().filter(|row| row.old.is_none()) {
            insert(database, table, row)?;
        }
    }
    Ok(())
}

/// The column by which one row is addressed.
fn address<'a>(table: &TableChanges, row: &'a Row) -> (&'static str, Option<&'a Value>) {
    let column = if table.spec.identity == Identity::SettingKey { "key" } else { "id" };
    let index = table.columns.iter().position(|name| name == column);
    (column, index.and_then(|index| row.get(index)))
}

fn delete(database: &Database, table: &TableChanges, change: &RowChange) -> Result<(), KumaError> {
    let Some(old) = &change.old else { return Ok(()) };
    let (column, value) = address(table, old);
    let sql = format!("DELETE FROM {} WHERE \"{column}\" = ?1", quoted(table.spec.name));
    run(database, "delete a row", &sql, value)
}

fn update(database: &Database, table: &TableChanges, change: &RowChange) -> Result<(), KumaError> {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return Ok(()) };
    let (column, value) = address(table, old);
    let differing = change.differing(table.spec, &table.columns);
    let set: Vec<String> =
        differing.iter().filter_map(|index| Some(format!("{} = ?", quoted(table.columns.get(*index)?)))).collect();
    let sql = format!("UPDATE {} SET {} WHERE \"{column}\" = ?", quoted(table.spec.name), set.join(", "));
    run(database, "update a row", &sql, differing.iter().filter_map(|index| new.get(*index)).chain(value))
}

fn insert(database: &Database, table: &TableChanges, change: &RowChange) -> Result<(), KumaError> {
    let Some(new) = &change.new else { return Ok(()) };
    let mut columns: Vec<(&String, &Value)> = table.columns.iter().zip(new).collect();
    if matches!(table.spec.identity, Identity::Link(_)) && is_taken(database, table, new)? {
        // The id of a link row means nothing: SQLite finds another.
        columns.retain(|(name, _)| *name != "id");
    }
    let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let places = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({places})", quoted(table.spec.name), names.join(", "));
    run(database, "insert a row", &sql, columns.iter().map(|(_, value)| *value))
}

fn is_taken(database: &Database, table: &TableChanges, row: &Row) -> Result<bool, KumaError> {
    let (column, value) = address(table, row);
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE \"{column}\" = ?1)", quoted(table.spec.name));
    database
        .sqlite("look for a row", |connection| connection.query_row(&sql, params_from_iter(value), |row| row.get(0)))
}

fn run<'a>(
    database: &Database,
    action: &'static str,
    sql: &str,
    values: impl IntoIterator<Item = &'a Value>,
) -> Result<(), KumaError> {
    let changed = database.sqlite(action, |connection| connection.execute(sql, params_from_iter(values)))?;
    match changed {
        1 => Ok(()),
        _ => Err(KumaError::NotAsWanted { differences: vec![format!("could not {action}: {changed} rows answered")] }),
    }
}

/// Gives changing rows a value of their own in unique columns, so that two of them can swap theirs.
fn free_unique_values(database: &Database, table: &TableChanges) -> Result<(), KumaError> {
    for column in unique_columns(database, table)? {
        let Some(index) = table.columns.iter().position(|name| *name == column) else { continue };
        for (number, change) in table.rows.iter().enumerate() {
            let Some(old) = change
                .old
                .as_ref()
                .filter(|old| change.new.as_ref().is_some_and(|new| old.get(index) != new.get(index)))
            else {
                continue;
            };
            let (key, value) = address(table, old);
            let sql = format!("UPDATE {} SET {} = ?1 WHERE \"{key}\" = ?2", quoted(table.spec.name), quoted(&column));
            let own = Value::Blob(format!("replicator-kuma is swapping {number}").into_bytes());
            run(database, "free a unique value", &sql, std::iter::once(&own).chain(value))?;
        }
    }
    Ok(())
}

/// The columns that are unique alone. Of Kuma's tables none has a unique index over several columns.
fn unique_columns(database: &Database, table: &TableChanges) -> Result<Vec<String>, KumaError> {
    let sql = "SELECT DISTINCT column.name FROM pragma_index_list(?1) AS list, pragma_index_info(list.name) AS column
               WHERE list.\"unique\" AND column.name <> 'id'";
    database.sqlite("read the indexes", |connection| {
        let mut statement = connection.prepare(sql)?;
        let names = statement.query_map([table.spec.name], |row| row.get(0))?;
        names.collect()
    })
}

/// Deletes the history of monitors that are gone: of those just deleted, and of those that another tool left behind.
///
/// Steps from one monitor's id to the next through the index, so that a million heartbeats cost no more than a hundred.
pub(super) fn delete_orphaned_history(database: &Database, facts: &Facts) -> Result<u64, KumaError> {
    let mut deleted = 0;
    for name in HISTORY_TABLES.iter().filter(|name| facts.tables.contains_key(**name)) {
        let table = quoted(name);
        let sql = format!(
            "WITH RECURSIVE seen(id) AS (
                 SELECT min(monitor_id) FROM {table}
                 UNION ALL SELECT (SELECT min(monitor_id) FROM {table} WHERE monitor_id > seen.id) FROM seen
                 WHERE seen.id IS NOT NULL)
             DELETE FROM {table} WHERE monitor_id IN (
                 SELECT id FROM seen WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM monitor))"
        );
        deleted += database.sqlite("delete history", |connection| connection.execute(&sql, []))?;
    }
    Ok(deleted as u64)
}
