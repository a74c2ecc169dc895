//! The apply: equal afterwards, history kept, all or nothing, nothing the second time.

use replicator_kuma::kuma::{
    Applied, ApplyRules, DataDir, Database, Decoded, KumaError, Selection, apply, collect_files, decode, encode, plan,
};

use super::dump::dump;
use super::restore::{configuration, make_hard};
use crate::support::kuma::{DATABASES, Kuma};

/// What a snapshot of this Kuma would hold.
fn snapshot(kuma: &Kuma) -> Decoded {
    let (facts, dump) = Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap();
    let (files, _) = collect_files(&data(kuma), &dump).unwrap();
    decode(&encode(&facts, &dump, files, None)).unwrap()
}

fn data(kuma: &Kuma) -> DataDir {
    DataDir::find(Some(kuma.path()), None).unwrap()
}

fn applied(from: &Kuma, to: &Kuma) -> Applied {
    let applied = apply(&data(to), &snapshot(from), &ApplyRules::default()).unwrap();
    assert_whole(to);
    applied
}

fn refused(from: &Kuma, to: &Kuma, rules: &ApplyRules) -> KumaError {
    let before = everything(to);
    let error = apply(&data(to), &snapshot(from), rules).unwrap_err();
    assert!(everything(to) == before, "a refused apply changed something: {error}");
    error
}

fn assert_whole(kuma: &Kuma) {
    assert_eq!(kuma.rows("PRAGMA foreign_key_check"), Vec::<Vec<String>>::new());
    assert_eq!(kuma.ask("PRAGMA integrity_check"), "\"ok\"");
}

/// Every row of every table.
fn everything(kuma: &Kuma) -> Vec<Vec<Vec<String>>> {
    let names = kuma.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").concat();
    names.iter().map(|name| kuma.rows(&format!("SELECT * FROM {name} ORDER BY rowid"))).collect()
}

fn narrowed(tables: &str) -> ApplyRules {
    ApplyRules { selection: Selection::parse(Some(tables), None).unwrap(), ..ApplyRules::default() }
}

#[test]
fn a_fresh_replica_becomes_equal_and_a_second_apply_finds_nothing() {
    for (from, to) in [
        ("kuma-v2", "kuma-v2-fresh"),
        ("kuma-v2-state2", "kuma-v2-fresh"),
        ("kuma-v2", "kuma-v2-fresh-nouser"),
        ("kuma-v2-upgraded-from-v1", "kuma-v2-fresh"),
        ("kuma-v2-upgraded-from-v1", "kuma-v2"),
        ("kuma-v1", "kuma-v1-fresh"),
        ("kuma-v1-state2", "kuma-v1-fresh"),
        ("kuma-v1-state2", "kuma-v1"),
        ("kuma-v2-fresh", "kuma-v2"),
    ] {
        let (primary, replica) = (Kuma::new(from), Kuma::new(to));
        let secret = replica.ask("SELECT value FROM setting WHERE key = 'jwtSecret'");
        assert!(!applied(&primary, &replica).changes.is_empty(), "{from} to {to}");
        assert_eq!(dump(&primary).digest(), dump(&replica).digest(), "{from} to {to}");
        assert_eq!(replica.ask("SELECT value FROM setting WHERE key = 'jwtSecret'"), secret);
        let again = applied(&primary, &replica);
        assert!(again.changes.is_empty(), "{from} to {to}: {:?}", again.changes.lines());
    }
}

#[test]
fn ids_of_a_fresh_replica_are_the_primarys_even_in_link_tables() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    applied(&primary, &replica);
    assert_eq!(configuration(&replica), configuration(&primary));
}

#[test]
fn a_database_is_equal_to_itself() {
    for name in DATABASES.into_iter().filter(|name| !name.contains("nouser")) {
        let kuma = Kuma::new(name);
        assert!(applied(&kuma, &kuma).changes.is_empty(), "{name}");
    }
}

