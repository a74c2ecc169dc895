//! Repositories with holes, full disks, operators who have changed their minds.

use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::backend::{Effect, ErrorKind, Fault, Operation};
use crate::format::FileType;

#[tokio::test]
async fn a_blob_that_nobody_knows_costs_its_file_only() {
    let world = World::new().await;
    let mut bad = world.file("bad", &[b"x"]).await;
    bad.content = Some(vec![Id::of(b"lost").into()]);
    let good = world.file("good", &[b"good"]).await;
    let mut lost = world.folder("lost", &[]).await;
    lost.subtree = Some(Id::of(b"lost").into());
    let mut none = world.folder("none", &[]).await;
    none.subtree = None;
    let tree = world.tree(&[bad, good, lost, none]).await;
    let stage = world.ready().await;
    std::fs::create_dir_all(stage.path("lost")).unwrap();
    std::fs::write(stage.path("lost/mine"), "x").unwrap();
    let counts = stage.restore_with(tree, RestoreOptions { delete: true, ..stage.options() }).await;
    assert_eq!((counts.errors, stage.read("good")), (3, "good".into()), "{:?}", stage.failures());
    // Nobody knows what should be in it: nothing is removed.
    assert_eq!(paths(&stage.target()), ["good", "lost", "lost/mine", "none"]);
}

#[tokio::test]
async fn a_file_with_a_hole_keeps_what_there_is_and_is_not_taken_for_whole() {
    let world = World::new().await;
    let file = world.file("f", &[b"first", b"middle", b"last"]).await;
    let content = file.content.clone().unwrap();
    let stage = world.ready().await;
    let mut site = site::Site::open(stage.options(), Progress::silent(), Interrupt::never()).unwrap();
    let piece = |(blob, length_bytes)| compare::Piece { blob, length_bytes };
    let pieces = content.iter().copied().zip([5, 6, 4]).map(piece).collect();
    site.visit(folders::FolderId::ROOT, vec![site::Entry { node: file, pieces: Ok(pieces) }]).unwrap();
    site.begin_writing().unwrap();
    let unknown = crate::repository::RepositoryError::BlobUnknown { blob: crate::format::BlobHandle::data(content[1]) };
    site.write_blob(content[0], Ok(b"first")).unwrap();
    site.write_blob(content[1], Err(&unknown)).unwrap();
    site.write_blob(content[2], Ok(b"last")).unwrap();
    site.end_writing();
    site.finish().unwrap();
    assert_eq!((site.reporter.counts.errors, site.reporter.counts.files_restored), (1, 0));
    assert_eq!(stage.read("f"), "first\0\0\0\0\0\0last");
    assert_ne!(std::fs::metadata(stage.path("f")).unwrap().mtime(), 1_000_000_000);
}

#[tokio::test]
async fn packs_that_cannot_be_read_cost_their_files_only() {
    let world = World::new().await;
    let file = world.file("f", &[b"content"]).await;
    let mut link = Node::new("link", NodeType::Symlink);
    link.linktarget = b"f".to_vec();
    let mut second = file.clone();
    second.name = b"second".to_vec();
    let folder = world.folder("d", &[file, second, usual(link)]).await;
    let tree = world.tree(&[folder]).await;
    let stage = world.ready().await;
    let fault = Fault {
        operation: Some(Operation::Read),
        file_type: Some(FileType::Pack),
        // All trees lie in one window.
        skip: 1,
        times: usize::MAX,
        effect: Effect::Fail(ErrorKind::NotFound),
    };
    stage.scene.backend.inject(fault);
    let counts = stage.restore(tree).await;
    assert_eq!((counts.errors, counts.files_restored), (2, 2), "{:?}", stage.failures());
    assert_eq!(paths(&stage.target()), ["d", "d/link"]);
    assert_eq!(std::fs::metadata(stage.path("d")).unwrap().mtime(), 1_000_000_000);
}

