//! Key files: the master key, sealed with a password (design document, "Keys, Encryption and MAC").

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::json::{self, Extra, Fields};
use super::{FormatError, MasterKey, Time};

const SCRYPT: &str = "scrypt";
const SALT_BYTES: usize = 64;
/// restic's own bound on `128·N·r` and on `128·r·p`.
const SCRYPT_LIMIT_BYTES: u64 = 1 << 31;
/// A bound on `N·r·p`, 128 times what restic asks for at least: ten to twenty seconds on one core of today. restic
/// has none; it calibrates a new key to half a second.
const SCRYPT_LIMIT_STEPS: u64 = 1 << 25;

/// What makes a guess at a password expensive (scrypt, RFC 7914).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ScryptParams {
    /// Memory and time: a power of two.
    #[serde(rename = "N")]
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
    /// Derived in another way than by scrypt.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    #[serde(flatten)]
    pub params: ScryptParams,
    /// What makes the same password another key elsewhere: 64 bytes.
    #[serde(serialize_with = "base64")]
    pub salt: Vec<u8>,
    /// The sealed master key.
    #[serde(serialize_with = "base64")]
    pub data: Vec<u8>,
    /// Fields of other programs.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ScryptParams {
    /// The least restic asks for: 32 MiB, about 100 ms on one core of today.
    pub const LEAST: ScryptParams = ScryptParams { n: 32_768, r: 8, p: 1 };

    /// Whether restic takes these parameters, and whether they end in bearable time.
    pub fn check(&self) -> Result<(), KeyError> {
        let (n, r, p) = (self.n, u64::from(self.r), u64::from(self.p));
        let is_too_much = |factors: [u64; 3], limit| {
            let product = factors.into_iter().try_fold(1, u64::checked_mul);
            product.is_none_or(|product| product >= limit)
        };
        let reason = if n < 2 || !n.is_power_of_two() {
            "N must be a power of two above 1"
        } else if r == 0 || p == 0 {
            "r and p must be at least 1"
        } else if is_too_much([128, n, r], SCRYPT_LIMIT_BYTES) || is_too_much([128, r, p], SCRYPT_LIMIT_BYTES) {
            "they ask for 2 GiB of memory or more"
        } else if is_too_much([n, r, p], SCRYPT_LIMIT_STEPS + 1) {
            "they ask for more time than opening a repository is worth"
        } else {
            return Ok(());
        };
        Err(KeyError::Params { params: *self, reason })
    }

    /// The key that a password and a salt make.
    fn derive(self, password: &[u8], salt: &[u8]) -> Result<MasterKey, KeyError> {
        self.check()?;
        let refused = |reason| KeyError::Params { params: self, reason };
        let log_n = u8::try_from(self.n.ilog2()).map_err(|_| refused("N is too large"))?;
        let params = scrypt::Params::new(log_n, self.r, self.p).map_err(|_| refused("scrypt refuses them"))?;
        let mut bytes = Zeroizing::new([0; 64]);
        scrypt::scrypt(password, salt, &params, bytes.as_mut_slice()).map_err(|_| refused("scrypt refuses them"))?;
        Ok(MasterKey::from_bytes(&bytes)?)
    }
}

impl KeyFile {
    /// Seals the master key with a password and opens it again; takes as long as the parameters say.
    pub fn seal(
        master: &MasterKey,
        password: &[u8],
        params: ScryptParams,
        created: Time,
        username: &str,
        hostname: &str,
    ) -> Result<KeyFile, KeyError> {
        let mut salt = vec![0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(FormatError::Random)?;
        let data = params.derive(password, &salt)?.seal(&master.to_json())?;
        let (username, hostname, kdf) = (username.to_owned(), hostname.to_owned(), SCRYPT.to_owned());
        Ok(KeyFile { created, username, hostname, kdf, params, salt, data, extra: Extra::default() })
    }

    /// The master key; takes as long as the parameters say, which are checked first.
    pub fn open(&self, password: &[u8]) -> Result<MasterKey, KeyError> {
        if self.kdf != SCRYPT {
            return Err(KeyError::UnknownKdf { kdf: self.kdf.clone() });
        }
        if self.salt.len() != SALT_BYTES {
            return Err(KeyError::Salt { length_bytes: self.salt.len() });
        }
        let opened = self.params.derive(password, &self.salt)?.open(&self.data);
        let json = Zeroizing::new(opened.map_err(|error| match error {
            FormatError::Unauthentic => KeyError::WrongPassword,
            error => KeyError::Master(error),
        })?);
        Ok(MasterKey::from_json(&json)?)
    }

    /// The file's bytes: its JSON, which is not sealed.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        json::to_vec(self).map_err(FormatError::json("key"))
    }

