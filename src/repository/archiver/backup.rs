//! The whole of a backup: from the paths that were named to the snapshot.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BackupError, BackupOptions, BackupOutcome, ParentChoice};
use crate::format::{Snapshot, SnapshotId, Time};
use crate::repository::{Index, Repository};

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
        let _ = (choice, paths, time);
        Ok(None)
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
        let _ = (index, paths, options);
        Err(BackupError::Empty)
    }

    /// Backs up what comes out of `input` as the file `path` of the snapshot.
    pub async fn backup_stream(
        &self,
        index: Arc<Index>,
        path: &Path,
        input: Box<dyn Read + Send>,
        options: &BackupOptions,
    ) -> Result<BackupOutcome, BackupError> {
        let _ = (index, path, input, options);
        Err(BackupError::Empty)
    }
}
