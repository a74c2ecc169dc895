//! Comparing what is there with what the parent snapshot says.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use super::ItemChange;
use crate::format::{Node, NodeType, Time};

/// Which signs of change do not count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ignored {
    pub(super) ctime: bool,
    pub(super) inode: bool,
}

/// Whether a file looks as it did when `previous` was made of it, so that it need not be read.
pub(super) fn looks_unchanged(metadata: &Metadata, previous: &Node, ignored: Ignored) -> bool {
    let is_at = |time: &Time, seconds, nanoseconds| {
        time.is_same_instant(&Time::from_unix(seconds, u32::try_from(nanoseconds).unwrap_or_default(), 0))
    };
    previous.node_type == NodeType::File
        && metadata.size() == previous.size
        && is_at(&previous.mtime, metadata.mtime(), metadata.mtime_nsec())
        && (ignored.ctime || is_at(&previous.ctime, metadata.ctime(), metadata.ctime_nsec()))
        && (ignored.inode || metadata.ino() == previous.inode)
}

/// How a node compares with the one of the same path in the parent.
pub(super) fn change(previous: Option<&Node>, current: &Node) -> ItemChange {
    match previous {
        None => ItemChange::New,
        Some(previous) if is_same(previous, current) => ItemChange::Unchanged,
        Some(_) => ItemChange::Modified,
    }
}

/// Whether two nodes say the same: times are compared by instant, attributes without regard to their order.
fn is_same(a: &Node, b: &Node) -> bool {
    let times =
        |node: &Node| [node.mtime, node.atime, node.ctime].map(|time| (time.unix_seconds(), time.nanoseconds()));
    let attributes = |node: &Node| {
        let attributes = node.extended_attributes.iter();
        attributes.map(|attribute| (attribute.name.clone(), attribute.value.clone())).collect::<HashMap<_, _>>()
    };
    let numbers =
        |node: &Node| (node.mode, node.uid, node.gid, node.inode, node.device_id, node.size, node.links, node.device);
    a.name == b.name
        && a.node_type == b.node_type
        && numbers(a) == numbers(b)
        && times(a) == times(b)
        && (&a.user, &a.group, &a.linktarget, &a.error) == (&b.user, &b.group, &b.linktarget, &b.error)
        && (&a.content, a.subtree) == (&b.content, b.subtree)
        && a.extended_attributes.len() == b.extended_attributes.len()
        && attributes(a) == attributes(b)
        && a.generic_attributes == b.generic_attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ExtendedAttribute;

    fn attribute(name: &str) -> ExtendedAttribute {
        ExtendedAttribute { name: name.into(), value: vec![1] }
    }

    #[test]
    fn the_same_said_otherwise_is_no_change() {
        let mut a = Node::new("a", NodeType::File);
        a.mtime = Time::from_unix(1000, 5, 3600);
        a.extended_attributes = vec![attribute("user.a"), attribute("user.b")];
        let mut b = a.clone();
        b.mtime = Time::from_unix(1000, 5, 0);
        b.extended_attributes.reverse();
        b.unknown_fields.push(("x".into(), b"1".to_vec()));
        assert_eq!(change(Some(&a), &b), ItemChange::Unchanged);
        b.content = Some(Vec::new());
        assert_eq!(change(Some(&a), &b), ItemChange::Modified);
        assert_eq!(change(None, &b), ItemChange::New);
    }
}
