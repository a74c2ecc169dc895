//! `demo`: the main job on embedded parts, with the code of the real commands.
//!
//! The databases were made by real servers of Uptime Kuma 2.5.3 (see `fixtures/README.md`): the primary before and after
//! its operator's edits, and a replica with a history of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{ApplyOptions, ApplyReport, KumaOptions, PublishOptions, ReplicateError, apply, plan, publish};
use crate::backend::{Backend, BackendOptions, Location};
use crate::format::expand;
use crate::kuma::{ConfigDigest, Database, KumaError, MonitorHistory, Selection};
use crate::repository::{InitOptions, Password, Repository};

const PRIMARY: &[u8] = include_bytes!("../../fixtures/kuma/kuma-v2.db.zst");
const PRIMARY_EDITED: &[u8] = include_bytes!("../../fixtures/kuma/kuma-v2-state2.db.zst");
const REPLICA: &[u8] = include_bytes!("../../fixtures/kuma/kuma-v2-upgraded-from-v1.db.zst");
const LOGO: &[u8] = include_bytes!("../../fixtures/kuma/upload-v2/logo1.png");
/// More than any of the databases has.
const DATABASE_AT_MOST_BYTES: usize = 8 << 20;
/// It opens nothing but the repository of the demonstration.
const PASSWORD: &str = "demo";

/// Who gets each line that an operator should see.
type Tell<'a> = &'a mut (dyn FnMut(&str) + Send);

/// Lays out a primary, a replica and a local repository in `folder` (or a new temporary one, which is kept), and goes
/// through the main job. Fails if the replica does not become what the primary is, or loses history.
pub async fn demo(folder: Option<PathBuf>, tell: Tell<'_>) -> Result<(), ReplicateError> {
    let stage = Stage::set(folder)?;
    stage.introduce(tell)?;
    let repo = stage.repository().await?;
    stage.first_round(&repo, tell).await?;
    stage.second_round(&repo, tell).await?;
    stage.explain(tell);
    Ok(())
}

