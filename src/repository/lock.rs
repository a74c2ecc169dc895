//! Locks: who may work on the repository at the same time.
//!
//! There is no compare-and-swap in a bucket, so a lock is a file that everybody can see. The race: two clients look at
//! the same time, both see no lock, both write one. Hence the order *look, write, wait, look again*: of two that wrote,
//! at least the later one sees the other at its second look, and gives way; if both see each other, both give way.
//! The wait is for stores whose listings lag. A lock must be refreshed, and a refresh is *new file first, then the old
//! one goes*, so that there is no moment without one.
//!
//! A lock that is not refreshed in time is lost, and the work under it is stopped: after 30 minutes others may remove it
//! (restic-format 9.3).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::{Either, select};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::error::LockedBy;
use super::unpacked::{damaged, unsealable};
use super::{Event, Repository, RepositoryError, clock};
use crate::format::{Extra, FileHandle, FileType, Id, Lock, LockId};

/// Whom our lock excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// No lock is taken and none is looked at (`--no-lock`).
    None,
    /// Others may read and add; nobody may remove.
    Shared,
    /// Nobody else may do anything.
    Exclusive,
}

/// The pauses and periods of locks; the defaults are restic's.
#[derive(Clone, Debug)]
pub struct LockTiming {
    /// Between writing our lock and looking for others again.
    pub settle: Duration,
    /// The pauses before a lock that cannot be read is tried again.
    pub unreadable_retries: Vec<Duration>,
    /// How often our lock is refreshed.
    pub refresh_every: Duration,
    /// Our lock is given up when it could not be refreshed for so long.
    pub refreshable_for: Duration,
    /// How often the clock is looked at: timers stand still while a machine sleeps.
    pub tick: Duration,
    /// How long removing our lock may take.
    pub release_within: Duration,
    /// The first pause of `--retry-lock`; it doubles up to [`LockTiming::longest_retry`].
    pub first_retry: Duration,
    /// The longest pause of `--retry-lock`.
    pub longest_retry: Duration,
}

impl Default for LockTiming {
    fn default() -> LockTiming {
        LockTiming {
            settle: Duration::from_millis(200),
            unreadable_retries: [5, 10, 20].map(Duration::from_secs).to_vec(),
            refresh_every: Duration::from_secs(5 * 60),
            refreshable_for: Duration::from_secs(22 * 60 + 30),
            tick: Duration::from_secs(1),
            release_within: Duration::from_secs(60),
            first_retry: Duration::from_secs(5),
            longest_retry: Duration::from_secs(60),
        }
    }
}

/// A lock older than this has lost its holder.
const STALE_AFTER: Duration = Duration::from_secs(30 * 60);

impl Repository {
    /// Runs `work` under a lock that is taken before, kept fresh meanwhile and released after.
    ///
    /// `work` is dropped when the lock is lost ([`RepositoryError::LockLost`]) or the operator interrupts
    /// ([`RepositoryError::Interrupted`]). While others hold a lock that excludes ours, it is tried again for
    /// `retry`. This future itself must not be dropped before it ends, or our lock stays behind: stop it by
    /// [`super::Interrupter`].
    pub async fn locked<T, E: From<RepositoryError>>(
        &self,
        mode: LockMode,
        retry: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if mode == LockMode::None {
            return self.until_interrupted(work).await;
        }
        let held = HeldLock::acquire(self, mode == LockMode::Exclusive, retry).await?;
        let outcome = held.run(work).await;
        held.release().await;
        outcome
    }

    async fn until_interrupted<T, E: From<RepositoryError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            outcome = work => outcome,
            () = self.options().interrupt.requested() => Err(RepositoryError::Interrupted.into()),
        }
    }

    /// What a lock says.
    pub async fn load_lock(&self, lock: LockId) -> Result<Lock, RepositoryError> {
        let file = FileHandle::from(lock);
        let content = self.load_unpacked(&file).await?;
        Lock::decode(&content).map_err(|fault| damaged(file, fault))
    }
}

/// Our lock in the repository: one file, and two during a refresh.
struct HeldLock<'repo> {
    repo: &'repo Repository,
    exclusive: bool,
    files: Mutex<Vec<LockId>>,
}

