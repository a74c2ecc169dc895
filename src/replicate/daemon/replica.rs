//! The replica: one listing a poll, and an apply when there is something new.
//!
//! The order of an apply, and why: the snapshot is read, verified and compared before anything is touched; the own
//! configuration is saved before it is changed; Kuma is stopped only if it must be, and only for the one transaction; and
//! if it does not come up with what was applied, the saved configuration is put back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::RunEvent;
use super::follow::{Newest, Next, next, stranger};
use super::guard::mass_delete;
use super::keeper::Keeper;
use super::session::{Session, now};
use super::state::{Applied, GivenUp};
use super::trouble::Trouble;
use super::{ReplicaOptions, RunOptions};
use crate::blocking;
use crate::format::{SnapshotId, TreeId};
use crate::kuma::{self, ApplyRules, Changes, DataDir, Database, Decoded, Dump, KumaError, Reload};
use crate::replicate::saved::{self, Saved};
use crate::replicate::seen::Seen;
use crate::replicate::{ReplicateError, chain, snapshot};
use crate::repository::{LockMode, Repository, RepositoryError};

const POLL: &str = "follow the repository";

struct Replica<'a> {
    session: Session,
    keeper: &'a Keeper,
    options: ReplicaOptions,
    rules: ApplyRules,
    seen: Seen,
    polling: Trouble,
    /// What was read and is not applied yet.
    pending: Option<Pending>,
    /// The newest snapshot, if it cannot be read: it will not change.
    unreadable: Option<SnapshotId>,
    restarted: Option<Instant>,
}

#[derive(Clone)]
struct Pending {
    newest: Newest,
    wanted: Arc<Decoded>,
}

/// What an apply would change, and what is here.
struct Survey {
    local: Dump,
    changes: Changes,
    warnings: Vec<String>,
}

/// Runs until the operator's interrupt.
pub(super) async fn run(session: Session, options: &RunOptions, keeper: &Keeper) -> Result<(), ReplicateError> {
    let rules = ApplyRules {
        selection: options.kuma.selection()?,
        allow_schema_mismatch: options.replica.allow_schema_mismatch,
        // SQLite's own locks are enough for the file; what Kuma holds in memory is taken care of afterwards.
        while_running: true,
    };
    let mut replica = Replica {
        session,
        keeper,
        options: options.replica.clone(),
        rules,
        seen: Seen::default(),
        polling: Trouble::default(),
        pending: None,
        unreadable: None,
        restarted: None,
    };
    loop {
        match replica.tick().await {
            Ok(()) => {}
            Err(ReplicateError::Repository(RepositoryError::Interrupted)) => break,
            Err(error) => return Err(error),
        }
        let pause = replica.polling.pause(Instant::now()).unwrap_or(options.replica.poll_interval);
        if !replica.session.pause(pause).await {
            break;
        }
    }
    replica.session.tell(RunEvent::Stopped);
    Ok(())
}

