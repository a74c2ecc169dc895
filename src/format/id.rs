//! Ids: SHA-256 digests, untyped and typed by what they name.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The SHA-256 of something, which names it.
///
/// Written as 64 lower-case hexadecimal digits; read in either case, as restic does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id of 64 hexadecimal digits")]
pub struct ParseIdError {
    text: String,
}

impl Id {
    /// The id that no content has; `config` goes by it.
    pub const ZERO: Id = Id([0; 32]);

    /// The id of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Id {
        Id(Sha256::digest(bytes).into())
    }

    /// A random id, which names what has no content of its own: a repository.
    pub fn random() -> Result<Id, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Id(bytes))
    }

    /// An id from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Id {
        Id(bytes)
    }

    /// The id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        let [a, b, c, d, ..] = self.0;
        hex::encode([a, b, c, d])
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.pad(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Id, ParseIdError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseIdError { text: text.chars().take(80).collect() })?;
        Ok(Id(bytes))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hexadecimal digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Digits).map_err(D::Error::custom)
    }
}

/// Makes an id that cannot be taken for the id of something else.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Id);

        impl $name {
            /// The id of `bytes`.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self(Id::of(bytes))
            }

            /// An id from its bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(Id::from_bytes(bytes))
            }

            /// The id's bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }

            /// The first eight digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                self.0.short()
            }
        }

        impl From<Id> for $name {
            fn from(id: Id) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Id {
            fn from(id: $name) -> Id {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.parse().map(Self)
            }
        }
    };
}

id_type! {
    /// Names a blob: the SHA-256 of its plaintext.
    BlobId
}
id_type! {
    /// Names a tree: the SHA-256 of its JSON.
    TreeId
}
id_type! {
    /// Names a pack: the SHA-256 of its file.
    PackId
}
id_type! {
    /// Names an index: the SHA-256 of its sealed file.
    IndexId
}
id_type! {
    /// Names a snapshot: the SHA-256 of its sealed file.
    SnapshotId
}
id_type! {
    /// Names a key: the SHA-256 of its file.
    KeyId
}
id_type! {
    /// Names a lock: the SHA-256 of its sealed file.
    LockId
}

impl From<TreeId> for BlobId {
    /// A tree is stored as a blob, under the same id.
    fn from(tree: TreeId) -> BlobId {
        BlobId(tree.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of nothing, FIPS 180-4.
    const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn an_id_is_the_sha_256_of_its_content() {
        assert_eq!(Id::of(b"").to_string(), OF_NOTHING);
        assert_eq!(TreeId::of(b"").short(), "e3b0c442");
    }

    #[test]
    fn an_id_is_read_in_either_case_and_written_in_lower_case() {
        let id: PackId = OF_NOTHING.to_uppercase().parse().unwrap();
        assert_eq!(id.to_string(), OF_NOTHING);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{OF_NOTHING}\""));
        assert_eq!(serde_json::from_str::<PackId>(&format!("\"{OF_NOTHING}\"")).unwrap(), id);
    }

    #[test]
    fn a_text_of_another_length_or_alphabet_is_no_id() {
        for text in ["", "e3b0", &OF_NOTHING[1..], &format!("{OF_NOTHING}00"), &OF_NOTHING.replace('e', "g")] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
