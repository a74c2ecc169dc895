use super::*;
use crate::format::{FileHandle, SnapshotId};

fn snapshot(seconds: i64, host: &str, path: &str, tags: &[&str]) -> Snapshot {
    let tree = TreeId::of(b"no tree");
    let mut snapshot = Snapshot::new(Time::from_unix(seconds, 0, 0), tree, vec![path.to_owned()]);
    snapshot.hostname = host.to_owned();
    snapshot.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    snapshot
}

async fn three_snapshots() -> (Repository, [SnapshotId; 3]) {
    let repo = repository().await;
    let oldest = repo.save_snapshot(&snapshot(100, "a", "/x", &["red", "old"])).await.unwrap();
    let newest = repo.save_snapshot(&snapshot(300, "b", "/x", &[])).await.unwrap();
    let middle = repo.save_snapshot(&snapshot(200, "a", "/y", &["red"])).await.unwrap();
    (repo, [oldest, middle, newest])
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn snapshots_are_listed_from_the_oldest_to_the_newest() {
    let (repo, ids) = three_snapshots().await;
    let listed: Vec<SnapshotId> = repo.snapshots().await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn latest_is_the_newest_that_passes_the_filter() {
    let (repo, [oldest, middle, newest]) = three_snapshots().await;
    let none = SnapshotFilter::default();
    for (filter, expected) in [
        (none.clone(), newest),
        (SnapshotFilter { hosts: words(&["a"]), ..none.clone() }, middle),
        (SnapshotFilter { hosts: words(&["a", "b"]), ..none.clone() }, newest),
        (SnapshotFilter { paths: words(&["/y"]), ..none.clone() }, middle),
        (SnapshotFilter { hosts: words(&["a"]), paths: words(&["/x"]), ..none.clone() }, oldest),
        (SnapshotFilter { tags: vec![words(&["red"])], ..none.clone() }, middle),
        (SnapshotFilter { tags: vec![words(&["red", "old"])], ..none.clone() }, oldest),
        (SnapshotFilter { tags: vec![words(&["old"]), words(&[""])], ..none.clone() }, newest),
    ] {
        assert_eq!(repo.find_snapshot("latest", &filter).await.unwrap().id, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn that_nothing_passes_is_said_with_the_filter() {
    let (repo, _) = three_snapshots().await;
    let filter = SnapshotFilter { hosts: words(&["c"]), paths: words(&["/x"]), tags: vec![words(&["red", "old"])] };
    let error = repo.find_snapshot("latest", &filter).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no snapshot of host c of /x tagged red,old");
    let error = repository().await.find_snapshot("latest", &SnapshotFilter::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no snapshot");
}

#[tokio::test]
async fn a_snapshot_is_found_by_the_beginning_of_its_name() {
    let (repo, [oldest, ..]) = three_snapshots().await;
    let none = SnapshotFilter::default();
    let name = oldest.to_string();
    for spec in [&name[..16], &name, &name[..16].to_uppercase()] {
        assert_eq!(repo.find_snapshot(spec, &none).await.unwrap().id, oldest);
    }
    let found = repo.find_snapshot(&format!("{name}:a/b:c"), &none).await.unwrap();
    assert_eq!(found.subfolder.as_deref(), Some("a/b:c"));
}

#[tokio::test]
async fn a_name_that_fits_none_or_several_is_refused() {
    let (repo, _) = three_snapshots().await;
    let none = SnapshotFilter::default();
    let error = repo.find_snapshot("xyz", &none).await.unwrap_err();
    assert_eq!(error.to_string(), "no snapshot begins with \"xyz\"");
    let error = repo.find_snapshot("", &none).await.unwrap_err();
    assert!(matches!(&error, RepositoryError::AmbiguousPrefix { candidates, .. } if candidates.len() == 3), "{error}");
    let error = repo.find_snapshot(&"00".repeat(32), &none).await.unwrap_err();
    assert!(matches!(error, RepositoryError::SnapshotMissing { .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_snapshot_may_be_the_newest_so_latest_names_it() {
    let (repo, [oldest, ..]) = three_snapshots().await;
    let damaged = FileHandle::from(SnapshotId::of(b"?"));
    repo.backend().write(&damaged, bytes::Bytes::from_static(b"?")).await.unwrap();
    let error = repo.find_snapshot("latest", &SnapshotFilter::default()).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Damaged { file, .. } if file == damaged));
    assert_eq!(repo.find_snapshot(&oldest.to_string(), &SnapshotFilter::default()).await.unwrap().id, oldest);
    let readable = repo.snapshots_or_faults().await.unwrap().into_iter().filter(|(_, snapshot)| snapshot.is_ok());
    assert_eq!(readable.count(), 3);
}

#[tokio::test]
async fn a_folder_of_a_snapshot_is_followed_from_its_root() {
    let repo = repository().await;
    let id = store(&repo, b"x").await;
    let root = repo.load_snapshot(id).await.unwrap().tree;
    let index = repo.load_index().await.unwrap();
    let folder = repo.load_tree(&index, root).await.unwrap().nodes[0].subtree.unwrap();
    for (path, tree) in [("", root), ("/", root), (".", root), ("folder", folder), ("/folder/", folder)] {
        assert_eq!(repo.find_subfolder(&index, root, path).await.unwrap(), tree, "{path:?}");
    }
    for (path, tree) in [("x/../folder", folder), ("folder/..", root), ("../..//./folder", folder)] {
        assert_eq!(repo.find_subfolder(&index, root, path).await.unwrap(), tree, "{path:?}");
    }
    let found = repo.find_snapshot("latest:folder", &SnapshotFilter::default()).await.unwrap();
    assert_eq!(repo.found_tree(&index, &found).await.unwrap(), folder);
    let error = repo.find_subfolder(&index, root, "folder/none/deeper").await.unwrap_err();
    assert_eq!(error.to_string(), "the snapshot has no \"/folder/none\"");
    let error = repo.find_subfolder(&index, root, "folder/file").await.unwrap_err();
    assert_eq!(error.to_string(), "\"/folder/file\" is not a folder in the snapshot");
}
