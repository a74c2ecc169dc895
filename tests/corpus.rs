//! Repositories made by real restic, read by us: every snapshot listed, every byte checked, every entry
//! of the newest restored as restic restored it.

use crate::support::fixtures::Unpacked;
use crate::support::manifest::Manifest;
use crate::support::{Client, Repo};

/// Restores the newest snapshot and compares it with what restic made of it.
fn comes_back_as_restic_restored_it(name: &str, password: &str) {
    let unpacked = Unpacked::new(name);
    let (ours, repo) = (Client::ours(), unpacked.repo(password));
    let manifest = Manifest::new(name);

    let listed = ours.run(&repo, ["snapshots", "--json"]).ok().json();
    let ids: Vec<&str> =
        listed.as_array().expect("a list").iter().filter_map(|snapshot| snapshot["id"].as_str()).collect();
    assert_eq!(ids, manifest.snapshots, "{name}: the snapshots, oldest first");
    assert_eq!(listed[ids.len() - 1]["tree"], manifest.tree.as_str());

    let target = tempfile::tempdir().expect("a temporary folder");
    let target_text = target.path().to_str().expect("UTF-8");
    ours.run(&repo, ["restore", &manifest.snapshot, "--target", target_text]).ok();
    let differences = manifest.differences(target.path());
    assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
}

/// All of that, and every byte read and found whole.
fn is_whole(name: &str) {
    comes_back_as_restic_restored_it(name, "geheim");
    let unpacked = Unpacked::new(name);
    Client::ours().run(&unpacked.repo("geheim"), ["check", "--read-data"]).ok();
}

#[test]
fn a_repository_of_version_1() {
    is_whole("v1-basic");
}

#[test]
fn a_repository_of_version_2_and_one_with_most_compression() {
    is_whole("base");
    is_whole("v2-auto");
    is_whole("v2-max");
}

#[test]
fn a_repository_that_went_from_version_1_to_2() {
    is_whole("migrated");
}

#[test]
fn a_repository_that_three_versions_wrote() {
    is_whole("three-versions");
}

#[test]
fn the_same_blobs_in_different_packs() {
    is_whole("duplicate-packs");
}

#[test]
fn names_of_any_bytes() {
    is_whole("names");
}

#[test]
fn every_type_of_node_and_its_metadata() {
    is_whole("metadata");
}

#[test]
fn targets_of_every_form() {
    is_whole("targets");
}

#[test]
fn a_repository_that_rustic_made() {
    is_whole("rustic-made");
}

#[test]
fn what_the_shell_loop_left() {
    is_whole("kuma-v2style");
}

#[test]
fn a_repository_without_snapshots() {
    let unpacked = Unpacked::new("empty");
    let repo = unpacked.repo("geheim");
    assert_eq!(Client::ours().run(&repo, ["snapshots", "--json"]).ok().json(), serde_json::json!([]));
    Client::ours().run(&repo, ["check", "--read-data"]).ok();
    Client::ours().run(&repo, ["restore", "latest", "--target", "/nowhere"]).exits(1).says(&["no snapshot"]);
}

#[test]
fn every_key_opens_and_no_other_password_does() {
    let unpacked = Unpacked::new("keys");
    for password in ["first password", "zweites Pässwort ✓", "third-é"] {
        Client::ours().run(&unpacked.repo(password), ["snapshots"]).ok();
    }
    for password in ["first password ", "zweites Passwort ✓", "third-é  "] {
        Client::ours().run(&unpacked.repo(password), ["snapshots"]).exits(12);
    }
    comes_back_as_restic_restored_it("keys", "first password");
}

#[test]
fn keys_with_unusual_scrypt_parameters_open() {
    let unpacked = Unpacked::new("keys-foreign-scrypt");
    for password in ["geheim", "small-n", "r-one", "p-nine"] {
        Client::ours().run(&unpacked.repo(password), ["snapshots"]).ok();
    }
    comes_back_as_restic_restored_it("keys-foreign-scrypt", "geheim");
}

#[test]
fn locks_of_the_dead_stop_a_check_until_they_are_removed() {
    let unpacked = Unpacked::new("locks-stale");
    let (ours, repo) = (Client::ours(), unpacked.repo("geheim"));
    comes_back_as_restic_restored_it("locks-stale", "geheim");
    ours.run(&repo, ["check"]).exits(11).says(&["unlock"]);
    ours.run(&repo, ["unlock"]).ok();
    ours.run(&repo, ["check", "--read-data"]).ok();
}

#[test]
fn a_live_lock_says_whose_it_is() {
    let unpacked = Unpacked::new("locks-live");
    let (ours, repo) = (Client::ours(), unpacked.repo("geheim"));
    ours.run(&repo, ["snapshots"]).exits(11).says(&["faraway", "eve", "1234", "2099", "unlock"]);
    ours.run(&repo, ["--no-lock", "snapshots"]).ok();
    // A lock in the future is never stale: only force removes it.
    ours.run(&repo, ["unlock"]).ok();
    ours.run(&repo, ["snapshots"]).exits(11);
    ours.run(&repo, ["unlock", "--remove-all"]).ok();
    ours.run(&repo, ["snapshots"]).ok();
}

#[test]
fn a_lock_that_is_none_is_named_and_can_be_removed() {
    let unpacked = Unpacked::new("locks-invalid");
    let (ours, repo) = (Client::ours(), unpacked.repo("geheim"));
    let lock = only_file(&unpacked, "locks");
    let refused = ours.run(&repo, ["check"]);
    assert!(matches!(refused.code, Some(1 | 11)), "{refused}");
    refused.says(&[&lock[..8]]);
    ours.run(&repo, ["--no-lock", "snapshots"]).ok();
    ours.run(&repo, ["unlock", "--remove-all"]).ok();
    ours.run(&repo, ["check"]).ok();
}

#[test]
fn a_layout_that_restic_dropped_is_named() {
    let unpacked = Unpacked::new("s3legacy-layout");
    Client::ours().run(&unpacked.repo("geheim"), ["snapshots"]).exits(1).says(&["s3legacy"]);
}

#[test]
fn what_is_no_repository_has_its_own_exit_code() {
    let nothing = Repo::local();
    Client::ours().run(&nothing, ["snapshots"]).exits(10);
    let error = Client::ours().run(&nothing, ["snapshots", "--json"]).exits(10);
    let error: serde_json::Value = serde_json::from_str(error.stderr.trim()).expect("one JSON value");
    assert_eq!((&error["message_type"], &error["code"]), (&"exit_error".into(), &10.into()));
}

fn only_file(unpacked: &Unpacked, folder: &str) -> String {
    let files: Vec<_> = std::fs::read_dir(unpacked.path().join(folder)).expect("a folder").collect();
    assert_eq!(files.len(), 1, "files in {folder}");
    files[0].as_ref().expect("an entry").file_name().into_string().expect("UTF-8")
}
