//! The target while a restore works on it. All of this blocks: it runs in batches on blocking threads.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, mknodat, openat, statat, symlinkat, unlinkat};
use rustix::io::Errno;

use super::compare::{self, Piece, total_bytes};
use super::content::{PendingFile, Start, Use};
use super::error::{ItemError, RestoreError};
use super::events::{Reporter, RestoreAction};
use super::finish::Finish;
use super::folders::{FolderId, Folders, identity};
use super::links::{Claim, HardLinks};
use super::metadata::{Object, Wanted};
use super::options::{Overwrite, RestoreOptions, Selected};
use super::remove::remove_all;
use crate::format::{BlobHandle, BlobId, Node, NodeType};
use crate::repository::accounts::Accounts;
use crate::repository::{Interrupt, Progress, RepositoryError};

/// To look at a file, which may turn out to be a pipe or a device: without waiting, and without effect.
pub(super) const CAREFULLY: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// An entry of a tree that is no folder.
pub(super) struct Entry {
    pub(super) node: Node,
    /// The content of a file, or the first blob of it that no index knows.
    pub(super) pieces: Result<Vec<Piece>, BlobId>,
}

/// The target, and what is planned for it.
pub(super) struct Site {
    pub(super) folders: Folders,
    pub(super) options: RestoreOptions,
    pub(super) reporter: Reporter,
    pub(super) links: HardLinks,
    pub(super) pending: Vec<PendingFile>,
    pub(super) uses: Vec<Use>,
    pub(super) open_files: VecDeque<(usize, File)>,
    pub(super) finish: Vec<Finish>,
    /// Ends with the first name that is unfit: what the snapshot should look like is uncertain then.
    pub(super) may_delete: bool,
    pub(super) written: WrittenFiles,
    pub(super) interrupt: Interrupt,
    /// Where owners are looked up by their names, if they are.
    accounts: Option<Accounts>,
}

impl Site {
    pub(super) fn open(
        options: RestoreOptions,
        progress: Progress,
        interrupt: Interrupt,
    ) -> Result<Site, RestoreError> {
        let folders = Folders::open_target(&options.target, options.dry_run)
            .map_err(|source| RestoreError::Target { target: options.target.clone(), source })?;
        Ok(Site {
            folders,
            may_delete: options.delete,
            accounts: options.ownership_by_name.then(Accounts::of_this_machine),
            options,
            reporter: Reporter::new(progress),
            links: HardLinks::default(),
            pending: Vec::new(),
            uses: Vec::new(),
            open_files: VecDeque::new(),
            finish: Vec::new(),
            written: WrittenFiles::default(),
            interrupt,
        })
    }

