//! Repositories written by whoever wants us to fall. Whatever is in them: no panic, no write outside the
//! target, no full disk, no memory beyond bounds, nothing wrong in silence, no lock left behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::Client;
use crate::support::fixtures::{Unpacked, locks};
use crate::support::folder::{self, Entry};

/// A fixture of `fixtures/repositories/hostile/`; the exit codes of `check`, `check --read-data` and
/// `restore latest`; whether the good file beside the bad thing comes back.
type Case = (&'static str, [i32; 3], bool);

/// Instead of `restore`'s code: it would do as told.
const NOT_RESTORED: i32 = -1;
/// `/zz-good.txt` comes back.
const GOOD: bool = true;
/// There is no good file, or nothing can be restored.
const LOST: bool = false;

/// Codes are restic 0.19.1's, 1 for its panics; where we differ a comment says how.
#[rustfmt::skip]
const CASES: [Case; 152] = [
    ("config-compressed", [1, 1, 1], LOST),
    ("config-extra", [0, 0, 0], GOOD),
    ("config-id-odd", [0, 0, 0], GOOD),
    ("config-not-json", [1, 1, 1], LOST),
    ("config-pol-degree-7", [0, 0, 0], GOOD),
    ("config-pol-degree-8", [0, 0, 0], GOOD),
    ("config-pol-degree-high", [0, 0, 0], GOOD),
    ("config-pol-degree-low", [0, 0, 0], GOOD),
    ("config-pol-missing", [0, 0, 0], GOOD),
    ("config-pol-not-hex", [1, 1, 1], LOST),
    ("config-pol-reducible", [0, 0, 0], GOOD), // restic opens no such repository; we read it, and refuse to write
    ("config-pol-spelling", [0, 0, 0], GOOD),
    ("config-pol-zero", [0, 0, 0], GOOD),
    ("config-version", [1, 1, 1], LOST),
    ("config-version-type", [1, 1, 1], LOST),
    ("content-repeated", [0, 0, NOT_RESTORED], LOST), // gigabytes, and truly so
    ("dir-then-symlink", [0, 0, 1], GOOD),
    ("dir-two-snapshots", [0, 0, 0], GOOD),
    ("generic-attributes", [0, 0, 0], GOOD),
    ("hardlink-other-content", [0, 0, 0], GOOD),
    ("hardlink-symlink", [0, 0, 0], GOOD),
    ("index-blob-type", [1, 1, 1], LOST),
    ("index-length-max", [1, 1, 1], GOOD), // restic loses the good file too
    ("index-length-tiny", [1, 1, 0], GOOD),
    ("index-negative", [1, 1, 1], LOST),
    ("index-not-json", [1, 1, 1], LOST),
    ("index-offset-64bit", [1, 1, 1], LOST),
    ("index-overlap", [0, 1, 1], GOOD), // restic retries for ever, and loses the good file
    ("index-pack-id-short", [1, 1, 1], LOST),
    ("index-rustic-fields", [0, 0, 0], GOOD),
    ("index-ulen-on-plain", [0, 1, 1], GOOD),
    ("index-ulen-zero", [1, 1, 1], GOOD),
    ("index-zero-ids", [1, 1, 0], GOOD),
    ("key-b64-bad", [1, 1, 1], LOST),
    ("key-data-empty", [1, 1, 1], LOST),
    ("key-data-short", [1, 1, 1], LOST),
    ("key-kdf-unknown", [1, 1, 1], LOST),
    ("key-many", [1, 1, 1], LOST),
    ("key-master-not-json", [1, 1, 1], LOST),
    ("key-master-short", [1, 1, 1], LOST),
    ("key-master-zero", [1, 1, 1], LOST),
    ("key-salt-short", [1, 1, 1], LOST),
    ("key-scrypt-n-2pow25", [1, 1, 1], LOST),
    ("key-scrypt-n-bad", [1, 1, 1], LOST),
    ("key-scrypt-n-huge", [1, 1, 1], LOST),
    ("key-scrypt-n-negative", [1, 1, 1], LOST),
    ("key-scrypt-p-bad", [1, 1, 1], LOST),
    ("key-scrypt-p-huge", [1, 1, 1], LOST),
    ("key-scrypt-r-bad", [1, 1, 1], LOST),
    ("key-scrypt-types", [1, 1, 1], LOST),
    ("key-wrong-master", [0, 0, 0], GOOD),
    ("name-abs-dir", [0, 0, 1], GOOD),
    ("name-absolute", [0, 0, 1], GOOD),
    ("name-ansi", [0, 0, 0], GOOD),
    ("name-bad-escape", [1, 1, 1], LOST),
    ("name-dot", [0, 0, 1], GOOD),
    ("name-dot-dir", [0, 0, 1], GOOD),
    ("name-dotdot", [0, 0, 1], GOOD),
    ("name-dotdot-dir", [0, 0, 1], GOOD),
    ("name-dotdot-path", [0, 0, 1], GOOD),
    ("name-empty", [1, 1, 1], GOOD),
    ("name-empty-dir", [1, 1, 1], GOOD),
    ("name-missing", [1, 1, 1], GOOD),
    ("name-nul", [0, 0, 1], GOOD),
    ("name-nul-quoted", [0, 0, 1], GOOD),
    ("name-null", [1, 1, 1], GOOD),
    ("name-quoted-dotdot", [0, 0, 1], GOOD),
    ("name-quoted-slash", [0, 0, 1], GOOD),
    ("name-raw-invalid-utf8", [0, 0, 0], LOST),
    ("name-raw-newline", [1, 1, 1], LOST),
    ("name-raw-quote", [1, 1, 1], LOST),
    ("name-slash", [0, 0, 1], GOOD),
    ("name-too-long", [0, 0, 1], GOOD),
    ("name-trailing-slash", [0, 0, 1], GOOD),
    ("name-very-long", [0, 0, 1], GOOD),
    ("name-windows", [0, 0, 0], GOOD),
    ("pack-empty-blob", [0, 0, 0], GOOD),
    ("pack-empty-header", [0, 0, 0], GOOD),
    ("pack-header-mismatch", [0, 1, 0], GOOD),
    ("pack-header-overflow", [0, 1, 0], GOOD),
    ("pack-header-trailing", [1, 1, 0], GOOD),
    ("pack-header-type", [0, 1, 0], GOOD),
    ("pack-padding", [1, 1, 0], GOOD),
    ("size-1tib", [0, 0, 0], GOOD), // restic fills the disk
    ("size-huge", [0, 0, 0], GOOD),
    ("size-missing", [0, 0, 0], GOOD),
    ("size-not-uint", [1, 1, 1], LOST),
    ("size-too-small", [0, 0, 0], GOOD),
    ("snapshot-15-31", [1, 1, 1], LOST),
    ("snapshot-big-time", [0, 0, 0], GOOD),
    ("snapshot-empty-plain", [1, 1, 1], LOST),
    ("snapshot-encoding-byte", [1, 1, 1], LOST),
    ("snapshot-no-tree", [1, 1, 1], LOST),
    ("snapshot-not-json", [1, 1, 1], LOST),
    ("snapshot-parent-bad", [1, 1, 1], LOST),
    ("snapshot-paths-odd", [0, 0, 0], GOOD),
    ("snapshot-raw-json", [0, 0, 0], GOOD),
    ("snapshot-short-file", [1, 1, 1], LOST),
    ("snapshot-summary-bad", [1, 1, 1], LOST),
    ("snapshot-terminal-escapes", [0, 0, 0], GOOD),
    ("snapshot-time-bad", [0, 0, 0], GOOD),
    ("snapshot-tree-unknown", [1, 1, 1], LOST),
    ("snapshot-unknown-fields", [0, 0, 0], GOOD),
    ("special-files", [0, 0, 0], GOOD),
    ("symlink-empty-target", [0, 0, 1], GOOD),
    ("symlink-nul-target", [0, 0, 1], GOOD),
    ("symlink-raw-differs", [0, 0, 0], GOOD),
    ("symlink-slash-child", [0, 0, 1], GOOD),
    ("symlink-then-dir", [0, 0, 1], GOOD),
    ("symlink-then-file", [0, 0, 1], GOOD), // restic mixes them in silence
    ("symlink-two-snapshots", [0, 0, 0], GOOD),
    ("tree-bad-second-node", [1, 1, 1], LOST), // restic restores what stands before the bad node
    ("tree-blob-types-crossed", [1, 1, 1], GOOD),
    ("tree-case-keys", [1, 1, 1], LOST),
    ("tree-content-null", [1, 1, 0], GOOD),
    ("tree-content-zero-id", [1, 1, 1], GOOD), // restic loses the good file
    ("tree-dag-bomb", [0, 0, 1], LOST),
    ("tree-dir-no-subtree", [1, 1, 1], GOOD), // restic loses the good file
    ("tree-duplicate", [0, 0, 1], GOOD), // restic mixes them in silence
    ("tree-duplicate-keys", [0, 0, 0], LOST),
    ("tree-empty-object", [1, 1, 1], LOST),
    ("tree-float-ints", [1, 1, 1], LOST),
    ("tree-id-format", [0, 0, 0], GOOD),
    ("tree-mode-odd", [0, 0, 0], GOOD),
    ("tree-mode-overflow", [1, 1, 1], LOST),
    ("tree-nested-junk", [0, 0, 0], GOOD), // restic runs out of its parser's depth; what we do not know we need not build
    ("tree-no-newline", [0, 0, 0], GOOD),
    ("tree-nodes-null", [1, 1, 1], LOST),
    ("tree-not-json", [1, 1, 1], LOST),
    ("tree-subtree-zero", [1, 1, 1], GOOD),
    ("tree-time-invalid", [1, 1, 1], LOST),
    ("tree-time-odd", [0, 0, 0], GOOD),
    ("tree-time-strict", [1, 1, 1], LOST),
    ("tree-trailing", [0, 0, 0], GOOD),
    ("tree-type", [1, 1, 1], GOOD),
    ("tree-uid-max", [0, 0, 0], GOOD),
    ("tree-uid-overflow", [1, 1, 1], LOST),
    ("tree-unknown-keys", [0, 0, 0], GOOD),
    ("tree-unsorted", [0, 0, 0], GOOD),
    ("v1-with-compressed", [1, 1, 1], LOST),
    ("xattr-bad", [0, 0, 1], GOOD),
    ("zbomb-honest", [0, 1, 1], GOOD), // restic expands it
    ("zbomb-index", [1, 1, 1], LOST), // restic expands it
    ("zbomb-lying-big", [0, 0, 0], GOOD),
    ("zbomb-lying-small", [0, 1, 1], GOOD), // restic expands it
    ("zbomb-snapshot", [1, 1, 1], LOST), // restic expands it
    ("zbomb-tree", [1, 1, 1], LOST), // restic expands it
    ("zero-nonce", [1, 1, 1], LOST),
    ("zstd-big-window", [0, 0, 0], GOOD),
    ("zstd-frame-lies", [0, 1, 1], GOOD),
    ("zstd-no-content-size", [0, 0, 0], GOOD),
    ("zstd-skippable", [0, 0, 0], GOOD),
];

/// Runs every case whose name starts so.
fn holds(prefix: &str) {
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.0.starts_with(prefix)).collect();
    assert!(!cases.is_empty(), "no cases {prefix}");
    let faults: Vec<String> = cases.into_iter().flat_map(fails).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What is wrong with how we meet a case; nothing, if all is well.
fn fails((name, codes, good): &Case) -> Vec<String> {
    let mut faults = Vec::new();
    let unpacked = Unpacked::new(&format!("hostile/{name}"));
    let repo = unpacked.repo("pw");
    let world = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir_all(world.path().join("canary")).expect("a folder");
    std::fs::write(world.path().join("canary/keep"), "keep").expect("a file");
    let target = world.path().join("target");
    let outside = surroundings(world.path());

    let commands: [(&[&str], i32); 3] = [
        (&["check"], codes[0]),
        (&["check", "--read-data"], codes[1]),
        (&["restore", "latest", "--target", target.to_str().expect("UTF-8")], codes[2]),
    ];
    for (arguments, code) in commands.into_iter().filter(|(_, code)| *code != NOT_RESTORED) {
        let run = Client::ours().limited().run(&repo, arguments);
        if run.code != Some(code) {
            faults.push(format!("{name}: not {code}: {run}"));
        }
        if !matches!(run.code, Some(0 | 1 | 3 | 10 | 12)) || run.stderr.contains("panicked") {
            faults.push(format!("{name}: a bad end: {run}"));
        }
        if code != 0 && run.stderr.trim().is_empty() {
            faults.push(format!("{name}: failed without a word: {run}"));
        }
        if locks(&unpacked.path()) > 0 {
            faults.push(format!("{name}: a lock was left behind by {run}"));
        }
    }
    // Listing is a read of everything a stranger wrote: it may fail, but in order. The bomb's list has 10^12 lines,
    // and is told line by line: whoever reads it may stop.
    if *name != "tree-dag-bomb" {
        let run = Client::ours().limited().run(&repo, ["ls", "latest", "--json"]);
        if !matches!(run.code, Some(0 | 1 | 12)) {
            faults.push(format!("{name}: a bad end: {run}"));
        }
    }
    if surroundings(world.path()) != outside {
        faults.push(format!("{name}: something outside the target changed"));
    }
    let came_back = std::fs::read(target.join("zz-good.txt")).is_ok_and(|text| text.starts_with(b"good file"));
    if came_back != *good {
        faults.push(format!("{name}: the good file came back: {came_back}"));
    }
    faults
}

/// Everything around the target: what a restore must not touch.
fn surroundings(world: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut entries = folder::entries(world);
    entries.retain(|path, _| !path.starts_with("target"));
    entries
}

#[test]
fn hostile_configs() {
    holds("config-");
}

#[test]
fn hostile_indexes() {
    holds("index-");
}

#[test]
fn hostile_keys() {
    holds("key-");
}

#[test]
fn hostile_names() {
    holds("name-");
}

#[test]
fn hostile_packs() {
    holds("pack-");
}

#[test]
fn hostile_sizes() {
    holds("size-");
}

#[test]
fn hostile_snapshots() {
    holds("snapshot-");
}

#[test]
fn hostile_symlinks() {
    holds("symlink-");
}

#[test]
fn hostile_trees() {
    holds("tree-");
}

#[test]
fn hostile_bombs() {
    holds("zbomb-");
}

#[test]
fn everything_else_that_is_hostile() {
    for prefix in [
        "content-repeated",
        "dir-then-symlink",
        "dir-two-snapshots",
        "generic-attributes",
        "hardlink-other-content",
        "hardlink-symlink",
        "special-files",
        "v1-with-compressed",
        "xattr-bad",
        "zero-nonce",
        "zstd-big-window",
        "zstd-frame-lies",
        "zstd-no-content-size",
        "zstd-skippable",
    ] {
        holds(prefix);
    }
}

/// One snapshot has a link where the other has a folder of that name: restored one over the other, in both orders,
/// nothing is written through the link.
#[test]
fn no_restore_follows_a_link_that_an_earlier_one_made() {
    for name in ["dir-two-snapshots", "symlink-two-snapshots"] {
        let unpacked = Unpacked::new(&format!("hostile/{name}"));
        let (ours, repo) = (Client::ours(), unpacked.repo("pw"));
        let listed = ours.run(&repo, ["snapshots", "--json"]).ok().json();
        let mut ids: Vec<&str> =
            listed.as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
        assert_eq!(ids.len(), 2, "{name}");
        for _ in 0..2 {
            ids.reverse();
            let target = tempfile::tempdir().expect("a temporary folder");
            for id in &ids {
                let run = ours.run(&repo, ["restore", id, "--target", target.path().to_str().expect("UTF-8")]);
                assert!(matches!(run.code, Some(0 | 1)), "{name}: {run}");
            }
            assert!(!Path::new("/canary").exists(), "{name}: written through the link");
            assert!(target.path().join("zz-good.txt").is_file(), "{name}: the good file is gone");
        }
    }
}
