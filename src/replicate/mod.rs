//! The only place that knows both Kuma and the repository.
