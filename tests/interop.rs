//! Both ways with real restic: what either made the other lists, restores and finds whole, and both write
//! to one repository in turn. The unit of evidence is the id: the same folder gives the same tree, and adds
//! no blob.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::kuma::Kuma;
use crate::support::sample::Sample;
use crate::support::{Client, Repo, folder, peers, s3};

/// Where a repository is made.
#[derive(Clone, Copy, Debug)]
enum Place {
    Disk,
    Seaweed,
    Rclone,
}

impl Place {
    fn repo(self) -> Option<Repo> {
        match self {
            Self::Disk => Some(Repo::local()),
            Self::Seaweed => s3::seaweed().map(s3::S3::repo),
            Self::Rclone => s3::rclone().map(s3::S3::repo),
        }
    }
}

/// Both makers, both repository versions, in one place.
fn both_ways(version: &str, place: Place) {
    let Some(restic) = Client::restic(version) else { return };
    for repository_version in ["1", "2"] {
        for (maker, other) in [(Client::ours(), restic.clone()), (restic.clone(), Client::ours())] {
            let Some(repo) = place.repo() else { return };
            maker.run(&repo, ["init", "--repository-version", repository_version]).ok();
            share(&repo, &maker, &other);
        }
    }
}

/// One makes a snapshot; the other reads it, makes the same, and makes a new one that the first reads.
fn share(repo: &Repo, maker: &Client, other: &Client) {
    let sample = Sample::new();
    let first = backup(maker, repo, &sample);
    comes_back(other, repo, &sample);
    other.run(repo, ["check", "--read-data"]).ok();

    let again = backup(other, repo, &sample);
    assert_eq!(again.tree, first.tree, "{} then {}: the same folder, another tree", maker.name, other.name);
    assert_eq!(again.added, (0, 0), "{} added blobs of a folder that {} had stored", other.name, maker.name);

    sample.change();
    let changed = backup(other, repo, &sample);
    assert_ne!(changed.tree, first.tree);
    comes_back(maker, repo, &sample);
    let again = backup(maker, repo, &sample);
    assert_eq!((again.tree, again.added), (changed.tree, (0, 0)), "{} after {}", maker.name, other.name);
    maker.run(repo, ["check", "--read-data"]).ok();
}

struct Backup {
    tree: String,
    /// Data and tree blobs.
    added: (u64, u64),
}

fn backup(client: &Client, repo: &Repo, sample: &Sample) -> Backup {
    let lines = client.run_in(sample.parent(), repo, ["backup", "--json", "files"]).ok().json_lines();
    let summary = lines.iter().find(|line| line["message_type"] == "summary").expect("a summary");
    let count = |key: &str| summary[key].as_u64().unwrap_or_else(|| panic!("no {key} in {summary}"));
    let tree = newest(client, repo)["tree"].as_str().expect("a tree").to_owned();
    Backup { tree, added: (count("data_blobs"), count("tree_blobs")) }
}

fn newest(client: &Client, repo: &Repo) -> Value {
    let snapshots = client.run(repo, ["snapshots", "--json"]).ok().json();
    snapshots.as_array().and_then(|list| list.last()).expect("a snapshot").clone()
}

