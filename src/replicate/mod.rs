//! The only place that knows both Kuma and the repository: publish, plan, apply.

mod apply;
mod demo;
mod error;
mod options;
mod publish;
mod report;
mod snapshot;

pub use apply::{apply, plan};
pub use demo::demo;
pub use error::ReplicateError;
pub use options::{ApplyOptions, KumaOptions, PublishOptions};
pub use publish::publish;
pub use report::{ApplyReport, PublishReport};
pub use snapshot::FOLDER;
