//! `plan` and `apply`: one cycle of a replica.
//!
//! Neither takes a lock: a replica needs no right to write to the repository. Should others prune meanwhile, a read fails,
//! and nothing has been changed.

use std::time::Duration;

use super::snapshot;
use super::{ApplyOptions, ApplyReport, ReplicateError};
use crate::blocking;
use crate::format::{Snapshot, SnapshotId, TreeId};
use crate::kuma::{self, Applied, ApplyRules, DataDir, Decoded, KumaError};
use crate::repository::{Index, LockMode, Repository, SnapshotFilter};

/// Tells what [`apply`] would change here, and changes nothing.
pub async fn plan(repo: &Repository, options: &ApplyOptions) -> Result<ApplyReport, ReplicateError> {
    run(repo, options, kuma::plan).await
}

/// Makes the database equal to what the snapshot holds, in one transaction.
pub async fn apply(repo: &Repository, options: &ApplyOptions) -> Result<ApplyReport, ReplicateError> {
    run(repo, options, kuma::apply).await
}

async fn run(
    repo: &Repository,
    options: &ApplyOptions,
    work: fn(&DataDir, &Decoded, &ApplyRules) -> Result<Applied, KumaError>,
) -> Result<ApplyReport, ReplicateError> {
    // What is wrong here is told before anything is asked of the repository.
    let data = options.kuma.find()?;
    let rules = ApplyRules {
        selection: options.kuma.selection()?,
        allow_schema_mismatch: options.allow_schema_mismatch,
        while_running: options.while_running,
    };
    // Reading may be interrupted at any moment; what comes after is one transaction.
    let (found, decoded) = repo.locked(LockMode::None, Duration::ZERO, read(repo, options)).await?;
    let applied = blocking::run(move || work(&data, &decoded, &rules)).await?;
    Ok(ApplyReport {
        snapshot: found.id,
        snapshot_time: found.snapshot.time.to_string(),
        snapshot_host: found.snapshot.hostname,
        changes: applied.changes,
        history_rows_deleted: applied.history_rows_deleted,
        restart_needed: applied.was_running,
        warnings: applied.warnings,
    })
}

async fn read(repo: &Repository, options: &ApplyOptions) -> Result<(Found, Decoded), ReplicateError> {
    let found = find(repo, options).await?;
    let index = repo.load_index().await?;
    let tree = tree(repo, &index, &found).await?;
    let decoded = snapshot::read(repo, &index, found.id, tree).await?;
    Ok((found, decoded))
}

/// The snapshot asked for.
struct Found {
    id: SnapshotId,
    snapshot: Snapshot,
    subfolder: Option<String>,
}

async fn find(repo: &Repository, options: &ApplyOptions) -> Result<Found, ReplicateError> {
    if options.snapshot == "latest" {
        let newest = snapshot::newest(repo, &options.hosts, &options.tags).await?;
        let (id, snapshot) = newest.ok_or(ReplicateError::NothingPublished)?;
        return Ok(Found { id, snapshot, subfolder: None });
    }
    let filter = SnapshotFilter { hosts: options.hosts.clone(), tags: options.tags.clone(), paths: Vec::new() };
    let found = repo.find_snapshot(&options.snapshot, &filter).await?;
    Ok(Found { id: found.id, snapshot: found.snapshot, subfolder: found.subfolder })
}

async fn tree(repo: &Repository, index: &Index, found: &Found) -> Result<TreeId, ReplicateError> {
    match &found.subfolder {
        Some(path) => Ok(repo.find_subfolder(index, found.snapshot.tree, path).await?),
        None => Ok(found.snapshot.tree),
    }
}
