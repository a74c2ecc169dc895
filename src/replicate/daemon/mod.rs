//! `run`: a primary that publishes what changes, a replica that follows, and Kuma as our child.
//!
//! What to do is decided by pure functions (`watch`, `follow`, `guard`, `trouble`); the rest carries it out. Nothing that
//! fails at run time ends the daemon: it is told, and tried again more and more rarely. Work that holds a lock is never
//! dropped; it ends in order when the operator's interrupt is heard.

mod event;
mod follow;
mod guard;
mod health;
mod keeper;
mod options;
mod primary;
mod process;
mod reaper;
mod replica;
mod session;
mod state;
mod trouble;
mod watch;
mod watcher;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use event::{Level, Listener, RunEvent};
pub use health::Health;
pub use keeper::KumaProcess;
pub use options::{Connection, PrimaryOptions, ReplicaOptions, Role, RunOptions, UnknownRole};
pub use state::{Applied, CurrentTrouble, GivenUp, Published, State};

use super::{KumaOptions, ReplicateError};
use crate::repository::Interrupt;
use keeper::Keeper;
use session::Session;

/// What the daemon beside this database wrote down last, and where; nothing if it never ran there.
pub fn status(kuma: &KumaOptions, state_dir: Option<&Path>) -> Result<(PathBuf, Option<State>), ReplicateError> {
    let folder = match state_dir {
        Some(folder) => folder.to_owned(),
        None => session::beside(kuma.find()?.database()),
    };
    let path = folder.join(state::FILE);
    let (state, warning) = State::load(&folder);
    match warning {
        Some(reason) => Err(ReplicateError::State { reason }),
        None => Ok((path, (!state.location.is_empty()).then_some(state))),
    }
}

/// Runs until the operator's interrupt, or until Kuma ends that is our child: then its exit code is returned.
///
/// What is wrong before anything is asked of the repository is an error at once.
pub async fn run(
    mut connection: Connection,
    options: &RunOptions,
    listener: &Listener,
) -> Result<Option<u8>, ReplicateError> {
    // Two may end the daemon: the operator, and a child that ends by itself.
    let (interrupter, interrupt) = Interrupt::pair();
    let (operator, end) = (std::mem::replace(&mut connection.open.interrupt, interrupt), Arc::new(interrupter));
    let session = Session::begin(connection, options, listener)?;
    let forward = tokio::spawn({
        let (operator, end) = (operator.clone(), end.clone());
        async move {
            operator.requested().await;
            end.interrupt();
        }
    });
    let keeper = Keeper::begin(options.process.clone(), operator, end)?;
    let outcome = match options.role {
        Role::Primary => primary::run(session, options).await,
        Role::Replica | Role::ReplicaKeepingLocal => replica::run(session, options, &keeper).await,
    };
    let status = keeper.finish().await;
    forward.abort();
    outcome.map(|()| status.map(process::exit_code))
}
