//! From the files of a snapshot to a dump: the opposite of [`encode`](super::encode()).

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::dump::{Dump, Table};
use super::encode::{BACKUP_SQL, MANIFEST_JSON, SnapshotFile, is_ours};
use super::manifest::{FORMAT_VERSION, Manifest, ManifestFile, ManifestTable};
use super::sandbox::{SQL_AT_MOST_BYTES, Sandbox};
use super::schema::{self, TableSpec};
use super::statements::statements;
use super::{KumaError, files, legacy};

/// What a snapshot says.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The configuration.
    pub dump: Dump,
    /// What is said of it; `None` in the layouts of the old system.
    pub manifest: Option<Manifest>,
    /// The files that the configuration refers to.
    pub files: Vec<SnapshotFile>,
}

/// Reads a snapshot's files, whose paths are relative to the folder that holds the dump: of our layout, or of one of the
/// old ones (see `legacy`).
///
/// Of ours everything is held against the manifest: rows, their digests, files. Files that the manifest does not name are passed
/// over, since later versions may add some.
pub fn decode(snapshot: &[SnapshotFile]) -> Result<Decoded, KumaError> {
    let (manifest, sql) = match (find(snapshot, MANIFEST_JSON), find(snapshot, BACKUP_SQL)) {
        (Some(manifest), Some(sql)) => (read_manifest(manifest)?, sql),
        (Some(_), None) => return Err(bad(BACKUP_SQL, "the snapshot has no such file")),
        (None, Some(sql)) if is_ours(sql) => return Err(bad(MANIFEST_JSON, "the snapshot has no such file")),
        (None, Some(sql)) => return legacy::decode_v1(sql),
        (None, None) => return legacy::decode_v2(snapshot).unwrap_or(Err(KumaError::NoDump)),
    };
    let dump = read_dump(&manifest, sql)?;
    let files = manifest.files.iter().map(|file| read_file(snapshot, file)).collect::<Result<_, _>>()?;
    Ok(Decoded { dump, manifest: Some(manifest), files })
}

fn find<'a>(snapshot: &'a [SnapshotFile], path: &str) -> Option<&'a [u8]> {
    snapshot.iter().find(|file| file.path == path).map(|file| file.bytes.as_slice())
}

pub(super) fn bad(file: &str, reason: impl Into<String>) -> KumaError {
    KumaError::BadDump { file: file.to_owned(), reason: reason.into() }
}

fn read_manifest(json: &[u8]) -> Result<Manifest, KumaError> {
    /// What is read first, because the rest may be of a later version.
    #[derive(serde::Deserialize)]
    struct Head {
        format: String,
        format_version: u32,
    }
    let parse = |error: serde_json::Error| bad(MANIFEST_JSON, error.to_string());
    let head: Head = serde_json::from_slice(json).map_err(parse)?;
    if head.format != "replicator-kuma" {
        return Err(bad(MANIFEST_JSON, format!("it is of another program: {:?}", head.format)));
    }
    if head.format_version > FORMAT_VERSION {
        let version = head.format_version;
        return Err(bad(MANIFEST_JSON, format!("its format version {version} is newer than this program: upgrade it")));
    }
    serde_json::from_slice(json).map_err(parse)
}

fn read_dump(manifest: &Manifest, sql: &[u8]) -> Result<Dump, KumaError> {
    let known: Vec<(&ManifestTable, &TableSpec)> =
        manifest.tables.iter().filter_map(|table| Some((table, schema::table(&table.name)?))).collect();
    if known.len() < manifest.tables.len() {
        return Err(bad(MANIFEST_JSON, "it names a table that this program does not know: upgrade it"));
    }
    let carried: Vec<Vec<String>> =
        known.iter().map(|(table, spec)| spec.carried(table.columns.iter().cloned())).collect();
    let tables = known.iter().zip(&carried).map(|((table, _), columns)| (table.name.as_str(), columns.as_slice()));
    let mut sandbox = Sandbox::new(tables).map_err(|_| bad(MANIFEST_JSON, "its tables or columns cannot be"))?;
    run_inserts(&sandbox, BACKUP_SQL, sql)?;
    let mut dump = Dump { tables: Vec::new(), settings: manifest.settings.clone() };
    for ((stated, spec), columns) in known.into_iter().zip(&carried) {
        let rows = sandbox.rows(spec.name, columns.len());
        let rows = rows.map_err(|_| bad(BACKUP_SQL, format!("table {} cannot be read back", spec.name)))?;
        dump.tables.push(Table { spec, columns: columns.clone(), rows });
        check_table(stated, dump.tables.last())?;
    }
    dump.tables.sort_by_key(|table| schema::TABLES.iter().position(|spec| spec.name == table.spec.name));
    if dump.digest().to_string() != manifest.digest {
        return Err(bad(MANIFEST_JSON, "its digest is not that of its tables"));
    }
    check_settings(&dump)?;
    Ok(dump)
}

