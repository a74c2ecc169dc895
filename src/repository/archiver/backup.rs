//! The whole of a backup: from the paths that were named to the snapshot.

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::run::Run;
use super::select::Select;
use super::targets::{self, Target};
use super::task::Task;
use super::{BackupError, BackupEvent, BackupOptions, BackupOutcome, ParentChoice, stream, walk};
use crate::blocking;
use crate::format::{Snapshot, SnapshotId, Summary, Time, TreeId};
use crate::repository::{BlobWriter, Event, Index, Repository, RepositoryError, SnapshotFilter, clock};

impl Repository {
    /// The snapshot that a backup of these paths is compared with; none if there is none to choose.
    ///
    /// Fails if one is named that cannot be found, or a damaged snapshot may have been the newest.
    pub async fn find_parent(
        &self,
        choice: &ParentChoice,
        paths: &[PathBuf],
        time: Option<Time>,
    ) -> Result<Option<(SnapshotId, Snapshot)>, BackupError> {
        let name = choice.name.as_deref().unwrap_or("latest");
        if name != "latest" {
            let found = self.find_snapshot(name, &SnapshotFilter::default()).await?;
            return Ok(Some((found.id, found.snapshot)));
        }
        let filter = SnapshotFilter {
            hosts: choice.host.iter().cloned().collect(),
            tags: choice.tags.iter().cloned().collect(),
            paths: if choice.by_paths { absolute_texts(paths)? } else { Vec::new() },
        };
        let limit = time.unwrap_or_else(clock::now).timestamp();
        let fits = |snapshot: &Snapshot| filter.matches(snapshot) && snapshot.time.timestamp() <= limit;
        let newest = self.snapshots().await?.into_iter().rev().find(|(_, snapshot)| fits(snapshot));
        if newest.is_none() && choice.name.is_some() {
            return Err(RepositoryError::NoSnapshot { filter: String::new() }.into());
        }
        Ok(newest)
    }

    /// Backs up local paths.
    ///
    /// What cannot be read is told as [`super::BackupEvent::Failed`] and left out. Blobs, index, snapshot: dropped at
    /// any time, it leaves at worst blobs that nothing refers to. To be run under a lock.
    pub async fn backup(
        &self,
        index: Arc<Index>,
        paths: &[PathBuf],
        options: &BackupOptions,
    ) -> Result<BackupOutcome, BackupError> {
        let start = clock::now();
        let (paths, all_exist) = self.existing(paths.to_vec()).await?;
        let absolute = paths.iter().map(|path| targets::absolute(path.as_os_str().as_bytes()));
        let absolute = absolute.collect::<Result<Vec<_>, _>>()?;
        let select = Select::new(options.excludes.clone(), &absolute, self.progress().clone())?;
        let targets = {
            let paths = paths.clone();
            blocking::run(move || targets::resolve(&paths)).await?
        };
        let backup = Backup::begin(self, index, select, options)?;
        let scan = options.scan.then(|| start_scan(&backup.run, &targets));
        let parent = options.parent.as_ref().map(|(_, snapshot)| snapshot.tree);
        let made = walk::walk(&backup.run, targets, parent).await;
        drop(scan);
        let mut outcome = backup.conclude(made, &paths, start, options).await?;
        outcome.is_incomplete |= !all_exist;
        Ok(outcome)
    }

    /// Backs up what comes out of `input` as the file `path` of the snapshot, which belongs to this process's user.
    ///
    /// An empty input is a file that cannot be read.
    pub async fn backup_stream(
        &self,
        index: Arc<Index>,
        path: &Path,
        input: Box<dyn Read + Send>,
        options: &BackupOptions,
    ) -> Result<BackupOutcome, BackupError> {
        let start = clock::now();
        let select = Select::new(options.excludes.clone(), &[], self.progress().clone())?;
        let path = stream::file_path(path)?;
        let time = options.time.unwrap_or(start);
        let backup = Backup::begin(self, index, select, options)?;
        let made = stream::save(&backup.run, &path, input, time).await;
        backup.conclude(made, &[path], start, options).await
    }

