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

mod held;
mod stale;
mod unlock;

use std::time::Duration;

use super::unpacked::damaged;
use super::{Repository, RepositoryError};
use crate::format::{FileHandle, Lock, LockId};
use held::HeldLock;

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
