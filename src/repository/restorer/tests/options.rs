//! What the options ask for.

use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::repository::{Case, Patterns};

fn patterns(list: &[&str]) -> Vec<Patterns> {
    vec![Patterns::new(list, Case::Sensitive).unwrap()]
}

/// `a` with two files, `b` with one.
async fn two_folders() -> (Stage, TreeId) {
    let world = World::new().await;
    let one = world.file("one", &[b"first ", b"second"]).await;
    let two = world.file("two", &[b"first "]).await;
    let three = world.file("three", &[]).await;
    let a = world.folder("a", &[one, two]).await;
    let b = world.folder("b", &[three]).await;
    let tree = world.tree(&[a, b]).await;
    (world.ready().await, tree)
}

#[tokio::test]
async fn everything_is_restored_and_counted() {
    let (stage, tree) = two_folders().await;
    let counts = stage.restore(tree).await;
    assert_eq!(paths(&stage.target()), ["a", "a/one", "a/two", "b", "b/three"]);
    assert_eq!((stage.read("a/one"), stage.read("a/two")), ("first second".into(), "first ".into()));
    assert_eq!((stage.failures(), stage.read("b/three")), (vec![], String::new()));
    let expected =
        RestoreCounts { files_total: 5, files_restored: 5, bytes_total: 18, bytes_restored: 18, ..Default::default() };
    assert_eq!(counts, expected);
    let metadata = std::fs::metadata(stage.path("b")).unwrap();
    assert_eq!(
        (metadata.mode() & 0o7777, metadata.mtime(), metadata.mtime_nsec()),
        (0o755, 1_000_000_000, 123_456_789)
    );
}

#[tokio::test]
async fn data_that_lies_together_comes_with_one_request() {
    let (stage, tree) = two_folders().await;
    stage.restore(tree).await;
    // The root and both folders, and all content.
    assert_eq!(stage.scene.backend.calls().len(), 2);
}

#[tokio::test]
async fn what_is_there_already_is_neither_fetched_nor_written() {
    let (stage, tree) = two_folders().await;
    stage.restore(tree).await;
    stage.scene.backend.forget_calls();
    let counts = stage.restore(tree).await;
    assert_eq!((counts.files_skipped, counts.bytes_skipped, counts.files_restored), (3, 18, 2));
    assert_eq!(stage.scene.backend.calls(), []);
}

#[tokio::test]
async fn a_file_that_differs_in_a_part_gets_that_part() {
    let (stage, tree) = two_folders().await;
    stage.restore(tree).await;
    std::fs::write(stage.path("a/one"), "first SECOND and more").unwrap();
    let before = std::fs::metadata(stage.path("a/one")).unwrap().ino();
    let counts = stage.restore(tree).await;
    assert_eq!(stage.read("a/one"), "first second");
    assert_eq!(std::fs::metadata(stage.path("a/one")).unwrap().ino(), before);
    assert!(stage.done().contains(&"FileUpdated /a/one".to_owned()));
    assert_eq!((counts.bytes_total, counts.bytes_restored), (12, 12));
}

#[tokio::test]
async fn if_changed_trusts_size_and_time() {
    let (stage, tree) = two_folders().await;
    stage.restore(tree).await;
    let file = std::fs::File::options().write(true).open(stage.path("a/two")).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    std::fs::write(stage.path("a/two"), "FIRST ").unwrap();
    file.set_modified(time).unwrap();
    let options = RestoreOptions { overwrite: Overwrite::IfChanged, ..stage.options() };
    stage.restore_with(tree, options).await;
    assert_eq!(stage.read("a/two"), "FIRST ");
    stage.restore(tree).await;
    assert_eq!(stage.read("a/two"), "first ");
}

