//! How Kuma's configuration lies in a snapshot: `/backup/current/backup.sql`, `manifest.json`, and files beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReplicateError;
use crate::blocking;
use crate::format::{Snapshot, SnapshotId, TreeId};
use crate::kuma::{Decoded, KumaError, SnapshotFile, decode};
use crate::repository::{Index, MemoryFile, Repository, RepositoryError, SnapshotFilter, read_files};

/// The folder of the configuration, and the path that our snapshots tell.
pub const FOLDER: &str = "/backup/current";

/// A configuration is small: whoever stored more than this stored something else.
const SNAPSHOT_AT_MOST_BYTES: u64 = 512 << 20;

/// The files as they are stored.
pub(super) fn place(files: Vec<SnapshotFile>) -> Arc<[MemoryFile]> {
    let folder = Path::new(FOLDER.trim_start_matches('/'));
    files.into_iter().map(|file| MemoryFile { path: folder.join(file.path), bytes: file.bytes }).collect()
}

/// The newest snapshot that carries a configuration and passes the filter; none if there is none.
///
/// One listing, and one request for each snapshot of the repository.
pub(super) async fn newest(
    repo: &Repository,
    hosts: &[String],
    tags: &[Vec<String>],
) -> Result<Option<(SnapshotId, Snapshot)>, RepositoryError> {
    let filter = SnapshotFilter { hosts: hosts.to_vec(), tags: tags.to_vec(), paths: vec![FOLDER.to_owned()] };
    match repo.latest_snapshot(&filter).await {
        Ok(newest) => Ok(Some(newest)),
        Err(RepositoryError::NoSnapshot { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the configuration out of a snapshot's tree.
pub(super) async fn read(
    repo: &Repository,
    index: &Index,
    snapshot: SnapshotId,
    tree: TreeId,
) -> Result<Decoded, ReplicateError> {
    let files = read_files(repo, index, tree, SNAPSHOT_AT_MOST_BYTES).await;
    let files = files.map_err(|source| ReplicateError::Read { snapshot, source: source.into() })?;
    let decoded = blocking::run(move || decode(&relative(files)?)).await;
    decoded.map_err(|source| ReplicateError::Snapshot { snapshot, source: source.into() })
}

/// The files by their paths under the folder that holds the dump. Elsewhere than at [`FOLDER`] it may lie after somebody
/// restored a snapshot and backed it up again.
fn relative(files: Vec<MemoryFile>) -> Result<Vec<SnapshotFile>, KumaError> {
    let folder = dump_folder(&files).ok_or(KumaError::NoDump)?;
    let below = |file: MemoryFile| {
        let path = file.path.strip_prefix(&folder).ok()?.to_str()?.to_owned();
        Some(SnapshotFile { path, bytes: file.bytes })
    };
    Ok(files.into_iter().filter_map(below).collect())
}

/// The folder highest up that looks like a dump: of ours, or of the loops that came before.
fn dump_folder(files: &[MemoryFile]) -> Option<PathBuf> {
    let has = |folder: &Path, name: &str| files.iter().any(|file| file.path == folder.join(name));
    let highest = |marks: &[&str]| {
        let mark = marks.first()?;
        let depth = Path::new(mark).components().count();
        let marked = files.iter().filter(|file| file.path.ends_with(mark));
        let folders = marked.filter_map(|file| file.path.ancestors().nth(depth));
        let whole = folders.filter(|folder| marks.iter().all(|mark| has(folder, mark)));
        whole.min_by_key(|folder| folder.components().count()).map(Path::to_owned)
    };
    let ours = highest(&["manifest.json", "backup.sql"]);
    ours.or_else(|| highest(&["backup.sql"])).or_else(|| highest(&["sql_statements/replicatorkuma_truncates.sql"]))
}
