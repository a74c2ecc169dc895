//! What a node says of a local file besides its content.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::fs::{Mode as Permissions, OFlags};
use rustix::io::Errno;

use crate::format::{ExtendedAttribute, Mode, Node, NodeType, Time};
use crate::repository::accounts::Accounts;

/// Makes nodes of what the system says of files.
#[derive(Debug)]
pub(super) struct MetadataReader {
    accounts: Accounts,
    zone: TimeZone,
    with_atime: bool,
}

/// Whether extended attributes that may not be listed are a fault: not in directories above those of the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attributes {
    Required,
    IfPermitted,
}

impl MetadataReader {
    pub(super) fn new(with_atime: bool) -> Self {
        Self { accounts: Accounts::of_this_machine(), zone: TimeZone::system(), with_atime }
    }

    /// The node of a file, and what could not be read of it, in words.
    ///
    /// `metadata` is what the system said of it, of the link itself if it is one; `path` is where its attributes and
    /// its link's target are read.
    pub(super) fn node(
        &self,
        name: &[u8],
        path: &Path,
        metadata: &Metadata,
        attributes: Attributes,
    ) -> (Node, Vec<String>) {
        let mut problems = Vec::new();
        let mode = metadata.mode();
        let mut node = Node::new(name, node_type(mode));
        node.mode = Mode::from_unix(mode);
        node.mtime = self.time(metadata.mtime(), metadata.mtime_nsec());
        node.ctime = self.time(metadata.ctime(), metadata.ctime_nsec());
        node.atime = if self.with_atime { self.time(metadata.atime(), metadata.atime_nsec()) } else { node.mtime };
        (node.uid, node.gid) = (metadata.uid(), metadata.gid());
        (node.user, node.group) = (self.accounts.user(node.uid), self.accounts.group(node.gid));
        (node.inode, node.device_id) = (metadata.ino(), metadata.dev());
        match node.node_type {
            NodeType::File => {
                node.size = metadata.size();
                node.links = metadata.nlink();
            }
            NodeType::Symlink => {
                node.links = metadata.nlink();
                match fs::read_link(path) {
                    Ok(target) => node.linktarget = target.into_os_string().into_vec(),
                    Err(error) => problems.push(format!("the link's target cannot be read: {error}")),
                }
            }
            NodeType::Dev | NodeType::CharDev => {
                node.links = metadata.nlink();
                node.device = metadata.rdev();
            }
            _ => {}
        }
        node.extended_attributes = extended_attributes(path, attributes, &mut problems);
        (node, problems)
    }

    /// A time of the system, told in this machine's offset at that time.
    fn time(&self, unix_seconds: i64, nanoseconds: i64) -> Time {
        let timestamp = Timestamp::from_second(unix_seconds);
        let far = if unix_seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let offset = self.zone.to_offset(timestamp.unwrap_or(far));
        Time::from_unix(unix_seconds, u32::try_from(nanoseconds).unwrap_or_default(), offset.seconds())
    }
}

fn node_type(st_mode: u32) -> NodeType {
    match st_mode & 0o170_000 {
        0o100_000 => NodeType::File,
        0o040_000 => NodeType::Dir,
        0o120_000 => NodeType::Symlink,
        0o060_000 => NodeType::Dev,
        0o020_000 => NodeType::CharDev,
        0o010_000 => NodeType::Fifo,
        0o140_000 => NodeType::Socket,
        _ => NodeType::Irregular,
    }
}

/// The attributes in the order in which the system lists them; a file system without any has none.
fn extended_attributes(path: &Path, attributes: Attributes, problems: &mut Vec<String>) -> Vec<ExtendedAttribute> {
    let names = match xattr::list(path) {
        Ok(names) => names,
        Err(error) if is_unsupported(&error) => return Vec::new(),
        Err(error) if attributes == Attributes::IfPermitted && error.kind() == io::ErrorKind::PermissionDenied => {
            return Vec::new();
        }
        Err(error) => {
            problems.push(format!("extended attributes cannot be listed: {error}"));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for name in names {
        match xattr::get(path, &name) {
            Ok(Some(value)) => found.push(ExtendedAttribute { name: name.as_bytes().to_vec(), value }),
            // It is gone by now.
            Ok(None) => {}
            Err(error) if is_unsupported(&error) => {}
            Err(error) => problems.push(format!("extended attribute {} cannot be read: {error}", name.display())),
        }
    }
    found
}

/// No attributes here: what file systems say that have none.
fn is_unsupported(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOTSUP | Errno::NODATA)) || error.kind() == io::ErrorKind::Unsupported
}

/// Opens a file or directory to read it, but not what a link leads to, and without changing when it was read last.
///
/// Never waits for somebody to open the other end of a pipe.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    // Only the owner may ask for NOATIME.
    let opened = match rustix::fs::open(path, flags | OFlags::NOATIME, Permissions::empty()) {
        Err(Errno::PERM) => rustix::fs::open(path, flags, Permissions::empty()),
        opened => opened,
    };
    Ok(File::from(opened?))
}
