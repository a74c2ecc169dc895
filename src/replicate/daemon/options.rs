//! What the daemon may be told.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{Health, KumaProcess};
use crate::backend::Backend;
use crate::replicate::KumaOptions;
use crate::repository::{OpenOptions, Password};

/// The way to the repository. It is opened, and opened again after trouble, only when there is something to ask of it.
pub struct Connection {
    /// Where it is.
    pub backend: Backend,
    /// What opens it.
    pub password: Password,
    /// How to work with it; its interrupt ends the daemon.
    pub open: OpenOptions,
}

/// What this instance is for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It publishes what changes.
    Primary,
    /// It follows.
    Replica,
    /// It follows, and keeps its own proxies and remote browsers: how this host reaches the world.
    ReplicaKeepingLocal,
}

impl Role {
    /// The words for the roles: those of the variable `REPLICATOR_MODE` first, as they always were.
    const WORDS: [(&str, Role); 5] = [
        ("BACKUP", Role::Primary),
        ("RESTORE", Role::Replica),
        ("RESTORE_LOCAL_ENTITY_REPLICATION", Role::ReplicaKeepingLocal),
        ("primary", Role::Primary),
        ("replica", Role::Replica),
    ];
}

/// A word that means no [`Role`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the mode {0:?} is not known: it is BACKUP (or primary), RESTORE (or replica), or RESTORE_LOCAL_ENTITY_REPLICATION"
)]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        let known = Role::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        known.map(|(_, role)| *role).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Primary => "primary",
            Role::Replica => "replica",
            Role::ReplicaKeepingLocal => "replica that keeps its own proxies and remote browsers",
        })
    }
}

/// What `run` may be told.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What this instance is.
    pub role: Role,
    /// The Kuma that it stands beside.
    pub kuma: KumaOptions,
    /// Where the daemon keeps what it must know after a restart; none: beside the database.
    pub state_dir: Option<PathBuf>,
    /// Who stops and starts Kuma.
    pub process: KumaProcess,
    /// Of a primary.
    pub primary: PrimaryOptions,
    /// Of a replica.
    pub replica: ReplicaOptions,
}

/// What only a replica may be told.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// How often the repository is looked at: one listing each time.
    pub poll_interval: Duration,
    /// Follow only snapshots of these hosts.
    pub hosts: Vec<String>,
    /// Follow only snapshots with all tags of one of these lists.
    pub tags: Vec<Vec<String>>,
    /// Apply what both schemas have in common.
    pub allow_schema_mismatch: bool,
    /// Apply even what would delete most of the monitors or empty a table.
    pub allow_mass_delete: bool,
    /// How many saved configurations are kept.
    pub keep_saved: usize,
    /// How Kuma is asked for its health after a restart.
    pub health: Health,
    /// The least time between two restarts.
    pub restart_interval: Duration,
}

impl Default for ReplicaOptions {
    fn default() -> ReplicaOptions {
        ReplicaOptions {
            poll_interval: Duration::from_secs(10),
            hosts: Vec::new(),
            tags: Vec::new(),
            allow_schema_mismatch: false,
            allow_mass_delete: false,
            keep_saved: 10,
            health: Health {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 3001)),
                is_tls: false,
                within: Duration::from_secs(120),
            },
            restart_interval: Duration::from_secs(60),
        }
    }
}

/// What only a primary may be told.
#[derive(Clone, Debug)]
pub struct PrimaryOptions {
    /// How often the database is looked at.
    pub watch_interval: Duration,
    /// So long nothing more must have changed before it is published.
    pub quiet_time: Duration,
    /// So long after the first edit it is published all the same.
    pub quiet_at_most: Duration,
    /// The host name that snapshots tell; none: this host's.
    pub host: Option<String>,
    /// Tags for snapshots.
    pub tags: Vec<String>,
    /// Take no lock (`--no-lock`).
    pub no_lock: bool,
    /// How long a locked repository is tried again before it counts as trouble.
    pub retry_lock: Duration,
}

impl Default for PrimaryOptions {
    fn default() -> PrimaryOptions {
        PrimaryOptions {
            watch_interval: Duration::from_secs(1),
            quiet_time: Duration::from_secs(2),
            quiet_at_most: Duration::from_secs(30),
            host: None,
            tags: Vec::new(),
            no_lock: false,
            retry_lock: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_mode_is_an_error_that_lists_the_known_ones() {
        assert_eq!("BACKUP".parse(), Ok(Role::Primary));
        assert_eq!("restore".parse(), Ok(Role::Replica));
        assert_eq!("RESTORE_LOCAL_ENTITY_REPLICATION".parse(), Ok(Role::ReplicaKeepingLocal));
        let error = "BACKUPS".parse::<Role>().unwrap_err().to_string();
        for (word, _) in Role::WORDS {
            assert!(error.contains(word), "{error}");
        }
    }
}
