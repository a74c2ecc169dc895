//! Key files: the master key, sealed with a password (design document, "Keys, Encryption and MAC").

use super::json::Extra;
use super::{FormatError, MasterKey, Time};

/// What makes a guess at a password expensive (scrypt, RFC 7914).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScryptParams {
    /// Memory and time: a power of two.
    pub n: u64,
    /// Block size.
    pub r: u32,
    /// Parallelism, which here is only time.
    pub p: u32,
}

/// Why a password and a key file give no master key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The password is not the key's; the only failure after which another key may still fit.
    #[error("wrong password")]
    WrongPassword,
    /// Not scrypt.
    #[error("key derivation {kdf:?} is not known, only \"scrypt\" is")]
    UnknownKdf {
        /// What the file names.
        kdf: String,
    },
    /// Parameters that mean nothing, or ask for too much.
    #[error("scrypt parameters N={}, r={}, p={}: {reason}", params.n, params.r, params.p)]
    Params {
        /// What the file asks for.
        params: ScryptParams,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The salt has another length than 64 bytes.
    #[error("the salt has {length_bytes} bytes instead of 64")]
    Salt {
        /// Its length.
        length_bytes: usize,
    },
    /// What the password opened is no master key, or could not be sealed.
    #[error("the sealed master key is unusable")]
    Master(#[from] FormatError),
}

/// A key file, as it lies in `keys/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// When it was made.
    pub created: Time,
    /// By whom.
    pub username: String,
    /// On which host.
    pub hostname: String,
    /// How the password becomes a key: `scrypt`.
    pub kdf: String,
    /// What that costs.
    pub params: ScryptParams,
    /// What makes the same password another key elsewhere: 64 bytes.
    pub salt: Vec<u8>,
    /// The sealed master key.
    pub data: Vec<u8>,
    /// Fields of other programs.
    pub extra: Extra,
}

impl ScryptParams {
    /// The least restic asks for: 32 MiB, about 100 ms on one core of today.
    pub const LEAST: ScryptParams = ScryptParams { n: 32_768, r: 8, p: 1 };

    /// Whether restic takes these parameters, and whether they end in bearable time.
    pub fn check(&self) -> Result<(), KeyError> {
        Err(KeyError::Params { params: *self, reason: "unknown" })
    }
}

impl KeyFile {
    /// Seals the master key with a password; takes as long as the parameters say.
    pub fn seal(
        master: &MasterKey,
        password: &[u8],
        params: ScryptParams,
        created: Time,
        username: &str,
        hostname: &str,
    ) -> Result<KeyFile, KeyError> {
        let _ = (master, password, created, username, hostname);
        params.check()?;
        Err(KeyError::WrongPassword)
    }

    /// The master key; takes as long as the parameters say.
    pub fn open(&self, password: &[u8]) -> Result<MasterKey, KeyError> {
        let _ = password;
        Err(KeyError::WrongPassword)
    }

    /// The file's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        Ok(Vec::new())
    }

    /// Reads a key file.
    pub fn decode(bytes: &[u8]) -> Result<KeyFile, FormatError> {
        Err(FormatError::TooShort { length_bytes: bytes.len() })
    }
}