#[test]
fn history_of_kept_monitors_stays_and_that_of_deleted_ones_goes() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    let tables = ["heartbeat", "stat_minutely", "stat_hourly", "stat_daily", "monitor_tls_info"];
    let kept = |kuma: &Kuma| {
        tables.map(|table| kuma.rows(&format!("SELECT * FROM {table} WHERE monitor_id <> 9 ORDER BY id")))
    };
    let before = kept(&replica);
    let gone = tables.map(|table| {
        replica.ask(&format!("SELECT count(*) FROM {table} WHERE monitor_id = 9")).parse::<u64>().unwrap()
    });
    let applied = applied(&primary, &replica);
    assert!(kept(&replica) == before);
    assert!(applied.history_rows_deleted > 0);
    assert_eq!(applied.history_rows_deleted, gone.iter().sum::<u64>());
    assert_eq!(
        tables.map(|table| replica.ask(&format!("SELECT count(*) FROM {table} WHERE monitor_id = 9"))),
        ["0"; 5]
    );
}

#[test]
fn what_the_replicas_own_kuma_wrote_stays() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    primary.run("UPDATE monitor SET dns_last_result = 'theirs', interval = 77 WHERE id = 7");
    replica.run(
        "UPDATE monitor SET dns_last_result = 'mine' WHERE id = 7; UPDATE user SET twofa_last_token = '654321';
         UPDATE maintenance SET last_start_date = '2030-01-01' WHERE id = 3",
    );
    applied(&primary, &replica);
    assert_eq!(replica.ask("SELECT dns_last_result || interval FROM monitor WHERE id = 7"), "\"mine77\"");
    assert_eq!(replica.ask("SELECT twofa_last_token FROM user"), "\"654321\"");
    assert_eq!(replica.ask("SELECT last_start_date FROM maintenance WHERE id = 3"), "\"2030-01-01\"");
}

#[test]
fn hard_content_arrives_bit_for_bit() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    make_hard(&primary);
    applied(&primary, &replica);
    assert_eq!(configuration(&replica), configuration(&primary));
}

#[test]
fn d6_null_stays_null_although_the_column_has_a_default() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    primary.run("UPDATE monitor SET expiry_notification = NULL, snmp_version = NULL WHERE id = 7");
    applied(&primary, &replica);
    assert_eq!(replica.rows("SELECT expiry_notification, snmp_version FROM monitor WHERE id = 7"), [["NULL", "NULL"]]);
}

#[test]
fn d7_blanks_and_the_word_null_are_text_like_any_other() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    primary.run("UPDATE monitor SET name = '  two blanks  ', description = 'null', keyword = 'NULL' WHERE id = 7");
    applied(&primary, &replica);
    let row = replica.rows("SELECT name, description, keyword FROM monitor WHERE id = 7");
    assert_eq!(row, [["\"  two blanks  \"", "\"null\"", "\"NULL\""]]);
}

#[test]
fn d8_backslashes_are_text_like_any_other() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    primary.run(r"UPDATE monitor SET body = 'C:\path\n\\', headers = '\' WHERE id = 7");
    applied(&primary, &replica);
    assert_eq!(replica.ask("SELECT body || headers FROM monitor WHERE id = 7"), format!("{:?}", r"C:\path\n\\\"));
}

#[test]
fn d12_local_edits_are_found_and_healed() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    applied(&primary, &replica);
    replica.run("UPDATE monitor SET interval = 999 WHERE id = 7; DELETE FROM tag WHERE id = 6; INSERT INTO incident (title, content) VALUES ('local', '')");
    let lines = applied(&primary, &replica).changes.lines();
    assert!(lines.contains(&"monitor 7 \"007\": interval 999 → 60".to_owned()), "{lines:?}");
    assert_eq!(dump(&primary).digest(), dump(&replica).digest());
}

#[test]
fn d14_a_float_is_the_same_on_every_machine() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    primary.run("UPDATE monitor SET timeout = 0.1 + 0.2 WHERE id = 7");
    applied(&primary, &replica);
    assert!(replica.ask("SELECT timeout FROM monitor WHERE id = 7").ends_with("(3fd3333333333334)"));
    assert!(applied(&primary, &replica).changes.is_empty());
}

