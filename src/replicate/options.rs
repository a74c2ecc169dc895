//! What the commands may be told.

use std::path::PathBuf;
use std::time::Duration;

use crate::kuma::{DataDir, KumaError, Selection, SelectionError};

/// Which Kuma it is about, and what of its configuration takes part.
#[derive(Clone, Debug, Default)]
pub struct KumaOptions {
    /// `--data-dir`: Kuma's own `DATA_DIR`.
    pub data_dir: Option<PathBuf>,
    /// `--database`: the SQLite file itself.
    pub database: Option<PathBuf>,
    /// `--tables`: see [`Selection::parse`].
    pub tables: Option<String>,
    /// `--settings`: see [`Selection::parse`].
    pub settings: Option<String>,
    /// Tables that this instance keeps for itself.
    pub keep_local: Vec<String>,
}

impl KumaOptions {
    pub(super) fn find(&self) -> Result<DataDir, KumaError> {
        DataDir::find(self.data_dir.as_deref(), self.database.as_deref())
    }

    pub(super) fn selection(&self) -> Result<Selection, SelectionError> {
        Selection::parse(self.tables.as_deref(), self.settings.as_deref())?.without(&self.keep_local)
    }
}

/// What `publish` may be told.
#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// The Kuma that is published.
    pub kuma: KumaOptions,
    /// The host name that the snapshot tells; none: this host's.
    pub host: Option<String>,
    /// Tags for the snapshot.
    pub tags: Vec<String>,
    /// Make a snapshot even if nothing changed.
    pub force: bool,
    /// Do everything but write.
    pub dry_run: bool,
    /// Take no lock (`--no-lock`).
    pub no_lock: bool,
    /// How long a locked repository is tried again.
    pub retry_lock: Duration,
}

/// What `plan` and `apply` may be told.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// The Kuma that is to follow.
    pub kuma: KumaOptions,
    /// `latest`, or the id of a snapshot or its beginning; a folder may follow after a colon.
    pub snapshot: String,
    /// Only snapshots of these hosts, for `latest`.
    pub hosts: Vec<String>,
    /// Only snapshots with all tags of one of these lists, for `latest`.
    pub tags: Vec<Vec<String>>,
    /// Apply what both schemas have in common.
    pub allow_schema_mismatch: bool,
    /// Write even if Kuma runs on the database.
    pub while_running: bool,
}

impl Default for ApplyOptions {
    fn default() -> ApplyOptions {
        ApplyOptions {
            kuma: KumaOptions::default(),
            snapshot: "latest".to_owned(),
            hosts: Vec::new(),
            tags: Vec::new(),
            allow_schema_mismatch: false,
            while_running: false,
        }
    }
}