fn check_table(stated: &ManifestTable, table: Option<&Table>) -> Result<(), KumaError> {
    let Some(table) = table else { return Ok(()) };
    let (name, rows) = (&stated.name, table.rows.len());
    if rows != stated.rows {
        return Err(bad(BACKUP_SQL, format!("table {name} has {rows} rows, the manifest says {}", stated.rows)));
    }
    if hex::encode(table.digest()) != stated.sha256 {
        return Err(bad(BACKUP_SQL, format!("table {name} is not what the manifest says")));
    }
    Ok(())
}

/// A dump must not bring settings that it does not say it brings, or that are never shared.
fn check_settings(dump: &Dump) -> Result<(), KumaError> {
    let rows = dump.table("setting").map(|table| table.rows.iter().map(|row| table.value(row, "key")));
    let keys: BTreeSet<&str> = rows.into_iter().flatten().filter_map(super::Value::as_text).collect();
    let never = |key: &str| schema::setting(key).is_some_and(|setting| setting.role == schema::SettingRole::Never);
    match keys.into_iter().find(|key| !dump.settings.contains(*key) || never(key)) {
        Some(key) => Err(bad(BACKUP_SQL, format!("it brings the setting {key:?}, which it must not"))),
        None => Ok(()),
    }
}

/// Runs the inserts of a dump; passes over the statements around them, and refuses any other.
pub(super) fn run_inserts(sandbox: &Sandbox, file: &str, sql: &[u8]) -> Result<(), KumaError> {
    if sql.len() > SQL_AT_MOST_BYTES {
        return Err(bad(file, format!("it is larger than {} MiB", SQL_AT_MOST_BYTES >> 20)));
    }
    for (number, statement) in (1..).zip(statements(sql)) {
        let refused = |reason: &str| bad(file, format!("statement {number} was not run: {reason}"));
        let text = std::str::from_utf8(statement).map_err(|_| refused("it is not UTF-8"))?;
        let keyword = text.split_ascii_whitespace().next().unwrap_or_default();
        match keyword.to_ascii_uppercase().as_str() {
            "INSERT" if is_step(text) => {}
            "INSERT" => sandbox.insert(text).map_err(|reason| refused(&reason))?,
            "PRAGMA" | "BEGIN" | "COMMIT" | "CREATE" | "DELETE" | "UPDATE" | "DROP" | "ROLLBACK" => {}
            _ => return Err(refused("it is no statement of a dump")),
        }
    }
    Ok(())
}

/// Whether the statement brings no row of Kuma's: it counts the steps of a restore (see `encode`), or sets SQLite's own
/// counters.
fn is_step(statement: &str) -> bool {
    let starts = ["INSERT INTO temp.", "INSERT OR ROLLBACK INTO temp.", "INSERT INTO sqlite_sequence"];
    starts.iter().any(|start| statement.starts_with(start))
}

fn read_file(snapshot: &[SnapshotFile], stated: &ManifestFile) -> Result<SnapshotFile, KumaError> {
    let path = &stated.path;
    files::check_path(path).map_err(|reason| bad(path, reason))?;
    let bytes = find(snapshot, path).ok_or_else(|| bad(path, "the manifest names it, but it is not there"))?;
    if hex::encode(Sha256::digest(bytes)) != stated.sha256 {
        return Err(bad(path, "it is not what the manifest says"));
    }
    Ok(SnapshotFile { path: path.clone(), bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests;
