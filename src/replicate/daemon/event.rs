//! What the daemon tells while it runs. Only `cli` prints it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Role;
use crate::format::SnapshotId;
use crate::replicate::{ReplicateError, chain};

/// Who is told; cheap to clone.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(RunEvent) + Send + Sync>);

impl Listener {
    /// A listener that is called for each event, from any thread: it must be quick.
    pub fn new(listener: impl Fn(RunEvent) + Send + Sync + 'static) -> Listener {
        Listener(Arc::new(listener))
    }

    pub(super) fn tell(&self, event: RunEvent) {
        (self.0)(event);
    }
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Info,
    /// An operator should know.
    Warning,
    /// Something does not work.
    Error,
}

/// One thing that happened; its `Display` is the line for an operator.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEvent {
    /// The daemon runs.
    Started {
        /// What it is.
        role: Role,
        /// The database it stands beside.
        database: PathBuf,
        /// The repository, without secrets.
        repository: String,
    },
    /// There was no repository, and now there is.
    Created {
        /// Where.
        repository: String,
    },
    /// One difference, such as `monitor 7 "api": interval 60 → 30`.
    Change {
        /// In words.
        line: String,
    },
    /// The configuration was stored.
    Published {
        /// As this snapshot.
        snapshot: SnapshotId,
        /// How many rows and files changed; none: it is the first one.
        changes: Option<usize>,
        /// The bytes that the repository grew by.
        added_bytes: u64,
    },
    /// The repository holds the configuration as it is.
    UpToDate {
        /// In this snapshot.
        snapshot: SnapshotId,
    },
    /// This Kuma is as the snapshot says, and was before.
    Follows {
        /// Which one.
        snapshot: SnapshotId,
    },
    /// A snapshot was applied.
    Applied {
        /// Which one.
        snapshot: SnapshotId,
        /// How many rows and files changed.
        changes: usize,
        /// Whether Kuma was restarted for it.
        restarted: bool,
        /// Where the configuration lies that was here before: `apply --file` brings it back.
        saved: PathBuf,
    },
    /// Kuma goes by its old configuration until somebody restarts it.
    RestartNeeded {
        /// Why.
        reasons: Vec<String>,
    },
    /// Kuma did not come up with what was applied, so the configuration from before was put back.
    PutBack {
        /// The snapshot that is not tried again.
        snapshot: SnapshotId,
        /// What was seen.
        reason: String,
        /// Whether Kuma came up with the old configuration.
        healthy_again: bool,
    },
    /// An operator should know.
    Warning {
        /// In words.
        text: String,
    },
    /// Something failed, and will be tried again.
    Failed {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[serde(serialize_with = "in_words")]
        error: Box<ReplicateError>,
        /// The pause before the next attempt.
        retry_in_ms: u64,
    },
    /// What failed before works again.
    Recovered {
        /// What was tried.
        what: &'static str,
        /// How long it did not work.
        after_ms: u64,
    },
    /// The daemon has ended, as the operator wanted.
    Stopped,
}

fn in_words<S: serde::Serializer>(error: &ReplicateError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&chain(error))
}

impl RunEvent {
    /// How much it matters.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            RunEvent::Warning { .. } | RunEvent::RestartNeeded { .. } => Level::Warning,
            RunEvent::Failed { .. } | RunEvent::PutBack { .. } => Level::Error,
            _ => Level::Info,
        }
    }
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunEvent::Started { role, database, repository } => {
                write!(f, "started as {role} of {} at {repository}", database.display())
            }
            RunEvent::Created { repository } => write!(f, "there was no repository at {repository}: made a new one"),
            RunEvent::Change { line } => f.write_str(line),
            RunEvent::Published { snapshot, changes: None, .. } => {
                write!(f, "published the configuration as snapshot {}", snapshot.short())
            }
            RunEvent::Published { snapshot, changes: Some(1), .. } => {
                write!(f, "published 1 change as snapshot {}", snapshot.short())
            }
            RunEvent::Published { snapshot, changes: Some(count), .. } => {
                write!(f, "published {count} changes as snapshot {}", snapshot.short())
            }
            RunEvent::UpToDate { snapshot } => {
                write!(f, "nothing to publish: snapshot {} holds the configuration as it is", snapshot.short())
            }
            RunEvent::Follows { snapshot } => write!(f, "this Kuma is as snapshot {} says", snapshot.short()),
            RunEvent::Applied { snapshot, changes, restarted, saved } => {
                let plural = if *changes == 1 { "" } else { "s" };
                let restarted = if *restarted { ", and restarted Kuma" } else { "" };
                let (id, saved) = (snapshot.short(), saved.display());
                write!(f, "applied {changes} change{plural} of snapshot {id}{restarted} (undo: apply --file {saved})")
            }
            RunEvent::RestartNeeded { reasons } => write!(f, "restart Kuma to take it up: {}", reasons.join(", ")),
            RunEvent::PutBack { snapshot, reason, healthy_again } => {
                let now = if *healthy_again { "Kuma is up with it" } else { "Kuma is not up with that either" };
                let id = snapshot.short();
                write!(
                    f,
                    "Kuma did not come up with snapshot {id} ({reason}): the configuration from before was put back, \
                     {now}; this snapshot is not tried again"
                )
            }
            RunEvent::Warning { text } => f.write_str(text),
            RunEvent::Failed { what, error, retry_in_ms } => {
                let pause = Duration::from_millis(*retry_in_ms).as_secs();
                write!(f, "cannot {what}: {}; trying again in {pause} s", chain(error.as_ref()))
            }
            RunEvent::Recovered { what, after_ms } => {
                let after = Duration::from_millis(*after_ms).as_secs();
                write!(f, "recovered: could not {what} for {after} s, and can again")
            }
            RunEvent::Stopped => f.write_str("stopped"),
        }
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