    /// The paths that are there, and whether that is all of them; at least one must be.
    async fn existing(&self, paths: Vec<PathBuf>) -> Result<(Vec<PathBuf>, bool), BackupError> {
        let count = paths.len();
        let looked_at = blocking::run(move || {
            let look = |path: PathBuf| (fs::symlink_metadata(&path).map(drop), path);
            paths.into_iter().map(look).collect::<Vec<_>>()
        })
        .await;
        let mut existing = Vec::new();
        for (found, path) in looked_at {
            let problem = match found {
                Ok(()) => {
                    existing.push(path);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist",
                Err(_) => "cannot be accessed",
            };
            let warning = format!("{} {problem}, skipping", path.display());
            self.progress().report(Event::Backup(BackupEvent::Warning(warning)));
        }
        if existing.is_empty() {
            return Err(BackupError::NoSource);
        }
        let all_exist = existing.len() == count;
        Ok((existing, all_exist))
    }
}

/// A backup that has begun. Dropped, it ends what runs on blocking threads.
struct Backup {
    run: Arc<Run>,
    writer: Option<BlobWriter>,
}

impl Backup {
    fn begin(
        repo: &Repository,
        index: Arc<Index>,
        select: Select,
        options: &BackupOptions,
    ) -> Result<Self, BackupError> {
        let writer = match options.dry_run {
            true => BlobWriter::dry_run(repo, Arc::clone(&index)),
            false => BlobWriter::new(repo, Arc::clone(&index)),
        };
        let run = Arc::new(Run::new(repo, index, writer.saver(), select, options)?);
        Ok(Self { run, writer: Some(writer) })
    }

    /// Stores what is left to be stored, and then the snapshot.
    async fn conclude(
        mut self,
        made: Result<TreeId, BackupError>,
        paths: &[PathBuf],
        start: Time,
        options: &BackupOptions,
    ) -> Result<BackupOutcome, BackupError> {
        self.run.let_go();
        let finished = match self.writer.take() {
            Some(writer) => writer.finish().await.map(drop),
            None => Ok(()),
        };
        // Why writing stopped, the writer knows.
        let tree = match (made, finished) {
            (Err(BackupError::Repository(RepositoryError::WriterStopped)), Err(error)) => return Err(error.into()),
            (made, finished) => {
                let tree = made?;
                finished?;
                tree
            }
        };
        let repo = &self.run.repo;
        let (summary, is_incomplete) = self.run.summary(start, clock::now());
        let snapshot = snapshot(repo, tree, summary.clone(), absolute_texts(paths)?, start, options);
        let is_unchanged = options.parent.as_ref().is_some_and(|(_, parent)| parent.tree == tree);
        let saved = if options.dry_run || options.skip_if_unchanged && is_unchanged {
            None
        } else {
            Some((repo.save_snapshot(&snapshot).await?, snapshot))
        };
        Ok(BackupOutcome { snapshot: saved, tree, summary, is_incomplete })
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        self.run.let_go();
    }
}

fn snapshot(
    repo: &Repository,
    tree: TreeId,
    summary: Summary,
    paths: Vec<String>,
    start: Time,
    options: &BackupOptions,
) -> Snapshot {
    let identity = &repo.options().identity;
    let mut snapshot = Snapshot::new(options.time.unwrap_or(start), tree, paths);
    snapshot.parent = options.parent.as_ref().map(|(id, _)| *id);
    snapshot.hostname.clone_from(&options.hostname);
    snapshot.username.clone_from(&identity.username);
    (snapshot.uid, snapshot.gid) = (identity.uid, identity.gid);
    snapshot.excludes.clone_from(&options.excludes.texts);
    snapshot.tags.clone_from(&options.tags);
    snapshot.program_version.clone_from(&options.program_version);
    snapshot.summary = Some(summary);
    snapshot
}

fn start_scan(run: &Arc<Run>, targets: &Target) -> Task<()> {
    let (run, targets) = (Arc::clone(run), targets.clone());
    Task::spawn(blocking::run(move || run.scan(&targets)))
}

/// Absolute paths as a snapshot tells them.
fn absolute_texts(paths: &[PathBuf]) -> Result<Vec<String>, BackupError> {
    let absolute = paths.iter().map(|path| targets::absolute(path.as_os_str().as_bytes()));
    absolute.map(|path| Ok(path?.to_string_lossy().into_owned())).collect()
}
