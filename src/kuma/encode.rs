//! From a dump to the files of a snapshot: `backup.sql`, which stock sqlite3 restores by itself, and `manifest.json`.

use std::fmt::Write;

use super::dump::{Dump, Table, quoted};
use super::facts::Facts;
use super::literal::literal;
use super::manifest::Manifest;
use super::schema::{HISTORY_TABLES, Identity};

/// A file of a snapshot, by its path under the snapshot's folder, such as `backup.sql` or `upload/logo1.png`.
#[derive(Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// The path, with `/` between its parts.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for SnapshotFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path, self.bytes.len())
    }
}

/// The name of the dump in a snapshot.
pub(super) const BACKUP_SQL: &str = "backup.sql";
/// The name of the manifest in a snapshot.
pub(super) const MANIFEST_JSON: &str = "manifest.json";

const HEAD: &str = "\
-- The configuration of an Uptime Kuma. Restores by itself into a Kuma of the same version:
--   stop Kuma; sqlite3 kuma.db < backup.sql; start Kuma
-- The history of monitors that stay is kept. If any statement fails, nothing is changed.
PRAGMA foreign_keys=OFF;
BEGIN;
CREATE TEMP TABLE restore_steps (step TEXT NOT NULL, whole INTEGER NOT NULL CHECK (whole));
INSERT INTO temp.restore_steps VALUES ('begin', 1);
";

/// Whether `encode` wrote this SQL, which then has a manifest to be held against.
pub(super) fn is_ours(sql: &[u8]) -> bool {
    HEAD.lines().next().is_some_and(|line| sql.starts_with(line.as_bytes()))
}

/// The files of a snapshot: the dump, the manifest, and `files`. The same content gives the same bytes.
#[must_use]
pub fn encode(facts: &Facts, dump: &Dump, files: Vec<SnapshotFile>, kuma_version: Option<String>) -> Vec<SnapshotFile> {
    let manifest = Manifest::of(facts, dump, &files, kuma_version);
    // A struct of texts, numbers and lists of them cannot fail to become JSON.
    let mut json = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    json.push(b'\n');
    let mut all = vec![
        SnapshotFile { path: BACKUP_SQL.to_owned(), bytes: backup_sql(facts, dump).into_bytes() },
        SnapshotFile { path: MANIFEST_JSON.to_owned(), bytes: json },
    ];
    all.extend(files);
    all
}

/// The dump as SQL.
///
/// A client that goes on after an error, as the sqlite3 shell does, must not commit half a restore. So each step that
/// worked leaves a row in a temporary table; the last statement counts steps and rows, and rolls back if one is missing.
/// `BEGIN` takes no lock, because a `BEGIN IMMEDIATE` that failed would leave everything after it without a transaction.
/// Should SQLite itself roll back (a full disk), the temporary table is gone too, and with it the right to delete.
fn backup_sql(facts: &Facts, dump: &Dump) -> String {
    let mut sql = HEAD.to_owned();
    let history: Vec<&str> = HISTORY_TABLES.iter().copied().filter(|name| facts.tables.contains_key(*name)).collect();
    let tables = dump.tables.iter().map(|table| table.spec.name);
    for create in tables.chain(history.iter().copied()).filter_map(|name| facts.create.get(name)) {
        let definition = create.strip_prefix("CREATE TABLE ").unwrap_or(create);
        line(&mut sql, &format!("CREATE TABLE IF NOT EXISTS {definition};"));
    }
    for table in &dump.tables {
        append_table(&mut sql, table, dump, &kept(facts, table));
    }
    if dump.table("monitor").is_some() {
        sql.push_str("\n-- the history of monitors that are gone\n");
        for name in &history {
            let gone = format!("\"monitor_id\" NOT IN (SELECT \"id\" FROM \"monitor\") AND {MAY_DELETE}");
            line(&mut sql, &format!("DELETE FROM {} WHERE {gone};", quoted(name)));
        }
    }
    append_end(&mut sql, dump);
    sql
}

const MAY_DELETE: &str = "EXISTS (SELECT 1 FROM temp.restore_steps)";

/// The volatile columns that this Kuma has, whose values the restored database keeps.
fn kept(facts: &Facts, table: &Table) -> Vec<String> {
    let columns = facts.tables.get(table.spec.name).into_iter().flatten();
    columns.map(|column| column.name.clone()).filter(|name| table.spec.volatile.contains(&name.as_str())).collect()
}

fn append_table(sql: &mut String, table: &Table, dump: &Dump, volatile: &[String]) {
    let name = quoted(table.spec.name);
    let part = part(table, dump);
    let rows = table.rows.len();
    line(sql, &format!("\n-- {}: {rows} row{}", table.spec.name, if rows == 1 { "" } else { "s" }));
    if !volatile.is_empty() {
        let kept = volatile.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
        line(sql, &format!("CREATE TEMP TABLE \"kept_{}\" AS SELECT \"id\", {kept} FROM {name};", table.spec.name));
    }
    line(sql, &format!("DELETE FROM {name} WHERE {part} AND {MAY_DELETE};"));
    let emptied = format!("NOT EXISTS (SELECT 1 FROM {name} WHERE {part})");
    line(sql, &format!("INSERT INTO temp.restore_steps SELECT '{}', 1 WHERE {emptied};", table.spec.name));
    let columns = table.columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(",");
    for row in &table.rows {
        let values = row.iter().map(literal).collect::<Vec<_>>().join(",");
        line(sql, &format!("INSERT INTO {name} ({columns}) VALUES ({values});"));
    }
    for column in volatile {
        let (kept, column) = (format!("temp.\"kept_{}\"", table.spec.name), quoted(column));
        let old = format!("(SELECT k.{column} FROM {kept} AS k WHERE k.\"id\" = {name}.\"id\")");
        line(sql, &format!("UPDATE {name} SET {column} = {old};"));
    }
    if !volatile.is_empty() {
        line(sql, &format!("DROP TABLE temp.\"kept_{}\";", table.spec.name));
    }
}

/// Which rows of the table the dump speaks for: all, or of the settings those of its keys.
fn part(table: &Table, dump: &Dump) -> String {
    if table.spec.identity != Identity::SettingKey {
        return "1".to_owned();
    }
    let keys: Vec<String> = dump.settings.iter().map(|key| literal(&super::Value::Text(key.clone().into()))).collect();
    format!("\"key\" IN ({})", keys.join(", "))
}

fn append_end(sql: &mut String, dump: &Dump) {
    sql.push_str("\n-- all or nothing\n");
    let mut whole = vec![format!("(SELECT count(*) FROM temp.restore_steps) = {}", dump.tables.len() + 1)];
    for table in &dump.tables {
        let (name, part) = (quoted(table.spec.name), part(table, dump));
        whole.push(format!("(SELECT count(*) FROM {name} WHERE {part}) = {}", table.rows.len()));
    }
    let whole = whole.join("\n  AND ");
    line(sql, &format!("INSERT OR ROLLBACK INTO temp.restore_steps VALUES ('end', {whole});"));
    sql.push_str("DROP TABLE temp.restore_steps;\nCOMMIT;\n");
}

fn line(sql: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(sql, "{text}");
}
