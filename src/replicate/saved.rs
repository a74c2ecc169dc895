//! A replica's own configuration, saved beside its database before an apply, so that one command undoes it.
//!
//! Each save is a folder with the files of a snapshot: `backup.sql`, which stock sqlite3 restores by itself, its manifest,
//! and the files that the configuration refers to.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::ReplicateError;
use crate::blocking;
use crate::kuma::{
    self, Applied, ApplyRules, DataDir, Database, Decoded, Selection, SnapshotFile, collect_files, decode, encode,
};
use crate::replicate::ApplyOptions;

/// The folder of the saves.
const FOLDER: &str = "replicator-kuma-saved";
/// Where a save lies until it is whole.
const UNFINISHED: &str = ".unfinished-";

/// A configuration that was saved.
pub(super) struct Saved {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// What it holds.
    pub(super) decoded: Decoded,
}

/// Saves the present configuration below `parent`, and removes all saves but the newest `keep`.
pub(super) fn save(
    data: &DataDir,
    selection: &Selection,
    parent: &Path,
    name: &str,
    keep: usize,
) -> Result<Saved, ReplicateError> {
    let database = Database::open(data.database())?;
    let (facts, dump) = database.dump(selection)?;
    let (files, _) = collect_files(data, &dump)?;
    let encoded = encode(&facts, &dump, files, data.kuma_version());
    // What could not be put back is no save.
    let decoded = decode(&encoded)?;
    let saves = parent.join(FOLDER);
    let folder = saves.join(name);
    let written = write(&saves, &folder, &encoded).and_then(|()| prune(&saves, keep.max(1)));
    written.map_err(|source| ReplicateError::Write { path: folder.display().to_string(), source })?;
    Ok(Saved { folder, decoded })
}

fn write(saves: &Path, folder: &Path, files: &[SnapshotFile]) -> io::Result<()> {
    let private = || {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
    };
    private().create(saves)?;
    let unfinished =
        tempfile::Builder::new().prefix(UNFINISHED).permissions(Permissions::from_mode(0o700)).tempdir_in(saves)?;
    for file in files {
        let path = unfinished.path().join(&file.path);
        if let Some(parent) = path.parent() {
            private().create(parent)?;
        }
        fs::write(&path, &file.bytes)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        fs::File::open(&path)?.sync_all()?;
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(unfinished.keep(), folder)?;
    fs::File::open(saves)?.sync_all()
}

/// Names begin with the time, so their order is that of time.
fn prune(saves: &Path, keep: usize) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = fs::read_dir(saves)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    let is_whole =
        |path: &PathBuf| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED));
    folders.retain(is_whole);
    folders.sort();
    let surplus = folders.len().saturating_sub(keep);
    folders.into_iter().take(surplus).try_for_each(fs::remove_dir_all)
}

/// Makes the database equal to what a saved folder says, without any repository; `path` is the folder or its `backup.sql`.
pub async fn apply_saved(path: &Path, options: &ApplyOptions) -> Result<Applied, ReplicateError> {
    let data = options.kuma.find()?;
    let rules = ApplyRules {
        selection: options.kuma.selection()?,
        allow_schema_mismatch: options.allow_schema_mismatch,
        while_running: options.while_running,
    };
    let path = path.to_owned();
    blocking::run(move || {
        let decoded = decode(&read(&path)?)?;
        Ok(kuma::apply(&data, &decoded, &rules)?)
    })
    .await
}

fn read(path: &Path) -> Result<Vec<SnapshotFile>, ReplicateError> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let mut files = Vec::new();
    collect(folder, &mut files).map_err(|source| ReplicateError::Saved { path: path.display().to_string(), source })?;
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<SnapshotFile>) -> io::Result<()> {
    for name in ["backup.sql", "manifest.json"] {
        let path = folder.join(name);
        files.push(SnapshotFile { path: name.to_owned(), bytes: fs::read(path)? });
    }
    for name in ["upload", "docker-tls"] {
        walk(&folder.join(name), name, files)?;
    }
    Ok(())
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<SnapshotFile>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}/{name}")) else { continue };
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &name, files)?;
        } else {
            files.push(SnapshotFile { bytes: fs::read(entry.path())?, path: name });
        }
    }
    Ok(())
}
