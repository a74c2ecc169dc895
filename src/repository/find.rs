//! Files by the beginning of their names.

use super::{Repository, RepositoryError};
use crate::format::{FileType, Id};

impl Repository {
    /// The one file whose name begins with `prefix`; a whole name is taken as it is, without a listing.
    pub async fn find_id(&self, file_type: FileType, prefix: &str) -> Result<Id, RepositoryError> {
        if let Ok(id) = prefix.parse() {
            return Ok(id);
        }
        let wanted = prefix.to_ascii_lowercase();
        let ids = self.list(file_type).await?.into_iter().map(|(id, _)| id);
        let mut candidates: Vec<Id> = ids.filter(|id| id.to_string().starts_with(&wanted)).collect();
        candidates.sort_unstable();
        let prefix = prefix.to_owned();
        match candidates.as_slice() {
            [id] if !prefix.is_empty() => Ok(*id),
            [] => Err(RepositoryError::UnknownPrefix { file_type, prefix }),
            _ => Err(RepositoryError::AmbiguousPrefix { file_type, prefix, candidates }),
        }
    }
}
