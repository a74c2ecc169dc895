//! The file `config`: what holds for a whole repository.

use super::json::Extra;
use super::{FormatError, Polynomial};

/// The version of a repository's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Without compression.
    V1,
    /// With compression.
    V2,
}

/// What holds for a whole repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The version of its format.
    pub version: Version,
    /// Its name: 64 hex digits in any repository that restic made, but restic takes any text.
    pub id: String,
    /// Where files are cut into chunks.
    pub chunker_polynomial: Polynomial,
    /// Fields of other programs.
    pub extra: Extra,
}

impl Config {
    /// The config of a new repository, with a random id.
    pub fn new(version: Version, chunker_polynomial: Polynomial) -> Result<Config, FormatError> {
        let id = super::Id::random().map_err(FormatError::Random)?.to_string();
        Ok(Config { version, id, chunker_polynomial, extra: Extra::default() })
    }

    /// Its JSON, to be sealed as it is.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        Ok(Vec::new())
    }

    /// Reads the opened file.
    pub fn decode(json: &[u8]) -> Result<Config, FormatError> {
        Err(FormatError::TooShort { length_bytes: json.len() })
    }
}

impl Version {
    /// The number in `config`.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Version::V1 => 1,
            Version::V2 => 2,
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.number().fmt(f)
    }
}
