//! The only place that knows both Kuma and the repository: publish, plan, apply, and the daemon that does them by itself.

mod apply;
mod daemon;
mod demo;
mod error;
mod options;
mod publish;
mod report;
mod saved;
mod seen;
mod snapshot;

pub use apply::{apply, plan};
pub use daemon::{
    Applied, Connection, CurrentTrouble, GivenUp, Health, KumaProcess, Level, Listener, PrimaryOptions, Published,
    ReplicaOptions, Role, RunEvent, RunOptions, State, UnknownRole, run, status,
};
pub use demo::demo;
pub use error::{ReplicateError, chain};
pub use options::{ApplyOptions, KumaOptions, PublishOptions};
pub use publish::publish;
pub use report::{ApplyReport, PublishReport};
pub use saved::apply_saved;
pub use snapshot::FOLDER;
