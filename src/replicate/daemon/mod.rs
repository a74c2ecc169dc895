//! `run`: a primary that publishes what changes, by itself.
//!
//! What to do is decided by pure functions (`watch`, `trouble`); the rest carries it out. Nothing that fails at run time
//! ends the daemon: it is told, and tried again more and more rarely. Work that holds a lock is never dropped; it ends in
//! order when the operator's interrupt is heard.

mod event;
mod options;
mod primary;
mod session;
mod state;
mod trouble;
mod watch;
mod watcher;

pub use event::{Level, Listener, RunEvent};
pub use options::{Connection, PrimaryOptions, Role, RunOptions, UnknownRole};

use super::ReplicateError;
use session::Session;

/// Runs until the operator's interrupt. What is wrong before anything is asked of the repository is an error at once.
pub async fn run(connection: Connection, options: &RunOptions, listener: &Listener) -> Result<(), ReplicateError> {
    let session = Session::begin(connection, options, listener)?;
    match options.role {
        Role::Primary => primary::run(session, options).await,
        Role::Replica | Role::ReplicaKeepingLocal => Err(ReplicateError::NothingPublished),
    }
}
