//! What the old shell loops stored can be read and applied.

use std::process::Command;

use replicator_kuma::kuma::{ApplyRules, DataDir, KumaError, SnapshotFile, Value, apply, decode, diff};

use super::dump::dump;
use crate::support::kuma::Kuma;
use crate::support::peers;

const V1_TABLES: [&str; 12] = [
    "monitor",
    "monitor_tag",
    "tag",
    "monitor_notification",
    "notification",
    "monitor_group",
    "group",
    "status_page",
    "monitor_maintenance",
    "maintenance",
    "maintenance_status_page",
    "incident",
];

fn file(path: &str, text: &str) -> SnapshotFile {
    SnapshotFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
}

/// The v1 loop's snapshot: sqlite3's own `.dump`.
fn v1(kuma: &Kuma) -> Option<Vec<SnapshotFile>> {
    let [sqlite3] = peers::find(["sqlite3"])?;
    let output =
        Command::new(sqlite3).arg(kuma.database()).arg(format!(".dump {}", V1_TABLES.join(" "))).output().unwrap();
    assert!(output.status.success());
    Some(vec![SnapshotFile { path: "backup.sql".to_owned(), bytes: output.stdout }])
}

#[test]
fn a_dump_of_the_v1_loop_is_read_exactly() {
    for name in ["kuma-v1", "kuma-v1-state2", "kuma-v2"] {
        let kuma = Kuma::new(name);
        let Some(files) = v1(&kuma) else { return };
        let decoded = decode(&files).unwrap();
        assert_eq!(decoded.dump.tables.len(), V1_TABLES.len(), "{name}");
        let difference = diff(&decoded.dump, &dump(&kuma));
        assert!(difference.is_empty(), "{name}: {:#?}", difference.lines());
    }
}

#[test]
fn a_replica_can_follow_the_v1_loop() {
    let (primary, replica) = (Kuma::new("kuma-v1"), Kuma::new("kuma-v1-fresh"));
    primary.run("UPDATE monitor SET proxy_id = NULL, docker_host = NULL");
    let Some(files) = v1(&primary) else { return };
    let data = DataDir::find(Some(replica.path()), None).unwrap();
    let user = replica.ask("SELECT username FROM user");
    apply(&data, &decode(&files).unwrap(), &ApplyRules::default()).unwrap();
    assert_eq!(replica.rows("SELECT id, name FROM monitor"), primary.rows("SELECT id, name FROM monitor"));
    assert_eq!(replica.ask("SELECT username FROM user"), user);
    assert!(apply(&data, &decode(&files).unwrap(), &ApplyRules::default()).unwrap().changes.is_empty());
}

#[test]
fn a_tree_of_the_v2_loop_is_read() {
    let truncates = "DELETE FROM `monitor_tag`;\nDELETE FROM `monitor`;\nDELETE FROM `incident`;\nDELETE FROM `tag`;";
    let monitors = "INSERT INTO `monitor` (`id`, `name`, `interval`, `dns_last_result`) VALUES (7, 'it''s;\n007', 60, 'x');\n\
                    INSERT INTO `monitor` (`id`, `name`) VALUES (8, '');";
    let decoded = decode(&[
        file("sql_statements/replicatorkuma_truncates.sql", truncates),
        file("sql_statements/monitor.sql", monitors),
        file("sql_statements/tag.sql", "-- No non-empty values found for this row"),
        file("sqlite_exports/monitor.csv", "id,name,interval,description\n7,a,60,null\n"),
        file("le_sql_statements/monitor.sql", monitors),
    ])
    .unwrap();
    let monitors = decoded.dump.table("monitor").unwrap();
    assert_eq!(monitors.columns, ["id", "name", "interval", "description"]);
    assert_eq!(monitors.value(&monitors.rows[0], "name").as_text(), Some("it's;\n007"));
    assert_eq!(*monitors.value(&monitors.rows[1], "interval"), Value::Null);
    assert!(decoded.dump.table("incident").unwrap().rows.is_empty(), "emptied");
    assert!(decoded.dump.table("proxy").is_none(), "not spoken of");
}

#[test]
fn an_emptied_table_of_the_v2_loop_empties_the_replicas() {
    let replica = Kuma::new("kuma-v2");
    let data = DataDir::find(Some(replica.path()), None).unwrap();
    let truncates = "DELETE FROM `incident`;\nDELETE FROM `maintenance_status_page`;";
    let decoded = decode(&[file("sql_statements/replicatorkuma_truncates.sql", truncates)]).unwrap();
    apply(&data, &decoded, &ApplyRules::default()).unwrap();
    assert_eq!(
        replica.ask("SELECT (SELECT count(*) FROM incident) + (SELECT count(*) FROM maintenance_status_page)"),
        "0"
    );
    assert_eq!(replica.ask("SELECT count(*) FROM monitor"), "65");
}

#[test]
fn an_old_dump_can_do_no_more_than_insert() {
    let define = "CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT);\n";
    for hostile in [
        "INSERT INTO tag VALUES (1, readfile('/etc/passwd'));",
        "INSERT INTO tag SELECT 1, sql FROM sqlite_schema;",
        "SELECT 1;",
        "ATTACH '/tmp/x' AS x;",
    ] {
        let error = decode(&[file("backup.sql", &format!("{define}{hostile}"))]).unwrap_err();
        assert!(matches!(error, KumaError::BadDump { .. }), "{hostile}: {error}");
    }
    let computed = "CREATE TABLE tag AS SELECT load_extension('x');";
    assert!(decode(&[file("backup.sql", computed)]).is_err());
    assert!(decode(&[file("backup.sql", "no sql at all")]).is_err());
    assert!(matches!(decode(&[file("notes.txt", "")]), Err(KumaError::NoDump)));
}
