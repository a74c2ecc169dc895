//! What the commands may be told.

use std::path::PathBuf;

/// Which Kuma it is about, and what of its configuration takes part.
#[derive(Clone, Debug, Default)]
pub struct KumaOptions {
    /// `--data-dir`: Kuma's own `DATA_DIR`.
    pub data_dir: Option<PathBuf>,
    /// `--database`: the SQLite file itself.
    pub database: Option<PathBuf>,
    /// `--tables`: see [`Selection::parse`](crate::kuma::Selection::parse).
    pub tables: Option<String>,
    /// `--settings`: see [`Selection::parse`](crate::kuma::Selection::parse).
    pub settings: Option<String>,
}

/// What `publish` may be told.
#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// The Kuma that is published.
    pub kuma: KumaOptions,
    /// The host name that the snapshot tells.
    pub host: String,
    /// The user name that the snapshot tells.
    pub username: String,
    /// The user and group id that the snapshot tells.
    pub uid: u32,
    /// See `uid`.
    pub gid: u32,
    /// Tags for the snapshot.
    pub tags: Vec<String>,
    /// A new snapshot even if nothing changed.
    pub force: bool,
    /// Everything but writing.
    pub dry_run: bool,
}

/// What `plan` and `apply` may be told.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// The Kuma that is to follow.
    pub kuma: KumaOptions,
    /// `latest`, or the id of a snapshot or its beginning.
    pub snapshot: String,
    /// Only snapshots of these hosts, for `latest`.
    pub hosts: Vec<String>,
    /// Only snapshots with these tags, for `latest`.
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
