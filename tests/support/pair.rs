//! A primary, a replica, and a repository in memory between them that counts requests.

use std::sync::Arc;
use std::time::Duration;

use replicator_kuma::backend::Backend;
use replicator_kuma::format::{ScryptParams, SnapshotId};
use replicator_kuma::kuma::{Database, Selection};
use replicator_kuma::replicate::{
    ApplyOptions, ApplyReport, KumaOptions, PublishOptions, PublishReport, ReplicateError, apply, plan, publish,
};
use replicator_kuma::repository::{InitOptions, LockTiming, OpenOptions, Password, Repository};

use super::kuma::Kuma;

/// A primary and a replica that follows it.
pub(crate) struct Pair {
    pub(crate) primary: Kuma,
    pub(crate) replica: Kuma,
    pub(crate) repository: Repository,
}

impl Pair {
    /// Databases from fixtures/kuma/, and an empty repository.
    pub(crate) async fn new(primary: &str, replica: &str) -> Self {
        Self { primary: Kuma::new(primary), replica: Kuma::new(replica), repository: repository().await }
    }

    /// One cycle of the primary.
    pub(crate) async fn publish(&self) -> PublishReport {
        publish(&self.repository, &self.publish_options()).await.unwrap()
    }

    /// One cycle of the replica.
    pub(crate) async fn apply(&self) -> ApplyReport {
        self.try_apply(&self.apply_options()).await.unwrap()
    }

    pub(crate) async fn try_apply(&self, options: &ApplyOptions) -> Result<ApplyReport, ReplicateError> {
        apply(&self.repository, options).await
    }

    pub(crate) async fn plan(&self) -> ApplyReport {
        plan(&self.repository, &self.apply_options()).await.unwrap()
    }

    pub(crate) fn publish_options(&self) -> PublishOptions {
        PublishOptions { kuma: options(&self.primary), host: Some("primary".to_owned()), ..PublishOptions::default() }
    }

    pub(crate) fn apply_options(&self) -> ApplyOptions {
        ApplyOptions { kuma: options(&self.replica), ..ApplyOptions::default() }
    }

    /// Whether both are configured alike.
    pub(crate) fn is_equal(&self) -> bool {
        let digest =
            |kuma: &Kuma| Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap().1.digest();
        digest(&self.primary) == digest(&self.replica)
    }

    /// The requests since the last time this was asked, as `read snapshots`, `write data`…
    pub(crate) fn requests(&self) -> Vec<String> {
        requests(&self.repository)
    }

    /// How many snapshots there are.
    pub(crate) async fn snapshots(&self) -> Vec<SnapshotId> {
        self.repository.snapshots().await.unwrap().into_iter().map(|(id, _)| id).collect()
    }
}

fn options(kuma: &Kuma) -> KumaOptions {
    KumaOptions { data_dir: Some(kuma.path().to_owned()), ..KumaOptions::default() }
}

/// The requests made so far; from now on new ones are counted.
pub(crate) fn requests(repository: &Repository) -> Vec<String> {
    let calls = repository.backend().calls();
    repository.backend().forget_calls();
    let kind = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    calls.iter().map(|call| format!("{} {}", call.operation, kind(&call.path))).collect()
}

/// An empty repository in memory, whose locks do not wait: nobody else is there.
pub(crate) async fn repository() -> Repository {
    let lock_timing = LockTiming { settle: Duration::ZERO, ..LockTiming::default() };
    let open = OpenOptions { lock_timing, ..OpenOptions::default() };
    let cheap = ScryptParams { n: 2, r: 1, p: 1 };
    let options = InitOptions { scrypt: Some(cheap), open, ..InitOptions::default() };
    let repository = Repository::init(Backend::memory(), &Password::new("geheim"), options).await.unwrap();
    repository.backend().forget_calls();
    repository
}

/// Stores files in a snapshot, as a foreign hand would.
pub(crate) async fn store(repository: &Repository, path: &str, files: &[(&str, &[u8])]) -> SnapshotId {
    use replicator_kuma::format::{Snapshot, Time};
    use replicator_kuma::repository::MemoryFile;
    let files: Arc<[MemoryFile]> =
        files.iter().map(|(path, bytes)| MemoryFile { path: path.into(), bytes: bytes.to_vec() }).collect();
    let index = Arc::new(repository.load_index().await.unwrap());
    let archived = repository.archive_files(index, files).await.unwrap();
    let now = Time::from_unix(4_000_000_000, 0, 0);
    repository.save_snapshot(&Snapshot::new(now, archived.tree, vec![path.to_owned()])).await.unwrap()
}
