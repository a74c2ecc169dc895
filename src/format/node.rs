//! Nodes: what a tree says of one file, directory or other entry.

mod decode;
mod encode;
mod mode;

use std::collections::BTreeMap;
use std::fmt;

pub use mode::Mode;

use super::{BlobId, Time, TreeId};

/// One entry of a tree, with everything that restic 0.19 stores of it.
///
/// Numbers and texts that restic leaves out when empty are zero and empty here. Decoding checks the form only: that a
/// name is fit for a path, or that a directory has a subtree, is for the reader to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name in its directory: any bytes.
    pub name: Vec<u8>,
    /// What kind of entry it is.
    pub node_type: NodeType,
    /// Permissions, and the type once more.
    pub mode: Mode,
    /// When the content changed last.
    pub mtime: Time,
    /// When it was read last; restic writes `mtime` here unless told otherwise.
    pub atime: Time,
    /// When the entry itself changed last.
    pub ctime: Time,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The owner's name where it was backed up, or empty.
    pub user: String,
    /// The group's name where it was backed up, or empty.
    pub group: String,
    /// The number in its file system.
    pub inode: u64,
    /// The file system's number (`st_dev`).
    pub device_id: u64,
    /// The length of a file. A hint: the content's blobs decide.
    pub size: u64,
    /// How many names the entry has in its file system; of files, symlinks and devices.
    pub links: u64,
    /// Where a symlink leads: any bytes.
    pub linktarget: Vec<u8>,
    /// Extended attributes, in the order in which the system lists them.
    pub extended_attributes: Vec<ExtendedAttribute>,
    /// Attributes of foreign systems as JSON, kept as they are (`windows.creation_time` and the like).
    pub generic_attributes: BTreeMap<String, Vec<u8>>,
    /// The number of a device node (`st_rdev`).
    pub device: u64,
    /// The blobs that follow each other in a file; `None` for all else.
    pub content: Option<Vec<BlobId>>,
    /// The tree of a directory.
    pub subtree: Option<TreeId>,
    /// What went wrong when the entry was backed up, or empty.
    pub error: String,
    /// Fields that restic 0.19 does not know, as JSON, in their order; written again behind the known ones.
    pub unknown_fields: Vec<(String, Vec<u8>)>,
}

/// An extended attribute of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedAttribute {
    /// The name with its name space, as in `user.comment`. Bytes that are not UTF-8 do not survive encoding.
    pub name: Vec<u8>,
    /// The value: any bytes.
    pub value: Vec<u8>,
}

/// The kind of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeType {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A block device.
    Dev,
    /// A character device.
    CharDev,
    /// A named pipe.
    Fifo,
    /// A socket; restic reads but does not write it.
    Socket,
    /// Something else that a system had.
    Irregular,
    /// A kind that restic 0.19 does not know either; empty if the node names none.
    Other(String),
}

impl Node {
    /// A node with nothing but its name and type: zero times, owned by 0, no content.
    #[must_use]
    pub fn new(name: impl Into<Vec<u8>>, node_type: NodeType) -> Self {
        Self {
            name: name.into(),
            node_type,
            mode: Mode::default(),
            mtime: Time::ZERO,
            atime: Time::ZERO,
            ctime: Time::ZERO,
            uid: 0,
            gid: 0,
            user: String::new(),
            group: String::new(),
            inode: 0,
            device_id: 0,
            size: 0,
            links: 0,
            linktarget: Vec::new(),
            extended_attributes: Vec::new(),
            generic_attributes: BTreeMap::new(),
            device: 0,
            content: None,
            subtree: None,
            error: String::new(),
            unknown_fields: Vec::new(),
        }
    }
}

impl NodeType {
    /// The word for it in a tree.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::File => "file",
            Self::Dir => "dir",
            Self::Symlink => "symlink",
            Self::Dev => "dev",
            Self::CharDev => "chardev",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Irregular => "irregular",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for NodeType {
    fn from(word: String) -> Self {
        match word.as_str() {
            "file" => Self::File,
            "dir" => Self::Dir,
            "symlink" => Self::Symlink,
            "dev" => Self::Dev,
            "chardev" => Self::CharDev,
            "fifo" => Self::Fifo,
            "socket" => Self::Socket,
            "irregular" => Self::Irregular,
            _ => Self::Other(word),
        }
    }
}

impl fmt::Display for NodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
