//! `unlock`: away with locks that nobody holds.

use clap::Args;

use super::context::{Context, Outcome};
use super::error::CliError;

/// Remove the locks of processes that are gone
///
/// A lock is stale if it was not refreshed for 30 minutes, or if it names this host and a process that is no more.
#[derive(Args)]
pub(crate) struct UnlockArgs {
    /// Remove every lock, also those of processes at work: only if you know that there are none
    #[arg(long)]
    remove_all: bool,
}

pub(super) async fn run(context: &Context, args: &UnlockArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    let removed = match args.remove_all {
        true => context.unless_interrupted(repository.remove_all_locks()).await?,
        false => context.unless_interrupted(repository.remove_stale_locks()).await?,
    };
    if !removed.is_empty() {
        context.output.note(&format!("successfully removed {} locks", removed.len()));
    }
    Ok(Outcome::Done)
}
