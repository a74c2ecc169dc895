//! Hard links: which files of a snapshot were one file with several names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::compare::Piece;
use super::folders::Identity;
use crate::format::{Id, Node};

/// What a snapshot tells names of one file by: inode and device.
pub(super) type LinkKey = (u64, u64);

/// The first name of each file that has several.
///
/// A snapshot can claim what it likes: only a file with the very same content is taken for another name of the first.
#[derive(Default)]
pub(super) struct HardLinks {
    leaders: HashMap<LinkKey, Leader>,
}

struct Leader {
    content: Id,
    location: PathBuf,
    restored_as: Option<Identity>,
    /// It stays as it is in the target, whatever it holds.
    is_kept: bool,
}

/// How a file stands to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It stands alone.
    Single,
    /// It is the first of its names.
    Leads(LinkKey),
    /// It is a further name of a file.
    Follows(LinkKey),
}

impl HardLinks {
    /// Finds out how a file stands to those before it, and takes note of it.
    pub(super) fn claim(&mut self, node: &Node, pieces: &[Piece], location: &Path) -> Claim {
        if node.links < 2 {
            return Claim::Single;
        }
        let key = (node.inode, node.device_id);
        let content = content_id(pieces);
        match self.leaders.get(&key) {
            Some(leader) if leader.content == content => Claim::Follows(key),
            Some(_) => Claim::Single,
            None => {
                self.leaders
                    .insert(key, Leader { content, location: location.to_owned(), restored_as: None, is_kept: false });
                Claim::Leads(key)
            }
        }
    }

    /// The file of this claim has its content.
    pub(super) fn restored(&mut self, claim: Claim, identity: Identity) {
        if let Claim::Leads(key) = claim
            && let Some(leader) = self.leaders.get_mut(&key)
        {
            leader.restored_as = Some(identity);
        }
    }

    /// The file of this claim stays as it is in the target: none of its other names may become a link to it.
    pub(super) fn keep(&mut self, claim: Claim) {
        if let Claim::Leads(key) = claim
            && let Some(leader) = self.leaders.get_mut(&key)
        {
            leader.is_kept = true;
        }
    }

    /// Whether the first name stays as it is.
    pub(super) fn is_kept(&self, key: LinkKey) -> bool {
        self.leaders.get(&key).is_some_and(|leader| leader.is_kept)
    }

    /// The file of this claim will not be there: the next with this key leads.
    pub(super) fn give_up(&mut self, claim: Claim) {
        if let Claim::Leads(key) = claim {
            self.leaders.remove(&key);
        }
    }

    /// Where the first name is, and what it became.
    pub(super) fn leader(&self, key: LinkKey) -> (PathBuf, Option<Identity>) {
        self.leaders.get(&key).map(|leader| (leader.location.clone(), leader.restored_as)).unwrap_or_default()
    }
}

fn content_id(pieces: &[Piece]) -> Id {
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| *Id::from(piece.blob).as_bytes()).collect();
    Id::of(&bytes)
}
