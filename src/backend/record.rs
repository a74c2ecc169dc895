//! Remembers every attempt, so that a test asserts requests and not seconds.

use std::sync::{Mutex, PoisonError};

use super::Operation;

/// One attempt at a store: a retry is a call of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was tried.
    pub operation: Operation,
    /// The file's path in the repository, or the listed directory.
    pub path: String,
}

pub(super) struct Recorder {
    calls: Option<Mutex<Vec<Call>>>,
}

impl Recorder {
    pub(super) fn new(enabled: bool) -> Recorder {
        Recorder { calls: enabled.then(Mutex::default) }
    }

    pub(super) fn record(&self, operation: Operation, path: impl FnOnce() -> String) {
        if let Some(calls) = &self.calls {
            let call = Call { operation, path: path() };
            calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls
            .as_ref()
            .map(|calls| calls.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    pub(super) fn clear(&self) {
        if let Some(calls) = &self.calls {
            calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}
