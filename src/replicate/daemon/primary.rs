//! The primary: what changes is published, and an unchanged configuration costs no request.

use std::time::Instant;

use super::RunOptions;
use super::event::RunEvent;
use super::session::{Session, now};
use super::state::Published;
use super::trouble::Trouble;
use super::watch::{Quiet, Watch};
use super::watcher::Watcher;
use crate::blocking;
use crate::replicate::publish::publish_after;
use crate::replicate::seen::Seen;
use crate::replicate::{PublishOptions, PublishReport, ReplicateError};
use crate::repository::{LockMode, RepositoryError};

const PUBLISH: &str = "publish";
const LOOK: &str = "read the database";

struct Primary {
    session: Session,
    options: PublishOptions,
    quiet: Quiet,
    watcher: Option<Watcher>,
    watch: Watch,
    seen: Seen,
    /// Whether what is remembered to be published was looked for in the repository.
    checked: bool,
    looking: Trouble,
    publishing: Trouble,
}

/// Runs until the operator's interrupt.
pub(super) async fn run(session: Session, options: &RunOptions) -> Result<(), ReplicateError> {
    let mut primary = Primary::new(session, options)?;
    loop {
        match primary.tick().await {
            Ok(()) => {}
            Err(ReplicateError::Repository(RepositoryError::Interrupted)) => break,
            Err(error) => return Err(error),
        }
        if !primary.session.pause(options.primary.watch_interval).await {
            break;
        }
    }
    primary.session.tell(RunEvent::Stopped);
    Ok(())
}

impl Primary {
    fn new(session: Session, options: &RunOptions) -> Result<Primary, ReplicateError> {
        let watcher = Watcher::new(session.data.clone(), options.kuma.selection()?);
        let own = &options.primary;
        let publish = PublishOptions {
            kuma: options.kuma.clone(),
            host: own.host.clone(),
            tags: own.tags.clone(),
            no_lock: own.no_lock,
            retry_lock: own.retry_lock,
            ..PublishOptions::default()
        };
        Ok(Primary {
            session,
            options: publish,
            quiet: Quiet { time: own.quiet_time, at_most: own.quiet_at_most },
            watcher: Some(watcher),
            watch: Watch::default(),
            seen: Seen::default(),
            checked: false,
            looking: Trouble::default(),
            publishing: Trouble::default(),
        })
    }

    /// One look, and what follows from it. An error is an interrupt.
    async fn tick(&mut self) -> Result<(), ReplicateError> {
        if self.looking.may_try(Instant::now()) {
            match self.look().await {
                Ok(fingerprint) => {
                    self.session.worked(LOOK, &mut self.looking);
                    self.watch.seen(&fingerprint, Instant::now());
                }
                Err(error) => self.session.failed(LOOK, error, &mut self.looking)?,
            }
        }
        let now = Instant::now();
        if self.publishing.may_try(now) && (!self.checked || self.watch.is_due(now, self.quiet)) {
            match self.follow_up().await {
                Ok(()) => self.session.worked(PUBLISH, &mut self.publishing),
                Err(error) => self.session.failed(PUBLISH, error, &mut self.publishing)?,
            }
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<String, ReplicateError> {
        let mut watcher = match self.watcher.take() {
            Some(watcher) => watcher,
            None => Watcher::new(self.session.data.clone(), self.options.kuma.selection()?),
        };
        let (watcher, seen) = blocking::run(move || {
            let seen = watcher.look(Instant::now());
            (watcher, seen)
        })
        .await;
        self.watcher = Some(watcher);
        Ok(seen?)
    }

    /// Looks once whether what is remembered is still there; from then on publishes what is due.
    async fn follow_up(&mut self) -> Result<(), ReplicateError> {
        if !self.checked {
            if self.session.state.published.is_some() {
                let repo = self.session.repository().await?;
                repo.locked(LockMode::None, Default::default(), self.seen.refresh(&repo)).await?;
            }
            // Opening it may have shown that what is remembered is of another repository.
            let published = self.session.state.published.as_ref();
            let published = published.filter(|published| self.seen.has(published.snapshot));
            self.watch = Watch::new(published.map(|published| published.fingerprint.clone()));
            self.checked = true;
            return Ok(());
        }
        let repo = self.session.repository_or_new().await?;
        let report = publish_after(&repo, &self.options, &mut self.seen).await?;
        self.take_note(report)
    }

    fn take_note(&mut self, report: PublishReport) -> Result<(), ReplicateError> {
        self.session.warn(report.warnings);
        for line in report.changes.lines() {
            self.session.tell(RunEvent::Change { line });
        }
        let (added_bytes, changes) = (report.added_bytes, report.parent.map(|_| report.changes.count()));
        match (report.snapshot, report.parent) {
            (Some(snapshot), _) => self.session.tell(RunEvent::Published { snapshot, changes, added_bytes }),
            (None, Some(snapshot)) => self.session.tell(RunEvent::UpToDate { snapshot }),
            (None, None) => {}
        }
        self.watch.published(report.fingerprint.clone());
        if let Some(snapshot) = report.snapshot.or(report.parent) {
            let time = now();
            let published = Published { snapshot, tree: report.tree, fingerprint: report.fingerprint, time };
            self.session.state.published = Some(published);
            self.session.save()?;
        }
        Ok(())
    }
}