    /// Which metadata is restored, and how.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted { xattrs: self.options.select_xattr.as_ref(), accounts: self.accounts.as_ref() }
    }

    /// What the filter says of an entry.
    pub(super) fn select(&self, location: &Path, is_folder: bool) -> Selected {
        self.options.select.of(location, is_folder)
    }

    /// Plans the files, and restores what has no content at once.
    pub(super) fn visit(&mut self, folder: FolderId, entries: Vec<Entry>) -> Result<(), RestoreError> {
        for Entry { node, pieces } in entries {
            self.go_on()?;
            let location = self.folders.location(folder, &node.name);
            let result = match (&node.node_type, pieces) {
                (NodeType::File, Ok(pieces)) => self.visit_file(folder, node, pieces, &location),
                (NodeType::File, Err(id)) => Err(RepositoryError::BlobUnknown { blob: BlobHandle::data(id) }.into()),
                _ => self.visit_other(folder, &node, &location),
            };
            self.settle(&location, result)?;
        }
        Ok(())
    }

    /// Enters a folder that is selected.
    pub(super) fn visit_folder(&mut self, folder: FolderId) -> Result<(), ItemError> {
        self.reporter.found(0);
        if !self.options.dry_run {
            self.folders.ensure(folder).map_err(ItemError::io("cannot make the folder"))?;
        }
        Ok(())
    }

    /// Tells of what failed; the rest goes on unless it would fail likewise.
    pub(super) fn settle(&mut self, location: &Path, result: Result<(), ItemError>) -> Result<(), RestoreError> {
        if let Err(error) = result {
            let error = error.fatal(location)?;
            self.reporter.failed(location.to_owned(), &error);
        }
        Ok(())
    }

    /// An error if the operator wants an end.
    pub(super) fn go_on(&self) -> Result<(), RestoreError> {
        if self.interrupt.is_requested() { Err(RepositoryError::Interrupted.into()) } else { Ok(()) }
    }

    fn visit_file(
        &mut self,
        folder: FolderId,
        node: Node,
        pieces: Vec<Piece>,
        location: &Path,
    ) -> Result<(), ItemError> {
        let mut claim = self.links.claim(&node, &pieces, location);
        if let Claim::Follows(leader) = claim {
            let there = if self.links.is_kept(leader) { Some(self.existing(folder, &node.name)?) } else { None };
            if there.is_none_or(|there| self.keeps(&node, there.as_ref())) {
                self.reporter.found(0);
                self.finish.push(Finish::Link { folder, node: Box::new(node), leader });
                return Ok(());
            }
            // The first name holds nobody knows what: this one gets the content.
            self.links.give_up(Claim::Leads(leader));
            claim = self.links.claim(&node, &pieces, location);
        }
        let result = self.plan_file(folder, node, pieces, location, claim);
        match result {
            Ok(true) => {}
            Ok(false) => self.links.keep(claim),
            Err(_) => self.links.give_up(claim),
        }
        result.map(drop)
    }

    /// Says false for a file that stays as it is, whatever it holds.
    fn plan_file(
        &mut self,
        folder: FolderId,
        node: Node,
        pieces: Vec<Piece>,
        location: &Path,
        claim: Claim,
    ) -> Result<bool, ItemError> {
        let size_bytes = total_bytes(&pieces);
        let there = self.existing(folder, &node.name)?;
        if self.keeps(&node, there.as_ref()) {
            self.reporter.skipped(location.to_owned(), size_bytes);
            return Ok(false);
        }
        let found = match there {
            Some(stat) => self.compare(folder, &node, &stat, &pieces)?,
            None => Found::Nothing,
        };
        let (start, matches) = match found {
            Found::Same(file) => {
                self.reporter.skipped(location.to_owned(), size_bytes);
                self.adopt(folder, &node, &file, claim)?;
                return Ok(true);
            }
            Found::Nothing => (Start::New, Vec::new()),
            Found::Unusable => (Start::Replace, Vec::new()),
            Found::Partly { identity, matches } => (Start::Update(identity), matches),
        };
        self.reporter.found(size_bytes);
        if self.options.dry_run {
            self.reporter.advanced(size_bytes);
            self.reporter.restored(start.action(), location.to_owned(), size_bytes);
        } else {
            self.add_pending(PendingFile::new(folder, node, &pieces, start, claim), &pieces, &matches);
        }
        Ok(true)
    }

    /// Sets the metadata of a file that has the right content already.
    fn adopt(&mut self, folder: FolderId, node: &Node, file: &File, claim: Claim) -> Result<(), ItemError> {
        let stat = fstat(file).map_err(ItemError::io("cannot look at the file"))?;
        self.links.restored(claim, identity(&stat));
        if self.options.dry_run {
            return Ok(());
        }
        let place = self.folders.ensure(folder).map_err(ItemError::io("cannot reach the folder"))?;
        Ok(Object::open(file.as_fd(), &place, &node.name).apply(node, self.wanted())?)
    }

    /// Links, pipes, devices.
    fn visit_other(&mut self, folder: FolderId, node: &Node, location: &Path) -> Result<(), ItemError> {
        self.reporter.found(0);
        let there = self.existing(folder, &node.name)?;
        if self.keeps(node, there.as_ref()) {
            self.reporter.skipped(location.to_owned(), 0);
            return Ok(());
        }
        if !self.options.dry_run {
            let place = self.folders.ensure(folder).map_err(ItemError::io("cannot reach the folder"))?;
            if let Some(stat) = there {
                self.remove_existing(&place, &node.name, &stat, false)?;
            }
            make(&place, node)?;
            self.reporter.restored(RestoreAction::OtherRestored, location.to_owned(), 0);
            let object = Object::at(&place, &node.name).map_err(ItemError::io("cannot find it again"))?;
            object.apply(node, self.wanted())?;
        } else {
            self.reporter.restored(RestoreAction::OtherRestored, location.to_owned(), 0);
        }
        Ok(())
    }

    /// What has this name in the target now, links not followed.
    pub(super) fn existing(&mut self, folder: FolderId, name: &[u8]) -> Result<Option<Stat>, ItemError> {
        if self.folders.is_new(folder) {
            return Ok(None);
        }
        let cannot_look = ItemError::io("cannot look at what is in its place");
        let Some(place) = self.folders.existing(folder).map_err(&cannot_look)? else { return Ok(None) };
        match statat(place, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(cannot_look(error.into())),
        }
    }

    /// Whether the operator wants what is there to stay.
    pub(super) fn keeps(&self, node: &Node, there: Option<&Stat>) -> bool {
        match (self.options.overwrite, there) {
            (_, None) | (Overwrite::Always | Overwrite::IfChanged, _) => false,
            (Overwrite::Never, Some(_)) => true,
            (Overwrite::IfNewer, Some(stat)) => {
                (node.mtime.unix_seconds(), u64::from(node.mtime.nanoseconds())) <= modified(stat)
            }
        }
    }

    /// Removes what is in the place of an entry: a folder only if it is empty, or if `all`.
    pub(super) fn remove_existing(
        &self,
        place: &OwnedFd,
        name: &[u8],
        stat: &Stat,
        all: bool,
    ) -> Result<(), ItemError> {
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let result = match (is_folder, all) {
            (true, true) => remove_all(place, name, Path::new(""), false, drop),
            (true, false) => unlinkat(place, name, AtFlags::REMOVEDIR).map_err(Into::into),
            (false, _) => unlinkat(place, name, AtFlags::empty()).map_err(Into::into),
        };
        match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ItemError::io("cannot remove what is in its place")(error))
            }
            _ => Ok(()),
        }
    }

    fn compare(&mut self, folder: FolderId, node: &Node, stat: &Stat, pieces: &[Piece]) -> Result<Found, ItemError> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(Found::Unusable);
        }
        let cannot_read = ItemError::io("cannot compare it with the file in its place");
        let Some(place) = self.folders.existing(folder).map_err(&cannot_read)? else { return Ok(Found::Nothing) };
        let Some((file, is_writable)) = open_existing(&place, &node.name) else { return Ok(Found::Unusable) };
        let stat = fstat(&file).map_err(|error| cannot_read(error.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(Found::Unusable);
        }
        let has_size = u64::try_from(stat.st_size) == Ok(total_bytes(pieces));
        let time = (node.mtime.unix_seconds(), u64::from(node.mtime.nanoseconds()));
        if has_size && self.options.overwrite == Overwrite::IfChanged && modified(&stat) == time {
            return Ok(Found::Same(file));
        }
        // A file that cannot be read is written anew.
        let Ok(found) = compare::compare(&file, pieces, &self.interrupt) else { return Ok(Found::Unusable) };
        if found.is_same {
            return Ok(Found::Same(file));
        }
        // Nobody knows which other names a file with several has: they keep the old content.
        if stat.st_nlink > 1 || !is_writable {
            return Ok(Found::Unusable);
        }
        Ok(Found::Partly { identity: identity(&stat), matches: found.matches })
    }
}

