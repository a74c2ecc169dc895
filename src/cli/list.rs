//! `list`: the names of a kind of object.

use clap::{Args, ValueEnum};

use super::context::{Context, Outcome};
use super::error::CliError;
use crate::format::{BlobKind, FileType};
use crate::repository::{LockMode, Repository};

/// List the IDs of one kind of object in the repository
#[derive(Args)]
pub(crate) struct ListArgs {
    /// What to list
    kind: Kind,
}

/// What can be listed.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Every piece of a file and every folder, with its kind
    Blobs,
    /// Files that hold blobs
    Packs,
    /// Files that say which pack holds which blobs
    Index,
    /// Snapshots
    Snapshots,
    /// Keys
    Keys,
    /// Locks
    Locks,
}

pub(super) async fn run(context: &Context, args: &ListArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    // A lock of our own would stand in the list.
    let mode = if matches!(args.kind, Kind::Locks) { LockMode::None } else { LockMode::Shared };
    context.locked(&repository, mode, list(context, &repository, args.kind)).await?;
    Ok(Outcome::Done)
}

async fn list(context: &Context, repository: &Repository, kind: Kind) -> Result<(), CliError> {
    let file_type = match kind {
        Kind::Blobs => return list_blobs(context, repository).await,
        Kind::Packs => FileType::Pack,
        Kind::Index => FileType::Index,
        Kind::Snapshots => FileType::Snapshot,
        Kind::Keys => FileType::Key,
        Kind::Locks => FileType::Lock,
    };
    let mut files = repository.list(file_type).await?;
    files.sort_unstable();
    for (id, _) in files {
        context.output.answer(&id.to_string())?;
    }
    Ok(())
}

async fn list_blobs(context: &Context, repository: &Repository) -> Result<(), CliError> {
    for location in repository.load_index().await?.blobs() {
        let word = match location.blob.blob.kind {
            BlobKind::Data => "data",
            BlobKind::Tree => "tree",
        };
        context.output.answer(&format!("{word} {}", location.blob.blob.id))?;
    }
    Ok(())
}
