//! `backup.sql` needs nothing but stock sqlite3.

use std::io::Write;
use std::process::{Command, Stdio};

use replicator_kuma::kuma::{Database, Selection, decode, encode};

use super::dump::dump;
use crate::support::kuma::{DATABASES, Kuma, rows};
use crate::support::peers;

/// The dump of a Kuma as SQL.
fn backup_sql(kuma: &Kuma) -> Vec<u8> {
    let (facts, dump) = Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap();
    encode(&facts, &dump, Vec::new(), None).swap_remove(0).bytes
}

/// Pipes SQL into stock sqlite3; whether it succeeded, and what it said.
fn sqlite3(kuma: &Kuma, sql: &[u8]) -> Option<(bool, String)> {
    let [program] = peers::find(["sqlite3"])?;
    let mut command = Command::new(program);
    command.arg(kuma.database()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Every value of every configuration table, but volatile columns, and settings that stay local.
pub(super) fn configuration(kuma: &Kuma) -> Vec<(String, Vec<Vec<String>>)> {
    let connection = kuma.open();
    let tables = rows(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let shared: Vec<String> = Selection::default().settings().map(|key| format!("'{key}'")).collect();
    let mut all = Vec::new();
    for table in tables.concat().iter().map(|name| name.trim_matches('"')) {
        let Some(spec) = replicator_kuma::kuma::schema::table(table) else { continue };
        let names = rows(&connection, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name")).concat();
        let mut names: Vec<&str> = names.iter().map(|name| name.trim_matches('"')).collect();
        names.retain(|name| !(spec.volatile.contains(name) || table == "setting" && *name == "id"));
        let names = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let part = if table == "setting" {
            format!("WHERE key IN ({}) ORDER BY key", shared.join(", "))
        } else {
            "ORDER BY id".into()
        };
        all.push((table.to_owned(), rows(&connection, &format!("SELECT {names} FROM \"{table}\" {part}"))));
    }
    all
}

/// A just initialised database with the schema of `name`.
fn fresh(name: &str) -> Kuma {
    Kuma::new(match name {
        name if name.starts_with("kuma-v1") => "kuma-v1-fresh",
        "kuma-v2.0.2-fresh" => "kuma-v2.0.2-fresh",
        _ => "kuma-v2-fresh",
    })
}

#[test]
fn sqlite3_restores_every_database_into_a_fresh_kuma_byte_for_byte() {
    let live = [("live", Kuma::live())];
    for (name, kuma) in DATABASES.map(|name| (name, Kuma::new(name))).into_iter().chain(live) {
        let fresh = fresh(name);
        let Some((success, said)) = sqlite3(&fresh, &backup_sql(&kuma)) else { return };
        assert!(success && said.is_empty(), "{name}: {said}");
        let (ours, theirs) = (configuration(&kuma), configuration(&fresh));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{name}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
        assert_eq!(fresh.rows("PRAGMA foreign_key_check"), Vec::<Vec<String>>::new(), "{name}");
        assert_eq!(fresh.ask("PRAGMA integrity_check"), "\"ok\"", "{name}");
        assert_eq!(dump(&kuma).digest(), dump(&fresh).digest(), "{name}");
    }
}

/// Content that breaks exporters: see the list in fixtures/README.md.
pub(super) fn make_hard(kuma: &Kuma) {
    kuma.run(
        "UPDATE monitor SET name = 'a' || char(0) || 'b', keyword = CAST(x'ff00fe' AS TEXT) WHERE id = 1;
         UPDATE monitor SET interval = '80abc', port = 1.5, weight = 9007199254740991 WHERE id = 2;
         UPDATE monitor SET timeout = 1e300, port = x'00ff', weight = -9223372036854775808 WHERE id = 3;
         UPDATE monitor SET timeout = 9e999, retry_interval = -9e999, maxretries = 9007199254740993 WHERE id = 4;
         UPDATE monitor SET timeout = 19.2, description = char(65279) || 'BOM' || char(8232) || char(8205) WHERE id = 5;
         UPDATE monitor SET description = 'cr' || char(13, 10) || 'lf' || char(10) || '.quit' || char(10) WHERE id = 6;
         UPDATE monitor SET timeout = 5e-324, weight = 0.1, body = replace(hex(zeroblob(100000)), '00', 'é;') WHERE id = 7;
         UPDATE monitor SET url = -0.0, hostname = '', description = NULL, grpc_body = 'null' WHERE id = 8;
         UPDATE status_page SET custom_css = 'a;' || char(10) || '/' || char(10) || 'go' || char(10) || ';', footer_text = ' ' || char(9);
         UPDATE setting SET value = CAST(x'00' AS TEXT) WHERE key = 'entryPage'",
    );
}

#[test]
fn content_that_breaks_exporters_survives() {
    let kuma = Kuma::new("kuma-v2");
    make_hard(&kuma);
    let fresh = Kuma::new("kuma-v2-fresh");
    let Some((success, said)) = sqlite3(&fresh, &backup_sql(&kuma)) else { return };
    assert!(success && said.is_empty(), "{said}");
    assert_eq!(configuration(&kuma), configuration(&fresh));
}

#[test]
fn history_of_kept_monitors_stays_and_that_of_deleted_ones_goes() {
    let (wanted, here) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    here.run("UPDATE monitor SET dns_last_result = 'mine' WHERE id = 7; UPDATE setting SET value = '\"x\"' WHERE key = 'jwtSecret'");
    let beats = "SELECT count(*) FROM heartbeat WHERE monitor_id <> 9";
    let (kept, gone) = (here.ask(beats), here.ask("SELECT count(*) FROM heartbeat WHERE monitor_id = 9"));
    assert_ne!(gone, "0");
    let Some((success, said)) = sqlite3(&here, &backup_sql(&wanted)) else { return };
    assert!(success && said.is_empty(), "{said}");
    assert_eq!(here.ask(beats), kept);
    assert_eq!(here.ask("SELECT count(*) FROM heartbeat WHERE monitor_id = 9"), "0");
    assert_eq!(here.ask("SELECT dns_last_result FROM monitor WHERE id = 7"), "\"mine\"");
    assert_eq!(here.ask("SELECT value FROM setting WHERE key = 'jwtSecret'"), "\"\\\"x\\\"\"");
    assert_eq!(here.rows("PRAGMA foreign_key_check"), Vec::<Vec<String>>::new());
}

#[test]
fn a_restore_that_fails_midway_changes_nothing_although_sqlite3_goes_on() {
    let here = Kuma::new("kuma-v2.0.2-fresh");
    here.run("INSERT INTO tag (id, name, color) VALUES (77, 'mine', 'x')");
    let before = configuration(&here);
    let Some((success, said)) = sqlite3(&here, &backup_sql(&Kuma::new("kuma-v2"))) else { return };
    assert!(!success && said.contains("has no column named"), "{said}");
    assert_eq!(configuration(&here), before);
}

#[test]
fn a_restore_into_a_locked_database_changes_nothing() {
    let here = Kuma::new("kuma-v2");
    let before = configuration(&here);
    let lock = here.open();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let Some((success, said)) = sqlite3(&here, &backup_sql(&Kuma::new("kuma-v2-state2"))) else { return };
    assert!(!success && said.contains("locked"), "{said}");
    drop(lock);
    assert_eq!(configuration(&here), before);
}

#[test]
fn the_dump_makes_a_database_of_its_own_to_look_at() {
    let wanted = Kuma::new("kuma-v2");
    let empty = Kuma::new("kuma-v2-fresh");
    std::fs::remove_file(empty.database()).unwrap();
    let Some((success, said)) = sqlite3(&empty, &backup_sql(&wanted)) else { return };
    assert!(success && said.is_empty(), "{said}");
    assert_eq!(configuration(&empty), configuration(&wanted));
}

#[test]
fn the_same_content_gives_the_same_bytes_and_is_read_back_the_same() {
    for name in DATABASES {
        let kuma = Kuma::new(name);
        if name == "kuma-v2" {
            make_hard(&kuma);
        }
        let (facts, dump) = Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap();
        let files = encode(&facts, &dump, Vec::new(), None);
        assert!(files == encode(&facts, &dump, Vec::new(), None), "{name}");
        let decoded = decode(&files).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(decoded.dump == dump, "{name}");
    }
}
