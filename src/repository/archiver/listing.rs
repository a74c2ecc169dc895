//! Looking at a folder and what is in it: which entries are stored, and what each of them needs.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::Dir;

use super::BackupEvent;
use super::compare::looks_unchanged;
use super::files::FileJob;
use super::metadata::{self, Attributes};
use super::run::{Run, item_below, path_below};
use super::targets::{self, Target, to_path};
use crate::blocking;
use crate::format::{Node, NodeType};

/// Where an entry stands in the snapshot.
pub(super) struct Place {
    /// Its path; the root's is empty, all others begin with a slash.
    pub(super) item: Vec<u8>,
    /// Its name.
    pub(super) name: Vec<u8>,
    /// What the parent snapshot has in its place.
    pub(super) previous: Option<Node>,
}

/// What is to be done for an entry of a folder.
pub(super) enum Entry {
    /// Nothing: this is its node.
    Node(Node),
    /// A file that is to be read.
    File(FileJob),
    /// A folder.
    Folder { path: PathBuf, place: Place },
    /// A folder that was not named, but leads to what was.
    Targets { target: Target, place: Place },
}

impl Run {
    /// A folder's node and what is in it, in the order of names.
    pub(super) fn list_folder(
        &self,
        path: &Path,
        place: &Place,
        mut previous: HashMap<Vec<u8>, Node>,
    ) -> io::Result<(Node, Vec<Entry>)> {
        let folder = metadata::open(path)?;
        let metadata = folder.metadata()?;
        if !metadata.is_dir() {
            return Err(io::Error::other("the directory changed its type, refusing to archive"));
        }
        let node = self.node(&place.name, path, &metadata, Attributes::Required);
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        // A faulty file system may list a name twice.
        names.dedup();
        let absolute = targets::absolute(path.as_os_str().as_encoded_bytes()).map_err(io::Error::other)?;
        let entries = names.into_iter().filter_map(|name| {
            if self.is_stopped() {
                return None;
            }
            let (path, absolute) = (path_below(path, &name), path_below(&absolute, &name));
            let previous = previous.remove(&name);
            self.look_at(path, &absolute, Place { item: item_below(&place.item, &name), name, previous }, false)
        });
        Ok((node, entries.collect()))
    }

    /// What stands below a place that leads to what was named.
    pub(super) async fn list_targets(
        self: Arc<Self>,
        item: Vec<u8>,
        targets: Target,
        mut previous: HashMap<Vec<u8>, Node>,
    ) -> Vec<Entry> {
        blocking::run(move || {
            let entries = targets.below.into_iter().filter_map(|(name, target)| {
                let place = Place { item: item_below(&item, &name), previous: previous.remove(&name), name };
                let Some(path) = target.path.clone() else { return Some(Entry::Targets { target, place }) };
                match targets::absolute(&path) {
                    Ok(absolute) => self.look_at(to_path(path), &absolute, place, target.is_explicit),
                    Err(error) => {
                        self.failed(&to_path(path), error);
                        None
                    }
                }
            });
            entries.collect()
        })
        .await
    }

    /// The node of a folder that leads to what was named: links on the way are followed.
    pub(super) fn node_between(&self, path: &Path, place: &Place) -> io::Result<Node> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(self.node(&place.name, path, &metadata, Attributes::IfPermitted))
    }

    /// What an entry needs; none if it is left out, gone by now, a socket, or cannot be looked at.
    fn look_at(&self, path: PathBuf, absolute: &Path, place: Place, is_explicit: bool) -> Option<Entry> {
        if !is_explicit && self.select.rejects_name(absolute) {
            return None;
        }
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.failed(absolute, error);
                return None;
            }
        };
        if !is_explicit && self.select.rejects(absolute, &metadata) {
            return None;
        }
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            Some(Entry::Folder { path, place })
        } else if file_type.is_file() {
            Some(self.look_at_file(path, absolute, place, &metadata))
        } else if file_type.is_socket() {
            None
        } else {
            Some(Entry::Node(self.node(&place.name, &path, &metadata, Attributes::Required)))
        }
    }

    fn look_at_file(&self, path: PathBuf, absolute: &Path, place: Place, metadata: &Metadata) -> Entry {
        let start = Instant::now();
        let unchanged = place.previous.as_ref().filter(|previous| looks_unchanged(metadata, previous, self.ignored));
        match unchanged {
            Some(previous) if self.has_content_of(previous) => {
                let mut node = self.node(&place.name, &path, metadata, Attributes::Required);
                debug_assert_eq!(node.node_type, NodeType::File);
                node.content.clone_from(&previous.content);
                self.done(place.item, Some(previous), previous, super::ItemStats::default(), start);
                self.tell(BackupEvent::BytesDone { bytes: previous.size });
                return Entry::Node(node);
            }
            Some(_) => self.failed(absolute, "parts of it are not in the repository's index; storing the file again"),
            None => {}
        }
        let Place { item, name, previous } = place;
        Entry::File(FileJob { path, item, name, previous, size: metadata.len() })
    }
}