#[tokio::test]
async fn an_interruption_ends_the_restore() {
    let world = World::new().await;
    let file = world.file("f", &[b"content"]).await;
    let tree = world.tree(&[file]).await;
    let stage = world.ready().await;
    stage.scene.interrupter.interrupt();
    let error = stage.try_restore(tree, stage.options()).await.unwrap_err();
    assert!(matches!(error, RestoreError::Repository(crate::repository::RepositoryError::Interrupted)), "{error}");
    assert!(paths(&stage.target()).is_empty());
}

#[tokio::test]
async fn a_target_that_is_no_folder_is_named() {
    let world = World::new().await;
    let tree = world.tree(&[]).await;
    let stage = world.ready().await;
    std::fs::write(stage.target(), "").unwrap();
    let error = stage.try_restore(tree, stage.options()).await.unwrap_err();
    assert!(error.to_string().contains(stage.target().to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_full_disk_ends_the_restore_and_names_the_file() {
    let error = error::ItemError::io::<std::io::Error>("cannot write the file")(rustix::io::Errno::NOSPC.into());
    let error = error.fatal(Path::new("/a/file")).unwrap_err();
    assert_eq!(error.to_string(), "no space left in the target for /a/file");
}

#[tokio::test]
async fn a_file_that_will_not_be_complete_goes_with_the_restore() {
    let world = World::new().await;
    let mut files = Vec::new();
    for name in ["new", "there"] {
        files.push(world.file(name, &[b"first", b"last"]).await);
    }
    let content = files[0].content.clone().unwrap();
    let stage = world.ready().await;
    std::fs::create_dir(stage.target()).unwrap();
    std::fs::write(stage.path("there"), "older").unwrap();
    let mut site = site::Site::open(stage.options(), Progress::silent(), Interrupt::never()).unwrap();
    for node in files {
        let pieces =
            [(content[0], 5), (content[1], 4)].map(|(blob, length_bytes)| compare::Piece { blob, length_bytes });
        site.visit(folders::FolderId::ROOT, vec![site::Entry { node, pieces: Ok(pieces.to_vec()) }]).unwrap();
    }
    site.begin_writing().unwrap();
    site.write_blob(content[0], Ok(b"first")).unwrap();
    assert_eq!(paths(&stage.target()), ["new", "there"]);
    drop(site);
    assert_eq!(paths(&stage.target()), ["there"]);
}

/// Restores a file of two equal blobs of which the index states that they have `stated` bytes.
async fn with_stated_lengths(stated: [u32; 2]) -> (RestoreCounts, String, bool) {
    let world = World::new().await;
    let file = world.file("f", &[b"content"]).await;
    let blob = file.content.clone().unwrap()[0];
    let stage = world.ready().await;
    let pieces = || stated.map(|length_bytes| compare::Piece { blob, length_bytes }).to_vec();
    let mut site = site::Site::open(stage.options(), Progress::silent(), Interrupt::never()).unwrap();
    site.visit(folders::FolderId::ROOT, vec![site::Entry { node: file, pieces: Ok(pieces()) }]).unwrap();
    assert_eq!(site.begin_writing().unwrap().len(), 1);
    site.write_blob(blob, Ok(b"content")).unwrap();
    site.end_writing();
    site.finish().unwrap();
    let is_same = std::fs::File::open(stage.path("f"))
        .is_ok_and(|file| compare::compare(&file, &pieces(), &Interrupt::never()).unwrap().is_same);
    (site.reporter.counts, stage.read("f"), is_same)
}

#[tokio::test]
async fn a_length_that_the_index_states_must_be_true_but_at_the_end_of_a_file() {
    let (counts, _, is_same) = with_stated_lengths([8, 7]).await;
    assert_eq!((counts.errors, counts.files_restored, is_same), (1, 0, false));
    for stated in [7, 6, 9, u32::MAX] {
        let (counts, content, is_same) = with_stated_lengths([7, stated]).await;
        assert_eq!((counts.errors, &content[..], is_same), (0, "contentcontent", true), "{stated}");
        assert_eq!((counts.bytes_total, counts.bytes_restored), (14, 14));
    }
}
