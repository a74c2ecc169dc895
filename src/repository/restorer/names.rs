//! Which names of a tree are fit to be names in a folder.

use std::collections::HashSet;

use crate::format::Node;

/// Why a node is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnfitName {
    /// Nothing at all.
    #[error("an entry has no name")]
    Empty,
    /// `.` or `..`.
    #[error("an entry is named like the folder itself, or like the one above")]
    Dots,
    /// A slash or a zero byte.
    #[error("{0:?} has a character that no name can have")]
    Character(String),
    /// A name that an entry before it has.
    #[error("the folder has this name more than once; only the first is restored")]
    Repeated,
}

/// Tells the nodes of a tree that can be restored from those that must not be.
pub(super) fn sift(nodes: Vec<Node>) -> (Vec<Node>, Vec<(Vec<u8>, UnfitName)>) {
    let repeated = repeated(&nodes);
    let mut unfit = Vec::new();
    let fits = |(number, node): (usize, Node)| {
        let fault = if repeated.contains(&number) { Some(UnfitName::Repeated) } else { fault(&node.name) };
        match fault {
            None => Some(node),
            Some(fault) => {
                unfit.push((node.name, fault));
                None
            }
        }
    };
    let fit = nodes.into_iter().enumerate().filter_map(fits).collect();
    (fit, unfit)
}

fn fault(name: &[u8]) -> Option<UnfitName> {
    match name {
        b"" => Some(UnfitName::Empty),
        b"." | b".." => Some(UnfitName::Dots),
        name if name.contains(&b'/') || name.contains(&0) => {
            Some(UnfitName::Character(String::from_utf8_lossy(name).into_owned()))
        }
        _ => None,
    }
}

/// The numbers of the nodes whose name came before. Trees that restic wrote are in order, and cost nothing here.
fn repeated(nodes: &[Node]) -> HashSet<usize> {
    if nodes.is_sorted_by(|a, b| a.name < b.name) {
        return HashSet::new();
    }
    let mut seen = HashSet::new();
    (0..).zip(nodes).filter(|(_, node)| !seen.insert(&node.name[..])).map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::NodeType;

    #[test]
    fn names_that_lead_elsewhere_are_left_out() {
        let names: [&[u8]; 9] = [b"", b".", b"..", b"/", b"a/b", b"../x", b"a\0b", b"...", b"a"];
        let (fit, unfit) = sift(names.map(|name| Node::new(name, NodeType::File)).into());
        assert_eq!(fit.iter().map(|node| &node.name[..]).collect::<Vec<_>>(), [&b"..."[..], b"a"]);
        assert_eq!(unfit.len(), 7);
    }

    #[test]
    fn of_a_repeated_name_only_the_first_stays() {
        let nodes = ["b", "a", "b"].map(|name| Node::new(name, NodeType::File));
        let (fit, unfit) = sift(nodes.into());
        assert_eq!(fit.len(), 2);
        assert_eq!(unfit, [(b"b".to_vec(), UnfitName::Repeated)]);
    }
}
