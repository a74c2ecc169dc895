//! `publish`: one cycle of the primary.

use super::{PublishOptions, PublishReport, ReplicateError};
use crate::repository::Repository;

/// Dumps the configuration, and stores it if it differs from what the newest snapshot holds.
pub async fn publish(repo: &Repository, options: &PublishOptions) -> Result<PublishReport, ReplicateError> {
    let _ = (repo, options);
    Err(ReplicateError::NothingPublished)
}
