//! Removes what is in the target and not in the snapshot.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::folders::{Identity, identity};

/// A folder to read, which may turn out not to be one.
const TO_READ: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The names in a folder.
pub(super) fn names(folder: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    Ok(entries(folder)?.into_iter().map(|(name, _)| name).collect())
}

fn entries(folder: &OwnedFd) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::read_from(openat(folder, ".", TO_READ, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            found.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(found)
}

/// Removes an entry of a folder and all that is below it, telling each path once it is gone; `dry_run` only tells.
///
/// Links are removed, not followed. One folder is open at a time: its parent is found again by `..`, and must be the
/// folder that it was.
pub(super) fn remove_all(
    folder: &OwnedFd,
    name: &[u8],
    path: &Path,
    dry_run: bool,
    mut removed: impl FnMut(PathBuf),
) -> io::Result<()> {
    let mut levels: Vec<Level> = Vec::new();
    let mut here = folder.try_clone()?;
    let mut path = path.to_owned();
    let mut next = Some(name.to_vec());
    loop {
        let Some(name) = next.take() else {
            // All below is gone: the folder itself is next.
            let Some(done) = levels.pop() else { return Ok(()) };
            here = parent(&here, done.parent)?;
            unlink(&here, &done.name, AtFlags::REMOVEDIR, dry_run)?;
            removed(path.clone());
            path.pop();
            match levels.last_mut() {
                Some(level) => next = level.folders.pop(),
                None => return Ok(()),
            }
            continue_into(&mut path, next.as_deref());
            continue;
        };
        let below = match openat(&here, &name[..], TO_READ, Mode::empty()) {
            Ok(below) => below,
            // At the top it need not be a folder.
            Err(Errno::NOTDIR | Errno::LOOP) if levels.is_empty() => {
                unlink(&here, &name, AtFlags::empty(), dry_run)?;
                removed(path);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut level = Level { parent: identity(&fstat(&here)?), name, folders: Vec::new() };
        for (name, file_type) in entries(&below)? {
            if is_folder(&below, &name, file_type)? {
                level.folders.push(name);
            } else {
                unlink(&below, &name, AtFlags::empty(), dry_run)?;
                removed(path.join(OsStr::from_bytes(&name)));
            }
        }
        here = below;
        next = level.folders.pop();
        levels.push(level);
        continue_into(&mut path, next.as_deref());
    }
}

/// A folder on the way down, and those in it that are still to be removed.
struct Level {
    parent: Identity,
    name: Vec<u8>,
    folders: Vec<Vec<u8>>,
}

fn continue_into(path: &mut PathBuf, name: Option<&[u8]>) {
    if let Some(name) = name {
        path.push(OsStr::from_bytes(name));
    }
}

fn is_folder(folder: &OwnedFd, name: &[u8], told: FileType) -> Result<bool, Errno> {
    Ok(match told {
        FileType::Unknown => {
            FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) == FileType::Directory
        }
        told => told == FileType::Directory,
    })
}

fn parent(folder: &OwnedFd, expected: Identity) -> Result<OwnedFd, Errno> {
    let parent = openat(folder, "..", OFlags::PATH | TO_READ, Mode::empty())?;
    if identity(&fstat(&parent)?) == expected { Ok(parent) } else { Err(Errno::STALE) }
}

fn unlink(folder: &OwnedFd, name: &[u8], flags: AtFlags, dry_run: bool) -> Result<(), Errno> {
    if dry_run { Ok(()) } else { unlinkat(folder, name, flags) }
}