impl<'repo> HeldLock<'repo> {
    /// Takes the lock, waiting for others up to `retry`.
    async fn acquire(repo: &'repo Repository, exclusive: bool, retry: Duration) -> Result<Self, RepositoryError> {
        let timing = &repo.options().lock_timing;
        let started = SystemTime::now();
        let mut pause = timing.first_retry;
        loop {
            let error = match Self::try_acquire(repo, exclusive).await {
                Err(error @ RepositoryError::Locked(_)) => error,
                outcome => return outcome,
            };
            let left = retry.saturating_sub(started.elapsed().unwrap_or(Duration::MAX));
            if left.is_zero() {
                return Err(error);
            }
            if pause == timing.first_retry {
                let seconds = retry.as_secs();
                repo.progress().report(Event::Note(format!("{error}; trying again for up to {seconds} s")));
            }
            pause_for(repo, pause.min(left)).await?;
            pause = (pause * 2).min(timing.longest_retry);
        }
    }

    /// Look, write, wait, look again.
    async fn try_acquire(repo: &'repo Repository, exclusive: bool) -> Result<Self, RepositoryError> {
        let held = HeldLock { repo, exclusive, files: Mutex::default() };
        held.refuse_others().await?;
        let outcome = async {
            held.write().await?;
            pause_for(repo, repo.options().lock_timing.settle).await?;
            held.refuse_others().await
        };
        match outcome.await {
            Ok(()) => Ok(held),
            Err(error) => {
                held.release().await;
                Err(error)
            }
        }
    }

    /// Fails if another lock excludes ours. A lock that cannot be read may be one that is being written: it is tried
    /// again a few times, then it is an error.
    async fn refuse_others(&self) -> Result<(), RepositoryError> {
        let mut pauses = self.repo.options().lock_timing.unreadable_retries.iter();
        loop {
            match self.look_at_others().await {
                Err(error @ RepositoryError::Damaged { .. }) => match pauses.next() {
                    Some(pause) => pause_for(self.repo, *pause).await?,
                    None => return Err(unreadable(error)),
                },
                outcome => return outcome,
            }
        }
    }

    async fn look_at_others(&self) -> Result<(), RepositoryError> {
        for (id, size) in self.repo.list(FileType::Lock).await? {
            let id = LockId::from(id);
            // An empty file is what an interrupted upload leaves: nobody holds it.
            if size == 0 || self.lock_files().contains(&id) {
                continue;
            }
            let lock = match self.repo.load_lock(id).await {
                Ok(lock) => lock,
                Err(RepositoryError::Backend(error)) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            if self.exclusive || lock.exclusive {
                let (age, stale) = (clock::age(&lock.time), is_stale(&lock, self.repo));
                return Err(RepositoryError::Locked(Box::new(LockedBy { id, lock, age, stale })));
            }
        }
        Ok(())
    }

    /// Writes a lock file of ours; it is remembered before it is there, so that it is removed in every case.
    async fn write(&self) -> Result<LockId, RepositoryError> {
        let identity = &self.repo.options().identity;
        let lock = Lock {
            time: clock::now(),
            exclusive: self.exclusive,
            hostname: identity.hostname.clone(),
            username: identity.username.clone(),
            pid: i64::from(identity.pid),
            uid: identity.uid,
            gid: identity.gid,
            extra: Extra::default(),
        };
        let content = lock.encode().map_err(unsealable("a new lock"))?;
        let (id, sealed) = self.repo.seal_unpacked(FileType::Lock, &content)?;
        let file = FileHandle { file_type: FileType::Lock, id };
        self.lock_files().push(id.into());
        self.repo.backend().write(&file, sealed).await?;
        Ok(id.into())
    }

    /// Runs `work` while keeping the lock fresh.
    async fn run<T, E: From<RepositoryError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let (stop, stopped) = watch::channel(false);
        let fresh = std::pin::pin!(self.keep_fresh(stopped));
        let work = std::pin::pin!(self.repo.until_interrupted(work));
        match select(work, fresh).await {
            Either::Left((outcome, fresh)) => {
                stop.send_replace(true);
                // A refresh that is under way ends first: a lock file written after our release would stay.
                let _ended_or_late = timeout(self.repo.options().lock_timing.release_within, fresh).await;
                outcome
            }
            Either::Right((lost, _work)) => Err(lost.into()),
        }
    }

