//! Checks that end an apply, and that a publish makes before others follow it.

use std::collections::BTreeSet;

use super::database::Database;
use super::facts::Facts;
use super::schema::TABLES;
use super::{KumaError, Value, show};

/// At most so many violations are told.
const TOLD_AT_MOST: usize = 20;

/// Fails if a row of the configuration refers to a row that is not there, and did not do so `before`.
///
/// History is not looked through: it can only lose its monitor, and what lost it has been deleted.
pub(super) fn foreign_keys(database: &Database, facts: &Facts, before: &BTreeSet<String>) -> Result<(), KumaError> {
    let new: BTreeSet<String> = violations(database, facts)?.difference(before).cloned().collect();
    if new.is_empty() { Ok(()) } else { Err(KumaError::ForeignKeys { violations: told(new) }) }
}

impl Database {
    /// What is wrong with a configuration that others are to follow, in words: rows that refer to nothing.
    pub fn faults(&self, facts: &Facts) -> Result<Vec<String>, KumaError> {
        let warning = |violation| format!("a replica will refuse this: {violation}");
        Ok(told(violations(self, facts)?).into_iter().map(warning).collect())
    }
}

/// The rows of the configuration that refer to rows that are not there, in words.
pub(super) fn violations(database: &Database, facts: &Facts) -> Result<BTreeSet<String>, KumaError> {
    let mut found = BTreeSet::new();
    for table in TABLES.iter().filter(|table| facts.tables.contains_key(table.name)) {
        let sql = "SELECT v.rowid, v.parent, f.\"from\" FROM pragma_foreign_key_check(?1) AS v
                   JOIN pragma_foreign_key_list(?1) AS f ON f.id = v.fkid";
        let rows = database.sqlite("check foreign keys", |connection| {
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([table.name], |row| {
                Ok((Value::from(row.get_ref(0)?), row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let line = |(id, parent, column): (Value, String, String)| {
            format!("{} {}: its {column} is no {parent}", table.name, show::shown(&id))
        };
        found.extend(rows.into_iter().map(line));
    }
    Ok(found)
}

fn told(violations: BTreeSet<String>) -> Vec<String> {
    let more = violations.len().saturating_sub(TOLD_AT_MOST);
    let mut told: Vec<String> = violations.into_iter().take(TOLD_AT_MOST).collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}
