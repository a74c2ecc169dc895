//! The folders of the target, reached one name at a time through open directories.
//!
//! A folder is opened below its parent by one name, never through a symbolic link, and must stay the same folder (device
//! and inode) for as long as the restore knows it. So neither a name of the repository nor a link that lies in the
//! target leads outside, even if somebody moves things about meanwhile. Only the last few folders stay open: how deep a
//! tree goes does not matter.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, fstat, fstatvfs, mkdirat, openat, unlinkat};
use rustix::io::Errno;

/// How many folders stay open.
const OPEN_AT_MOST: usize = 64;
/// The folder itself: to look up names in, neither to read nor to write.
const AS_FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Device and inode: what a file is, whatever its name.
pub(super) type Identity = (u64, u64);

/// The identity that `stat` tells of.
#[expect(clippy::useless_conversion, reason = "the fields' widths differ between platforms")]
pub(super) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev.into(), stat.st_ino.into())
}

/// A folder of the tree being restored, whether it is in the target yet or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FolderId(u64);

impl FolderId {
    /// The target itself.
    pub(super) const ROOT: FolderId = FolderId(0);
}

/// The folders that the restore is busy with.
pub(super) struct Folders {
    /// None in a dry run for a target that is not there.
    root: Option<Arc<OwnedFd>>,
    known: HashMap<FolderId, Folder>,
    /// The last used comes last.
    open: Vec<(FolderId, Arc<OwnedFd>)>,
    next: u64,
}

struct Folder {
    parent: FolderId,
    name: Vec<u8>,
    identity: Option<Identity>,
    is_new: bool,
}

impl Folders {
    /// Opens the target, and makes it unless `dry_run`. Links on the way to it are the operator's and are followed.
    pub(super) fn open_target(target: &Path, dry_run: bool) -> io::Result<Folders> {
        if !dry_run {
            let mut builder = std::fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(target)?;
        }
        let root = match openat(CWD, target, AS_FOLDER.difference(OFlags::NOFOLLOW), Mode::empty()) {
            Ok(root) => Some(Arc::new(root)),
            Err(Errno::NOENT) if dry_run => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Folders { root, known: HashMap::new(), open: Vec::new(), next: 1 })
    }

    /// Takes note of a folder by its name, which [`super::names`] has found fit.
    pub(super) fn add(&mut self, parent: FolderId, name: Vec<u8>) -> FolderId {
        let id = FolderId(self.next);
        self.next += 1;
        self.known.insert(id, Folder { parent, name, identity: None, is_new: false });
        id
    }

    /// Forgets a folder that is done.
    pub(super) fn forget(&mut self, id: FolderId) {
        self.known.remove(&id);
        self.open.retain(|(open, _)| *open != id);
    }

    /// The path of an entry in the snapshot, with a leading slash.
    pub(super) fn location(&self, mut id: FolderId, name: &[u8]) -> PathBuf {
        let mut names = vec![name];
        while let Some(folder) = self.known.get(&id) {
            names.push(&folder.name);
            id = folder.parent;
        }
        let mut location = PathBuf::from("/");
        location.extend(names.into_iter().rev().map(OsStr::from_bytes));
        location
    }

    /// How many more files the target's file system can take; none if it does not say.
    pub(super) fn room_for_files(&self) -> Option<u64> {
        let room = fstatvfs(self.root.as_ref()?).ok()?;
        (room.f_files > 0).then_some(room.f_favail)
    }

    /// Parent and name of a folder; none for the target itself.
    pub(super) fn place(&self, id: FolderId) -> Option<(FolderId, Vec<u8>)> {
        self.known.get(&id).map(|folder| (folder.parent, folder.name.clone()))
    }

    /// Whether this restore made the folder, so that nothing can be in it.
    pub(super) fn is_new(&self, id: FolderId) -> bool {
        self.known.get(&id).is_some_and(|folder| folder.is_new)
    }

    /// The folder, if it is in the target and a folder.
    pub(super) fn existing(&mut self, id: FolderId) -> io::Result<Option<Arc<OwnedFd>>> {
        match self.reach(id, false) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The folder, made if it is not there. What is no folder and has its name is removed, links too.
    pub(super) fn ensure(&mut self, id: FolderId) -> io::Result<Arc<OwnedFd>> {
        Ok(self.reach(id, true)?)
    }

    /// The folder at a location that an earlier step restored, and the last name.
    pub(super) fn walk_to(&self, location: &Path) -> io::Result<(Arc<OwnedFd>, Vec<u8>)> {
        let mut folder = self.root.clone().ok_or(Errno::NOENT)?;
        let mut names = location.iter().skip(1).map(OsStrExt::as_bytes).peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                return Ok((folder, name.to_vec()));
            }
            folder = Arc::new(openat(&folder, name, AS_FOLDER, Mode::empty())?);
        }
        Err(Errno::NOENT.into())
    }

    fn reach(&mut self, id: FolderId, make: bool) -> Result<Arc<OwnedFd>, Errno> {
        let mut missing = Vec::new();
        let mut at = id;
        let mut folder = loop {
            if at == FolderId::ROOT {
                break self.root.clone().ok_or(Errno::NOENT)?;
            }
            if let Some(open) = self.still_open(at) {
                break open;
            }
            missing.push(at);
            at = self.known.get(&at).ok_or(Errno::NOENT)?.parent;
        };
        while let Some(id) = missing.pop() {
            let known = self.known.get_mut(&id).ok_or(Errno::NOENT)?;
            folder = Arc::new(known.open(&folder, make)?);
            if self.open.len() >= OPEN_AT_MOST {
                self.open.remove(0);
            }
            self.open.push((id, Arc::clone(&folder)));
        }
        Ok(folder)
    }

    fn still_open(&mut self, id: FolderId) -> Option<Arc<OwnedFd>> {
        let place = self.open.iter().rposition(|(open, _)| *open == id)?;
        let entry = self.open.remove(place);
        let folder = Arc::clone(&entry.1);
        self.open.push(entry);
        Some(folder)
    }
}

impl Folder {
    fn open(&mut self, parent: &OwnedFd, make: bool) -> Result<OwnedFd, Errno> {
        let make = make && self.identity.is_none();
        let open = || openat(parent, &self.name[..], AS_FOLDER, Mode::empty());
        let (folder, is_new) = match open() {
            Err(Errno::NOENT) if make => {
                mkdirat(parent, &self.name[..], Mode::RWXU)?;
                (open()?, true)
            }
            Err(Errno::NOTDIR | Errno::LOOP) if make => {
                unlinkat(parent, &self.name[..], AtFlags::empty())?;
                mkdirat(parent, &self.name[..], Mode::RWXU)?;
                (open()?, true)
            }
            other => (other?, self.is_new),
        };
        let found = identity(&fstat(&folder)?);
        match self.identity {
            // Somebody put another folder in its place meanwhile.
            Some(identity) if identity != found => return Err(Errno::STALE),
            _ => self.identity = Some(found),
        }
        self.is_new = is_new;
        Ok(folder)
    }
}
