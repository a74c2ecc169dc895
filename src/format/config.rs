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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "989855a0a03f1047efbcc70d16ab232efab783845c16409d739b25fec257002c";

    #[test]
    fn a_config_is_written_as_restic_writes_it() {
        let json = format!(r#"{{"version":2,"id":"{ID}","chunker_polynomial":"3866e052c93c17"}}"#);
        let config = Config::decode(json.as_bytes()).unwrap();
        assert_eq!((config.version, config.id.as_str()), (Version::V2, ID));
        assert_eq!(config.chunker_polynomial, Polynomial::from_bits(0x38_66e0_52c9_3c17));
        assert_eq!(String::from_utf8(config.encode().unwrap()).unwrap(), json);
    }

    #[test]
    fn fields_of_other_programs_survive() {
        let json = r#"{"version":1,"id":"x","chunker_polynomial":"25b468838dcb75","is_hot":true,"ratio":1.50}"#;
        assert_eq!(Config::decode(json.as_bytes()).unwrap().encode().unwrap(), json.as_bytes());
    }

    #[test]
    fn only_versions_1_and_2_are_known() {
        for (json, message) in [
            (r#"{"version":3}"#, "repository version 3 is not supported, only 1 and 2 are"),
            (r"{}", "repository version 0 is not supported, only 1 and 2 are"),
            (r#"{"version":"2"}"#, "config: `version` is not what it should be"),
            ("\u{2}{}", "config is not the JSON it should be"),
        ] {
            assert_eq!(Config::decode(json.as_bytes()).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_polynomial_may_be_spelt_in_other_ways_or_be_missing() {
        let polynomial = |json: &str| Config::decode(json.as_bytes()).unwrap().chunker_polynomial;
        let spelt = r#"{"version":2,"chunker_polynomial":"0025B468838DCB75"}"#;
        assert_eq!(polynomial(spelt), Polynomial::from_bits(0x25_b468_838d_cb75));
        assert_eq!(polynomial(r#"{"version":2}"#), Polynomial::from_bits(0));
    }

    #[test]
    fn new_configs_have_different_ids_of_64_digits() {
        let id = || Config::new(Version::V2, Polynomial::from_bits(0)).unwrap().id;
        assert!(id().parse::<Id>().is_ok());
        assert_ne!(id(), id());
    }
}