#[tokio::test]
async fn if_newer_and_never_leave_files_alone() {
    let (stage, tree) = two_folders().await;
    stage.restore(tree).await;
    std::fs::write(stage.path("a/one"), "newer").unwrap();
    std::fs::remove_file(stage.path("a/two")).unwrap();
    for overwrite in [Overwrite::IfNewer, Overwrite::Never] {
        let counts = stage.restore_with(tree, RestoreOptions { overwrite, ..stage.options() }).await;
        assert_eq!((stage.read("a/one"), stage.read("a/two")), ("newer".into(), "first ".into()));
        assert_eq!((counts.errors, counts.bytes_skipped >= 12), (0, true));
    }
    let old = std::fs::File::options().write(true).open(stage.path("a/one")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    stage.restore_with(tree, RestoreOptions { overwrite: Overwrite::Never, ..stage.options() }).await;
    assert_eq!(stage.read("a/one"), "newer");
    stage.restore_with(tree, RestoreOptions { overwrite: Overwrite::IfNewer, ..stage.options() }).await;
    assert_eq!(stage.read("a/one"), "first second");
}

#[tokio::test]
async fn patterns_choose_what_is_restored() {
    let (stage, tree) = two_folders().await;
    let select = Selection::Including(patterns(&["/a/o*"]));
    let counts = stage.restore_with(tree, RestoreOptions { select, ..stage.options() }).await;
    assert_eq!(paths(&stage.target()), ["a", "a/one"]);
    // As restic counts: the folder on the way is restored, but was not to be.
    assert_eq!((counts.files_total, counts.files_restored), (1, 2));
    assert_eq!(std::fs::metadata(stage.path("a")).unwrap().mode() & 0o7777, 0o755);
    std::fs::remove_dir_all(stage.target()).unwrap();
    let select = Selection::Excluding(patterns(&["o*", "b"]));
    stage.restore_with(tree, RestoreOptions { select, ..stage.options() }).await;
    assert_eq!(paths(&stage.target()), ["a", "a/two"]);
}

#[tokio::test]
async fn delete_removes_what_the_snapshot_does_not_have() {
    let (stage, tree) = two_folders().await;
    stage.restore(tree).await;
    std::fs::create_dir_all(stage.path("a/x/y/z")).unwrap();
    std::fs::write(stage.path("a/x/y/z/file"), "").unwrap();
    std::fs::create_dir(stage.path("a/x/w")).unwrap();
    std::os::unix::fs::symlink(stage.scene.folder.path().join("outside"), stage.path("a/x/link")).unwrap();
    std::fs::write(stage.path("new"), "").unwrap();
    let dry = RestoreOptions { delete: true, dry_run: true, ..stage.options() };
    let counts = stage.restore_with(tree, dry).await;
    assert_eq!((counts.files_deleted, paths(&stage.target()).len()), (7, 12));
    let counts = stage.restore_with(tree, RestoreOptions { delete: true, ..stage.options() }).await;
    assert_eq!(counts.files_deleted, 7);
    assert_eq!(paths(&stage.target()), ["a", "a/one", "a/two", "b", "b/three"]);
    assert!(stage.done().contains(&format!("Deleted {}", stage.path("a/x/y/z/file").display())));
    assert_eq!(std::fs::metadata(stage.path("a")).unwrap().mtime(), 1_000_000_000);
}

#[tokio::test]
async fn delete_keeps_to_what_is_selected() {
    let (stage, tree) = two_folders().await;
    stage.restore(tree).await;
    std::fs::write(stage.path("a/odd"), "").unwrap();
    std::fs::write(stage.path("a/zzz"), "").unwrap();
    let select = Selection::Including(patterns(&["/a/o*"]));
    stage.restore_with(tree, RestoreOptions { select, delete: true, ..stage.options() }).await;
    assert_eq!(paths(&stage.path("a")), ["one", "two", "zzz"]);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (stage, tree) = two_folders().await;
    let counts = stage.restore_with(tree, RestoreOptions { dry_run: true, ..stage.options() }).await;
    assert!(!stage.target().exists());
    let expected =
        RestoreCounts { files_total: 5, files_restored: 5, bytes_total: 18, bytes_restored: 18, ..Default::default() };
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn sparse_files_have_holes_and_the_same_content() {
    let world = World::new().await;
    let zeros = vec![0; 600_000];
    let mut mixed = vec![0; 100_001];
    mixed[50_000] = 1;
    let file = world.file("f", &[&zeros, b"x", &mixed, &zeros]).await;
    let tree = world.tree(&[file]).await;
    let stage = world.ready().await;
    let counts = stage.restore_with(tree, RestoreOptions { sparse: true, ..stage.options() }).await;
    assert_eq!(counts.errors, 0);
    let expected = [&zeros[..], b"x", &mixed, &zeros].concat();
    assert_eq!(std::fs::read(stage.path("f")).unwrap(), expected);
    assert!(std::fs::metadata(stage.path("f")).unwrap().blocks() * 512 <= 16_384);
}

#[tokio::test]
async fn what_was_written_can_be_verified() {
    let (stage, tree) = two_folders().await;
    let options = RestoreOptions { verify: true, ..stage.options() };
    let restored = stage.try_restore(tree, options.clone()).await.unwrap();
    let verified = verify(&stage.repo, &stage.index, tree, &options, &restored.written).await.unwrap();
    assert_eq!(verified, Verified { files: 3, errors: 0 });
    std::fs::write(stage.path("a/one"), "first sEcond").unwrap();
    let verified = verify(&stage.repo, &stage.index, tree, &options, &restored.written).await.unwrap();
    assert_eq!(verified, Verified { files: 2, errors: 1 });
    assert_eq!(stage.failures(), ["/a/one: its content is not what was restored"]);
}

#[tokio::test]
async fn small_snapshots_are_read_into_memory() {
    let (stage, tree) = two_folders().await;
    let mut files = read_files(&stage.repo, &stage.index, tree, 18).await.unwrap();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let files: Vec<_> = files.iter().map(|file| (file.path.to_str().unwrap(), &file.bytes[..])).collect();
    assert_eq!(files, [("a/one", &b"first second"[..]), ("a/two", b"first "), ("b/three", b"")]);
    assert_eq!(stage.scene.backend.calls().len(), 3);
    let error = read_files(&stage.repo, &stage.index, tree, 17).await.unwrap_err();
    assert!(matches!(error, RestoreError::TooMuch { limit_bytes: 17 }));
}
