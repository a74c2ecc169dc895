//! A walk through the folders of a snapshot, in their order.

use crate::format::{Node, NodeType, TreeId};
use crate::repository::{Index, Repository, RepositoryError};

/// What the walk comes across.
#[derive(Debug)]
pub(crate) enum Visit {
    /// An entry; a folder comes before what it holds.
    Node {
        /// Its path in the snapshot, with a leading slash.
        path: Vec<u8>,
        /// What the tree says of it.
        node: Box<Node>,
    },
    /// A folder that was entered has been seen whole.
    Left,
}

/// A walk that is under way; the caller decides at each folder whether it is [entered](Walk::enter).
///
/// It holds the entries of the folders on the way down only, and is not recursive: depth costs no stack.
pub(crate) struct Walk<'a> {
    repository: &'a Repository,
    index: &'a Index,
    open: Vec<(Vec<u8>, std::vec::IntoIter<Node>)>,
}

impl<'a> Walk<'a> {
    /// A walk through `tree`, whose entries have paths below `path`.
    pub(crate) async fn begin(
        repository: &'a Repository,
        index: &'a Index,
        path: &[u8],
        tree: TreeId,
    ) -> Result<Walk<'a>, RepositoryError> {
        let mut walk = Walk { repository, index, open: Vec::new() };
        walk.open(path.to_vec(), tree).await?;
        Ok(walk)
    }

    /// The next entry, or the end of a folder; none when all is seen.
    pub(crate) fn next(&mut self) -> Option<Visit> {
        let (folder, nodes) = self.open.last_mut()?;
        if let Some(node) = nodes.next() {
            return Some(Visit::Node { path: joined(folder, &node.name), node: Box::new(node) });
        }
        self.open.pop();
        // The folder that the walk began in was not entered.
        (!self.open.is_empty()).then_some(Visit::Left)
    }

    /// Goes on inside of this folder; a folder without a tree is an error, anything else is not entered.
    pub(crate) async fn enter(&mut self, path: Vec<u8>, node: &Node) -> Result<bool, RepositoryError> {
        if node.node_type != NodeType::Dir {
            return Ok(false);
        }
        let Some(tree) = node.subtree else {
            return Err(RepositoryError::NotAFolder { path: String::from_utf8_lossy(&path).into_owned() });
        };
        self.open(path, tree).await?;
        Ok(true)
    }

    async fn open(&mut self, path: Vec<u8>, tree: TreeId) -> Result<(), RepositoryError> {
        let nodes = self.repository.load_tree(self.index, tree).await?.nodes;
        self.open.push((path, nodes.into_iter()));
        Ok(())
    }
}

/// A path and a name below it.
pub(crate) fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.strip_suffix(b"/").unwrap_or(folder).to_vec();
    path.push(b'/');
    path.extend_from_slice(name);
    path
}

/// Whether `path` is `folder` or lies below it.
pub(crate) fn is_within(folder: &[u8], path: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_itself_and_what_is_below() {
        for (folder, path, within) in [
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a/", "/a/b", true),
            ("/", "/a", true),
            ("/a", "/ab", false),
            ("/a/b", "/a", false),
        ] {
            assert_eq!(is_within(folder.as_bytes(), path.as_bytes()), within, "{folder} {path}");
        }
        assert_eq!(joined(b"/", b"x"), b"/x");
        assert_eq!(joined(b"/a", b"x"), b"/a/x");
    }
}
