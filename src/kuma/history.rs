//! What an instance has lived through itself: the rows that belong to its monitors and are never replicated.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::database::Database;
use super::dump::quoted;
use super::facts::Facts;
use super::schema::HISTORY_TABLES;
use super::{KumaError, Value};

/// The history of one monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonitorHistory {
    /// How many heartbeats there are.
    pub heartbeats: u64,
    /// How many rows of all kinds there are.
    pub rows: u64,
    /// The SHA-256 of all of them.
    pub sha256: [u8; 32],
}

impl Database {
    /// The history of every monitor, by its id, from one read transaction. Reads every row: for proofs, not for every day.
    pub fn history(&self) -> Result<BTreeMap<i64, MonitorHistory>, KumaError> {
        let begun = self.connection().unchecked_transaction();
        let _transaction = begun.map_err(|error| KumaError::of_sqlite(self.path(), "begin to read", error))?;
        let facts = Facts::read(self)?;
        let mut histories: BTreeMap<i64, (MonitorHistory, Sha256)> = BTreeMap::new();
        for table in HISTORY_TABLES.iter().filter(|table| facts.tables.contains_key(**table)) {
            self.read_history(table, &mut histories)?;
        }
        let finish = |(mut history, hash): (MonitorHistory, Sha256)| {
            history.sha256 = hash.finalize().into();
            history
        };
        Ok(histories.into_iter().map(|(monitor, history)| (monitor, finish(history))).collect())
    }

    fn read_history(
        &self,
        table: &str,
        histories: &mut BTreeMap<i64, (MonitorHistory, Sha256)>,
    ) -> Result<(), KumaError> {
        self.sqlite("read history", |connection| {
            let mut statement =
                connection.prepare(&format!("SELECT monitor_id, * FROM {} ORDER BY id", quoted(table)))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (history, hash) = histories.entry(row.get(0)?).or_default();
                history.rows += 1;
                history.heartbeats += u64::from(table == "heartbeat");
                let mut form = table.as_bytes().to_vec();
                for column in 1..columns {
                    Value::from(row.get_ref(column)?).append_canonical(&mut form);
                }
                hash.update(form);
            }
            Ok(())
        })
    }
}
