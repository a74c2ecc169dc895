//! What an operation on a repository tells while it runs. Only `cli` prints it.

use std::fmt;
use std::sync::Arc;

use super::{BackupEvent, RestoreEvent};

/// A listener for the events of a long operation; cheap to clone, and silent by default.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Progress {
    /// A listener that is called for each event, from any thread: it must be quick.
    pub fn new(listener: impl Fn(Event) + Send + Sync + 'static) -> Progress {
        Progress(Some(Arc::new(listener)))
    }

    /// A listener that hears nothing.
    pub fn silent() -> Progress {
        Progress(None)
    }

    /// Tells `event` to the listener.
    pub fn report(&self, event: Event) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "Progress(listening)" } else { "Progress(silent)" })
    }
}

/// The steps whose length is known when they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Reading the index files.
    Index,
    /// Walking the trees of the snapshots.
    Snapshots,
    /// Reading packs whole.
    Packs,
}

/// One thing that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A step began; `total` counts its units.
    StepStarted {
        /// Which step.
        step: Step,
        /// How many units it has.
        total: u64,
    },
    /// A step went on by one unit.
    StepAdvanced {
        /// Which step.
        step: Step,
    },
    /// A step ended.
    StepFinished {
        /// Which step.
        step: Step,
    },
    /// A restore went on.
    Restore(RestoreEvent),
    /// Something the operator should read now, in words: a phase of the check, waiting for a lock.
    Note(String),
    /// The check found something.
    Finding {
        /// It is harmless.
        is_hint: bool,
        /// What it is, in words.
        text: String,
    },
    /// Something went wrong that does not end the operation: an unlock that failed.
    Warning(String),
    /// A backup went on.
    Backup(BackupEvent),
}
