//! Locks between restic and us: each respects what the other holds, and removes only what the dead left.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use replicator_kuma::backend::{Backend, BackendOptions, Location};
use replicator_kuma::repository::{LockMode, OpenOptions, Password, Repository, RepositoryError};

use crate::support::{Client, Repo, fixtures, peers};

/// Runs `meanwhile` while this process holds a lock.
fn while_we_hold(mode: LockMode, repo: &Repo, meanwhile: impl FnOnce() + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // As our program does: `restic unlock` asks whether we live by a signal that would end us.
        let _hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).expect("a handler");
        let location = Location::parse(&repo.location).expect("a location");
        let backend = Backend::open(&location, &BackendOptions::default()).expect("a backend");
        let password = Password::new(repo.password.as_bytes());
        let open = Repository::open(backend, &password, OpenOptions::default()).await.expect("it opens");
        let held = open.locked(mode, Duration::ZERO, async {
            tokio::task::spawn_blocking(meanwhile).await.expect("nothing failed meanwhile");
            Ok::<_, RepositoryError>(())
        });
        held.await.expect("the lock was held to the end");
    });
}

/// A program that holds a shared lock: it backs up a pipe that nobody closes.
struct Holder {
    child: Child,
}

impl Holder {
    fn start(program: &Path, repo: &Repo) -> Self {
        let child = Command::new(program)
            .args(["--no-cache", "backup", "--stdin"])
            .env("RESTIC_REPOSITORY", &repo.location)
            .env("RESTIC_PASSWORD", &repo.password)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let holder = Self { child };
        let start = Instant::now();
        while locks(repo) == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "no lock was taken");
            std::thread::sleep(Duration::from_millis(20));
        }
        holder
    }

    /// Lets it finish: its lock goes.
    fn finish(mut self) {
        self.child.stdin.take().expect("a pipe").write_all(b"done").expect("it reads");
        assert!(self.child.wait().expect("it ends").success());
    }

    /// Kills it: its lock stays.
    fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }
}

fn locks(repo: &Repo) -> usize {
    fixtures::locks(Path::new(&repo.location))
}

fn fresh(maker: &Client) -> Repo {
    let repo = Repo::local();
    maker.run(&repo, ["init"]).ok();
    repo
}

#[test]
fn restic_keeps_out_while_we_hold_the_repository_alone() {
    for version in ["0.14", "0.18", "0.19"] {
        let Some(restic) = Client::restic(version) else { return };
        let repo = fresh(&Client::ours());
        let theirs = repo.with_password("geheim");
        while_we_hold(LockMode::Exclusive, &repo, move || {
            let refused = restic.run(&theirs, ["snapshots"]);
            assert_ne!(refused.code, Some(0), "{refused}");
            refused.says(&["locked exclusively", &format!("PID {}", std::process::id())]);
        });
        assert_eq!(locks(&repo), 0, "our lock was released");
    }
}

#[test]
fn restic_may_add_but_not_remove_while_we_share() {
    let Some(restic) = Client::restic("0.19") else { return };
    let repo = fresh(&Client::ours());
    let theirs = repo.with_password("geheim");
    while_we_hold(LockMode::Shared, &repo, move || {
        restic.run(&theirs, ["backup", "/etc/hostname"]).ok();
        restic.run(&theirs, ["prune"]).exits(11);
        // A lock of the living is not stale.
        restic.run(&theirs, ["unlock"]).ok();
        restic.run(&theirs, ["prune"]).exits(11);
    });
    Client::ours().run(&repo, ["check"]).ok();
}

#[test]
fn we_may_add_but_not_check_while_restic_shares() {
    for version in ["restic-0.14", "restic-0.19"] {
        let Some([program]) = peers::find([version]) else { return };
        let ours = Client::ours();
        let repo = fresh(&ours);
        let holder = Holder::start(&program, &repo);
        ours.run(&repo, ["snapshots"]).ok();
        ours.run(&repo, ["backup", "/etc/hostname"]).ok();
        ours.run(&repo, ["check"]).exits(11).says(&["locked", &holder.child.id().to_string()]);
        ours.run(&repo, ["unlock"]).ok();
        assert_eq!(locks(&repo), 1, "a lock of the living was removed");
        holder.finish();
        ours.run(&repo, ["check"]).ok();
    }
}

#[test]
fn locks_of_the_killed_are_removed_by_the_other() {
    let (Some([theirs]), Some(restic)) = (peers::find(["restic-0.19"]), Client::restic("0.19")) else { return };
    let ours = Client::ours();
    let repo = fresh(&ours);
    Holder::start(&theirs, &repo).kill();
    ours.run(&repo, ["check"]).exits(11);
    ours.run(&repo, ["unlock"]).ok();
    ours.run(&repo, ["check"]).ok();

    Holder::start(Path::new(env!("CARGO_BIN_EXE_replicator-kuma")), &repo).kill();
    restic.run(&repo, ["check"]).exits(11);
    restic.run(&repo, ["unlock"]).ok();
    restic.run(&repo, ["check"]).ok();
}