#[test]
fn unique_values_can_be_swapped() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    applied(&primary, &replica);
    primary.run(
        "UPDATE status_page SET slug = 'x' WHERE id = 1; UPDATE status_page SET slug = 'public' WHERE id = 2;
         UPDATE status_page SET slug = 'internal-2' WHERE id = 1;
         UPDATE status_page_cname SET domain = 'x' WHERE id = 1;
         UPDATE status_page_cname SET domain = 'status.example.com' WHERE id = 3;
         UPDATE status_page_cname SET domain = 'internal.example.com' WHERE id = 1",
    );
    let lines = applied(&primary, &replica).changes.lines();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert_eq!(dump(&primary).digest(), dump(&replica).digest());
}

#[test]
fn d3_an_error_midway_changes_nothing() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    for (table, event) in
        [("setting", "UPDATE"), ("monitor_tag", "INSERT"), ("heartbeat", "DELETE"), ("proxy", "DELETE")]
    {
        replica.run(&format!("CREATE TRIGGER boom BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'boom'); END"));
        let error = refused(&primary, &replica, &ApplyRules::default());
        assert!(matches!(error, KumaError::Sqlite { .. }), "{table}: {error}");
        replica.run("DROP TRIGGER boom");
    }
    // A trigger that quietly bends a row: what is there in the end is compared with what was wanted.
    replica.run("CREATE TRIGGER bend AFTER UPDATE ON tag BEGIN UPDATE tag SET color = 'bent' WHERE id = NEW.id; END");
    let error = refused(&primary, &replica, &ApplyRules::default());
    assert!(matches!(error, KumaError::NotAsWanted { .. }), "{error}");
    assert!(error.to_string().contains("tag 1"), "{error}");
}

#[test]
fn a_running_kuma_is_named_and_refused_unless_asked_for() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    let kuma = replica.open();
    kuma.query_row("SELECT count(*) FROM monitor", [], |_| Ok(())).unwrap();
    let error = refused(&primary, &replica, &ApplyRules::default());
    assert!(matches!(error, KumaError::Running { .. }), "{error}");
    assert!(error.to_string().contains("--while-running"), "{error}");
    let rules = ApplyRules { while_running: true, ..ApplyRules::default() };
    let applied = apply(&data(&replica), &snapshot(&primary), &rules).unwrap();
    assert!(applied.was_running);
    let name: String = kuma.query_row("SELECT name FROM monitor WHERE id = 7", [], |row| row.get(0)).unwrap();
    assert_ne!(name, "007", "the running Kuma sees the new rows");
    assert!(apply(&data(&replica), &snapshot(&primary), &ApplyRules::default()).unwrap().changes.is_empty());
    drop(kuma);
    assert_whole(&replica);
}

#[test]
fn nobody_can_open_the_database_while_it_is_applied_alone() {
    let kuma = Kuma::new("kuma-v2");
    let alone = Database::open_alone(&kuma.database()).unwrap();
    let other = kuma.open();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(other.query_row("SELECT count(*) FROM monitor", [], |_| Ok(())).is_err());
    drop(alone);
    assert!(other.query_row("SELECT count(*) FROM monitor", [], |_| Ok(())).is_ok());
}

#[test]
fn another_schema_is_refused_with_every_difference() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2.0.2-fresh"));
    let error = refused(&primary, &replica, &ApplyRules::default());
    let KumaError::SchemaMismatch { differences } = &error else { panic!("{error}") };
    let has = |line: &str| assert!(differences.iter().any(|difference| difference == line), "{line}\n{error}");
    has("migration 2026-08-18-0000-sqlite-only-drop-analytics-type-check.js is only in the snapshot");
    has("column monitor.subtype is only in the snapshot: 1 row would lose its value");
    has("column monitor.save_response is only in the snapshot: 2 rows would lose their value");
    has("column monitor.bearer_token is only in the snapshot: 65 rows would lose their value");
    has("column monitor.ntp_stratum_threshold is only in the snapshot: every row has its default there");
    assert!(error.to_string().contains("--allow-schema-mismatch"));
}

