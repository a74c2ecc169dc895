//! What is published is applied, once, and nothing for nothing.

use crate::support::kuma::Kuma;
use crate::support::pair::Pair;

#[tokio::test]
async fn a_replica_follows_edit_by_edit() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    let first = pair.publish().await;
    assert!(first.changed && first.snapshot.is_some() && first.parent.is_none());
    assert!(!pair.apply().await.changes.is_empty());
    assert!(pair.is_equal());
    pair.primary.run("UPDATE monitor SET interval = 30 WHERE id = 7");
    let second = pair.publish().await;
    assert_eq!(second.changes.lines(), [r#"monitor 7 "007": interval 60 → 30"#]);
    assert_eq!(second.parent, first.snapshot);
    assert_eq!(pair.plan().await.changes.lines(), [r#"monitor 7 "007": interval 60 → 30"#]);
    assert!(!pair.is_equal(), "a plan changes nothing");
    assert_eq!(pair.apply().await.changes.lines(), [r#"monitor 7 "007": interval 60 → 30"#]);
    assert!(pair.is_equal());
}

#[tokio::test]
async fn v1_follows_v1() {
    let mut pair = Pair::new("kuma-v1", "kuma-v1-fresh").await;
    pair.publish().await;
    pair.apply().await;
    pair.primary = Kuma::new("kuma-v1-state2");
    assert!(pair.publish().await.changes.count() > 30);
    pair.apply().await;
    assert!(pair.is_equal());
}

#[tokio::test]
async fn d10_nothing_is_published_for_what_kuma_rewrites_by_itself() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.primary.run(
        "UPDATE monitor SET dns_last_result = 'x'; UPDATE maintenance SET last_start_date = '2031-01-01';
         UPDATE user SET twofa_last_token = '123456'; UPDATE setting SET value = '\"x\"' WHERE key = 'primaryBaseURL';
         INSERT INTO heartbeat (monitor_id, status, time) VALUES (7, 1, '2026-11-23 12:00:00')",
    );
    let again = pair.publish().await;
    assert!(!again.changed && again.snapshot.is_none());
    assert_eq!(pair.snapshots().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_published_for_new_ids_of_link_rows() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.primary.run("UPDATE monitor_notification SET id = id + 100; UPDATE monitor_group SET id = id + 100");
    let again = pair.publish().await;
    assert!(!again.changed && again.snapshot.is_none(), "{:?}", again.changes.lines());
}

#[tokio::test]
async fn d9_the_first_snapshot_lies_where_later_ones_lie() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.primary.run("DELETE FROM incident");
    pair.publish().await;
    for (_, snapshot) in pair.repository.snapshots().await.unwrap() {
        assert_eq!(snapshot.paths, ["/backup/current"]);
        let index = pair.repository.load_index().await.unwrap();
        let folder = pair.repository.find_subfolder(&index, snapshot.tree, "/backup/current").await.unwrap();
        let names: Vec<_> =
            pair.repository.load_tree(&index, folder).await.unwrap().nodes.into_iter().map(|node| node.name).collect();
        assert_eq!(names, [b"backup.sql".to_vec(), b"manifest.json".to_vec()]);
    }
}

#[tokio::test]
async fn any_older_snapshot_can_be_applied() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    let first = pair.publish().await.snapshot.unwrap();
    pair.primary.run("UPDATE monitor SET name = 'new' WHERE id = 7; DELETE FROM incident");
    pair.publish().await;
    pair.apply().await;
    let older = replicator_kuma::replicate::ApplyOptions { snapshot: first.short(), ..pair.apply_options() };
    let back = pair.try_apply(&older).await.unwrap();
    assert_eq!(back.snapshot, first);
    assert_eq!(back.changes.count(), 4, "{:?}", back.changes.lines());
    assert_eq!(pair.replica.ask("SELECT name FROM monitor WHERE id = 7"), "\"007\"");
}

#[tokio::test]
async fn d15_a_new_process_applies_nothing_again() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.apply().await;
    let before = std::fs::read(pair.replica.database()).unwrap();
    // Nothing is remembered between two calls: this is what a new process does.
    assert!(pair.apply().await.changes.is_empty());
    assert!(before == std::fs::read(pair.replica.database()).unwrap());
}

#[tokio::test]
async fn logos_travel_and_a_missing_one_is_told() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    let first = pair.publish().await;
    assert_eq!(first.warnings, ["upload/logo1.png is missing, although a status page refers to it"]);
    std::fs::create_dir(pair.primary.path().join("upload")).unwrap();
    let logo = std::fs::read(crate::support::fixtures::path("kuma/upload-v2/logo1.png")).unwrap();
    std::fs::write(pair.primary.path().join("upload/logo1.png"), &logo).unwrap();
    let second = pair.publish().await;
    assert_eq!(second.changes.lines(), ["file upload/logo1.png added (79 bytes)"]);
    pair.apply().await;
    assert_eq!(std::fs::read(pair.replica.path().join("upload/logo1.png")).unwrap(), logo);
    assert!(!pair.publish().await.changed);
    assert!(pair.apply().await.changes.is_empty());
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.primary.run("UPDATE monitor SET interval = 30 WHERE id = 7");
    pair.requests();
    let options = replicator_kuma::replicate::PublishOptions { dry_run: true, ..pair.publish_options() };
    let report = replicator_kuma::replicate::publish(&pair.repository, &options).await.unwrap();
    assert!(report.changed && report.snapshot.is_none());
    assert_eq!(report.changes.lines(), [r#"monitor 7 "007": interval 60 → 30"#]);
    assert!(!pair.requests().iter().any(|request| request.starts_with("write")));
}

#[tokio::test]
async fn two_primaries_on_one_repository_are_told_of() {
    let mut pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.primary = Kuma::new("kuma-v2-upgraded-from-v1");
    let warnings = pair.publish().await.warnings;
    assert!(warnings.iter().any(|warning| warning.contains("two primaries")), "{warnings:?}");
}
