//! Snapshots that somebody made to do harm.

use std::os::unix::fs::MetadataExt as _;

use super::*;

#[tokio::test]
async fn names_that_are_no_names_are_refused_and_the_rest_restored() {
    let world = World::new().await;
    let mut nodes = Vec::new();
    for name in ["", ".", "..", "/", "/outside/x", "../outside/x", "a/b", "nul\0nul", "good"] {
        nodes.push(world.file(name, &[b"evil"]).await);
        nodes.push(world.folder(name, &[world.file("canary", &[b"evil"]).await]).await);
    }
    let tree = world.tree(&nodes).await;
    let stage = world.ready().await;
    let counts = stage.restore_with(tree, RestoreOptions { delete: true, ..stage.options() }).await;
    // Each of the eight names twice, and `good` once too often.
    assert_eq!(counts.errors, 17);
    assert_eq!(paths(&stage.target()), ["good"]);
    assert!(stage.failures().contains(&"/: \"../outside/x\" has a character that no name can have".to_owned()));
}

#[tokio::test]
async fn an_unfit_name_keeps_everything_from_being_deleted() {
    let world = World::new().await;
    let bad = world.file("a/b", &[b"x"]).await;
    let bad = world.folder("bad", &[bad]).await;
    let tree = world.tree(&[bad]).await;
    let stage = world.ready().await;
    std::fs::create_dir(stage.target()).unwrap();
    std::fs::write(stage.path("mine"), "x").unwrap();
    stage.restore_with(tree, RestoreOptions { delete: true, ..stage.options() }).await;
    assert_eq!(paths(&stage.target()), ["bad", "mine"]);
}

#[tokio::test]
async fn a_link_then_something_of_its_name_leads_nowhere() {
    let world = World::new().await;
    let mut link = Node::new("x", NodeType::Symlink);
    link.linktarget = b"../outside".to_vec();
    let link = usual(link);
    let evil = world.file("canary", &[b"evil"]).await;
    let folder = world.folder("x", std::slice::from_ref(&evil)).await;
    let file = world.file("x", &[b"evil"]).await;
    let tree = world.tree(&[link.clone(), folder.clone(), file.clone()]).await;
    let other = world.tree(&[folder, link.clone()]).await;
    let only_link = world.tree(&[link]).await;
    let stage = world.ready().await;
    let counts = stage.restore(tree).await;
    assert_eq!((counts.errors, paths(&stage.target())), (2, vec!["x".to_owned()]));
    // One snapshot's link in the place of another's folder, and the other way round.
    stage.restore(other).await;
    assert_eq!(stage.read("x/canary"), "evil");
    assert_eq!(stage.restore(only_link).await.errors, 1);
    assert_eq!(stage.read("x/canary"), "evil");
}

#[tokio::test]
async fn links_that_lie_in_the_target_are_not_followed() {
    let world = World::new().await;
    let evil = world.file("canary", &[b"evil"]).await;
    let inner = world.folder("x", std::slice::from_ref(&evil)).await;
    let outer = world.folder("d", &[inner, evil]).await;
    let tree = world.tree(&[outer]).await;
    let stage = world.ready().await;
    let outside = stage.scene.folder.path().join("outside");
    for delete in [false, true] {
        for place in ["d", "d/x", "d/canary"] {
            if stage.target().exists() {
                std::fs::remove_dir_all(stage.target()).unwrap();
            }
            std::fs::create_dir_all(stage.path(place).parent().unwrap()).unwrap();
            let leads_to = if place == "d/canary" { outside.join("canary") } else { outside.clone() };
            std::os::unix::fs::symlink(leads_to, stage.path(place)).unwrap();
            let counts = stage.restore_with(tree, RestoreOptions { delete, ..stage.options() }).await;
            assert_eq!((counts.errors, stage.read("d/x/canary")), (0, "evil".into()));
            assert_eq!(stage.read("d/canary"), "evil");
        }
    }
}

