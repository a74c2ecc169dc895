//! The dump: what is in it, what is not, and that reading leaves no trace.

use std::collections::BTreeSet;

use replicator_kuma::kuma::{Database, Dump, KumaError, Selection, Value};

use crate::support::kuma::{DATABASES, Kuma};

pub(super) fn dump(kuma: &Kuma) -> Dump {
    Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap().1
}

fn files(kuma: &Kuma) -> BTreeSet<String> {
    let names = std::fs::read_dir(kuma.path()).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn every_database_is_dumped_whole_and_left_as_it_was() {
    for name in DATABASES {
        let kuma = Kuma::new(name);
        let before = std::fs::read(kuma.database()).unwrap();
        let dump = dump(&kuma);
        for table in &dump.tables {
            let expected = match table.spec.name {
                "setting" => continue,
                other => kuma.ask(&format!("SELECT count(*) FROM \"{other}\"")),
            };
            assert_eq!(table.rows.len().to_string(), expected, "{name}: {}", table.spec.name);
        }
        assert_eq!(dump.table("remote_browser").is_some(), name.contains("v2"), "{name}");
        assert_eq!(files(&kuma), BTreeSet::from(["kuma.db".to_owned()]), "{name}");
        assert!(before == std::fs::read(kuma.database()).unwrap(), "{name}: reading changed the file");
    }
}

#[test]
fn a_live_database_is_read_with_its_log() {
    let kuma = Kuma::live();
    let names = files(&kuma);
    let database = Database::open(&kuma.database()).unwrap();
    let dump = database.dump(&Selection::default()).unwrap().1;
    assert_eq!(dump.table("monitor").unwrap().rows.len(), 65);
    drop(database);
    assert_eq!(files(&kuma), names, "the log stays, whoever opened the database last");
}

#[test]
fn d5_a_dump_is_one_state_whatever_is_written_meanwhile() {
    let kuma = Kuma::new("kuma-v2");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = kuma.open();
            writer.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
            let mut number = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                number += 1;
                let both = format!(
                    "BEGIN IMMEDIATE; UPDATE monitor SET name = '{number}' WHERE id = 7;
                     UPDATE tag SET name = '{number}' WHERE id = 1; COMMIT"
                );
                writer.execute_batch(&both).unwrap();
            }
        });
        for _ in 0..50 {
            let dump = dump(&kuma);
            let name = |table: &str, id: i64| {
                let table = dump.table(table).unwrap();
                let row = table.rows.iter().find(|row| *table.value(row, "id") == Value::Integer(id)).unwrap();
                table.value(row, "name").as_text().unwrap().to_owned()
            };
            let (monitor, tag) = (name("monitor", 7), name("tag", 1));
            assert!(monitor == tag || (monitor == "007" && tag == "prod"), "{monitor} and {tag} are of two states");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn d10_what_kuma_rewrites_by_itself_does_not_change_the_digest() {
    let kuma = Kuma::new("kuma-v2");
    let before = dump(&kuma);
    kuma.run(
        "UPDATE monitor SET dns_last_result = 'x'; UPDATE maintenance SET last_start_date = '2031-01-01 00:00:00';
         UPDATE user SET twofa_last_token = '123456';
         INSERT INTO heartbeat (monitor_id, status, time) VALUES (7, 1, '2026-11-23 12:00:00')",
    );
    assert!(dump(&kuma) == before);
}

#[test]
fn ids_of_link_rows_do_not_change_the_digest_but_their_content_does() {
    let kuma = Kuma::new("kuma-v2");
    let before = dump(&kuma).digest();
    for table in ["monitor_notification", "monitor_tag", "monitor_group", "monitor_maintenance", "status_page_cname"] {
        kuma.run(&format!("UPDATE {table} SET id = id + 1000"));
    }
    assert_eq!(dump(&kuma).digest(), before);
    kuma.run("UPDATE monitor_group SET weight = weight + 1");
    assert_ne!(dump(&kuma).digest(), before);
}

#[test]
fn d11_docker_hosts_and_domains_of_pages_take_part() {
    let dump = dump(&Kuma::new("kuma-v2"));
    assert_eq!(dump.table("docker_host").unwrap().rows.len(), 2);
    assert_eq!(dump.table("status_page_cname").unwrap().rows.len(), 3);
}

#[test]
fn secrets_of_the_instance_and_the_state_of_its_schema_stay() {
    let dump = dump(&Kuma::new("kuma-v2"));
    let settings = dump.table("setting").unwrap();
    let keys: Vec<&str> = settings.rows.iter().filter_map(|row| settings.value(row, "key").as_text()).collect();
    assert!(keys.contains(&"serverTimezone") && keys.contains(&"steamAPIKey") && keys.contains(&"apiKeysEnabled"));
    for key in ["jwtSecret", "database_version", "databasePatchedFiles", "migrateAggregateTableState", "primaryBaseURL"]
    {
        assert!(!keys.contains(&key), "{key}");
    }
}

#[test]
fn d4_a_table_that_is_missing_is_an_error_not_an_empty_table() {
    let kuma = Kuma::new("kuma-v2");
    kuma.run("DROP TABLE incident; DROP TABLE remote_browser");
    let error = Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap_err();
    assert!(matches!(error, KumaError::NotKuma { .. }), "{error}");
    assert!(error.to_string().contains("remote_browser, incident"), "{error}");
}

#[test]
fn what_is_no_database_of_kuma_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let error = |path: &std::path::Path| match Database::open(path).and_then(|it| it.dump(&Selection::default())) {
        Ok(_) => panic!("{} was dumped", path.display()),
        Err(error) => error,
    };
    assert!(matches!(error(&path), KumaError::Missing { .. }));
    assert!(matches!(error(folder.path()), KumaError::NotADatabase { .. }));
    std::fs::write(&path, "this is a text file, and a long one: ".repeat(100)).unwrap();
    assert!(matches!(error(&path), KumaError::NotADatabase { .. }), "{}", error(&path));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(error(&path), KumaError::NotKuma { .. }));
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE monitor (id)").unwrap();
    assert!(matches!(error(&path), KumaError::NotKuma { .. }));
}

