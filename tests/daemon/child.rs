//! Kuma as the daemon's child: a stand-in that reads its monitors only when it starts, as Kuma does.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use replicator_kuma::backend::Backend;
use replicator_kuma::replicate::{Health, KumaOptions, KumaProcess, PublishOptions, Role, RunOptions, publish};
use replicator_kuma::repository::Repository;

use crate::support::daemon::{Daemon, init, options};
use crate::support::kuma::Kuma;
use crate::support::peers::skip;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fake_kuma.py");

/// A replica whose Kuma is a child; none, loudly, where there is no python3.
fn with_child(replica: &Kuma) -> Option<RunOptions> {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        skip("python3 not installed: it runs the stand-in of Kuma");
        return None;
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut options = options(Role::Replica, replica);
    let arguments = ["python3", SCRIPT, replica.path().to_str().unwrap(), &free.to_string()];
    options.process = KumaProcess::Child(arguments.iter().map(Into::into).collect());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free));
    options.replica.health = Health { address, is_tls: false, within: Duration::from_secs(5) };
    options.replica.restart_interval = Duration::ZERO;
    Some(options)
}

async fn published(repository: &Repository, kuma: &Kuma) {
    let kuma = KumaOptions { data_dir: Some(kuma.path().to_owned()), ..KumaOptions::default() };
    publish(repository, &PublishOptions { kuma, ..PublishOptions::default() }).await.unwrap();
}

/// What each start of the stand-in saw.
fn starts(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("starts")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn kuma_is_restarted_for_a_monitor_and_not_for_a_notification() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"), Backend::memory());
    let Some(options) = with_child(&replica) else { return };
    let repository = init(&backend).await;
    let mut daemon = Daemon::start(&backend, options);
    while starts(replica.path()).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    published(&repository, &primary).await;
    daemon.until("and restarted Kuma").await;
    assert_eq!(starts(replica.path()).len(), 2);
    primary.run("UPDATE notification SET name = 'new' WHERE id = 1");
    published(&repository, &primary).await;
    let told = daemon.until("applied 1 change").await;
    assert!(!told.last().unwrap().contains("restarted"), "{told:?}");
    primary.run("UPDATE monitor SET name = 'renamed' WHERE id = 7");
    published(&repository, &primary).await;
    daemon.until("and restarted Kuma").await;
    let starts = starts(replica.path());
    assert_eq!(starts.len(), 3);
    assert!(starts[2].contains("renamed"));
    daemon.stop().await;
    let ended = std::fs::read_to_string(replica.path().join("ended")).unwrap();
    assert_eq!(ended.lines().count(), 3, "each end was in order, the last one too");
}

#[tokio::test]
async fn what_kuma_does_not_come_up_with_is_put_back_and_not_tried_again() {
    for poison in ["crash", "mute"] {
        let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2"), Backend::memory());
        let Some(options) = with_child(&replica) else { return };
        let repository = init(&backend).await;
        published(&repository, &primary).await;
        let mut daemon = Daemon::start(&backend, options.clone());
        daemon.until("this Kuma is as snapshot").await;
        primary.run(&format!("UPDATE monitor SET name = '{poison}' WHERE id = 7"));
        published(&repository, &primary).await;
        let told = daemon.until("the configuration from before was put back").await;
        assert!(told.last().unwrap().contains("Kuma is up with it"), "{told:?}");
        assert_eq!(replica.ask("SELECT name FROM monitor WHERE id = 7"), "\"007\"");
        let before = starts(replica.path()).len();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(starts(replica.path()).len(), before, "it is not tried again");
        primary.run("UPDATE monitor SET name = 'good' WHERE id = 7");
        published(&repository, &primary).await;
        daemon.until("and restarted Kuma").await;
        daemon.stop().await;
    }
}

#[tokio::test]
async fn a_kuma_that_ends_by_itself_takes_the_daemon_with_it_and_its_exit_code_out() {
    let (replica, backend) = (Kuma::new("kuma-v2"), Backend::memory());
    let Some(options) = with_child(&replica) else { return };
    init(&backend).await;
    let address = options.replica.health.address;
    let mut daemon = Daemon::start(&backend, options);
    daemon.until("no snapshot to follow").await;
    let request = async {
        use tokio::io::AsyncWriteExt;
        loop {
            if let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
                stream.write_all(b"GET /exit HTTP/1.0\r\n\r\n").await.unwrap();
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), request).await.unwrap();
    assert_eq!(daemon.ended().await, Some(5));
}

#[tokio::test]
async fn commands_stop_and_start_kuma_and_an_apply_lies_between_them() {
    let (primary, replica, backend) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"), Backend::memory());
    let Some(mut options) = with_child(&replica) else { return };
    let KumaProcess::Child(words) = options.process else { unreachable!() };
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let (folder, kuma) = (replica.path().to_str().unwrap(), words.join(" "));
    let count = format!(
        "sqlite=$(python3 -c \"import sqlite3;print(sqlite3.connect('{folder}/kuma.db').execute('SELECT count(*) FROM monitor').fetchone()[0])\"); echo $sqlite >> {folder}/order"
    );
    options.process = KumaProcess::StopAndStart {
        stop: count.clone(),
        start: format!("{count}; {kuma} >/dev/null 2>&1 & echo $! > {folder}/pid"),
    };
    let repository = init(&backend).await;
    published(&repository, &primary).await;
    let mut daemon = Daemon::start(&backend, options);
    daemon.until("and restarted Kuma").await;
    daemon.stop().await;
    let order = std::fs::read_to_string(replica.path().join("order")).unwrap();
    assert_eq!(order.split_whitespace().collect::<Vec<_>>(), ["0", "65"]);
    let pid = std::fs::read_to_string(replica.path().join("pid")).unwrap();
    std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
}
