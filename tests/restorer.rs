//! Restores by our library beside restic's own: the same entries, the same counts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use replicator_kuma::backend::{Backend, BackendOptions, Location};
use replicator_kuma::repository::{
    Case, OpenOptions, Overwrite, Password, Patterns, Repository, RestoreCounts, RestoreOptions, Selection,
    SnapshotFilter, Verified, restore, verify,
};
use serde_json::Value;

use crate::support::fixtures::Unpacked;
use crate::support::folder::{Entry, entries};
use crate::support::manifest::Manifest;
use crate::support::sample::Sample;
use crate::support::{Client, Repo};

/// Restores a snapshot and verifies what was written.
async fn restored(location: &str, password: &str, snapshot: &str, mut options: RestoreOptions) -> RestoreCounts {
    let backend = Backend::open(&Location::parse(location).unwrap(), &BackendOptions::default()).unwrap();
    let repo = Repository::open(backend, &Password::new(password), OpenOptions::default()).await.unwrap();
    let index = repo.load_index().await.unwrap();
    let found = repo.find_snapshot(snapshot, &SnapshotFilter::default()).await.unwrap();
    let tree = repo.found_tree(&index, &found).await.unwrap();
    options.verify = true;
    let restored = restore(&repo, &index, tree, options.clone()).await.unwrap();
    let Verified { errors, .. } = verify(&repo, &index, tree, &options, &restored.written).await.unwrap();
    assert_eq!(errors, 0, "what was written is not what is there");
    restored.counts
}

/// An entry with its extended attributes, and the first of its names if it has several.
type Whole = (Entry, Vec<(OsString, Vec<u8>)>, Option<PathBuf>);

/// All that a folder holds.
fn whole(folder: &Path) -> BTreeMap<PathBuf, Whole> {
    let mut first_names = BTreeMap::new();
    let describe = |(path, entry): (PathBuf, Entry)| {
        let at = folder.join(&path);
        let names = xattr::list(&at).into_iter().flatten();
        let mut attributes: Vec<_> =
            names.map(|name| (name.clone(), xattr::get(&at, name).unwrap().unwrap_or_default())).collect();
        attributes.sort();
        let metadata = at.symlink_metadata().unwrap();
        let is_one_of_many = metadata.nlink() > 1 && !metadata.is_dir();
        let first = is_one_of_many.then(|| first_names.entry(metadata.ino()).or_insert(path.clone()).clone());
        (path, (entry, attributes, first))
    };
    entries(folder).into_iter().map(describe).collect()
}

