//! What the commands came to.

use crate::format::{SnapshotId, TreeId};
use crate::kuma::Changes;

/// What a `publish` came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublishReport {
    /// The snapshot that was written; `None` if nothing changed, or in a dry run.
    pub snapshot: Option<SnapshotId>,
    /// The newest snapshot there was before.
    pub parent: Option<SnapshotId>,
    /// The tree of the configuration as it is now.
    pub tree: TreeId,
    /// Whether there is anything that the newest snapshot does not hold.
    pub changed: bool,
    /// What changed since the newest snapshot, in an operator's words; the first publish has no changes to tell.
    pub changes: Changes,
    /// How many rows the configuration has.
    pub rows: usize,
    /// The SHA-256 of what the configuration means.
    pub digest: String,
    /// See [`crate::kuma::fingerprint()`].
    pub fingerprint: String,
    /// The bytes that the repository grew by.
    pub added_bytes: u64,
    /// What an operator should know, such as a file that is referred to and missing.
    pub warnings: Vec<String>,
}

/// What a `plan` came to, or an `apply` did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApplyReport {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// When it was made, as it tells.
    pub snapshot_time: String,
    /// The host that made it, as it tells.
    pub snapshot_host: String,
    /// What differs here from the snapshot: what a plan would change, or an apply has changed.
    pub changes: Changes,
    /// Rows of history that went with deleted monitors; 0 in a plan.
    pub history_rows_deleted: u64,
    /// Whether Kuma was running on the database (only with `--while-running`): then it must be restarted.
    pub restart_needed: bool,
    /// What an operator should know: schema differences passed over, users mapped.
    pub warnings: Vec<String>,
}
