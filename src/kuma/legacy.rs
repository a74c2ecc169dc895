//! Reading what the shell loops stored that this program replaces, so that a fleet can move over one instance at a time.
//!
//! - v1: `backup.sql`, made by sqlite3's `.dump` of 12 tables: definitions, and inserts without names of columns.
//! - v2: `sql_statements/TABLE.sql` with an insert a line that leaves out columns that are NULL, and for empty tables only
//!   a `DELETE` in `replicatorkuma_truncates.sql`; the names of all columns head `sqlite_exports/TABLE.csv`.
//!
//! Neither has a manifest: there is nothing to hold the rows against. What the loops lost (blanks at the ends of text,
//! the text `null`) stays lost.

use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::KumaError;
use super::decode::{Decoded, bad, run_inserts};
use super::dump::{Dump, Table};
use super::encode::{BACKUP_SQL, SnapshotFile};
use super::sandbox::Sandbox;
use super::schema::{Identity, TABLES, TableSpec, table};
use super::statements::statements;

/// A table and its columns as they stand in the dump.
type Shape = (&'static TableSpec, Vec<String>);

/// Reads a `.dump`.
pub(super) fn decode_v1(sql: &[u8]) -> Result<Decoded, KumaError> {
    let mut shapes: Vec<Shape> = Vec::new();
    for statement in statements(sql) {
        let text = String::from_utf8_lossy(statement);
        if text.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("CREATE TABLE")) {
            let (name, columns) = definition(&text).ok_or_else(|| bad(BACKUP_SQL, "a table cannot be defined"))?;
            shapes.extend(table(&name).map(|spec| (spec, columns)));
        }
    }
    if shapes.is_empty() {
        return Err(bad(BACKUP_SQL, "it defines none of Kuma's tables"));
    }
    let mut sandbox = sandbox(&shapes, BACKUP_SQL)?;
    run_inserts(&sandbox, BACKUP_SQL, sql)?;
    collect(shapes, &mut sandbox, BACKUP_SQL)
}

/// The name and the columns of a table that is defined so. The definition runs in a database of its own, where it may
/// define one table and nothing else.
fn definition(statement: &str) -> Option<(String, Vec<String>)> {
    let mut memory = Connection::open_in_memory().ok()?;
    let judge = |context: AuthContext<'_>| match context.action {
        AuthAction::CreateTable { .. } | AuthAction::CreateIndex { .. } | AuthAction::Reindex { .. } => {
            Authorization::Allow
        }
        AuthAction::Insert { table_name: "sqlite_master" | "sqlite_sequence" } => Authorization::Allow,
        AuthAction::Update { table_name: "sqlite_master", .. } => Authorization::Allow,
        AuthAction::Read { .. } | AuthAction::Function { .. } => Authorization::Allow,
        _ => Authorization::Deny,
    };
    memory.authorizer(Some(judge)).ok()?;
    memory.execute(statement, []).ok()?;
    memory.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).ok()?;
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let name: String = memory.query_row(sql, [], |row| row.get(0)).ok()?;
    let mut columns = memory.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid").ok()?;
    let columns = columns.query_map([&name], |row| row.get(0)).ok()?.collect::<rusqlite::Result<_>>().ok()?;
    Some((name, columns))
}

/// Reads a tree of inserts; none if there is no such tree.
pub(super) fn decode_v2(snapshot: &[SnapshotFile]) -> Option<Result<Decoded, KumaError>> {
    let find = |path: &str| snapshot.iter().find(|file| file.path == path).map(|file| file.bytes.as_slice());
    let truncates = find("sql_statements/replicatorkuma_truncates.sql")?;
    Some(decode_tree(truncates, find))
}

fn decode_tree<'a>(truncates: &[u8], find: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Decoded, KumaError> {
    let emptied: BTreeSet<String> = statements(truncates).filter_map(deleted_table).collect();
    let mut shapes: Vec<Shape> = Vec::new();
    for spec in TABLES.iter().filter(|spec| emptied.contains(spec.name)) {
        let sql = find(&format!("sql_statements/{}.sql", spec.name)).unwrap_or_default();
        let csv = find(&format!("sqlite_exports/{}.csv", spec.name)).unwrap_or_default();
        shapes.push((spec, tree_columns(spec, sql, csv)));
    }
    if shapes.is_empty() {
        return Err(bad("sql_statements", "it names none of Kuma's tables"));
    }
    let mut sandbox = sandbox(&shapes, "sql_statements")?;
    for (spec, _) in &shapes {
        let path = format!("sql_statements/{}.sql", spec.name);
        run_inserts(&sandbox, &path, find(&path).unwrap_or_default())?;
    }
    collect(shapes, &mut sandbox, "sql_statements")
}

/// The table of a "DELETE FROM `table`".
fn deleted_table(statement: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(statement).ok()?;
    Some(text.strip_prefix("DELETE FROM ")?.trim().trim_matches('`').to_owned())
}

/// All columns that are named anywhere: in the head of the CSV, in an insert, or by what the table is.
fn tree_columns(spec: &TableSpec, sql: &[u8], csv: &[u8]) -> Vec<String> {
    let head = csv.split(|byte| *byte == b'\n').next().map(String::from_utf8_lossy).unwrap_or_default();
    let head = head.trim().split(',').map(|name| name.trim_matches('"').to_owned()).collect::<Vec<_>>();
    let inserts = statements(sql).flat_map(|statement| {
        let text = String::from_utf8_lossy(statement).into_owned();
        let list = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(list, _)| list.to_owned());
        let names = list.unwrap_or_default();
        names.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    });
    let key = match spec.identity {
        Identity::Link(columns) => columns,
        Identity::Id | Identity::SettingKey => &[],
    };
    let mut columns: Vec<String> = Vec::new();
    let own = std::iter::once("id").chain(key.iter().copied()).map(str::to_owned);
    for name in head.into_iter().chain(inserts).chain(own).filter(|name| !name.is_empty()) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    columns
}

fn sandbox(shapes: &[Shape], file: &str) -> Result<Sandbox, KumaError> {
    let tables = shapes.iter().map(|(spec, columns)| (spec.name, columns.as_slice()));
    Sandbox::new(tables).map_err(|_| bad(file, "its tables or columns cannot be"))
}

fn collect(shapes: Vec<Shape>, sandbox: &mut Sandbox, file: &str) -> Result<Decoded, KumaError> {
    let mut tables = Vec::new();
    for (spec, columns) in shapes {
        let rows = sandbox.rows(spec.name, columns.len());
        let rows = rows.map_err(|_| bad(file, format!("table {} cannot be read back", spec.name)))?;
        let mut table = Table { spec, columns, rows };
        table.leave_out_volatile();
        tables.push(table);
    }
    tables.sort_by_key(|table| TABLES.iter().position(|spec| spec.name == table.spec.name));
    Ok(Decoded { dump: Dump { tables, settings: BTreeSet::new() }, manifest: None, files: Vec::new() })
}
