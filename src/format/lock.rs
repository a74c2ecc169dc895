//! Locks: who reads or changes a repository.

use serde::Serialize;

use super::json::{self, Extra, Fields};
use super::{FormatError, Time};

/// Who reads (shared) or changes (exclusive) a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// When it was made or last refreshed.
    pub time: Time,
    /// Whether nobody else may hold any lock.
    pub exclusive: bool,
    /// On which host.
    pub hostname: String,
    /// By whom.
    pub username: String,
    /// By which process.
    pub pid: i64,
    /// That user's number; root's, 0, is not written.
    #[serde(skip_serializing_if = "json::is_zero")]
    pub uid: u32,
    /// That user's group; 0 is not written.
    #[serde(skip_serializing_if = "json::is_zero")]
    pub gid: u32,
    /// Fields of other programs.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Lock {
    /// Its JSON.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        json::to_vec(self).map_err(FormatError::json("lock"))
    }

    /// Reads its JSON.
    pub fn decode(json: &[u8]) -> Result<Lock, FormatError> {
        let mut fields = Fields::of("lock", json)?;
        Ok(Lock {
            time: fields.take_or_default("time")?,
            exclusive: fields.take_or_default("exclusive")?,
            hostname: fields.take_or_default("hostname")?,
            username: fields.take_or_default("username")?,
            pid: fields.take_or_default("pid")?,
            uid: fields.take_or_default("uid")?,
            gid: fields.take_or_default("gid")?,
            extra: fields.rest(),
        })
    }
}
