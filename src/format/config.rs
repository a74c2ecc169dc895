//! The file `config`: what holds for a whole repository.

use std::fmt;

use serde::{Serialize, Serializer};

use super::json::{self, Extra, Fields};
use super::{FormatError, Id, Polynomial};

/// The version of a repository's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Without compression.
    V1,
    /// With compression.
    V2,
}

/// What holds for a whole repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The version of its format.
    pub version: Version,
    /// Its name: 64 hex digits in any repository that restic made, but restic takes any text.
    pub id: String,
    /// Where files are cut into chunks.
    pub chunker_polynomial: Polynomial,
    /// Fields of other programs.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Config {
    /// The config of a new repository, with a random id.
    pub fn new(version: Version, chunker_polynomial: Polynomial) -> Result<Config, FormatError> {
        let id = Id::random().map_err(FormatError::Random)?.to_string();
        Ok(Config { version, id, chunker_polynomial, extra: Extra::default() })
    }

    /// Its JSON, to be sealed as it is.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        json::to_vec(self).map_err(FormatError::json("config"))
    }

    /// Reads the opened file; only versions 1 and 2 are known.
    ///
    /// Any polynomial will do for reading: whether it is fit for cutting chunks is for [`super::Chunker`] to say.
    pub fn decode(json: &[u8]) -> Result<Config, FormatError> {
        let mut fields = Fields::of("config", json)?;
        let version = match fields.take_or_default("version")? {
            1 => Version::V1,
            2 => Version::V2,
            version => return Err(FormatError::UnsupportedVersion { version }),
        };
        Ok(Config {
            version,
            id: fields.take_or_default("id")?,
            chunker_polynomial: fields.take("chunker_polynomial")?.unwrap_or(Polynomial::from_bits(0)),
            extra: fields.rest(),
        })
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

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.number())
    }
}
