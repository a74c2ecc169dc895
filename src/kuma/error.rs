//! What can be wrong with a Kuma database, a dump, or an apply.

use std::path::PathBuf;

use super::running::Holder;

/// An error of this layer. Its text names the thing and the way out, and does not repeat its source's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KumaError {
    /// There is no database file.
    #[error("{} does not exist: name Kuma's data directory with --data-dir, or the file with --database", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Kuma keeps its data in MariaDB.
    #[error("{} says that Kuma's database is {kind}, not sqlite: only SQLite databases can be replicated", path.display())]
    NotSqliteBackend {
        /// The db-config.json.
        path: PathBuf,
        /// Its `type`.
        kind: String,
    },
    /// A db-config.json that cannot be understood.
    #[error("{} cannot be understood: {reason}", path.display())]
    DbConfig {
        /// The db-config.json.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file is something else.
    #[error("{} is not an SQLite database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// An SQLite database, but not Kuma's, or not whole.
    #[error("{} is not a whole database of Uptime Kuma: {reason}", path.display())]
    NotKuma {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Kuma is in the middle of a change of its schema.
    #[error("{} is being migrated by Kuma, or Kuma died while it did: try again when it is up", path.display())]
    Migrating {
        /// The file.
        path: PathBuf,
    },
    /// A damaged database.
    #[error("{} is corrupt ({detail}): restore it from a backup, or repair it with sqlite3's `.recover`", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The file or its directory may not be written.
    #[error("{} cannot be written: the file, its directory or its file system is read-only for this user", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read from where it is.
    #[error("{} has a log beside it that cannot be read from a read-only directory: make the directory writable",
        path.display())]
    LogUnreadable {
        /// The file.
        path: PathBuf,
    },
    /// No space is left.
    #[error("no space is left to write {}: nothing was changed", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Someone holds the write lock for too long.
    #[error("{} is locked by another process for more than {waited_ms} ms: try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// How long it was tried.
        waited_ms: u64,
    },
    /// A file that had to be read without locks was written meanwhile.
    #[error("{} changed while it was read from a read-only directory: make the directory writable, or try again",
        path.display())]
    ChangedMeanwhile {
        /// The file.
        path: PathBuf,
    },
    /// Someone has the database open.
    #[error("{} is in use{}: stop Kuma first, or apply with --while-running and restart Kuma afterwards",
        path.display(), by(holders))]
    Running {
        /// The file.
        path: PathBuf,
        /// Who, as far as this process may see.
        holders: Vec<Holder>,
    },
    /// SQLite failed in another way.
    #[error("SQLite failed to {action} ({})", path.display())]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: rusqlite::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The files of a snapshot are not a configuration that can be read.
    #[error("{file} of the snapshot cannot be read: {reason}")]
    BadDump {
        /// The file in the snapshot.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The snapshot does not carry Kuma's configuration at all.
    #[error("the snapshot holds no configuration of Uptime Kuma (no manifest.json, no backup.sql, no sql_statements/)")]
    NoDump,
    /// The two Kumas differ.
    #[error(
        "the snapshot and this database are of different versions of Kuma:{}\n\
             upgrade both to the same version, or apply the common part with --allow-schema-mismatch",
        list(differences)
    )]
    SchemaMismatch {
        /// Every difference, in words.
        differences: Vec<String>,
    },
    /// The wanted rows cannot stand in this database.
    #[error("the snapshot cannot be represented in this database:{}", list(reasons))]
    NotRepresentable {
        /// Every reason, in words.
        reasons: Vec<String>,
    },
    /// Applying would leave a Kuma that anybody could take over.
    #[error("{reason}: whoever opened this Kuma first could create its administrator and read every secret; {hint}")]
    NeedsUser {
        /// Which side lacks the user.
        reason: &'static str,
        /// The way out.
        hint: &'static str,
    },
    /// Rows would refer to rows that are not there.
    #[error("rows of the snapshot refer to rows that would not exist here:{}\nnothing was changed", list(violations))]
    ForeignKeys {
        /// Every violation, in words.
        violations: Vec<String>,
    },
    /// After the apply the database was not what was wanted.
    #[error("the database did not become what the snapshot says, so the apply was rolled back:{}", list(differences))]
    NotAsWanted {
        /// The differences that were left, in words.
        differences: Vec<String>,
    },
}

impl KumaError {
    /// Sorts an error of SQLite's: what has a way out gets its own variant.
    pub(super) fn of_sqlite(path: &std::path::Path, action: &'static str, source: rusqlite::Error) -> KumaError {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        let waited_ms = super::database::BUSY_TIMEOUT_MS;
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => KumaError::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => KumaError::Corrupt { path, detail: detail(&source) },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => KumaError::ReadOnly { path },
            Some(ErrorCode::DiskFull) => KumaError::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => KumaError::Busy { path, waited_ms },
            _ => KumaError::Sqlite { action, path, source },
        }
    }
}

fn detail(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}

fn by(holders: &[Holder]) -> String {
    if holders.is_empty() {
        return " by another process".to_owned();
    }
    let names: Vec<String> = holders.iter().map(Holder::to_string).collect();
    format!(" by {}", names.join(", "))
}
