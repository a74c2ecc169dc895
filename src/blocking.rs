//! The one helper that moves batches of CPU work off the async threads.

/// Runs `work` on a blocking thread and returns what it returns.
///
/// A hop costs about 25 µs: hand over batches, not single small blobs. A panic inside `work` goes on in the caller.
pub async fn run<T, F>(work: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