/// What is in the place of a file.
enum Found {
    Nothing,
    /// It has to go first.
    Unusable,
    /// It has the right content.
    Same(File),
    /// Some pieces are right.
    Partly {
        identity: (u64, u64),
        matches: Vec<bool>,
    },
}

/// A file for comparing, and whether it may be written to.
fn open_existing(place: &OwnedFd, name: &[u8]) -> Option<(File, bool)> {
    let open = |how| openat(place, name, how | CAREFULLY, Mode::empty()).map(File::from);
    match open(OFlags::RDWR) {
        Ok(file) => Some((file, true)),
        Err(_) => open(OFlags::RDONLY).ok().map(|file| (file, false)),
    }
}

/// Makes an entry that has no content. Only its owner may use it until its metadata is set.
fn make(place: &Arc<OwnedFd>, node: &Node) -> Result<(), ItemError> {
    let (name, mode) = (&node.name[..], Mode::RUSR | Mode::WUSR);
    let made = match node.node_type {
        NodeType::Symlink => symlinkat(&node.linktarget[..], place, name),
        NodeType::Fifo => mknodat(place, name, FileType::Fifo, mode, 0),
        NodeType::Dev => mknodat(place, name, FileType::BlockDevice, mode, node.device),
        NodeType::CharDev => mknodat(place, name, FileType::CharacterDevice, mode, node.device),
        _ => return Err(ItemError::Type(node.node_type.clone())),
    };
    made.map_err(|error| ItemError::io("cannot make it")(error))
}

/// The modification time that `stat` tells, in seconds and nanoseconds.
fn modified(stat: &Stat) -> (i64, u64) {
    (stat.st_mtime, stat.st_mtime_nsec)
}

/// Which files were written, remembered by 8 bytes each.
#[derive(Clone, Debug, Default)]
pub struct WrittenFiles {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl WrittenFiles {
    pub(super) fn add(&mut self, location: PathBuf) {
        self.hashes.insert(self.hasher.hash_one(location));
    }

    pub(super) fn contains(&self, location: &Path) -> bool {
        self.hashes.contains(&self.hasher.hash_one(location))
    }
}