#[test]
fn a_corrupt_database_is_an_error_that_says_so() {
    let kuma = Kuma::new("kuma-v2");
    let page: u64 = kuma.ask("SELECT rootpage FROM sqlite_schema WHERE name = 'monitor'").parse().unwrap();
    let mut bytes = std::fs::read(kuma.database()).unwrap();
    let start = usize::try_from((page - 1) * 4096).unwrap();
    bytes[start..start + 4096].fill(0xa5);
    std::fs::write(kuma.database(), bytes).unwrap();
    let error = Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap_err();
    assert!(matches!(error, KumaError::Corrupt { .. }), "{error}");
}

#[test]
fn a_database_in_the_middle_of_a_migration_is_left_alone() {
    let kuma = Kuma::new("kuma-v2");
    kuma.run("UPDATE knex_migrations_lock SET is_locked = 1");
    let error = Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap_err();
    assert!(matches!(error, KumaError::Migrating { .. }), "{error}");
}

/// A link in the place of the file that SQLite would have to make, and follows none: as in a directory that may not be
/// written, only that it holds for root too.
fn forbid_shared_memory(kuma: &Kuma) {
    std::os::unix::fs::symlink("/nowhere", kuma.path().join("kuma.db-shm")).unwrap();
}

#[test]
fn a_read_only_directory_is_read_as_it_lies() {
    let kuma = Kuma::new("kuma-v2");
    let expected = dump(&kuma);
    forbid_shared_memory(&kuma);
    let database = Database::open(&kuma.database()).unwrap();
    assert!(database.dump(&Selection::default()).unwrap().1 == expected);
    let bytes = std::fs::read(kuma.database()).unwrap();
    std::fs::write(kuma.database(), [bytes, vec![0; 4096]].concat()).unwrap();
    let error = database.dump(&Selection::default()).unwrap_err();
    assert!(matches!(error, KumaError::ChangedMeanwhile { .. }), "{error}");
}

#[test]
fn a_log_that_cannot_be_read_is_an_error_not_an_older_state() {
    let kuma = Kuma::live();
    std::fs::remove_file(kuma.path().join("kuma.db-shm")).unwrap();
    forbid_shared_memory(&kuma);
    let error = Database::open(&kuma.database()).map(|_| ()).unwrap_err();
    assert!(matches!(error, KumaError::LogUnreadable { .. }), "{error}");
}
