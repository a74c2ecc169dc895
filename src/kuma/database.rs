//! Opening Kuma's SQLite file: to read it without leaving a trace, or to write it, alone or beside a running Kuma.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::{KumaError, running};

/// How long a lock is waited for; Kuma 2.x waits as long for ours.
pub(super) const BUSY_TIMEOUT_MS: u64 = 5_000;
/// How long it is tried to be alone with the database: a reader that comes and goes must not look like a running Kuma.
const ALONE_TIMEOUT_MS: u64 = 1_000;

/// An open database of Uptime Kuma.
pub struct Database {
    connection: Connection,
    path: PathBuf,
    /// Set when the file is read without any lock: how it looked when it was opened.
    unlocked: Option<Stamp>,
}

#[derive(PartialEq, Eq)]
struct Stamp {
    length_bytes: u64,
    modified: Option<SystemTime>,
    has_log: bool,
}

impl Database {
    /// Opens `path` to read, whether or not a Kuma is running on it, and leaves no file beside it.
    ///
    /// A file in WAL mode is read with its log. From a read-only directory it is read as it lies, if it has no log and
    /// does not change meanwhile (see [`Database::check_unchanged`]).
    pub fn open(path: &Path) -> Result<Database, KumaError> {
        exists(path)?;
        // SQLite makes -wal and -shm for whoever comes first, and only a connection that may write removes them again.
        let flags = if log_exists(path) { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        let database = Database { connection: connect(path, flags)?, path: path.to_owned(), unlocked: None };
        match database.first_read() {
            Ok(()) => {}
            // What SQLite says when it cannot make the files beside.
            Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => {
                return Database::open_unlocked(path);
            }
            Err(error) => return Err(KumaError::of_sqlite(path, "read the database", error)),
        }
        database.sqlite("refuse writes", |connection| connection.pragma_update(None, "query_only", true))?;
        Ok(database)
    }

    /// Opens `path` to write, and makes sure that nobody else has it open, or can open it while this value lives.
    pub fn open_alone(path: &Path) -> Result<Database, KumaError> {
        let database = Database::open_to_write(path)?;
        let taken = database.connection.busy_timeout(Duration::from_millis(ALONE_TIMEOUT_MS)).and_then(|()| {
            database.connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            database.connection.execute_batch("BEGIN EXCLUSIVE; SELECT 1 FROM sqlite_schema; COMMIT")
        });
        match taken.map_err(|error| KumaError::of_sqlite(path, "lock the database", error)) {
            Ok(()) => Ok(database),
            Err(KumaError::Busy { path, .. }) => Err(KumaError::Running { holders: running::holders(&path), path }),
            Err(error) => Err(error),
        }
    }

    /// Opens `path` to write beside whoever else has it open, under SQLite's own locks.
    pub fn open_beside(path: &Path) -> Result<Database, KumaError> {
        let database = Database::open_to_write(path)?;
        database.first_read().map_err(|error| KumaError::of_sqlite(path, "read the database", error))?;
        Ok(database)
    }

    fn open_to_write(path: &Path) -> Result<Database, KumaError> {
        exists(path)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if connection.is_readonly(MAIN_DB).unwrap_or(false) {
            return Err(KumaError::ReadOnly { path: path.to_owned() });
        }
        let database = Database { connection, path: path.to_owned(), unlocked: None };
        // What was applied must outlive a power cut, or the replica would believe what is not there.
        database.sqlite("set up the connection", |connection| connection.pragma_update(None, "synchronous", "FULL"))?;
        Ok(database)
    }

    fn open_unlocked(path: &Path) -> Result<Database, KumaError> {
        if log_exists(path) {
            // Without its log the file lacks the newest rows, or is not even whole.
            return Err(KumaError::LogUnreadable { path: path.to_owned() });
        }
        let unlocked = Some(Stamp::of(path)?);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = connect(Path::new(&immutable_uri(path)), flags)?;
        let database = Database { connection, path: path.to_owned(), unlocked };
        database.first_read().map_err(|error| KumaError::of_sqlite(path, "read the database", error))?;
        Ok(database)
    }

    /// Fails if the file was read without locks and has changed since it was opened: then what was read may be torn.
    pub(super) fn check_unchanged(&self) -> Result<(), KumaError> {
        match &self.unlocked {
            Some(stamp) if *stamp != Stamp::of(&self.path)? => {
                Err(KumaError::ChangedMeanwhile { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A number that changes whenever another connection changes the file: `PRAGMA data_version`.
    pub fn data_version(&self) -> Result<i64, KumaError> {
        self.sqlite("read the data version", |connection| {
            connection.pragma_query_value(None, "data_version", |row| row.get(0))
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `work` and sorts SQLite's error, if there is one.
    pub(super) fn sqlite<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, KumaError> {
        work(&self.connection).map_err(|error| KumaError::of_sqlite(&self.path, action, error))
    }

    /// Reads for the first time: only here SQLite looks at the file, its log and its locks.
    fn first_read(&self) -> rusqlite::Result<()> {
        self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    }
}

impl Stamp {
    fn of(path: &Path) -> Result<Stamp, KumaError> {
        let metadata = std::fs::metadata(path).map_err(|source| KumaError::File {
            action: "look at",
            path: path.to_owned(),
            source,
        })?;
        Ok(Stamp { length_bytes: metadata.len(), modified: metadata.modified().ok(), has_log: log_exists(path) })
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, KumaError> {
    let set_up = |connection: Connection| {
        connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
        // The file is data: nothing in its schema may call functions with side effects or reach for internals.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        Ok(connection)
    };
    Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .and_then(set_up)
        .map_err(|error| KumaError::of_sqlite(path, "open the database", error))
}

fn exists(path: &Path) -> Result<(), KumaError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => readable(path),
        Ok(_) => Err(KumaError::NotADatabase { path: path.to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(KumaError::Missing { path: path.to_owned() }),
        Err(source) => Err(KumaError::File { action: "look at", path: path.to_owned(), source }),
    }
}

/// Asked of the system without opening the file: to close it again would drop the locks that this process holds on it.
fn readable(path: &Path) -> Result<(), KumaError> {
    rustix::fs::access(path, rustix::fs::Access::READ_OK).map_err(|error| KumaError::File {
        action: "read",
        path: path.to_owned(),
        source: error.into(),
    })
}

/// Whether a write-ahead log with anything in it lies beside the file.
fn log_exists(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(&log).is_ok_and(|log| log.len() > 0)
}

/// SQLite's URI of a file that nobody changes: <https://www.sqlite.org/uri.html>.
fn immutable_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let bytes = absolute.as_os_str().as_bytes();
    format!("file://{}?immutable=1", percent_encoding::percent_encode(bytes, PATH))
}

const PATH: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-');
