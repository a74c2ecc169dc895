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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_written_as_restic_writes_them() {
        for json in [
            r#"{"time":"2026-11-23T11:11:04.013374421Z","exclusive":false,"hostname":"deadhost","username":"root","pid":3706}"#,
            r#"{"time":"2099-01-01T00:00:00Z","exclusive":true,"hostname":"a\u003cb","username":"","pid":1,"uid":1000,"gid":100,"more":[1]}"#,
        ] {
            let lock = Lock::decode(json.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(lock.encode().unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn an_empty_lock_is_the_oldest_shared_one() {
        let lock = Lock::decode(b"{}").unwrap();
        assert_eq!((lock.time, lock.exclusive, lock.pid), (Time::ZERO, false, 0));
    }
}