#[test]
fn the_common_part_is_applied_when_asked_for() {
    for (from, to) in [("kuma-v2", "kuma-v2.0.2-fresh"), ("kuma-v1", "kuma-v2-fresh"), ("kuma-v2-state2", "kuma-v1")] {
        let (primary, replica) = (Kuma::new(from), Kuma::new(to));
        let rules = ApplyRules { allow_schema_mismatch: true, ..ApplyRules::default() };
        let applied = apply(&data(&replica), &snapshot(&primary), &rules).unwrap();
        assert!(!applied.warnings.is_empty() && !applied.changes.is_empty(), "{from} to {to}");
        assert_whole(&replica);
        let names = "SELECT id, name, interval, timeout FROM monitor ORDER BY id";
        assert_eq!(replica.rows(names), primary.rows(names), "{from} to {to}");
        assert!(plan(&data(&replica), &snapshot(&primary), &rules).unwrap().changes.is_empty());
    }
}

#[test]
fn a_kuma_is_never_left_open_to_whoever_comes_first() {
    let (primary, nobody) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh-nouser"));
    let error = refused(&primary, &nobody, &narrowed("-user"));
    assert!(matches!(error, KumaError::NeedsUser { .. }), "{error}");
    let error = refused(&nobody, &Kuma::new("kuma-v2-fresh"), &ApplyRules::default());
    assert!(matches!(error, KumaError::NeedsUser { .. }), "{error}");
    let error = refused(&nobody, &Kuma::new("kuma-v2-fresh-nouser"), &ApplyRules::default());
    assert!(matches!(error, KumaError::NeedsUser { .. }), "{error}");
    assert!(apply(&data(&nobody), &snapshot(&primary), &ApplyRules::default()).is_ok());
    assert_eq!(nobody.ask("SELECT username FROM user"), "\"admin\"");
}

#[test]
fn without_table_user_rows_go_to_a_user_who_is_here() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    primary.run("UPDATE user SET id = 5; UPDATE monitor SET user_id = 5; UPDATE api_key SET user_id = 5; UPDATE maintenance SET user_id = 5");
    let applied = apply(&data(&replica), &snapshot(&primary), &narrowed("-user")).unwrap();
    assert!(
        applied.warnings.contains(&"user 5 is not here: its rows of monitor go to user 1".to_owned()),
        "{:?}",
        applied.warnings
    );
    assert_eq!(replica.ask("SELECT username FROM user"), "\"replica-admin\"");
    assert_eq!(replica.ask("SELECT count(*) FROM monitor WHERE user_id <> 1"), "0");
    assert_whole(&replica);
}

#[test]
fn rows_that_refer_to_nothing_are_refused_by_name() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    let error = refused(&primary, &replica, &narrowed("-proxy"));
    assert!(matches!(error, KumaError::ForeignKeys { .. }), "{error}");
    assert!(error.to_string().contains("its proxy_id is no proxy"), "{error}");
}

#[test]
fn what_dangled_before_does_not_stop_an_apply_of_something_else() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    replica.run("UPDATE monitor SET proxy_id = 4711 WHERE id = 7");
    apply(&data(&replica), &snapshot(&primary), &narrowed("incident")).unwrap();
    assert_eq!(replica.rows("SELECT * FROM incident"), primary.rows("SELECT * FROM incident"));
}

#[test]
fn a_narrow_selection_touches_nothing_else() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    let (monitors, settings) = (replica.rows("SELECT * FROM monitor"), replica.rows("SELECT * FROM setting"));
    apply(&data(&replica), &snapshot(&primary), &narrowed("incident")).unwrap();
    assert_eq!(replica.rows("SELECT * FROM incident"), primary.rows("SELECT * FROM incident"));
    assert!(replica.rows("SELECT * FROM monitor") == monitors && replica.rows("SELECT * FROM setting") == settings);
}

