//! Owners, permissions, times, attributes, links, special files.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::format::{ExtendedAttribute, Mode};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn permissions_times_and_attributes_come_back() {
    let world = World::new().await;
    let mut file = world.file("f", &[b"x"]).await;
    file.mode = Mode(0o4751 & 0o777 | Mode::SETUID);
    file.mtime = Time::from_unix(-5, 250_000_000, 3600);
    file.atime = Time::from_unix(4_102_444_800, 1, 0);
    file.extended_attributes = vec![ExtendedAttribute { name: b"user.a".to_vec(), value: b"\0v".to_vec() }];
    let mut unreadable = world.folder("d", &[]).await;
    unreadable.mode = Mode(Mode::DIR | Mode::STICKY | 0o311);
    let mut none = world.file("none", &[b"y"]).await;
    none.mode = Mode(0);
    if is_root() {
        (file.uid, file.gid) = (12_345, 54_321);
    }
    let tree = world.tree(&[unreadable, file, none]).await;
    let stage = world.ready().await;
    assert_eq!(stage.restore(tree).await.errors, 0, "{:?}", stage.failures());
    let metadata = std::fs::metadata(stage.path("f")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o4751);
    assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (-5, 250_000_000));
    assert_eq!((metadata.atime(), metadata.atime_nsec()), (4_102_444_800, 1));
    assert_eq!(xattr::get(stage.path("f"), "user.a").unwrap().unwrap(), b"\0v");
    assert_eq!(std::fs::metadata(stage.path("d")).unwrap().mode() & 0o7777, 0o1311);
    assert_eq!(std::fs::metadata(stage.path("none")).unwrap().mode() & 0o7777, 0);
    if is_root() {
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 54_321));
    }
}

#[tokio::test]
async fn attributes_that_do_not_belong_are_removed() {
    let world = World::new().await;
    let file = world.file("f", &[b"x"]).await;
    let tree = world.tree(&[file]).await;
    let stage = world.ready().await;
    stage.restore(tree).await;
    xattr::set(stage.path("f"), "user.odd", b"1").unwrap();
    xattr::set(stage.path("f"), "user.kept", b"1").unwrap();
    let select: SelectXattr = Arc::new(|name| name != b"user.kept");
    stage.restore_with(tree, RestoreOptions { select_xattr: Some(select), ..stage.options() }).await;
    assert_eq!(xattr::list(stage.path("f")).unwrap().collect::<Vec<_>>(), ["user.kept"]);
}

#[tokio::test]
async fn an_attribute_that_cannot_be_set_costs_only_itself() {
    let world = World::new().await;
    let mut file = world.file("f", &[b"x"]).await;
    let attribute = |name: &str, length| ExtendedAttribute { name: name.into(), value: vec![7; length] };
    file.extended_attributes =
        vec![attribute("", 1), attribute("nowhere", 1), attribute("user.big", 100_000), attribute("user.good", 1)];
    let tree = world.tree(&[file]).await;
    let stage = world.ready().await;
    assert_eq!(stage.restore(tree).await.errors, 1);
    assert_eq!(xattr::get(stage.path("f"), "user.good").unwrap().unwrap(), [7]);
    assert_eq!(std::fs::metadata(stage.path("f")).unwrap().mtime(), 1_000_000_000);
}

#[tokio::test]
async fn links_and_pipes_are_made_with_their_times() {
    let world = World::new().await;
    let mut link = Node::new("link", NodeType::Symlink);
    link.linktarget = b"../outside/\xff".to_vec();
    let mut odd = Node::new("odd", NodeType::Symlink);
    odd.linktarget = b"a\0b".to_vec();
    let mut fifo = Node::new("fifo", NodeType::Fifo);
    fifo.mode.0 = 0o640;
    let socket = Node::new("socket", NodeType::Socket);
    let strange = Node::new("strange", NodeType::Other("door".into()));
    let tree = world.tree(&[link, odd, fifo, socket, strange].map(usual)).await;
    let stage = world.ready().await;
    let counts = stage.restore(tree).await;
    assert_eq!(counts.errors, 2, "{:?}", stage.failures());
    assert_eq!(paths(&stage.target()), ["fifo", "link"]);
    let metadata = std::fs::symlink_metadata(stage.path("link")).unwrap();
    assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_000_000_000, 123_456_789));
    let metadata = std::fs::symlink_metadata(stage.path("fifo")).unwrap();
    assert!(metadata.file_type().is_fifo());
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o640, 1_000_000_000));
    // Once more, over what is there.
    assert_eq!(stage.restore(tree).await.errors, 2);
}

