//! What cannot be applied: the error names the thing, nothing is changed, and nothing is taken for done.

use replicator_kuma::kuma::{Database, KumaError, Selection, encode};
use replicator_kuma::replicate::{ApplyOptions, ReplicateError};

use crate::support::pair::{Pair, store};

/// Applies and returns the error; the replica must be as it was.
async fn refused(pair: &Pair, options: &ApplyOptions) -> ReplicateError {
    let before = std::fs::read(pair.replica.database()).unwrap();
    let error = pair.try_apply(options).await.expect_err("it is refused");
    assert!(before == std::fs::read(pair.replica.database()).unwrap(), "a refused apply changed the database: {error}");
    error
}

/// The error's text with that of its sources, as an operator sees it.
fn told(error: &ReplicateError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The files of a snapshot of the primary.
fn files(pair: &Pair) -> (String, Vec<u8>, String) {
    let database = Database::open(&pair.primary.database()).unwrap();
    let (facts, dump) = database.dump(&Selection::default()).unwrap();
    let mut files = encode(&facts, &dump, Vec::new(), None);
    let manifest = String::from_utf8(files.pop().unwrap().bytes).unwrap();
    (String::from_utf8(files.pop().unwrap().bytes).unwrap(), Vec::new(), manifest)
}

#[tokio::test]
async fn an_empty_repository_says_what_to_do() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    let error = refused(&pair, &pair.apply_options()).await;
    assert!(matches!(error, ReplicateError::NothingPublished), "{error}");
    assert!(told(&error).contains("`publish` on the primary"));
}

#[tokio::test]
async fn a_snapshot_of_something_else_is_named() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    let id = store(&pair.repository, "/home", &[("home/notes.txt", b"x")]).await;
    let error = refused(&pair, &ApplyOptions { snapshot: id.to_string(), ..pair.apply_options() }).await;
    assert!(
        matches!(&error, ReplicateError::Snapshot { source, .. } if matches!(**source, KumaError::NoDump)),
        "{error}"
    );
    assert!(told(&error).contains(&id.short()));
    // The newest snapshot of the repository is not the newest of ours.
    assert!(!pair.apply().await.changes.is_empty());
}

#[tokio::test]
async fn an_altered_dump_is_refused_whatever_was_altered() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    let (sql, _, manifest) = files(&pair);
    let put = |sql: String, manifest: String| {
        let repository = pair.repository.clone();
        async move {
            let files =
                [("backup/current/backup.sql", sql.as_bytes()), ("backup/current/manifest.json", manifest.as_bytes())];
            store(&repository, "/backup/current", &files).await.to_string()
        }
    };
    let ended_by = |statement: &str| format!("{}{statement};\nCOMMIT;\n", sql.strip_suffix("COMMIT;\n").unwrap());
    let insert = "INSERT INTO \"tag\" (\"id\",\"name\",\"color\",\"created_date\") VALUES (99,'x','x','x')";
    let cases = [
        (sql.replace("'prod'", "'evil'"), manifest.clone(), "table tag is not what the manifest says"),
        (ended_by(insert), manifest.clone(), "7 rows, the manifest says 6"),
        (sql[..sql.len() / 2].to_owned(), manifest.clone(), "backup.sql"),
        (ended_by("ATTACH '/tmp/x' AS x"), manifest.clone(), "no statement of a dump"),
        (ended_by("INSERT INTO sqlite_schema VALUES (1,2,3,4,5)"), manifest.clone(), "was not run"),
        (sql.clone(), manifest.replace("\"format_version\": 1", "\"format_version\": 2"), "newer than this program"),
        (sql.clone(), "{}".to_owned(), "manifest.json"),
        (sql.clone(), manifest.replace("\"replicator-kuma\"", "\"other\""), "another program"),
    ];
    for (sql, manifest, expected) in cases {
        let id = put(sql, manifest).await;
        let error = refused(&pair, &ApplyOptions { snapshot: id, ..pair.apply_options() }).await;
        assert!(told(&error).contains(expected), "{expected}\n{}", told(&error));
    }
    let id = put(sql, manifest).await;
    assert!(pair.try_apply(&ApplyOptions { snapshot: id, ..pair.apply_options() }).await.is_ok());
}

#[tokio::test]
async fn a_path_in_a_snapshot_cannot_leave_the_data_directory() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    let (sql, _, manifest) = files(&pair);
    for path in ["../escaped", "upload/../../escaped", "/tmp/escaped", "kuma.db", "upload/a/b"] {
        let file = format!("\"files\": [{{\"path\": \"{path}\", \"size_bytes\": 1, \"sha256\": \"00\"}}]");
        let manifest = manifest.replace("\"files\": []", &file);
        let files =
            [("backup/current/backup.sql", sql.as_bytes()), ("backup/current/manifest.json", manifest.as_bytes())];
        let id = store(&pair.repository, "/backup/current", &files).await.to_string();
        let error = refused(&pair, &ApplyOptions { snapshot: id, ..pair.apply_options() }).await;
        assert!(told(&error).contains("no file of Kuma's configuration has such a path"), "{path}: {}", told(&error));
    }
}

#[tokio::test]
async fn d2_an_apply_that_failed_is_not_taken_for_done() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.replica.run("CREATE TRIGGER boom BEFORE INSERT ON monitor_tag BEGIN SELECT RAISE(ABORT, 'boom'); END");
    let error = refused(&pair, &pair.apply_options()).await;
    assert!(told(&error).contains("boom"), "{}", told(&error));
    pair.replica.run("DROP TRIGGER boom");
    assert!(!pair.apply().await.changes.is_empty());
    assert!(pair.is_equal());
}

#[tokio::test]
async fn a_newest_snapshot_that_is_damaged_does_not_stop_the_primary() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    let (sql, _, _) = files(&pair);
    store(&pair.repository, "/backup/current", &[("backup/current/backup.sql", sql.as_bytes())]).await;
    let report = pair.publish().await;
    assert!(report.snapshot.is_some() && report.warnings.iter().any(|it| it.contains("cannot be told")), "{report:?}");
}
