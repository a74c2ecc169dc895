//! The snapshots of a repository, as far as they were looked at before.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::snapshot::FOLDER;
use crate::format::{FileType, Snapshot, SnapshotId};
use crate::repository::{Repository, RepositoryError, SnapshotFilter};

/// The snapshots that were seen, so that a look at the repository costs one listing, and one request for each that is
/// new.
#[derive(Default)]
pub(super) struct Seen {
    /// None: the snapshot carries no configuration of Kuma's.
    known: BTreeMap<SnapshotId, Option<Snapshot>>,
}

impl Seen {
    /// Looks at the repository. An error leaves what was known before.
    ///
    /// A snapshot that cannot be read is an error: it may be the newest.
    pub(super) async fn refresh(&mut self, repo: &Repository) -> Result<(), RepositoryError> {
        let listed = repo.list(FileType::Snapshot).await?.into_iter().map(|(id, _)| SnapshotId::from(id));
        let mut now: BTreeMap<SnapshotId, Option<Snapshot>> = BTreeMap::new();
        let mut unseen = Vec::new();
        for id in listed {
            match self.known.get(&id) {
                Some(known) => drop(now.insert(id, known.clone())),
                None => unseen.push(id),
            }
        }
        let loads = stream::iter(unseen).map(|id| async move { (id, repo.load_snapshot(id).await) });
        let mut loads = loads.buffer_unordered(repo.backend().connections());
        while let Some((id, loaded)) = loads.next().await {
            match loaded {
                Ok(snapshot) => drop(now.insert(id, carries_kuma(&snapshot).then_some(snapshot))),
                // Somebody removed it between the listing and now.
                Err(RepositoryError::SnapshotMissing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.known = now;
        Ok(())
    }

    /// Whether this snapshot was there at the last look.
    pub(super) fn has(&self, snapshot: SnapshotId) -> bool {
        self.known.contains_key(&snapshot)
    }

    /// The newest snapshot that carries a configuration and passes the filter; of two with the same time the one with
    /// the greater name.
    pub(super) fn newest(&self, hosts: &[String], tags: &[Vec<String>]) -> Option<(SnapshotId, Snapshot)> {
        let filter = SnapshotFilter { hosts: hosts.to_vec(), tags: tags.to_vec(), paths: Vec::new() };
        let carrying = self.known.iter().filter_map(|(id, snapshot)| Some((id, snapshot.as_ref()?)));
        let passing = carrying.filter(|(_, snapshot)| filter.matches(snapshot));
        let newest = passing.max_by_key(|(id, snapshot)| (snapshot.time.timestamp(), **id));
        newest.map(|(id, snapshot)| (*id, snapshot.clone()))
    }
}

fn carries_kuma(snapshot: &Snapshot) -> bool {
    snapshot.paths.iter().any(|path| path == FOLDER)
}
