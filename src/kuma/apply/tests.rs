//! What only shows from inside: the moment before the commit, and a disk that fills up.

use std::path::Path;

use super::*;
use crate::kuma::{decode, encode};

const SCHEMA: &str = include_str!("../../../fixtures/kuma/schema-v2.sql");

/// A data directory with a small Kuma of one user and this many monitors.
fn kuma(monitors: usize) -> (tempfile::TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("kuma.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    let schema = SCHEMA.replace("CREATE TABLE sqlite_sequence(name,seq);", "");
    connection.execute_batch(&schema).unwrap();
    connection.execute_batch("INSERT INTO user (username, password) VALUES ('admin', 'x')").unwrap();
    for number in 0..monitors {
        let sql = "INSERT INTO monitor (name, user_id, description) VALUES (?1, 1, hex(zeroblob(500)))";
        connection.execute(sql, [format!("monitor {number}")]).unwrap();
        connection
            .execute("INSERT INTO heartbeat (monitor_id, status, time) VALUES (last_insert_rowid(), 1, 't')", [])
            .unwrap();
    }
    drop(connection);
    let data = DataDir::find(Some(folder.path()), None).unwrap();
    (folder, data)
}

fn snapshot(data: &DataDir) -> Decoded {
    let (facts, dump) = Database::open(data.database()).unwrap().dump(&Selection::default()).unwrap();
    decode(&encode(&facts, &dump, Vec::new(), None)).unwrap()
}

fn digest(data: &DataDir) -> String {
    Database::open(data.database()).unwrap().dump(&Selection::default()).unwrap().1.digest().to_string()
}

/// The database as a power cut at this moment would leave it.
fn crashed(database: &Path) -> (tempfile::TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let folder_path = database.parent().unwrap();
    for name in ["kuma.db", "kuma.db-wal"] {
        if folder_path.join(name).exists() {
            std::fs::copy(folder_path.join(name), folder.path().join(name)).unwrap();
        }
    }
    let data = DataDir::find(Some(folder.path()), None).unwrap();
    (folder, data)
}

fn assert_whole(data: &DataDir) {
    let connection = rusqlite::Connection::open(data.database()).unwrap();
    let answer: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(answer, "ok");
}

#[test]
fn a_crash_before_the_commit_leaves_the_old_state_and_one_after_it_the_new() {
    let ((_primary, primary), (_replica, replica)) = (kuma(200), kuma(3));
    let (wanted, rules) = (snapshot(&primary), ApplyRules::default());
    let (old, new) = (digest(&replica), digest(&primary));
    let (mut database, _) = open(&replica, &rules).unwrap();
    // A small cache makes SQLite write pages before the commit: the worst moment.
    database.sqlite("", |connection| connection.pragma_update(None, "cache_size", 1)).unwrap();
    database.sqlite("", |connection| connection.pragma_update(None, "foreign_keys", false)).unwrap();
    let crash = database.in_transaction(|database| {
        change(database, &replica, &wanted, &rules)?;
        Ok(crashed(database.path()))
    });
    let (_before, before) = crash.unwrap();
    let (_after, after) = crashed(database.path());
    assert!(std::fs::metadata(before.database().with_file_name("kuma.db-wal")).unwrap().len() > 100_000);
    assert_eq!(digest(&before), old);
    assert_eq!(digest(&after), new);
    assert_whole(&before);
    assert_whole(&after);
}

#[test]
fn a_full_disk_is_told_and_changes_nothing() {
    let ((_primary, primary), (_replica, replica)) = (kuma(200), kuma(3));
    let (wanted, rules) = (snapshot(&primary), ApplyRules::default());
    let old = digest(&replica);
    let (mut database, _) = open(&replica, &rules).unwrap();
    let pages: i64 =
        database.sqlite("", |connection| connection.pragma_query_value(None, "page_count", |row| row.get(0))).unwrap();
    database.sqlite("", |connection| connection.pragma_update(None, "max_page_count", pages + 3)).unwrap();
    let error = database.in_transaction(|database| change(database, &replica, &wanted, &rules)).err().unwrap();
    assert!(matches!(error, KumaError::Full { .. }), "{error}");
    drop(database);
    assert_eq!(digest(&replica), old);
}

#[test]
fn a_crash_between_commit_and_files_is_mended_by_the_next_apply() {
    let ((_primary, primary), (_replica, replica)) = (kuma(2), kuma(1));
    let page = "INSERT INTO status_page (slug, title, icon, theme) VALUES ('s', 't', '/upload/logo.png?t=1', 'auto')";
    rusqlite::Connection::open(primary.database()).unwrap().execute_batch(page).unwrap();
    std::fs::create_dir(primary.path().join("upload")).unwrap();
    std::fs::write(primary.path().join("upload/logo.png"), "logo").unwrap();
    let (facts, dump) = Database::open(primary.database()).unwrap().dump(&Selection::default()).unwrap();
    let (collected, _) = files::collect(&primary, &dump).unwrap();
    let wanted = decode(&encode(&facts, &dump, collected, None)).unwrap();
    let rules = ApplyRules::default();
    let (mut database, _) = open(&replica, &rules).unwrap();
    let staged = database.in_transaction(|database| {
        let (applied, fitted) = change(database, &replica, &wanted, &rules)?;
        StagedFiles::write(&replica, &files::selected(&wanted, &fitted.dump), &applied.changes.files)
    });
    // The process dies here: what was staged is never put in place.
    std::mem::forget(staged.unwrap());
    drop(database);
    assert!(!replica.path().join("upload/logo.png").exists());
    let mended = apply(&replica, &wanted, &rules).unwrap();
    assert_eq!(mended.changes.lines(), ["file upload/logo.png added (4 bytes)"]);
    assert!(apply(&replica, &wanted, &rules).unwrap().changes.is_empty());
}
