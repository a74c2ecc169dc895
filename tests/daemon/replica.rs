//! A replica follows, at one request a poll, and keeps its hands off what looks like a mistake.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use replicator_kuma::backend::Backend;
use replicator_kuma::kuma::{Database, Selection};
use replicator_kuma::replicate::{
    ApplyOptions, KumaOptions, PublishOptions, PublishReport, Role, apply_saved, publish,
};
use replicator_kuma::repository::Repository;

use crate::support::daemon::{Daemon, init, options};
use crate::support::kuma::Kuma;

fn kuma_options(kuma: &Kuma) -> KumaOptions {
    KumaOptions { data_dir: Some(kuma.path().to_owned()), ..KumaOptions::default() }
}

async fn published(repository: &Repository, kuma: &Kuma) -> PublishReport {
    publish(repository, &PublishOptions { kuma: kuma_options(kuma), ..PublishOptions::default() }).await.unwrap()
}

fn digest(kuma: &Kuma) -> String {
    let dump = Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap().1;
    dump.digest().to_string()
}

fn saves(kuma: &Kuma) -> Vec<PathBuf> {
    let folder = kuma.path().join("replicator-kuma-saved");
    let mut saves: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    saves.sort();
    saves
}

#[tokio::test]
async fn a_replica_follows_and_asks_once_a_poll() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"), Backend::memory());
    let repository = init(&backend).await;
    published(&repository, &primary).await;
    let mut daemon = Daemon::start(&backend, options(Role::Replica, &replica));
    let told = daemon.until("restart Kuma to take it up").await;
    assert!(told.iter().any(|line| line.starts_with("applied ")), "{told:?}");
    assert_eq!(digest(&primary), digest(&replica));
    primary.run("UPDATE notification SET name = 'new' WHERE id = 1");
    published(&repository, &primary).await;
    let told = daemon.until("applied 1 change").await;
    assert!(told.iter().any(|line| line.contains("notification 1")), "{told:?}");
    backend.forget_calls();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let calls = backend.calls();
    let requests: Vec<String> = calls.iter().map(|call| format!("{} {}", call.operation, call.path)).collect();
    assert!(!requests.is_empty() && requests.iter().all(|request| request == "list snapshots"), "{requests:?}");
    assert_eq!(daemon.stop().await, ["stopped"]);
}

#[tokio::test]
async fn a_restart_applies_nothing_again_even_if_it_was_edited_here() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"), Backend::memory());
    let repository = init(&backend).await;
    published(&repository, &primary).await;
    let mut daemon = Daemon::start(&backend, options(Role::Replica, &replica));
    daemon.until("(undo: ").await;
    daemon.stop().await;
    replica.run("UPDATE monitor SET interval = 99 WHERE id = 7");
    let daemon = Daemon::start(&backend, options(Role::Replica, &replica));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = daemon.stop().await;
    assert_eq!(told.len(), 2, "started and stopped: {told:?}");
    assert_eq!(replica.ask("SELECT interval FROM monitor WHERE id = 7"), "99");
}

#[tokio::test]
async fn what_was_here_before_is_saved_and_one_command_brings_it_back() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"), Backend::memory());
    let before = digest(&replica);
    let repository = init(&backend).await;
    published(&repository, &primary).await;
    let mut wanted = options(Role::Replica, &replica);
    wanted.replica.keep_saved = 2;
    let mut daemon = Daemon::start(&backend, wanted);
    daemon.until("(undo: ").await;
    let first = saves(&replica)[0].clone();
    let sql = first.join("backup.sql");
    assert_eq!(std::fs::metadata(&sql).unwrap().permissions().mode() & 0o777, 0o600);
    let back = ApplyOptions { kuma: kuma_options(&replica), while_running: true, ..ApplyOptions::default() };
    apply_saved(&sql, &back).await.unwrap();
    assert_eq!(digest(&replica), before);
    for interval in [31, 32, 33] {
        primary.run(&format!("UPDATE monitor SET interval = {interval} WHERE id = 7"));
        published(&repository, &primary).await;
        daemon.until("(undo: ").await;
    }
    daemon.stop().await;
    assert_eq!(saves(&replica).len(), 2, "only the last two are kept");
    assert_eq!(digest(&primary), digest(&replica));
}

#[tokio::test]
async fn a_mass_delete_is_held_back_until_it_is_allowed() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2"), Backend::memory());
    let repository = init(&backend).await;
    primary.run("PRAGMA foreign_keys = ON; DELETE FROM monitor WHERE id > 20");
    published(&repository, &primary).await;
    let before = digest(&replica);
    let mut daemon = Daemon::start(&backend, options(Role::Replica, &replica));
    daemon.until("monitors would be deleted").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told = daemon.stop().await;
    assert_eq!(told, ["stopped"], "it is said once");
    assert_eq!(digest(&replica), before);
    let mut allowed = options(Role::Replica, &replica);
    allowed.replica.allow_mass_delete = true;
    let mut daemon = Daemon::start(&backend, allowed);
    daemon.until("(undo: ").await;
    daemon.stop().await;
    assert_eq!(digest(&primary), digest(&replica));
}

#[tokio::test]
async fn another_version_of_kuma_is_held_back_with_the_reason() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2.0.2-fresh"), Backend::memory());
    let repository = init(&backend).await;
    published(&repository, &primary).await;
    let mut daemon = Daemon::start(&backend, options(Role::Replica, &replica));
    let told = daemon.until("is held back").await;
    assert!(told.last().unwrap().contains("different versions of Kuma"), "{told:?}");
    backend.forget_calls();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        backend.calls().iter().all(|call| call.path == "snapshots"),
        "what was read is kept: {:?}",
        backend.calls()
    );
    daemon.stop().await;
}

#[tokio::test]
async fn local_proxies_and_browsers_are_kept_where_that_is_asked_for() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"), Backend::memory());
    primary.run("UPDATE monitor SET proxy_id = NULL, remote_browser = NULL");
    replica.run("INSERT INTO remote_browser (name, url, user_id) VALUES ('local', 'ws://localhost', 1)");
    let repository = init(&backend).await;
    published(&repository, &primary).await;
    let mut own = options(Role::ReplicaKeepingLocal, &replica);
    own.kuma.keep_local = vec!["proxy".to_owned(), "remote_browser".to_owned()];
    let mut daemon = Daemon::start(&backend, own);
    daemon.until("(undo: ").await;
    daemon.stop().await;
    assert_eq!(replica.ask("SELECT count(*) FROM proxy"), "0");
    assert_eq!(replica.ask("SELECT name FROM remote_browser"), "\"local\"");
    assert_eq!(replica.ask("SELECT count(*) FROM monitor"), primary.ask("SELECT count(*) FROM monitor"));
}
