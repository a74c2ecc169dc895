//! What a local folder adds to the contract: modes, temporary files, directories that are not there.

use super::*;

fn store() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("repo");
    (folder, root)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o7777
}

fn pack(content: &[u8]) -> FileHandle {
    FileHandle { file_type: FileType::Pack, id: Id::of(content) }
}

#[tokio::test]
async fn a_new_repository_has_all_directories_for_its_owner_alone() {
    let (_folder, root) = store();
    LocalStore::open(&root).create().await.expect("create");
    for directory in ["", "data", "data/00", "data/a7", "data/ff", "index", "keys", "locks", "snapshots"] {
        assert_eq!(mode(&root.join(directory)), 0o700, "{directory}");
    }
    assert_eq!(fs::read_dir(root.join("data")).expect("data").count(), 256);
}

#[tokio::test]
async fn a_place_with_a_config_is_not_made_anew() {
    let (_folder, root) = store();
    let store = LocalStore::open(&root);
    store.create().await.expect("create");
    store.write(&FileHandle::CONFIG, Bytes::from_static(b"x")).await.expect("write");
    assert_eq!(store.create().await.expect_err("a repository").kind, ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn files_are_read_only_and_leave_no_temporary_behind() {
    let (_folder, root) = store();
    let store = LocalStore::open(&root);
    store.write(&pack(b"a"), Bytes::from_static(b"a")).await.expect("write, with no directory made before");
    let path = root.join(pack(b"a").path());
    assert_eq!(mode(&path), 0o400);
    assert_eq!(mode(path.parent().expect("a directory")), 0o700);
    assert_eq!(fs::read_dir(path.parent().expect("a directory")).expect("entries").count(), 1);
    store.write(&pack(b"a"), Bytes::from_static(b"a")).await.expect("write again over a read-only file");
    store.delete(&pack(b"a")).await.expect("delete a read-only file");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_group_that_may_read_config_may_read_all() {
    let (_folder, root) = store();
    LocalStore::open(&root).write(&FileHandle::CONFIG, Bytes::from_static(b"x")).await.expect("write");
    assert_eq!(mode(&root.join("config")), 0o400);
    fs::set_permissions(root.join("config"), Permissions::from_mode(0o440)).expect("chmod");
    LocalStore::open(&root).write(&pack(b"a"), Bytes::from_static(b"a")).await.expect("write");
    let path = root.join(pack(b"a").path());
    assert_eq!(mode(&path), 0o440);
    // What the process's mask leaves of 0770.
    assert_eq!(mode(path.parent().expect("a directory")) & 0o750, 0o750);
}

#[tokio::test]
async fn names_that_are_no_ids_are_not_listed() {
    let (_folder, root) = store();
    let store = LocalStore::open(&root);
    store.create().await.expect("create");
    store.write(&pack(b"a"), Bytes::from_static(b"a")).await.expect("write");
    let name = pack(b"b").id.to_string();
    for stray in [format!("data/00/{name}-tmp-123"), "data/00/x".to_owned(), format!("data/{name}"), "data/f".into()] {
        fs::write(root.join(stray), "stray").expect("a file");
    }
    assert_eq!(store.list(FileType::Pack).await.expect("a listing"), [(pack(b"a").id, 1)]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_an_error_and_not_an_empty_listing() {
    let (_folder, root) = store();
    let store = LocalStore::open(&root);
    fs::create_dir_all(&root).expect("a folder");
    fs::write(root.join("keys"), "not a directory").expect("a file");
    assert_eq!(store.list(FileType::Key).await.expect_err("no listing").kind, ErrorKind::Setting);
}

#[tokio::test]
async fn a_damaged_file_is_mended_by_writing_it_again() {
    let (_folder, root) = store();
    let store = LocalStore::open(&root);
    store.write(&pack(b"content"), Bytes::from_static(b"cont")).await.expect("write");
    store.write(&pack(b"content"), Bytes::from_static(b"content")).await.expect("write");
    assert_eq!(store.read(&pack(b"content"), None).await.expect("read"), "content");
}