impl Replica<'_> {
    /// One poll, and what follows from it. An error is an interrupt.
    async fn tick(&mut self) -> Result<(), ReplicateError> {
        if !self.polling.may_try(Instant::now()) {
            return Ok(());
        }
        match self.poll().await {
            Ok(()) => self.session.worked(POLL, &mut self.polling),
            Err(error) => match held_back(&error) {
                // Nobody but an operator can change that: it is told once, and looked at again with each poll.
                Some(snapshot) => {
                    self.unreadable = self.pending.is_none().then_some(snapshot);
                    self.hold_back(snapshot, &chain(&error));
                    self.session.worked(POLL, &mut self.polling);
                }
                None => self.session.failed(POLL, error, &mut self.polling)?,
            },
        }
        Ok(())
    }

    async fn poll(&mut self) -> Result<(), ReplicateError> {
        let repo = self.session.repository().await?;
        repo.locked(LockMode::None, Duration::ZERO, self.seen.refresh(&repo)).await?;
        let Some((id, snapshot)) = self.seen.newest(&self.options.hosts, &self.options.tags) else {
            self.session.warn(["no snapshot to follow has been published yet".to_owned()]);
            return Ok(());
        };
        let newest = Newest { id, tree: snapshot.tree, time: snapshot.time, host: snapshot.hostname };
        let state = &self.session.state;
        match next(state.applied.as_ref(), state.given_up.as_ref().map(|given_up| given_up.snapshot), &newest) {
            Next::Nothing => Ok(()),
            Next::Remember => self.remember_name(newest),
            Next::Older => {
                let (id, time) = (newest.id.short(), newest.time);
                self.session.warn([format!(
                    "the newest snapshot {id} of {time} is older than what was applied: it is not applied by itself \
                     (`apply` does it)"
                )]);
                Ok(())
            }
            Next::Apply if self.unreadable == Some(newest.id) => Ok(()),
            Next::Apply => {
                let pending = self.read(&repo, newest).await?;
                self.carry_out(pending).await
            }
        }
    }

    /// Reads a snapshot, unless it was read before and waits.
    async fn read(&mut self, repo: &Repository, newest: Newest) -> Result<Pending, ReplicateError> {
        if let Some(pending) = self.pending.as_ref().filter(|pending| pending.newest.id == newest.id) {
            return Ok(pending.clone());
        }
        self.pending = None;
        let wanted = repo.locked(LockMode::None, Duration::ZERO, fetch(repo, newest.id, newest.tree)).await?;
        let instance = wanted.manifest.as_ref().and_then(|manifest| manifest.instance.as_deref());
        let applied = self.session.state.applied.as_ref();
        let warning = applied.and_then(|applied| stranger(applied, &newest, instance));
        self.session.warn(warning);
        let pending = Pending { newest, wanted: Arc::new(wanted) };
        self.pending = Some(pending.clone());
        Ok(pending)
    }

    async fn carry_out(&mut self, pending: Pending) -> Result<(), ReplicateError> {
        let id = pending.newest.id;
        let survey = self.survey(&pending).await.map_err(|source| of_snapshot(id, source))?;
        self.session.warn(survey.warnings);
        if survey.changes.is_empty() {
            self.session.tell(RunEvent::Follows { snapshot: id });
            return self.remember(&pending);
        }
        if let Some(reason) = mass_delete(&survey.local, &survey.changes).filter(|_| !self.options.allow_mass_delete) {
            let hint = "--allow-mass-delete, or `apply`, makes it so";
            self.hold_back(id, &format!("{reason} ({hint})"));
            return Ok(());
        }
        let reload = Reload::for_changes(&survey.changes);
        let restart = reload != Reload::Nothing && self.keeper.can_restart();
        if restart && !self.may_restart() {
            let interval = self.options.restart_interval.as_secs();
            self.session.warn([format!("snapshot {} waits: Kuma is restarted once in {interval} s", id.short())]);
            return Ok(());
        }
        let saved = self.save(id).await?;
        let changes = if restart {
            match self.apply_with_restart(&pending, &saved).await? {
                Some(changes) => changes,
                None => return Ok(()),
            }
        } else {
            self.apply(&pending.wanted).await.map_err(|source| of_snapshot(id, source))?
        };
        for line in changes.lines() {
            self.session.tell(RunEvent::Change { line });
        }
        let saved = saved.folder;
        self.session.tell(RunEvent::Applied { snapshot: id, changes: changes.count(), restarted: restart, saved });
        if let (Reload::Restart { reasons }, false) = (reload, restart) {
            self.session.tell(RunEvent::RestartNeeded { reasons });
        }
        self.remember(&pending)
    }

    /// Stops Kuma, applies, starts it, and puts the saved configuration back if it does not come up: then there are no
    /// changes.
    async fn apply_with_restart(
        &mut self,
        pending: &Pending,
        saved: &Saved,
    ) -> Result<Option<Changes>, ReplicateError> {
        let id = pending.newest.id;
        self.restarted = Some(Instant::now());
        self.keeper.stop().await?;
        let applied = self.apply(&pending.wanted).await;
        let started = self.keeper.start().await;
        let changes = match applied {
            Ok(changes) => changes,
            Err(source) => {
                self.keeper.trust().await;
                return Err(of_snapshot(id, source));
            }
        };
        let healthy = match started {
            Err(ReplicateError::Repository(interrupted)) => return Err(interrupted.into()),
            Err(error) => Err(chain(&error)),
            Ok(()) => self.health().await,
        };
        match healthy {
            Ok(()) => {
                self.keeper.trust().await;
                Ok(Some(changes))
            }
            Err(reason) => self.put_back(pending, saved, reason).await.map(|()| None),
        }
    }

    async fn put_back(&mut self, pending: &Pending, saved: &Saved, reason: String) -> Result<(), ReplicateError> {
        let snapshot = pending.newest.id;
        // Remembered first: whatever happens now, it is not tried again.
        self.session.state.given_up = Some(GivenUp { snapshot, reason: reason.clone() });
        let remembered = self.session.save();
        self.pending = None;
        self.keeper.stop().await?;
        let back = self.apply(&Arc::new(saved.decoded.clone())).await;
        // Whatever went wrong, Kuma must not stay down.
        let started = self.keeper.start().await;
        let healthy_again = started.is_ok() && self.health().await.is_ok();
        self.keeper.trust().await;
        back?;
        self.session.tell(RunEvent::PutBack { snapshot, reason, healthy_again });
        started.and(remembered)
    }

    /// Tells, once, that a snapshot waits for an operator.
    fn hold_back(&mut self, snapshot: SnapshotId, reason: &str) {
        let text = format!("snapshot {} is held back: {reason}", snapshot.short());
        if self.session.state.held_back.as_ref() != Some(&text) {
            self.session.state.held_back = Some(text.clone());
            // It is told in any case; only `status` would miss it.
            let _ = self.session.save();
        }
        self.session.warn([text]);
    }

    /// Asks Kuma whether it is up; gives up at once if it ended.
    async fn health(&self) -> Result<(), String> {
        tokio::select! {
            health = self.options.health.wait() => health,
            () = self.keeper.down() => Err("it ended by itself".to_owned()),
        }
    }

    fn may_restart(&self) -> bool {
        self.restarted.is_none_or(|restarted| restarted.elapsed() >= self.options.restart_interval)
    }

    async fn survey(&self, pending: &Pending) -> Result<Survey, KumaError> {
        let (data, rules, wanted) = (self.session.data.clone(), self.rules.clone(), pending.wanted.clone());
        blocking::run(move || {
            let (_, local) = Database::open(data.database())?.dump(&rules.selection)?;
            let planned = kuma::plan(&data, &wanted, &rules)?;
            Ok(Survey { local, changes: planned.changes, warnings: planned.warnings })
        })
        .await
    }

    async fn save(&self, snapshot: SnapshotId) -> Result<Saved, ReplicateError> {
        let (data, selection, keep) =
            (self.session.data.clone(), self.rules.selection.clone(), self.options.keep_saved);
        let folder = self.session.folder().to_owned();
        let name = format!("{}-before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ"), snapshot.short());
        blocking::run(move || saved::save(&data, &selection, &folder, &name, keep)).await
    }

    async fn apply(&self, wanted: &Arc<Decoded>) -> Result<Changes, KumaError> {
        let (data, rules, wanted): (DataDir, _, _) = (self.session.data.clone(), self.rules.clone(), wanted.clone());
        Ok(blocking::run(move || kuma::apply(&data, &wanted, &rules)).await?.changes)
    }

    fn remember(&mut self, pending: &Pending) -> Result<(), ReplicateError> {
        let Newest { id, tree, time, host } = pending.newest.clone();
        let instance = pending.wanted.manifest.as_ref().and_then(|manifest| manifest.instance.clone());
        self.session.state.applied = Some(Applied {
            snapshot: id,
            tree,
            snapshot_time: time,
            host,
            instance,
            digest: pending.wanted.dump.digest().to_string(),
            time: now(),
        });
        self.session.state.given_up = None;
        self.session.state.held_back = None;
        self.pending = None;
        self.session.save()
    }

    fn remember_name(&mut self, newest: Newest) -> Result<(), ReplicateError> {
        if let Some(applied) = &mut self.session.state.applied {
            (applied.snapshot, applied.snapshot_time, applied.host) = (newest.id, newest.time, newest.host);
        }
        self.session.save()
    }
}

async fn fetch(repo: &Repository, id: SnapshotId, tree: TreeId) -> Result<Decoded, ReplicateError> {
    let index = repo.load_index().await?;
    snapshot::read(repo, &index, id, tree).await
}

fn of_snapshot(snapshot: SnapshotId, source: KumaError) -> ReplicateError {
    ReplicateError::Snapshot { snapshot, source: Box::new(source) }
}

/// The snapshot that cannot be applied here as long as neither it nor this Kuma changes; none: the error may pass.
fn held_back(error: &ReplicateError) -> Option<SnapshotId> {
    use KumaError as K;
    let ReplicateError::Snapshot { snapshot, source } = error else { return None };
    let lasts = matches!(
        source.as_ref(),
        K::SchemaMismatch { .. }
            | K::NotRepresentable { .. }
            | K::NeedsUser { .. }
            | K::ForeignKeys { .. }
            | K::NotAsWanted { .. }
            | K::BadDump { .. }
            | K::NoDump
    );
    lasts.then_some(*snapshot)
}
