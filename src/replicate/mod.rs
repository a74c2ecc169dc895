//! The only place that knows both Kuma and the repository: publish, plan, apply.

mod options;

pub use options::{ApplyOptions, KumaOptions, PublishOptions};
