//! Work that goes on by itself until it is awaited, and ends when nobody is left to await it.

use tokio::task::JoinHandle;

/// A spawned task whose future is dropped with this handle.
pub(super) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    pub(super) fn spawn(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// What the work returns; a panic in it goes on here. None if the runtime is shutting down.
    pub(super) async fn join(mut self) -> Option<T> {
        match (&mut self.0).await {
            Ok(value) => Some(value),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