    /// Refreshes the lock until told to stop; returns only then, or when it is lost.
    async fn keep_fresh(&self, mut stopped: watch::Receiver<bool>) -> RepositoryError {
        let timing = &self.repo.options().lock_timing;
        let mut refreshed = SystemTime::now();
        let mut tried = refreshed;
        loop {
            let stop = stopped.wait_for(|stopped| *stopped);
            if timeout(timing.tick, stop).await.is_ok() {
                return RepositoryError::Interrupted;
            }
            // The wall clock, not the timer: it goes on while the machine sleeps.
            let since = |time: SystemTime| time.elapsed().unwrap_or(Duration::ZERO);
            if since(refreshed) >= timing.refreshable_for {
                match self.refresh_late().await {
                    Ok(()) => (refreshed, tried) = (SystemTime::now(), SystemTime::now()),
                    Err(lost) => return lost,
                }
            } else if since(tried) >= timing.refresh_every {
                tried = SystemTime::now();
                let left = timing.refreshable_for.saturating_sub(since(refreshed));
                match timeout(left, self.refresh()).await {
                    Ok(Ok(())) => refreshed = SystemTime::now(),
                    Ok(Err(error)) => self.warn(&format!("the lock could not be refreshed: {error}")),
                    Err(_) => self.warn("the lock could not be refreshed in time"),
                }
            }
        }
    }

    /// A new file, then the old ones go.
    async fn refresh(&self) -> Result<(), RepositoryError> {
        let new = self.write().await?;
        self.remove_all_but(Some(new)).await
    }

    /// Refreshes a lock that others may have taken for stale: only if it is still there, before and after.
    async fn refresh_late(&self) -> Result<(), RepositoryError> {
        let lost = |reason| RepositoryError::LockLost { reason };
        if !self.is_there().await? {
            return Err(lost("somebody removed it"));
        }
        let old: Vec<LockId> = self.lock_files().clone();
        let new = self.write().await?;
        sleep(self.repo.options().lock_timing.settle).await;
        let listed: Vec<Id> = self.repo.list(FileType::Lock).await?.into_iter().map(|(id, _)| id).collect();
        if !old.iter().any(|id| listed.contains(&Id::from(*id))) {
            return Err(lost("somebody removed it"));
        }
        self.remove_all_but(Some(new)).await
    }

    async fn is_there(&self) -> Result<bool, RepositoryError> {
        let listed = self.repo.list(FileType::Lock).await?;
        let ours = self.lock_files();
        Ok(listed.iter().any(|(id, _)| ours.contains(&LockId::from(*id))))
    }

    /// Removes our lock; what fails is told, and does not change the outcome of the work.
    async fn release(&self) {
        let allowance = self.repo.options().lock_timing.release_within;
        match timeout(allowance, self.remove_all_but(None)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.warn(&format!("our lock could not be removed: {error}")),
            Err(_) => self.warn("our lock could not be removed in time"),
        }
    }

    async fn remove_all_but(&self, kept: Option<LockId>) -> Result<(), RepositoryError> {
        let old: Vec<LockId> = self.lock_files().iter().copied().filter(|id| Some(*id) != kept).collect();
        for id in old {
            self.repo.delete(&FileHandle::from(id)).await?;
            self.lock_files().retain(|file| *file != id);
        }
        Ok(())
    }

    fn lock_files(&self) -> MutexGuard<'_, Vec<LockId>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self, text: &str) {
        self.repo.progress().report(Event::Warning(text.to_owned()));
    }
}

/// Whether a lock's holder is gone: it is too old, or its process on this host is no more (restic-format 9.3).
///
/// A time in the future is never stale. The process is asked with signal 0: restic's SIGHUP ends it (13.11).
pub(super) fn is_stale(lock: &Lock, repo: &Repository) -> bool {
    if clock::age(&lock.time) > STALE_AFTER {
        return true;
    }
    lock.hostname == repo.options().identity.hostname && !process_exists(lock.pid)
}

fn process_exists(pid: i64) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(rustix::process::Pid::from_raw);
    match pid.map(rustix::process::test_kill_process) {
        Some(Err(rustix::io::Errno::SRCH)) | None => false,
        // Not ours to ask is somebody's who lives.
        Some(_) => true,
    }
}

fn unreadable(error: RepositoryError) -> RepositoryError {
    match error {
        RepositoryError::Damaged { file, fault } => RepositoryError::LockUnreadable { lock: file.id.into(), fault },
        error => error,
    }
}

async fn pause_for(repo: &Repository, pause: Duration) -> Result<(), RepositoryError> {
    tokio::select! {
        () = sleep(pause) => Ok(()),
        () = repo.options().interrupt.requested() => Err(RepositoryError::Interrupted),
    }
}
