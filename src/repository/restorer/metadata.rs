//! Owner, extended attributes, times and permissions of what was restored.
//!
//! The order matters: a change of owner clears setuid bits and capabilities, writing attributes needs the permission
//! to write, and so permissions come last.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::fs::{
    CWD, chmodat, chownat, fchmod, fchown, flistxattr, flistxattr_query, fremovexattr, fsetxattr, futimens, listxattr,
    listxattr_query, openat, removexattr, setxattr, utimensat,
};
use rustix::io::Errno;

use super::options::SelectXattr;
use crate::format::{Node, NodeType, Time};
use crate::repository::accounts::Accounts;

/// An attribute that the kernel lets nobody remove.
const UNREMOVABLE: &[u8] = b"security.selinux";

/// Which part of the metadata could not be restored.
#[derive(Debug, thiserror::Error)]
#[error("its {what} cannot be restored")]
pub(super) struct MetadataError {
    what: String,
    source: io::Error,
}

/// Which metadata is restored, and how.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Chooses extended attributes by their names; none: all.
    pub(super) xattrs: Option<&'a SelectXattr>,
    /// Where to look up owners by their names; none: their numbers count.
    pub(super) accounts: Option<&'a Accounts>,
}

/// Something in the target whose metadata is to be set: exactly this thing, whatever its name leads to later.
pub(super) struct Object<'a> {
    fd: OpenAs<'a>,
    folder: BorrowedFd<'a>,
    name: &'a [u8],
}

enum OpenAs<'a> {
    /// Opened for reading or writing.
    File(BorrowedFd<'a>),
    /// Opened only to be pointed at: devices, pipes and links must not be opened otherwise, some folders cannot.
    Place(OwnedFd),
}

impl Wanted<'_> {
    /// User and group. A name that this machine does not have leaves the number; restic makes it 0.
    fn owner(&self, node: &Node) -> (u32, u32) {
        let uid = self.accounts.and_then(|accounts| accounts.user_number(&node.user));
        let gid = self.accounts.and_then(|accounts| accounts.group_number(&node.group));
        (uid.unwrap_or(node.uid), gid.unwrap_or(node.gid))
    }
}

