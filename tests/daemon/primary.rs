//! A primary publishes what changes, and asks for nothing otherwise.

use std::time::Duration;

use replicator_kuma::backend::Backend;
use replicator_kuma::format::FileType;
use replicator_kuma::replicate::Role;

use crate::support::daemon::{Daemon, init, options};
use crate::support::kuma::Kuma;

#[tokio::test]
async fn an_edit_is_published_in_words_and_heartbeats_are_not() {
    let (kuma, backend) = (Kuma::new("kuma-v2"), Backend::memory());
    let repository = init(&backend).await;
    let mut daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    daemon.until("published the configuration as snapshot").await;
    kuma.run("UPDATE monitor SET interval = 30 WHERE id = 7");
    let told = daemon.until("published 1 change as snapshot").await;
    assert!(told.contains(&r#"monitor 7 "007": interval 60 → 30"#.to_owned()), "{told:?}");
    backend.forget_calls();
    for _ in 0..5 {
        kuma.run("INSERT INTO heartbeat (monitor_id, status, time) VALUES (7, 1, '2026-11-23 12:00:00')");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(backend.calls(), [], "an unchanged primary makes no request");
    assert_eq!(daemon.stop().await, ["stopped"]);
    assert_eq!(repository.snapshots().await.unwrap().len(), 2);
    assert_eq!(repository.list(FileType::Lock).await.unwrap(), []);
}

#[tokio::test]
async fn a_restart_costs_one_look_and_publishes_nothing() {
    let (kuma, backend) = (Kuma::new("kuma-v2"), Backend::memory());
    let repository = init(&backend).await;
    let mut daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    daemon.until("published").await;
    daemon.stop().await;
    backend.forget_calls();
    let daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    tokio::time::sleep(Duration::from_millis(500)).await;
    daemon.stop().await;
    let requests: Vec<String> = backend.calls().iter().map(|call| call.operation.to_string()).collect();
    // config, the keys, the key, the snapshots, and the one that is there.
    assert_eq!(requests, ["read", "list", "read", "list", "read"]);
    assert_eq!(repository.snapshots().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_edited_while_the_daemon_was_down_is_published_when_it_is_back() {
    let (kuma, backend) = (Kuma::new("kuma-v2"), Backend::memory());
    init(&backend).await;
    let mut daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    daemon.until("published").await;
    daemon.stop().await;
    kuma.run("UPDATE monitor SET interval = 30 WHERE id = 7");
    let mut daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    daemon.until("published 1 change").await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_missing_repository_is_made_once_and_never_in_the_place_of_one_that_is_gone() {
    let (kuma, backend) = (Kuma::new("kuma-v2"), Backend::memory());
    let mut daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    let told = daemon.until("published").await;
    assert!(told.iter().any(|line| line.contains("made a new one")), "{told:?}");
    daemon.stop().await;
    backend.delete(&replicator_kuma::format::FileHandle::CONFIG).await.unwrap();
    let mut daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    kuma.run("UPDATE monitor SET interval = 30 WHERE id = 7");
    daemon.until("no repository").await;
    daemon.stop().await;
    assert!(!backend.exists(&replicator_kuma::format::FileHandle::CONFIG).await.unwrap());
}

#[tokio::test]
async fn trouble_is_told_and_its_end_is_told_once() {
    let (kuma, backend) = (Kuma::new("kuma-v2"), Backend::memory());
    init(&backend).await;
    std::fs::rename(kuma.database(), kuma.path().join("away")).unwrap();
    let mut daemon = Daemon::start(&backend, options(Role::Primary, &kuma));
    daemon.until("cannot read the database").await;
    std::fs::rename(kuma.path().join("away"), kuma.database()).unwrap();
    daemon.until("recovered: could not read the database").await;
    daemon.until("published").await;
    daemon.stop().await;
}