#[tokio::test]
async fn what_restic_stored_comes_back_as_restic_restores_it() {
    let passwords = [("keys", "first password")];
    for name in [
        "base",
        "duplicate-packs",
        "keys",
        "keys-foreign-scrypt",
        "locks-stale",
        "metadata",
        "migrated",
        "names",
        "targets",
        "three-versions",
        "v1-basic",
        "v2-auto",
        "v2-max",
    ] {
        let repo = Unpacked::new(name);
        let manifest = Manifest::new(name);
        let target = tempfile::tempdir().unwrap();
        let password = passwords.iter().find(|(of, _)| *of == name).map_or("geheim", |(_, password)| password);
        let location = repo.path().to_str().unwrap().to_owned();
        let options = RestoreOptions::to(target.path());
        let counts = restored(&location, password, &manifest.snapshot, options).await;
        assert_eq!((counts.errors, counts.files_restored), (0, counts.files_total), "{name}");
        assert_eq!(manifest.differences(target.path()), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn every_restic_restores_the_same_from_its_own_repository() {
    for version in ["0.14", "0.18", "0.19"] {
        let Some(restic) = Client::restic(version) else { continue };
        let repo = Repo::local();
        let sample = Sample::new();
        restic.run(&repo, ["init"]).ok();
        restic.run_in(sample.parent(), &repo, ["backup", "files"]).ok();
        let folder = tempfile::tempdir().unwrap();
        let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
        restic.run(&repo, ["restore", "latest", "--target", theirs.to_str().unwrap()]).ok();
        let counts = restored(&repo.location, &repo.password, "latest", RestoreOptions::to(&ours)).await;
        assert_eq!(counts.errors, 0);
        assert_eq!(whole(&ours), whole(&theirs), "restic {version}");
        let below = folder.path().join("below");
        restored(&repo.location, &repo.password, "latest:files/deep", RestoreOptions::to(&below)).await;
        assert_eq!(entries(&below), entries(&theirs.join("files/deep")), "restic {version}");
    }
}

#[tokio::test]
async fn options_do_and_count_what_they_do_and_count_with_restic() {
    let Some(restic) = Client::restic("0.19") else { return };
    let repo = Repo::local();
    let sample = Sample::new();
    restic.run(&repo, ["init"]).ok();
    restic.run_in(sample.parent(), &repo, ["backup", "files"]).ok();
    let to = |target: &Path| RestoreOptions::to(target);
    let of = |pattern: &str| vec![Patterns::new([pattern], Case::Sensitive).unwrap()];
    type Options<'a> = Box<dyn Fn(&Path) -> RestoreOptions + 'a>;
    let cases: Vec<(&[&str], Options)> = vec![
        (&[], Box::new(to)),
        (&["--delete"], Box::new(|target| RestoreOptions { delete: true, ..to(target) })),
        (&["--sparse"], Box::new(|target| RestoreOptions { sparse: true, ..to(target) })),
        (
            &["--overwrite=if-changed"],
            Box::new(|target| RestoreOptions { overwrite: Overwrite::IfChanged, ..to(target) }),
        ),
        (&["--overwrite=if-newer"], Box::new(|target| RestoreOptions { overwrite: Overwrite::IfNewer, ..to(target) })),
        (&["--overwrite=never"], Box::new(|target| RestoreOptions { overwrite: Overwrite::Never, ..to(target) })),
        (
            &["--include=/files/deep/*er"],
            Box::new(|target| RestoreOptions { select: Selection::Including(of("/files/deep/*er")), ..to(target) }),
        ),
        (
            &["--include=empty*", "--delete"],
            Box::new(|target| {
                let select = Selection::Including(of("empty*"));
                RestoreOptions { select, delete: true, ..to(target) }
            }),
        ),
        (
            &["--exclude=deep", "--delete"],
            Box::new(|target| RestoreOptions { select: Selection::Excluding(of("deep")), delete: true, ..to(target) }),
        ),
        (&["--dry-run", "--delete"], Box::new(|target| RestoreOptions { dry_run: true, delete: true, ..to(target) })),
    ];
    let begin = tempfile::tempdir().unwrap();
    let states = states(&restic, &repo, begin.path());
    for (arguments, options) in cases {
        for state in &states {
            let folder = tempfile::tempdir().unwrap();
            let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
            copy(state, &theirs);
            copy(state, &ours);
            let mut command = vec!["restore", "latest", "--json", "--target", theirs.to_str().unwrap()];
            command.extend(arguments);
            let run = restic.run(&repo, command).ok();
            let counts = restored(&repo.location, &repo.password, "latest", options(&ours)).await;
            let what = format!("{arguments:?} into {}", state.display());
            assert_eq!(counts.errors, 0, "{what}");
            assert_eq!(counted(counts), told(run.json_lines().last().unwrap()), "{what}");
            assert_eq!(ours.exists(), theirs.exists(), "{what}");
            if ours.exists() {
                assert_same(&ours, &theirs, &what);
            }
        }
    }
}

/// Both folders hold the same, but for times that nobody restored.
fn assert_same(ours: &Path, theirs: &Path, what: &str) {
    let (mut ours, mut theirs) = (whole(ours), whole(theirs));
    for side in [&mut ours, &mut theirs] {
        side.values_mut().filter(|(entry, ..)| entry.modified.0 > 1_780_000_000).for_each(|(entry, ..)| {
            entry.modified = (0, 0);
        });
    }
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{what}");
    for (path, entry) in ours {
        assert_eq!(entry, theirs[&path], "{what}: {}", path.display());
    }
}

/// Targets to begin with: one that is not there, one as restic restores it, and one that somebody worked on since.
fn states(restic: &Client, repo: &Repo, folder: &Path) -> [PathBuf; 3] {
    let states = ["absent", "restored", "changed"].map(|name| folder.join(name));
    let [_, restored, changed] = &states;
    restic.run(repo, ["restore", "latest", "--target", restored.to_str().unwrap()]).ok();
    copy(restored, changed);
    let files = changed.join("files");
    std::fs::write(files.join("text.sql"), "shorter").unwrap();
    let mut content = std::fs::read(files.join("several chunks")).unwrap();
    content[1_500_000] ^= 1;
    std::fs::write(files.join("several chunks"), content).unwrap();
    std::fs::remove_file(files.join("grüße")).unwrap();
    std::fs::write(files.join("deep/more"), "more").unwrap();
    std::fs::create_dir_all(files.join("deep/new/empty one")).unwrap();
    symlink("elsewhere", files.join("deep/new/link")).unwrap();
    std::fs::remove_file(files.join("link")).unwrap();
    symlink("elsewhere", files.join("link")).unwrap();
    states
}

fn copy(from: &Path, to: &Path) {
    if from.exists() {
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    }
}

fn counted(counts: RestoreCounts) -> [u64; 7] {
    [
        counts.files_total,
        counts.files_restored,
        counts.files_skipped,
        counts.files_deleted,
        counts.bytes_total,
        counts.bytes_restored,
        counts.bytes_skipped,
    ]
}

fn told(summary: &Value) -> [u64; 7] {
    let fields = [
        "total_files",
        "files_restored",
        "files_skipped",
        "files_deleted",
        "total_bytes",
        "bytes_restored",
        "bytes_skipped",
    ];
    fields.map(|field| summary[field].as_u64().unwrap_or_default())
}
