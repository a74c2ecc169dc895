//! A lock of ours, from taking it to releasing it.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::{Either, select};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::stale::is_stale;
use crate::format::{Extra, FileHandle, FileType, Id, Lock, LockId};
use crate::repository::error::LockedBy;
use crate::repository::unpacked::unsealable;
use crate::repository::{Event, Repository, RepositoryError, clock};

/// Our lock in the repository: one file, and two during a refresh.
pub(super) struct HeldLock<'repo> {
    repo: &'repo Repository,
    exclusive: bool,
    files: Mutex<Vec<LockId>>,
}

impl<'repo> HeldLock<'repo> {
    /// Takes the lock, waiting for others up to `retry`.
    pub(super) async fn acquire(
        repo: &'repo Repository,
        exclusive: bool,
        retry: Duration,
    ) -> Result<Self, RepositoryError> {
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
                let (age, stale) = (clock::age(&lock.time), is_stale(&lock, &self.repo.options().identity));
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
    pub(super) async fn run<T, E: From<RepositoryError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (stop, stopped) = watch::channel(false);
        let fresh = pin!(self.keep_fresh(stopped));
        let work = pin!(self.repo.until_interrupted(work));
        match select(work, fresh).await {
            Either::Left((outcome, fresh)) => {
                stop.send_replace(true);
                // A refresh that is under way ends first: a lock file written after our release would stay.
                let _ended_or_late = timeout(self.repo.options().lock_timing.release_within, fresh).await;
                outcome
            }
            Either::Right((lost, _work)) => Err(lost.unwrap_or(RepositoryError::Interrupted).into()),
        }
    }

    /// Refreshes the lock until told to stop, or until it is lost, which is returned.
    async fn keep_fresh(&self, mut stopped: watch::Receiver<bool>) -> Option<RepositoryError> {
        let timing = &self.repo.options().lock_timing;
        let mut refreshed = SystemTime::now();
        let mut tried = refreshed;
        loop {
            let stop = stopped.wait_for(|stopped| *stopped);
            if timeout(timing.tick, stop).await.is_ok() {
                return None;
            }
            // The wall clock, not the timer: it goes on while the machine sleeps.
            let since = |time: SystemTime| time.elapsed().unwrap_or(Duration::ZERO);
            if since(refreshed) >= timing.refreshable_for {
                match self.refresh_late().await {
                    Ok(()) => (refreshed, tried) = (SystemTime::now(), SystemTime::now()),
                    Err(lost) => return Some(lost),
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
    pub(super) async fn release(&self) {
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