    /// Reads a key file; whether it can be used is for [`KeyFile::open`] to say.
    pub fn decode(bytes: &[u8]) -> Result<KeyFile, FormatError> {
        let mut fields = Fields::of("key", bytes)?;
        Ok(KeyFile {
            created: fields.take_or_default("created")?,
            username: fields.take_or_default("username")?,
            hostname: fields.take_or_default("hostname")?,
            kdf: fields.take_or_default("kdf")?,
            params: ScryptParams {
                n: fields.take_or_default("N")?,
                r: fields.take_or_default("r")?,
                p: fields.take_or_default("p")?,
            },
            salt: fields.take_or_default::<Base64>("salt")?.0,
            data: fields.take_or_default::<Base64>("data")?.0,
            extra: fields.rest(),
        })
    }
}

fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
}

#[derive(Default)]
struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Base64, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Base64).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: ScryptParams = ScryptParams { n: 16, r: 1, p: 1 };

    fn key_file() -> (MasterKey, KeyFile) {
        let master = MasterKey::generate().unwrap();
        let key = KeyFile::seal(&master, b"geheim", CHEAP, Time::ZERO, "kim", "vm").unwrap();
        (master, key)
    }

    #[test]
    fn the_password_and_no_other_opens_the_key() {
        let (master, key) = key_file();
        let opened = KeyFile::decode(&key.encode().unwrap()).unwrap().open(b"geheim").unwrap();
        assert_eq!(opened.open(&master.seal(b"text").unwrap()).unwrap(), b"text");
        for password in [b"".as_slice(), b"Geheim", b"geheim "] {
            assert!(matches!(key.open(password), Err(KeyError::WrongPassword)));
        }
    }

    #[test]
    fn a_key_is_written_as_restic_writes_it() {
        let (_, mut key) = key_file();
        key.salt = b"salt".to_vec();
        key.data = b"data".to_vec();
        let json = r#"{"created":"0001-01-01T00:00:00Z","username":"kim","hostname":"vm","kdf":"scrypt","N":16,"r":1,"p":1,"salt":"c2FsdA==","data":"ZGF0YQ=="}"#;
        assert_eq!(String::from_utf8(key.encode().unwrap()).unwrap(), json);
        assert_eq!(KeyFile::decode(json.as_bytes()).unwrap(), key);
    }

    #[test]
    fn parameters_are_accepted_where_restic_accepts_them_and_they_end() {
        let check = |n, r, p| ScryptParams { n, r, p }.check().is_ok();
        // restic's own, rustic's, and the largest of each that restic takes.
        assert!(check(32_768, 8, 1) && check(32_768, 8, 128) && check(262_144, 8, 1));
        assert!(check(2, 1, 1) && check(1 << 20, 8, 4) && check(1 << 23, 1, 1) && check(1 << 20, 15, 1));
        // Not a power of two above 1, or nothing to multiply with.
        assert!(!check(0, 8, 1) && !check(1, 8, 1) && !check(3, 8, 1) && !check(32_768, 0, 1) && !check(32_768, 8, 0));
        // 2 GiB.
        assert!(!check(1 << 21, 8, 1) && !check(1 << 25, 8, 1) && !check(u64::MAX / 2 + 1, 8, 1));
        assert!(!check(2, 1 << 24, 1) && !check(2, 8, 1 << 21) && !check(2, u32::MAX, u32::MAX));
        // Minutes to days.
        assert!(!check(32_768, 8, 129) && !check(1 << 20, 8, 5) && !check(1024, 8, 1 << 20));
    }

    #[test]
    fn a_key_that_cannot_be_used_says_why_before_any_work() {
        let (_, key) = key_file();
        let message = |change: fn(&mut KeyFile)| {
            let mut changed = key.clone();
            change(&mut changed);
            changed.open(b"geheim").map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(
            message(|key| key.kdf = "argon2id".to_owned()),
            "key derivation \"argon2id\" is not known, only \"scrypt\" is"
        );
        assert_eq!(message(|key| key.salt.truncate(8)), "the salt has 8 bytes instead of 64");
        assert_eq!(
            message(|key| key.params = ScryptParams { n: 1 << 40, r: 8, p: 1 }),
            "scrypt parameters N=1099511627776, r=8, p=1: they ask for 2 GiB of memory or more"
        );
        assert_eq!(message(|key| key.data.clear()), "the sealed master key is unusable");
    }

    #[test]
    fn a_password_that_opens_something_else_is_not_called_wrong() {
        let (_, mut key) = key_file();
        let derived = CHEAP.derive(b"geheim", &key.salt).unwrap();
        key.data = derived.seal(b"{}").unwrap();
        assert!(matches!(key.open(b"geheim"), Err(KeyError::Master(FormatError::Json { .. }))));
    }
}