#[test]
fn a_setting_that_the_primary_leaves_out_stays() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-state2"));
    let narrow = Selection::parse(None, Some("-checkUpdate,-keepDataPeriodDays")).unwrap();
    let (facts, dump) = Database::open(&primary.database()).unwrap().dump(&narrow).unwrap();
    let wanted = decode(&encode(&facts, &dump, Vec::new(), None)).unwrap();
    apply(&data(&replica), &wanted, &ApplyRules::default()).unwrap();
    assert_eq!(replica.ask("SELECT value FROM setting WHERE key = 'checkUpdate'"), "\"false\"");
    assert_eq!(replica.ask("SELECT value FROM setting WHERE key = 'keepDataPeriodDays'"), "\"30\"");
}

#[test]
fn orphans_that_another_tool_left_are_cleaned_up() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    replica.run("INSERT INTO heartbeat (monitor_id, status, time) VALUES (4711, 1, 'x'), (4711, 1, 'y'), (-3, 0, 'z')");
    applied(&primary, &replica);
    assert_eq!(replica.ask("SELECT count(*) FROM heartbeat WHERE monitor_id NOT IN (SELECT id FROM monitor)"), "0");
}

#[test]
fn files_arrive_and_foreign_ones_stay() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    let put = |kuma: &Kuma, path: &str, text: &str| {
        let path = kuma.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let read = |path: &str| std::fs::read_to_string(replica.path().join(path)).unwrap();
    put(&primary, "upload/logo1.png", "logo");
    put(&primary, "upload/other.png", "nobody refers to it");
    put(&primary, "docker-tls/127.0.0.1/ca.pem", "ca");
    put(&replica, "upload/foreign.png", "mine");
    put(&replica, "upload/logo1.png", "old");
    let lines = applied(&primary, &replica).changes.lines();
    assert!(lines.contains(&"file upload/logo1.png changed (3 → 4 bytes)".to_owned()), "{lines:?}");
    assert!(lines.contains(&"file docker-tls/127.0.0.1/ca.pem added (2 bytes)".to_owned()), "{lines:?}");
    assert_eq!((read("upload/logo1.png"), read("upload/foreign.png")), ("logo".to_owned(), "mine".to_owned()));
    assert_eq!(read("docker-tls/127.0.0.1/ca.pem"), "ca");
    assert!(!replica.path().join("upload/other.png").exists());
    assert!(applied(&primary, &replica).changes.is_empty());
    put(&replica, "upload/logo1.png", "spoilt");
    assert_eq!(applied(&primary, &replica).changes.lines(), ["file upload/logo1.png changed (6 → 4 bytes)"]);
}

#[test]
fn a_refused_apply_leaves_the_files_alone() {
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    std::fs::create_dir(primary.path().join("upload")).unwrap();
    std::fs::write(primary.path().join("upload/logo1.png"), "logo").unwrap();
    replica.run("CREATE TRIGGER boom BEFORE INSERT ON monitor_tag BEGIN SELECT RAISE(ABORT, 'boom'); END");
    refused(&primary, &replica, &ApplyRules::default());
    assert!(!replica.path().join("upload").exists());
}

#[test]
fn a_log_that_a_killed_kuma_left_is_taken_up() {
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::live());
    let beats = "SELECT count(*) FROM heartbeat WHERE monitor_id NOT IN (9)";
    let kept: u64 = Kuma::live().ask(beats).parse().unwrap();
    applied(&primary, &replica);
    assert_eq!(replica.ask(beats), kept.to_string());
    assert_eq!(dump(&primary).digest(), dump(&replica).digest());
}

#[test]
fn whoever_has_the_database_open_is_named() {
    let Some([sqlite3]) = crate::support::peers::find(["sqlite3"]) else { return };
    let (primary, replica) = (Kuma::new("kuma-v2-state2"), Kuma::new("kuma-v2"));
    let mut other = std::process::Command::new(sqlite3)
        .arg(replica.database())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::{BufRead, Write};
    other.stdin.as_mut().unwrap().write_all(b"SELECT count(*) FROM monitor;\n").unwrap();
    let mut line = String::new();
    std::io::BufReader::new(other.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let error = refused(&primary, &replica, &ApplyRules::default()).to_string();
    assert!(error.contains(&format!("in use by process {} (", other.id())) && error.contains("sqlite3"), "{error}");
    drop(other.stdin.take());
    other.wait().unwrap();
    applied(&primary, &replica);
}