/// The folder of a demonstration.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn set(folder: Option<PathBuf>) -> Result<Stage, ReplicateError> {
        let folder = match folder {
            Some(folder) => folder,
            None => tempfile::Builder::new()
                .prefix("replicator-kuma-demo-")
                .tempdir()
                .map_err(|source| ReplicateError::Write { path: "a temporary folder".to_owned(), source })?
                .keep(),
        };
        let stage = Stage { folder: std::path::absolute(&folder).unwrap_or(folder) };
        if fs::read_dir(&stage.folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(ReplicateError::NotEmpty { path: stage.folder.display().to_string() });
        }
        write(&stage.primary().join("kuma.db"), &unpack(PRIMARY)?)?;
        write(&stage.primary().join("upload/logo1.png"), LOGO)?;
        write(&stage.replica().join("kuma.db"), &unpack(REPLICA)?)?;
        write(&stage.folder.join("password"), PASSWORD.as_bytes())?;
        Ok(stage)
    }

    fn primary(&self) -> PathBuf {
        self.folder.join("primary")
    }

    fn replica(&self) -> PathBuf {
        self.folder.join("replica")
    }

    fn introduce(&self, tell: Tell<'_>) -> Result<(), ReplicateError> {
        let beats = history(&self.replica())?.values().map(|history| history.heartbeats).sum::<u64>();
        tell(&format!("Folder {}", self.folder.display()));
        tell("  primary/     a Kuma 2.5.3 with 65 monitors, made by a real server");
        tell(&format!("  replica/     another one, with a configuration and {beats} heartbeats of its own"));
        tell("  repository/  a new restic repository (password: demo)");
        Ok(())
    }

    async fn repository(&self) -> Result<Repository, ReplicateError> {
        let path = self.folder.join("repository");
        let location = Location::parse(&format!("local:{}", path.display()))?;
        let backend =
            Backend::open(&location, &BackendOptions::default()).map_err(crate::repository::RepositoryError::from)?;
        Ok(Repository::init(backend, &Password::new(PASSWORD), InitOptions::default()).await?)
    }

    /// The replica becomes what the primary is.
    async fn first_round(&self, repo: &Repository, tell: Tell<'_>) -> Result<(), ReplicateError> {
        tell("\n1. The primary publishes for the first time");
        self.publish(repo, tell).await?;
        tell("\n2. The replica applies");
        self.apply(repo, tell).await
    }

    /// The operator edits, and the replica follows.
    async fn second_round(&self, repo: &Repository, tell: Tell<'_>) -> Result<(), ReplicateError> {
        tell("\n3. The operator edits monitors, tags, pages, maintenances… in the primary; it publishes again");
        write(&self.primary().join("kuma.db"), &unpack(PRIMARY_EDITED)?)?;
        self.publish(repo, tell).await?;
        tell("\n4. What an apply would change on the replica, in words");
        let planned = plan(repo, &self.following()).await?;
        planned.changes.lines().iter().for_each(|line| tell(&format!("   {line}")));
        tell("\n5. The replica applies");
        self.apply(repo, tell).await?;
        tell("\n6. Once more, with nothing new");
        self.publish(repo, tell).await?;
        let again = apply(repo, &self.following()).await?;
        tell(&format!("   apply: {} changes", again.changes.count()));
        if again.changes.is_empty() { Ok(()) } else { Err(self.failed("a second apply found something to do")) }
    }

    async fn publish(&self, repo: &Repository, tell: Tell<'_>) -> Result<(), ReplicateError> {
        let kuma = KumaOptions { data_dir: Some(self.primary()), ..KumaOptions::default() };
        let options = PublishOptions { kuma, host: Some("primary".to_owned()), ..PublishOptions::default() };
        let report = publish(repo, &options).await?;
        report.warnings.iter().for_each(|warning| tell(&format!("   warning: {warning}")));
        tell(&match (report.snapshot, report.parent) {
            (None, _) => "   publish: nothing changed, nothing written".to_owned(),
            (Some(id), None) => format!("   publish: {} rows, snapshot {}", report.rows, id.short()),
            (Some(id), Some(_)) => format!("   publish: {} changes, snapshot {}", report.changes.count(), id.short()),
        });
        Ok(())
    }

    /// Applies, and proves what it claims.
    async fn apply(&self, repo: &Repository, tell: Tell<'_>) -> Result<(), ReplicateError> {
        let before = history(&self.replica())?;
        let report = apply(repo, &self.following()).await?;
        let after = history(&self.replica())?;
        let (primary, replica) = (digest(&self.primary())?, digest(&self.replica())?);
        tell(&format!("   apply: {} changes in one transaction", report.changes.count()));
        tell(&format!("   configuration of the primary: {}", short(primary)));
        tell(&format!("   configuration of the replica: {}", short(replica)));
        if primary != replica {
            return Err(self.failed("the replica's configuration is not the primary's"));
        }
        let deleted = deleted_monitors(&report);
        let kept = before.iter().filter(|(monitor, _)| !deleted.contains(monitor));
        if kept.clone().any(|(monitor, history)| after.get(monitor) != Some(history)) {
            return Err(self.failed("the replica lost history of a monitor that it kept"));
        }
        let beats: u64 = kept.map(|(_, history)| history.heartbeats).sum();
        tell(&format!("   history of the monitors that stay: {beats} heartbeats, every row as it was"));
        if report.history_rows_deleted > 0 {
            tell(&format!("   history of deleted monitors: {} rows deleted", report.history_rows_deleted));
        }
        Ok(())
    }

    fn following(&self) -> ApplyOptions {
        let kuma = KumaOptions { data_dir: Some(self.replica()), ..KumaOptions::default() };
        ApplyOptions { kuma, ..ApplyOptions::default() }
    }

    fn explain(&self, tell: Tell<'_>) {
        let folder = self.folder.display();
        tell("\nThe repository is restic's. Look at it with restic, restore with restic and sqlite3 alone:");
        tell(&format!("   export RESTIC_REPOSITORY='{folder}/repository' RESTIC_PASSWORD={PASSWORD}"));
        tell("   restic snapshots && restic check --read-data");
        tell(&format!("   restic restore latest --target '{folder}/restored'"));
        tell(&format!("   sqlite3 '{folder}/replica/kuma.db' < '{folder}/restored/backup/current/backup.sql'"));
        tell("Or with this program, which takes the same variables:");
        tell(&format!("   replicator-kuma plan --data-dir '{folder}/replica'"));
    }

    fn failed(&self, reason: &'static str) -> ReplicateError {
        ReplicateError::Demo { reason }
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, ReplicateError> {
    let unpacked = expand(packed, DATABASE_AT_MOST_BYTES, DATABASE_AT_MOST_BYTES);
    unpacked.map_err(|_| ReplicateError::Demo { reason: "an embedded database cannot be unpacked" })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ReplicateError> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    made.map_err(|source| ReplicateError::Write { path: path.display().to_string(), source })
}

fn open(data: &Path) -> Result<Database, KumaError> {
    Database::open(&data.join("kuma.db"))
}

fn digest(data: &Path) -> Result<ConfigDigest, KumaError> {
    Ok(open(data)?.dump(&Selection::default())?.1.digest())
}

fn history(data: &Path) -> Result<BTreeMap<i64, MonitorHistory>, KumaError> {
    open(data)?.history()
}

fn short(digest: ConfigDigest) -> String {
    digest.to_string().chars().take(16).collect()
}

/// The ids of the monitors that an apply deleted.
fn deleted_monitors(report: &ApplyReport) -> BTreeSet<i64> {
    let monitors = report.changes.tables.iter().filter(|table| table.spec.name == "monitor");
    let ids = monitors.flat_map(|table| {
        let id = table.columns.iter().position(|name| name == "id");
        let gone = table.rows.iter().filter(|row| row.new.is_none()).filter_map(|row| row.old.as_ref());
        gone.filter_map(move |row| row.get(id?)?.as_integer())
    });
    ids.collect()
}