#[tokio::test]
async fn links_have_attributes_of_their_own() {
    if !is_root() {
        return;
    }
    let world = World::new().await;
    let mut link = Node::new("link", NodeType::Symlink);
    link.linktarget = b"../outside/canary".to_vec();
    link.extended_attributes = vec![ExtendedAttribute { name: b"trusted.a".to_vec(), value: b"v".to_vec() }];
    let tree = world.tree(&[usual(link)]).await;
    let stage = world.ready().await;
    assert_eq!(stage.restore(tree).await.errors, 0, "{:?}", stage.failures());
    assert_eq!(xattr::get(stage.path("link"), "trusted.a").unwrap().unwrap(), b"v");
    let canary = stage.scene.folder.path().join("outside/canary");
    assert_eq!(xattr::list(canary).unwrap().count(), 0);
}

#[tokio::test]
async fn names_of_one_file_become_hard_links() {
    let world = World::new().await;
    let mut nodes = Vec::new();
    for name in ["1", "2", "3"] {
        let mut node = world.file(name, &[b"same"]).await;
        (node.inode, node.device_id, node.links) = (7, 1, 3);
        nodes.push(node);
    }
    let third = nodes.pop().unwrap();
    nodes.push(world.folder("d", &[third]).await);
    let tree = world.tree(&nodes).await;
    let stage = world.ready().await;
    for _ in 0..2 {
        let counts = stage.restore(tree).await;
        assert_eq!((counts.errors, counts.files_total + counts.files_skipped), (0, 4));
        let inode = |name| std::fs::metadata(stage.path(name)).unwrap().ino();
        assert_eq!((inode("1"), inode("1")), (inode("2"), inode("d/3")));
        assert_eq!(std::fs::metadata(stage.path("d")).unwrap().mtime(), 1_000_000_000);
    }
    let options = RestoreOptions { verify: true, ..stage.options() };
    stage.restore_with(tree, options).await;
    assert_eq!(stage.read("d/3"), "same");
}

#[tokio::test]
async fn a_file_linked_to_others_does_not_change_them() {
    let world = World::new().await;
    let file = world.file("f", &[b"right"]).await;
    let tree = world.tree(&[file]).await;
    let stage = world.ready().await;
    std::fs::create_dir(stage.target()).unwrap();
    std::fs::write(stage.path("other"), "wrong").unwrap();
    std::fs::hard_link(stage.path("other"), stage.path("f")).unwrap();
    stage.restore(tree).await;
    assert_eq!((stage.read("f"), stage.read("other")), ("right".into(), "wrong".into()));
}

#[tokio::test]
async fn a_file_takes_the_place_of_whatever_is_there() {
    let world = World::new().await;
    let mut nodes = Vec::new();
    for name in ["1", "2", "3", "4"] {
        nodes.push(world.file(name, &[b"right"]).await);
    }
    let full = world.file("full", &[b"right"]).await;
    let tree = world.tree(&[nodes, vec![full]].concat()).await;
    let stage = world.ready().await;
    std::fs::create_dir_all(stage.path("1")).unwrap();
    std::os::unix::fs::symlink("../outside/canary", stage.path("2")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, stage.path("3"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    std::fs::write(stage.path("4"), "readonly").unwrap();
    std::fs::set_permissions(stage.path("4"), std::fs::Permissions::from_mode(0o444)).unwrap();
    std::fs::create_dir_all(stage.path("full/x")).unwrap();
    let counts = stage.restore(tree).await;
    assert_eq!(counts.errors, 1);
    assert!(stage.failures()[0].starts_with("/full: cannot remove what is in its place"), "{:?}", stage.failures());
    for name in ["1", "2", "3", "4"] {
        assert_eq!(stage.read(name), "right", "{name}");
        assert!(std::fs::symlink_metadata(stage.path(name)).unwrap().is_file());
    }
    let counts = stage.restore_with(tree, RestoreOptions { delete: true, ..stage.options() }).await;
    assert_eq!((counts.errors, stage.read("full")), (0, "right".into()));
}

#[tokio::test]
async fn owners_are_restored_by_name_where_there_is_one() {
    if !is_root() {
        return;
    }
    let world = World::new().await;
    let mut known = world.file("known", &[b"x"]).await;
    (known.uid, known.user, known.gid, known.group) = (4711, "root".into(), 4712, "nobody's".into());
    let tree = world.tree(&[known]).await;
    let stage = world.ready().await;
    for (ownership_by_name, owner) in [(false, (4711, 4712)), (true, (0, 4712))] {
        stage.restore_with(tree, RestoreOptions { ownership_by_name, ..stage.options() }).await;
        let metadata = std::fs::metadata(stage.path("known")).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), owner);
    }
}

#[tokio::test]
async fn devices_are_made_by_root() {
    if !is_root() {
        return;
    }
    let world = World::new().await;
    let mut device = Node::new("null", NodeType::CharDev);
    (device.device, device.mode.0) = (0x103, 0o666);
    let tree = world.tree(&[usual(device)]).await;
    let stage = world.ready().await;
    assert_eq!(stage.restore(tree).await.errors, 0, "{:?}", stage.failures());
    let metadata = std::fs::metadata(stage.path("null")).unwrap();
    assert!(metadata.file_type().is_char_device());
    assert_eq!((metadata.rdev(), metadata.mode() & 0o7777), (0x103, 0o666));
}
