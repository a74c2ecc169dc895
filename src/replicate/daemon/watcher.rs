//! Looking at the database every second at a cost too small to see: a kept connection tells whether anybody wrote, and
//! only then the configuration is read.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::kuma::{DataDir, Database, KumaError, Selection};

/// So often the configuration is read anew whatever the connection says: files beside the database change without it.
const ANEW_EVERY: Duration = Duration::from_secs(60);

/// A look at one Kuma's configuration, again and again.
pub(super) struct Watcher {
    data: DataDir,
    selection: Selection,
    open: Option<Open>,
}

struct Open {
    database: Database,
    file: FileId,
    version: i64,
    fingerprint: String,
    since: Instant,
}

/// Which file it is: another one may be put in its place while the old one is open.
type FileId = (u64, u64);

impl Watcher {
    pub(super) fn new(data: DataDir, selection: Selection) -> Watcher {
        Watcher { data, selection, open: None }
    }

    /// The configuration's [fingerprint](crate::kuma::fingerprint()) as it is now.
    pub(super) fn look(&mut self, now: Instant) -> Result<String, KumaError> {
        // Dropped on an error: the next look begins from the beginning.
        let open = match self.open.take() {
            Some(open) if open.is_valid(&self.data, now) => open.refreshed(&self.data, &self.selection)?,
            _ => Open::new(&self.data, &self.selection, now)?,
        };
        let fingerprint = open.fingerprint.clone();
        self.open = Some(open);
        Ok(fingerprint)
    }
}

impl Open {
    fn new(data: &DataDir, selection: &Selection, now: Instant) -> Result<Open, KumaError> {
        let file = file_id(data.database());
        let database = Database::open(data.database())?;
        // Before the reading: what is written meanwhile is seen at the next look.
        let version = database.data_version()?;
        let fingerprint = database.fingerprint(data, selection)?;
        Ok(Open { database, file: file.unwrap_or_default(), version, fingerprint, since: now })
    }

    fn is_valid(&self, data: &DataDir, now: Instant) -> bool {
        file_id(data.database()) == Some(self.file) && now.duration_since(self.since) < ANEW_EVERY
    }

    fn refreshed(mut self, data: &DataDir, selection: &Selection) -> Result<Open, KumaError> {
        let version = self.database.data_version()?;
        if version != self.version {
            self.version = version;
            self.fingerprint = self.database.fingerprint(data, selection)?;
        }
        Ok(self)
    }
}

fn file_id(path: &Path) -> Option<FileId> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
