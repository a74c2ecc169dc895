//! Removing the locks that somebody left behind.

use super::stale::is_stale;
use crate::format::{FileHandle, FileType, LockId};
use crate::repository::{Repository, RepositoryError};

impl Repository {
    /// Removes the locks whose holder is gone, and returns them; those that cannot be read stay.
    pub async fn remove_stale_locks(&self) -> Result<Vec<LockId>, RepositoryError> {
        let mut removed = Vec::new();
        for (id, _) in self.list(FileType::Lock).await? {
            let id = LockId::from(id);
            let gone = match self.load_lock(id).await {
                Ok(lock) => is_stale(&lock, &self.options().identity),
                Err(RepositoryError::Damaged { .. }) => false,
                Err(RepositoryError::Backend(error)) if error.is_not_found() => false,
                Err(error) => return Err(error),
            };
            if gone {
                self.delete(&FileHandle::from(id)).await?;
                removed.push(id);
            }
        }
        Ok(removed)
    }

    /// Removes every lock, also those of clients at work: only for who knows that there are none.
    pub async fn remove_all_locks(&self) -> Result<Vec<LockId>, RepositoryError> {
        let locks: Vec<LockId> = self.list(FileType::Lock).await?.into_iter().map(|(id, _)| id.into()).collect();
        for id in &locks {
            self.delete(&FileHandle::from(*id)).await?;
        }
        Ok(locks)
    }
}
