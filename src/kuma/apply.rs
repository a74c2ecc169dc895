//! Making a database equal to a snapshot: compared, changed and checked in one transaction, or not at all.
//!
//! The order matters:
//!
//! 1. Compared without any lock. Nothing to do: nothing is locked, whether Kuma runs or not.
//! 2. Opened to write: alone (then no Kuma can start meanwhile), or with `while_running` under SQLite's own locks.
//! 3. Foreign keys off, *before* the transaction, where SQLite ignores it: a deleted and inserted row would take its
//!    history with it through `ON DELETE CASCADE`.
//! 4. Compared again inside the transaction, written, checked: foreign keys, and that nothing is left to change.
//! 5. New files are written beside their places and synced, then the transaction is committed, then they are renamed. A
//!    full disk is found before the commit; a crash after it leaves old files, which the next apply finds and replaces.

use rusqlite::TransactionBehavior;

use super::changes::Changes;
use super::database::Database;
use super::datadir::DataDir;
use super::decode::Decoded;
use super::diff::diff;
use super::files::{self, StagedFiles};
use super::fit::{Fitted, fit};
use super::{KumaError, Selection, check, write};

/// How a snapshot is applied.
#[derive(Clone, Debug, Default)]
pub struct ApplyRules {
    /// What of it takes part.
    pub selection: Selection,
    /// Apply what both schemas have in common.
    pub allow_schema_mismatch: bool,
    /// Write even if somebody has the database open.
    pub while_running: bool,
}

/// What an apply did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What differed.
    pub changes: Changes,
    /// What an operator should know.
    pub warnings: Vec<String>,
    /// Rows of history that went with deleted monitors, or belonged to none.
    pub history_rows_deleted: u64,
    /// Whether somebody had the database open meanwhile: then Kuma must be restarted.
    pub was_running: bool,
}

/// Tells what [`apply`] would change; changes nothing, and may be asked while Kuma runs.
pub fn plan(data: &DataDir, wanted: &Decoded, rules: &ApplyRules) -> Result<Applied, KumaError> {
    let database = Database::open(data.database())?;
    let (facts, local) = database.dump(&rules.selection)?;
    let Fitted { dump, warnings } = fit(&facts, wanted, &rules.selection, rules.allow_schema_mismatch)?;
    let mut changes = diff(&local, &dump);
    changes.files = files::differences(data.path(), &files::selected(wanted, &dump))?;
    Ok(Applied { changes, warnings, ..Applied::default() })
}

/// Makes the database and its files equal to what the snapshot says. Applied again, it finds nothing to do.
pub fn apply(data: &DataDir, wanted: &Decoded, rules: &ApplyRules) -> Result<Applied, KumaError> {
    let planned = plan(data, wanted, rules)?;
    if planned.changes.is_empty() {
        return Ok(planned);
    }
    let (mut database, was_running) = open(data, rules)?;
    database.sqlite("turn foreign keys off", |connection| connection.pragma_update(None, "foreign_keys", false))?;
    let (mut applied, staged) = database.in_transaction(|database| {
        let (applied, fitted) = change(database, data, wanted, rules)?;
        let staged = StagedFiles::write(data, &files::selected(wanted, &fitted.dump), &applied.changes.files)?;
        Ok((applied, staged))
    })?;
    staged.put_in_place()?;
    applied.was_running = was_running;
    Ok(applied)
}

/// Opens the database to write; alone if nobody else has it open.
fn open(data: &DataDir, rules: &ApplyRules) -> Result<(Database, bool), KumaError> {
    match Database::open_alone(data.database()) {
        Ok(database) => Ok((database, false)),
        Err(KumaError::Running { .. }) if rules.while_running => Ok((Database::open_beside(data.database())?, true)),
        Err(error) => Err(error),
    }
}

/// Compares, writes and checks, inside the transaction.
fn change(
    database: &Database,
    data: &DataDir,
    wanted: &Decoded,
    rules: &ApplyRules,
) -> Result<(Applied, Fitted), KumaError> {
    let (facts, local) = database.dump_inside(&rules.selection)?;
    let fitted = fit(&facts, wanted, &rules.selection, rules.allow_schema_mismatch)?;
    let mut changes = diff(&local, &fitted.dump);
    let dangling = check::violations(database, &facts)?;
    write::changes(database, &changes)?;
    let history_rows_deleted = write::delete_orphaned_history(database, &facts)?;
    check::foreign_keys(database, &facts, &dangling)?;
    let (_, now) = database.dump_inside(&rules.selection)?;
    let left = diff(&now, &fitted.dump);
    if !left.is_empty() {
        return Err(KumaError::NotAsWanted { differences: left.lines() });
    }
    changes.files = files::differences(data.path(), &files::selected(wanted, &fitted.dump))?;
    let warnings = fitted.warnings.clone();
    Ok((Applied { changes, warnings, history_rows_deleted, was_running: false }, fitted))
}

impl Database {
    /// Runs `work` in one transaction that has the write lock from its beginning; an error rolls it back.
    fn in_transaction<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, KumaError>) -> Result<T, KumaError> {
        let begun = rusqlite::Transaction::new_unchecked(self.connection(), TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| KumaError::of_sqlite(self.path(), "begin to write", error))?;
        // Dropped on an error, it rolls back.
        let done = work(self)?;
        transaction.commit().map_err(|error| KumaError::of_sqlite(self.path(), "commit", error))?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests;
