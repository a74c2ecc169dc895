//! What the daemon must still know after a restart, in a file beside the database.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Role;
use crate::format::{SnapshotId, Time, TreeId};
use crate::replicate::ReplicateError;

/// The file's name in the state directory.
pub(super) const FILE: &str = "replicator-kuma.json";
/// The version of the file that this program writes.
const VERSION: u32 = 1;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The version of this file.
    pub(super) version: u32,
    /// Where the repository is that all of it is about.
    pub location: String,
    /// The repository's own id.
    pub repository: Option<String>,
    /// What was published last.
    #[serde(default)]
    pub published: Option<Published>,
    /// What was applied last.
    #[serde(default)]
    pub applied: Option<Applied>,
    /// What was applied and put back again.
    #[serde(default)]
    pub given_up: Option<GivenUp>,
    /// What the daemon is, since it was started last.
    #[serde(default)]
    pub role: Option<Role>,
    /// When it last did its work without trouble, to a minute, RFC 3339.
    #[serde(default)]
    pub well_at: Option<String>,
    /// What does not work at present.
    #[serde(default)]
    pub trouble: Option<CurrentTrouble>,
    /// Why the newest snapshot is held back.
    #[serde(default)]
    pub held_back: Option<String>,
}

/// What does not work at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentTrouble {
    /// What is tried.
    pub what: String,
    /// Why it fails.
    pub error: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// What a replica applied last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its tree.
    pub tree: TreeId,
    /// When it was made, as it tells.
    pub snapshot_time: Time,
    /// The host that made it, as it tells.
    pub host: String,
    /// The Kuma that it was made of, if that is known.
    pub instance: Option<String>,
    /// What the configuration means: see [`crate::kuma::Dump::digest`].
    pub digest: String,
    /// When it was applied, RFC 3339.
    pub time: String,
}

/// A snapshot that Kuma did not come up with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// What was seen.
    pub reason: String,
}

/// What a primary published last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The snapshot that holds it.
    pub snapshot: SnapshotId,
    /// Its tree.
    pub tree: TreeId,
    /// The configuration that it was made from.
    pub fingerprint: String,
    /// When it was published or last found to be the newest, RFC 3339.
    pub time: String,
}

impl State {
    /// Reads the state. One that is not there, or that no version of this program wrote, is as good as none: all it costs
    /// is a look at the repository. The second value says why, if there is something to say.
    pub(super) fn load(folder: &Path) -> (State, Option<String>) {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return (State::default(), None),
            Err(error) => return (State::default(), Some(format!("cannot read {}: {error}", path.display()))),
        };
        match serde_json::from_str::<State>(&text) {
            Ok(state) if state.version == VERSION => (state, None),
            Ok(state) => {
                let text = format!("{} has version {}, which is not known here", path.display(), state.version);
                (State::default(), Some(text))
            }
            Err(error) => (State::default(), Some(format!("{} cannot be understood: {error}", path.display()))),
        }
    }

    /// The same about another repository, of which nothing is known yet.
    pub(super) fn elsewhere(&self, location: String) -> State {
        let (well_at, trouble) = (self.well_at.clone(), self.trouble.clone());
        State { role: self.role, location, well_at, trouble, ..State::default() }
    }

    /// Writes the state: whole or not at all, readable by this user only.
    pub(super) fn save(&self, folder: &Path) -> Result<(), ReplicateError> {
        let path = folder.join(FILE);
        let written = self.write(folder, &path);
        written.map_err(|source| ReplicateError::Write { path: path.display().to_string(), source })
    }

    fn write(&self, folder: &Path, path: &PathBuf) -> std::io::Result<()> {
        let mut text = serde_json::to_vec_pretty(&State { version: VERSION, ..self.clone() })?;
        text.push(b'\n');
        let mut file = tempfile::Builder::new()
            .prefix(".replicator-kuma-")
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::load(folder.path()), (State::default(), None));
        let state = State { repository: Some("abc".to_owned()), ..State::default() };
        state.save(folder.path()).unwrap();
        let (loaded, warning) = State::load(folder.path());
        assert_eq!((loaded.repository.as_deref(), warning), (Some("abc"), None));
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn what_cannot_be_understood_is_told_and_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", "{\"version\":999}"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let (state, warning) = State::load(folder.path());
            assert_eq!(state, State::default());
            assert!(warning.is_some(), "{text}");
        }
    }
}
