//! `publish`: one cycle of the primary.
//!
//! What it costs in requests, beyond opening the repository: nothing changed: one listing, and one request for each
//! snapshot there is. Changed: besides that the lock, the index, the newest configuration (for the words), and what is new.

use std::sync::Arc;
use std::time::Duration;

use super::seen::Seen;
use super::snapshot::{self, FOLDER};
use super::{PublishOptions, PublishReport, ReplicateError};
use crate::blocking;
use crate::format::{Snapshot, SnapshotId, Summary, Time, TreeId};
use crate::kuma::{
    Changes, DataDir, Database, Decoded, Dump, Manifest, Selection, collect_files, compare_files, decode, diff, encode,
    fingerprint,
};
use crate::repository::{ArchivedFiles, LockMode, MemoryFile, Repository};

/// What is to be published.
struct Present {
    decoded: Decoded,
    files: Arc<[MemoryFile]>,
    fingerprint: String,
    warnings: Vec<String>,
}

/// Dumps the configuration, and stores it if it differs from what the newest snapshot holds.
pub async fn publish(repo: &Repository, options: &PublishOptions) -> Result<PublishReport, ReplicateError> {
    publish_after(repo, options, &mut Seen::default()).await
}

/// The same, by one who has seen snapshots before and need not read them again.
pub(super) async fn publish_after(
    repo: &Repository,
    options: &PublishOptions,
    seen: &mut Seen,
) -> Result<PublishReport, ReplicateError> {
    let started = now();
    let (data, selection) = (options.kuma.find()?, options.kuma.selection()?);
    let present = blocking::run(move || Present::read(&data, &selection)).await?;
    let tree = repo.tree_of_files(present.files.clone()).await?;
    repo.locked(LockMode::None, Duration::ZERO, seen.refresh(repo)).await?;
    let newest = seen.newest(&[], &[]);
    let mut report = PublishReport::unchanged(&present, tree, newest.as_ref().map(|(id, _)| *id));
    if newest.as_ref().is_some_and(|(_, newest)| newest.tree == tree) && !options.force {
        return Ok(report);
    }
    let mode = if options.dry_run || options.no_lock { LockMode::None } else { LockMode::Shared };
    let work = store_if_changed(repo, options, &present, newest, started, &mut report);
    repo.locked(mode, options.retry_lock, work).await?;
    Ok(report)
}

/// The rest of a publish, under the lock: what others might remove is looked up only here.
async fn store_if_changed(
    repo: &Repository,
    options: &PublishOptions,
    present: &Present,
    newest: Option<(SnapshotId, Snapshot)>,
    started: Time,
    report: &mut PublishReport,
) -> Result<(), ReplicateError> {
    let index = Arc::new(repo.load_index().await?);
    let before = match &newest {
        None => None,
        Some((id, newest)) => match snapshot::read(repo, &index, *id, newest.tree).await {
            Ok(before) => Some(before),
            // A newest snapshot that cannot be read is one more reason to publish a whole one.
            Err(error @ (ReplicateError::Snapshot { .. } | ReplicateError::Read { .. })) => {
                report.warnings.push(format!("{error}: what changed since cannot be told"));
                None
            }
            Err(error) => return Err(error),
        },
    };
    report.compare(present, before.as_ref());
    if options.dry_run || !(report.changed || options.force) {
        return Ok(());
    }
    let archived = repo.archive_files(index, present.files.clone()).await?;
    let parent = newest.map(|(id, _)| id);
    let snapshot = new_snapshot(repo, options, &archived, parent, started);
    report.snapshot = Some(repo.save_snapshot(&snapshot).await?);
    report.added_bytes = archived.stats.data_stored_bytes + archived.stats.tree_stored_bytes;
    Ok(())
}

impl Present {
    fn read(data: &DataDir, selection: &Selection) -> Result<Present, ReplicateError> {
        let database = Database::open(data.database())?;
        let (facts, dump) = database.dump(selection)?;
        let (files, mut warnings) = collect_files(data, &dump)?;
        warnings.extend(database.faults(&facts)?);
        let fingerprint = fingerprint(data, &facts, &dump, &files);
        let encoded = encode(&facts, &dump, files, data.kuma_version());
        // What cannot be read back must not become anybody's newest snapshot.
        let decoded = decode(&encoded)?;
        Ok(Present { decoded, files: snapshot::place(encoded), fingerprint, warnings })
    }

    fn dump(&self) -> &Dump {
        &self.decoded.dump
    }
}

impl PublishReport {
    fn unchanged(present: &Present, tree: TreeId, parent: Option<SnapshotId>) -> PublishReport {
        PublishReport {
            snapshot: None,
            parent,
            tree,
            changed: false,
            changes: Changes::default(),
            rows: present.dump().tables.iter().map(|table| table.rows.len()).sum(),
            fingerprint: present.fingerprint.clone(),
            digest: present.dump().digest().to_string(),
            added_bytes: 0,
            warnings: present.warnings.clone(),
        }
    }

    /// Ids of link rows may differ without meaning, and with them the tree: the manifests tell whether anything counts.
    fn compare(&mut self, present: &Present, before: Option<&Decoded>) {
        let text = |manifest: &Option<Manifest>| serde_json::to_string(manifest).unwrap_or_default();
        let now = &present.decoded;
        self.changed = before.is_none_or(|before| text(&before.manifest) != text(&now.manifest));
        let Some(before) = before else { return };
        self.changes = diff(&before.dump, &now.dump);
        self.changes.files = compare_files(&before.files, &now.files);
        let instance = |decoded: &Decoded| decoded.manifest.as_ref().and_then(|manifest| manifest.instance.clone());
        if self.changed && instance(before) != instance(now) {
            let warning = "the newest snapshot is of another Kuma: do two primaries publish to this repository?";
            self.warnings.push(warning.to_owned());
        }
    }
}

fn new_snapshot(
    repo: &Repository,
    options: &PublishOptions,
    archived: &ArchivedFiles,
    parent: Option<SnapshotId>,
    started: Time,
) -> Snapshot {
    let identity = &repo.options().identity;
    let ended = now();
    let mut snapshot = Snapshot::new(started, archived.tree, vec![FOLDER.to_owned()]);
    snapshot.parent = parent;
    snapshot.hostname = options.host.clone().unwrap_or_else(|| identity.hostname.clone());
    snapshot.username = identity.username.clone();
    (snapshot.uid, snapshot.gid) = (identity.uid, identity.gid);
    snapshot.tags = options.tags.clone();
    snapshot.program_version = format!("replicator-kuma {}", env!("CARGO_PKG_VERSION"));
    snapshot.summary = Some(Summary {
        backup_start: started,
        backup_end: ended,
        files_new: archived.files,
        files_changed: 0,
        files_unmodified: 0,
        dirs_new: archived.dirs,
        dirs_changed: 0,
        dirs_unmodified: 0,
        data_blobs: archived.stats.data_blobs,
        tree_blobs: archived.stats.tree_blobs,
        data_added: archived.stats.data_bytes + archived.stats.tree_bytes,
        data_added_packed: archived.stats.data_stored_bytes + archived.stats.tree_stored_bytes,
        total_files_processed: archived.files,
        total_bytes_processed: archived.bytes,
        extra: Default::default(),
    });
    snapshot
}

fn now() -> Time {
    Time::from(&jiff::Zoned::now())
}