impl<'a> Object<'a> {
    /// What is open as `file`.
    pub(super) fn open(file: BorrowedFd<'a>, folder: &'a OwnedFd, name: &'a [u8]) -> Object<'a> {
        Object { fd: OpenAs::File(file), folder: folder.as_fd(), name }
    }

    /// What has this name in a folder now, if it is a link the link itself.
    pub(super) fn at(folder: &'a OwnedFd, name: &'a [u8]) -> io::Result<Object<'a>> {
        let place = openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Object { fd: OpenAs::Place(place), folder: folder.as_fd(), name })
    }

    /// A folder that cannot be opened for reading.
    pub(super) fn folder(folder: &OwnedFd, parent: &'a OwnedFd, name: &'a [u8]) -> io::Result<Object<'a>> {
        Ok(Object { fd: OpenAs::Place(folder.try_clone()?), folder: parent.as_fd(), name })
    }

    /// Sets everything that `node` says. What fails does not keep the rest from being tried; the first error is told.
    ///
    /// Who is not root is not told of what only root may do, as with restic.
    pub(super) fn apply(&self, node: &Node, wanted: Wanted<'_>) -> Result<(), MetadataError> {
        let (uid, gid) = wanted.owner(node);
        let wanted = |name: &[u8]| wanted.xattrs.is_none_or(|wanted| wanted(name));
        let mut first = None;
        let mut attempt = |what: &str, result: Result<(), Errno>| match result {
            Err(Errno::PERM | Errno::ACCESS) if !rustix::process::geteuid().is_root() => {}
            Err(error) => {
                first.get_or_insert(MetadataError { what: what.to_owned(), source: error.into() });
            }
            Ok(()) => {}
        };
        attempt("owner", self.set_owner(uid, gid));
        for attribute in node.extended_attributes.iter().filter(|attribute| wanted(&attribute.name)) {
            let what = || format!("extended attribute {:?}", String::from_utf8_lossy(&attribute.name));
            let result = self.set_attribute(&attribute.name, &attribute.value);
            if result.is_err() {
                attempt(&what(), supported(result));
            }
        }
        attempt("extended attributes", supported(self.remove_attributes_not_in(node, &wanted)));
        attempt("times", self.set_times(&node.atime, &node.mtime));
        if node.node_type != NodeType::Symlink {
            attempt("permissions", self.set_permissions(Mode::from_raw_mode(node.mode.unix_permissions())));
        }
        first.map_or(Ok(()), Err)
    }

    fn set_owner(&self, uid: u32, gid: u32) -> Result<(), Errno> {
        // The greatest number means "leave it" to the system, as it does for restic.
        let uid = (uid != u32::MAX).then(|| Uid::from_raw(uid));
        let gid = (gid != u32::MAX).then(|| Gid::from_raw(gid));
        match &self.fd {
            OpenAs::File(file) => fchown(file, uid, gid),
            OpenAs::Place(place) => chownat(place, "", uid, gid, AtFlags::EMPTY_PATH),
        }
    }

    fn set_times(&self, atime: &Time, mtime: &Time) -> Result<(), Errno> {
        let times = Timestamps { last_access: timespec(atime), last_modification: timespec(mtime) };
        match &self.fd {
            OpenAs::File(file) => futimens(file, &times),
            // An empty path would do only since Linux 5.8.
            OpenAs::Place(_) => utimensat(self.folder, self.name, &times, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    fn set_permissions(&self, mode: Mode) -> Result<(), Errno> {
        match &self.fd {
            OpenAs::File(file) => fchmod(file, mode),
            OpenAs::Place(place) => chmodat(CWD, path_of(place), mode, AtFlags::empty()),
        }
    }

    fn set_attribute(&self, name: &[u8], value: &[u8]) -> Result<(), Errno> {
        match &self.fd {
            OpenAs::File(file) => fsetxattr(file, name, value, XattrFlags::empty()),
            OpenAs::Place(place) => setxattr(path_of(place), name, value, XattrFlags::empty()),
        }
    }

    fn remove_attributes_not_in(&self, node: &Node, wanted: &dyn Fn(&[u8]) -> bool) -> Result<(), Errno> {
        let is_link = node.node_type == NodeType::Symlink;
        // A link just made has none but the kernel's own; asking would need /proc for every link.
        if is_link && node.extended_attributes.is_empty() {
            return Ok(());
        }
        for name in self.attribute_names()?.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let expected = node.extended_attributes.iter().any(|attribute| attribute.name == name);
            if expected || name == UNREMOVABLE || !wanted(name) {
                continue;
            }
            match &self.fd {
                OpenAs::File(file) => fremovexattr(file, name)?,
                OpenAs::Place(place) => removexattr(path_of(place), name)?,
            }
        }
        Ok(())
    }

    /// The names of all attributes, each with a zero byte after it.
    fn attribute_names(&self) -> Result<Vec<u8>, Errno> {
        let length_bytes = match &self.fd {
            OpenAs::File(file) => flistxattr_query(file)?,
            OpenAs::Place(place) => listxattr_query(path_of(place))?,
        };
        if length_bytes == 0 {
            return Ok(Vec::new());
        }
        let mut names = vec![0; length_bytes];
        let length_bytes = match &self.fd {
            OpenAs::File(file) => flistxattr(file, &mut names[..])?,
            OpenAs::Place(place) => listxattr(path_of(place), &mut names[..])?,
        };
        names.truncate(length_bytes);
        Ok(names)
    }
}

/// File systems without extended attributes are not an error, as with restic.
fn supported(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::OPNOTSUPP | Errno::NODATA) => Ok(()),
        other => other,
    }
}

fn timespec(time: &Time) -> Timespec {
    Timespec { tv_sec: time.unix_seconds(), tv_nsec: time.nanoseconds().into() }
}

/// A path that leads to what is open, without looking up any name.
fn path_of(place: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", place.as_raw_fd())
}
