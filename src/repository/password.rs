//! The password of a repository, held so that it never prints and leaves no trace in memory.

use zeroize::Zeroizing;

/// The password that opens a key of the repository.
///
/// Its bytes are used as they are: no Unicode normalisation, as restic does. It has no `Debug`, `Default` or `Clone`.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the bytes of a password; an empty one is a password too (`--insecure-no-password`).
    pub fn new(bytes: impl Into<Vec<u8>>) -> Password {
        Password(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the key derivation only.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// True for the empty password.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
