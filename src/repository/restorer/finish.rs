//! What waits until the content of files is written: further names of files, and leaving folders.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, OFlags, linkat, openat, statat};
use rustix::io::Errno;

use super::error::{ItemError, RestoreError};
use super::events::RestoreAction;
use super::folders::{FolderId, identity};
use super::links::LinkKey;
use super::metadata::Object;
use super::remove;
use super::site::Site;
use crate::format::Node;

/// One thing to do after the content before it is written.
pub(super) enum Finish {
    /// A further name of a file.
    Link { folder: FolderId, node: Box<Node>, leader: LinkKey },
    /// The end of a folder: remove what does not belong there, then set its metadata.
    Leave {
        folder: FolderId,
        /// None for the target itself, whose metadata is not touched.
        node: Option<Box<Node>>,
        /// The names that stay; none: remove nothing.
        keep: Option<HashSet<Vec<u8>>>,
    },
    /// The end of a folder in which nothing was restored.
    Forget { folder: FolderId },
}

impl Site {
    /// Does all that waited, in order: a folder comes after everything in it.
    pub(super) fn finish(&mut self) -> Result<(), RestoreError> {
        for step in std::mem::take(&mut self.finish) {
            self.go_on()?;
            match step {
                Finish::Link { folder, node, leader } => {
                    let location = self.folders.location(folder, &node.name);
                    let result = self.link(folder, &node, leader, location.clone());
                    self.settle(&location, result)?;
                }
                Finish::Leave { folder, node, keep } => {
                    let location = self.location_of(folder);
                    if let Some(keep) = keep.filter(|_| self.may_delete) {
                        let result = self.remove_unexpected(folder, &keep);
                        self.settle(&location, result)?;
                    }
                    if let Some(node) = node {
                        let result = self.leave(folder, &node, location.clone());
                        self.settle(&location, result)?;
                    }
                    self.folders.forget(folder);
                }
                Finish::Forget { folder } => self.folders.forget(folder),
            }
        }
        Ok(())
    }

    /// A folder's own path in the snapshot.
    pub(super) fn location_of(&self, folder: FolderId) -> PathBuf {
        match self.folders.place(folder) {
            Some((parent, name)) => self.folders.location(parent, &name),
            None => PathBuf::from("/"),
        }
    }

    /// Makes a further name of a restored file; its metadata is the file's.
    fn link(&mut self, folder: FolderId, node: &Node, leader: LinkKey, location: PathBuf) -> Result<(), ItemError> {
        let there = self.existing(folder, &node.name)?;
        if self.keeps(node, there.as_ref()) {
            self.reporter.skipped(location, 0);
            return Ok(());
        }
        if !self.options.dry_run {
            let cannot_link = ItemError::io("cannot make the hard link");
            let (first, restored_as) = self.links.leader(leader);
            let Some(restored_as) = restored_as else { return Err(ItemError::Leader(first)) };
            let (first_place, first_name) = self.folders.walk_to(&first).map_err(&cannot_link)?;
            let found = statat(&first_place, &first_name[..], AtFlags::SYMLINK_NOFOLLOW);
            if found.map(|stat| identity(&stat)) != Ok(restored_as) {
                return Err(cannot_link(Errno::STALE.into()));
            }
            let place = self.folders.ensure(folder).map_err(ItemError::io("cannot reach the folder"))?;
            if there.as_ref().map(identity) != Some(restored_as) {
                if let Some(stat) = there {
                    self.remove_existing(&place, &node.name, &stat, false)?;
                }
                linkat(&first_place, &first_name[..], &place, &node.name[..], AtFlags::empty())
                    .map_err(|error| cannot_link(error.into()))?;
            }
        }
        self.reporter.restored(RestoreAction::OtherRestored, location, 0);
        Ok(())
    }

    fn leave(&mut self, folder: FolderId, node: &Node, location: PathBuf) -> Result<(), ItemError> {
        if !self.options.dry_run {
            let cannot_reach = ItemError::io("cannot reach the folder");
            let place = self.folders.ensure(folder).map_err(&cannot_reach)?;
            let to_read = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(&place, ".", to_read, Mode::empty()) {
                Ok(open) => Object::open(open.as_fd(), &place, b".").apply(node, self.wanted())?,
                Err(_) => {
                    let Some((parent, name)) = self.folders.place(folder) else { return Ok(()) };
                    let parent = self.folders.ensure(parent).map_err(&cannot_reach)?;
                    Object::folder(&place, &parent, &name).map_err(&cannot_reach)?.apply(node, self.wanted())?;
                }
            }
        }
        self.reporter.restored(RestoreAction::DirRestored, location, 0);
        Ok(())
    }

    /// Removes what the snapshot does not have. A failure does not keep the others from being removed.
    fn remove_unexpected(&mut self, folder: FolderId, keep: &HashSet<Vec<u8>>) -> Result<(), ItemError> {
        let cannot_list = ItemError::io("cannot list the folder");
        let Some(place) = self.folders.existing(folder).map_err(&cannot_list)? else { return Ok(()) };
        let mut first = Ok(());
        for name in remove::names(&place).map_err(&cannot_list)? {
            let location = self.folders.location(folder, &name);
            if keep.contains(&name) || !self.select(&location, false).itself {
                continue;
            }
            let path =
                self.options.target.join(location.strip_prefix("/").unwrap_or(OsStr::from_bytes(&name).as_ref()));
            let reporter = &mut self.reporter;
            let removed = remove::remove_all(&place, &name, &path, self.options.dry_run, |path| reporter.deleted(path));
            if let Err(error) = removed {
                first = first.and(Err(ItemError::io("cannot remove what the snapshot does not have")(error)));
            }
        }
        first
    }
}