/// The newest snapshot, restored, equals the folder in every entry, name, time and byte.
fn comes_back(client: &Client, repo: &Repo, sample: &Sample) {
    let target = tempfile::tempdir().expect("a temporary folder");
    client.run(repo, ["restore", "latest", "--target", text(target.path())]).ok();
    let mut restored = folder::entries(&target.path().join("files"));
    let mut wanted = folder::entries(&sample.files());
    assert_eq!(restored.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    while let (Some((path, restored)), Some((_, wanted))) = (restored.pop_first(), wanted.pop_first()) {
        assert_eq!(restored, wanted, "{} restored {} otherwise", client.name, path.display());
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

macro_rules! both_ways {
    ($($name:ident: $version:literal, $place:ident;)*) => { $(#[test] fn $name() { both_ways($version, Place::$place); })* };
}

both_ways! {
    restic_0_14_on_disk: "0.14", Disk;
    restic_0_18_on_disk: "0.18", Disk;
    restic_0_19_on_disk: "0.19", Disk;
    restic_0_14_on_seaweed: "0.14", Seaweed;
    restic_0_18_on_seaweed: "0.18", Seaweed;
    restic_0_19_on_seaweed: "0.19", Seaweed;
    restic_0_14_on_rclone: "0.14", Rclone;
    restic_0_18_on_rclone: "0.18", Rclone;
    restic_0_19_on_rclone: "0.19", Rclone;
}

#[test]
fn a_key_added_by_either_opens_for_the_other() {
    for version in ["0.14", "0.19"] {
        let Some(restic) = Client::restic(version) else { return };
        let ours = Client::ours();
        let repo = Repo::local();
        ours.run(&repo, ["init"]).ok();
        for (adder, opener, password) in [(&ours, &restic, "von uns ✓"), (&restic, &ours, "  by them  ")] {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), password).expect("a password");
            adder.run(&repo, ["key", "add", "--new-password-file", text(file.path())]).ok();
            // What a password file holds loses its blanks at both ends.
            let other = repo.with_password(password.trim());
            opener.run(&other, ["snapshots"]).ok();
            adder.run(&other, ["snapshots"]).ok();
        }
        for client in [&ours, &restic] {
            let keys = client.run(&repo, ["key", "list", "--json"]).ok().json();
            assert_eq!(keys.as_array().map(Vec::len), Some(3), "{}", client.name);
        }
        let keys = restic.run(&repo, ["key", "list", "--json"]).ok().json();
        let spare = keys.as_array().expect("a list").iter().find(|key| key["current"] == false).expect("a spare key");
        ours.run(&repo, ["key", "remove", spare["id"].as_str().expect("an id")]).ok();
        restic.run(&repo, ["check"]).ok();
    }
}

/// Publishes one Kuma, gives another its configuration by stock restic and sqlite3, and asks ourselves what is left to do.
fn comes_back_without_us(version: &str, place: Place, primary: &str, fresh: &str) {
    let (Some(restic), Some([sqlite3])) = (Client::restic(version), peers::find(["sqlite3"])) else { return };
    let Some(repo) = place.repo() else { return };
    let (primary, replica, ours) = (Kuma::new(primary), Kuma::new(fresh), Client::ours());
    ours.run(&repo, ["init"]).ok();
    ours.run(&repo, ["publish", "--data-dir", text(primary.path())]).ok();
    ours.run(&repo, ["plan", "--data-dir", text(replica.path())]).exits(2);

    let target = tempfile::tempdir().expect("a temporary folder");
    restic.run(&repo, ["restore", "latest", "--target", text(target.path())]).ok();
    let dump = File::open(target.path().join("backup/current/backup.sql")).expect("the dump");
    let loaded = Command::new(sqlite3).arg(replica.database()).stdin(dump).output().expect("sqlite3 runs");
    assert!(loaded.status.success() && loaded.stderr.is_empty(), "{}", String::from_utf8_lossy(&loaded.stderr));

    ours.run(&repo, ["plan", "--data-dir", text(replica.path())]).ok();
    restic.run(&repo, ["check", "--read-data"]).ok();
    let snapshot = newest(&restic, &repo);
    assert_eq!(snapshot["paths"], serde_json::json!(["/backup/current"]), "{snapshot}");
}

#[test]
fn a_published_configuration_comes_back_by_restic_and_sqlite3_alone() {
    comes_back_without_us("0.14", Place::Disk, "kuma-v1", "kuma-v1-fresh");
    comes_back_without_us("0.18", Place::Rclone, "kuma-v2", "kuma-v2-fresh");
    comes_back_without_us("0.19", Place::Seaweed, "kuma-v2-state2", "kuma-v2-fresh");
}