#[tokio::test]
async fn a_claimed_size_is_not_believed() {
    let world = World::new().await;
    let mut nodes = Vec::new();
    for (name, size) in [("1", 1 << 40), ("2", u64::MAX), ("3", 0), ("4", 1)] {
        let mut node = world.file(name, &[b"five!"]).await;
        node.size = size;
        nodes.push(node);
    }
    let tree = world.tree(&nodes).await;
    let stage = world.ready().await;
    let counts = stage.restore(tree).await;
    assert_eq!((counts.errors, counts.bytes_total), (0, 20));
    for name in ["1", "2", "3", "4"] {
        assert_eq!(stage.read(name), "five!");
        assert!(std::fs::metadata(stage.path(name)).unwrap().blocks() <= 8);
    }
}

#[tokio::test]
async fn a_file_that_can_never_fit_is_not_begun() {
    let world = World::new().await;
    let node = world.file("huge", &[b"content"]).await;
    let blob = node.content.clone().unwrap()[0];
    let stage = world.ready().await;
    let mut site = site::Site::open(stage.options(), Progress::silent(), Interrupt::never()).unwrap();
    let pieces = vec![compare::Piece { blob, length_bytes: u32::MAX }; 100_000];
    site.visit(folders::FolderId::ROOT, vec![site::Entry { node, pieces: Ok(pieces) }]).unwrap();
    site.begin_writing().unwrap();
    let error = site.open_file(0).unwrap_err();
    assert!(matches!(error, error::ItemError::TooBig { needed_bytes: 429_496_729_500_000, .. }), "{error}");
    assert!(paths(&stage.target()).is_empty());
}

#[tokio::test]
async fn a_hard_link_with_other_content_is_a_file_of_its_own() {
    let world = World::new().await;
    let mut nodes = Vec::new();
    for (name, content) in [("1", b"one"), ("2", b"two"), ("3", b"one")] {
        let mut node = world.file(name, &[content]).await;
        (node.inode, node.device_id, node.links) = (7, 1, 2);
        nodes.push(node);
    }
    let tree = world.tree(&nodes).await;
    let stage = world.ready().await;
    assert_eq!(stage.restore(tree).await.errors, 0);
    assert_eq!(["1", "2", "3"].map(|name| stage.read(name)), ["one", "two", "one"]);
}

#[tokio::test]
async fn a_tree_that_unfolds_without_end_is_seen_through() {
    let world = World::new().await;
    let mut nodes = vec![world.file("f", &[b"x"]).await];
    for _ in 0..14 {
        let mut level = Vec::new();
        for name in '0'..='9' {
            level.push(world.folder(&name.to_string(), &nodes).await);
        }
        nodes = level;
    }
    let tree = world.tree(&nodes).await;
    let stage = world.ready().await;
    let error = stage.try_restore(tree, stage.options()).await.unwrap_err();
    assert!(matches!(error, RestoreError::Bomb { entries: 211_111_111_111_110.., .. }), "{error}");
    assert!(paths(&stage.target()).len() < 100);
    let error = read_files(&stage.repo, &stage.index, tree, 1 << 20).await.unwrap_err();
    assert!(matches!(error, RestoreError::TooManyEntries { .. }), "{error}");
}

/// Deeper than paths may be long, and than files may be open.
#[tokio::test]
async fn folders_as_deep_as_one_likes_are_restored_and_deleted() {
    let world = World::new().await;
    let mut node = world.file("bottom", &[b"reached"]).await;
    for _ in 0..1200 {
        node = world.folder("folder", &[node]).await;
    }
    let tree = world.tree(&[node]).await;
    let nothing = world.tree(&[world.file("other", &[b"x"]).await]).await;
    let stage = world.ready().await;
    let counts = stage.restore(tree).await;
    assert_eq!((counts.errors, counts.files_restored), (0, 1201), "{:?}", stage.failures().first());
    let counts = stage.restore_with(nothing, RestoreOptions { delete: true, ..stage.options() }).await;
    assert_eq!((counts.errors, counts.files_deleted), (0, 1201), "{:?}", stage.failures().first());
    assert_eq!(paths(&stage.target()), ["other"]);
}
