//! What is left out of a backup.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{BackupError, BackupEvent, Excludes, TagFile};
use crate::repository::{Event, Progress};

/// Decides what is left out. All paths are absolute and cleaned.
pub(super) struct Select {
    excludes: Excludes,
    /// The file systems of the paths that were named; empty: all will do.
    devices: HashMap<PathBuf, u64>,
    /// Which directories hold which tag file.
    tagged: Mutex<HashMap<(PathBuf, usize), bool>>,
    progress: Progress,
}

impl Select {
    /// `paths` are those of the backup.
    pub(super) fn new(excludes: Excludes, paths: &[PathBuf], progress: Progress) -> Result<Self, BackupError> {
        let mut devices = HashMap::new();
        if excludes.other_file_systems {
            for path in paths {
                let metadata =
                    fs::symlink_metadata(path).map_err(|source| BackupError::Source { path: path.clone(), source })?;
                devices.insert(path.clone(), metadata.dev());
            }
        }
        Ok(Self { excludes, devices, tagged: Mutex::default(), progress })
    }

    /// Whether a path is left out for its name.
    pub(super) fn rejects_name(&self, path: &Path) -> bool {
        self.excludes.patterns.iter().any(|patterns| patterns.matches(path).is_match)
    }

    /// Whether a path is left out for what the system says of it, or for what lies beside it.
    pub(super) fn rejects(&self, path: &Path, metadata: &Metadata) -> bool {
        let is_long = self.excludes.larger_than_bytes.is_some_and(|limit| metadata.size() > limit);
        self.is_elsewhere(path, metadata) || is_long && !metadata.is_dir() || self.is_tagged(path)
    }

    /// Whether a path lies on another file system than the path that was named; directories on which one is mounted
    /// stay, without what is in them.
    fn is_elsewhere(&self, path: &Path, metadata: &Metadata) -> bool {
        if self.devices.is_empty() || self.is_allowed(path, metadata.dev()) {
            return false;
        }
        let parent = path.parent().unwrap_or(path);
        let is_mount_point = metadata.is_dir()
            && fs::symlink_metadata(parent).is_ok_and(|metadata| self.is_allowed(parent, metadata.dev()));
        !is_mount_point
    }

    fn is_allowed(&self, path: &Path, device: u64) -> bool {
        path.ancestors().find_map(|above| self.devices.get(above)) == Some(&device)
    }

    /// Whether a tag file lies beside the path.
    fn is_tagged(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().as_bytes();
        let Some(folder) = path.parent() else { return false };
        let tags = self.excludes.if_present.iter().enumerate().filter(|(_, tag)| tag.name != name);
        tags.into_iter().any(|(number, tag)| self.holds_tag(folder, number, tag))
    }

    fn holds_tag(&self, folder: &Path, number: usize, tag: &TagFile) -> bool {
        let mut tagged = self.tagged.lock().unwrap_or_else(PoisonError::into_inner);
        *tagged.entry((folder.to_owned(), number)).or_insert_with(|| {
            tag.is_in(folder).unwrap_or_else(|warning| {
                self.progress.report(Event::Backup(BackupEvent::Warning(warning)));
                false
            })
        })
    }
}

impl TagFile {
    /// Whether the file lies in a folder and begins as it should; if not quite so, why not, in words.
    fn is_in(&self, folder: &Path) -> Result<bool, String> {
        let path = folder.join(std::ffi::OsStr::from_bytes(&self.name));
        let in_words = |what: &str, error| format!("{what} exclusion tagfile {}: {error}", path.display());
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(in_words("could not access", error)),
            Ok(_) if self.header.is_empty() => return Ok(true),
            Ok(_) => {}
        }
        let file = File::open(&path).map_err(|error| in_words("could not open", error))?;
        let mut start = Vec::new();
        let limit = self.header.len() as u64;
        file.take(limit).read_to_end(&mut start).map_err(|error| in_words("could not read", error))?;
        if start == self.header {
            return Ok(true);
        }
        Err(format!("invalid signature in exclusion tagfile {}", path.display()))
    }
}
