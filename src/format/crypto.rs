//! AES-256 in counter mode, authenticated with Poly1305-AES (design document, "Keys, Encryption and MAC").
//!
//! A sealed text is `nonce (16) ‖ ciphertext ‖ code (16)`. The nonce is the counter's first block; the code is over the
//! ciphertext only, with a one-time key made of `r` and the nonce encrypted with `k`.

use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use base64::prelude::{BASE64_STANDARD, Engine};
use ctr::Ctr128BE;
use poly1305::Poly1305;
use poly1305::universal_hash::UniversalHash;
use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::FormatError;

/// How many bytes longer than its plaintext a sealed text is.
pub const SEAL_OVERHEAD_BYTES: usize = NONCE_BYTES + CODE_BYTES;
const NONCE_BYTES: usize = 16;
const CODE_BYTES: usize = 16;

/// What everything but the keys is sealed with. Prints nowhere, cannot be copied, is wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey {
    encrypt: [u8; 32],
    mac_k: [u8; 16],
    /// As it is stored: Poly1305 itself clears the bits that must be clear.
    mac_r: [u8; 16],
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Result<MasterKey, FormatError> {
        let mut bytes = Zeroizing::new([0; 64]);
        getrandom::fill(bytes.as_mut_slice()).map_err(FormatError::Random)?;
        MasterKey::from_bytes(&bytes)
    }

    /// A key from 64 bytes: 32 for the encryption, 16 each for the code's `k` and `r`. None of the three may be zero.
    pub(super) fn from_bytes(bytes: &[u8; 64]) -> Result<MasterKey, FormatError> {
        let mut key = MasterKey { encrypt: [0; 32], mac_k: [0; 16], mac_r: [0; 16] };
        let (encrypt, mac) = bytes.split_at(key.encrypt.len());
        let (mac_k, mac_r) = mac.split_at(key.mac_k.len());
        key.encrypt.copy_from_slice(encrypt);
        key.mac_k.copy_from_slice(mac_k);
        key.mac_r.copy_from_slice(mac_r);
        key.checked()
    }

    /// Seals a text with a random nonce, opens it again and compares.
    pub fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, FormatError> {
        let sealed = self.seal_unchecked(plaintext)?;
        match self.open(&sealed) {
            Ok(opened) if opened == plaintext => Ok(sealed),
            _ => Err(FormatError::SealedDiffers),
        }
    }

    /// Seals a text with a random nonce; opening it again is left to the caller, who has more to compare.
    pub(super) fn seal_unchecked(&self, plaintext: &[u8]) -> Result<Vec<u8>, FormatError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(FormatError::Random)?;
        if nonce == [0; NONCE_BYTES] {
            return Err(FormatError::ZeroNonce);
        }
        let mut sealed = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let (_, ciphertext) = sealed.split_at_mut(NONCE_BYTES);
        self.apply_key_stream(&nonce, ciphertext);
        let code = self.code(&nonce, ciphertext);
        sealed.extend_from_slice(&code);
        Ok(sealed)
    }

    /// Opens what was sealed; nothing is decrypted before the authentication code is found right.
    ///
    /// Refuses a nonce of zeros, as restic does, and anything too short to have been sealed.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, FormatError> {
        let too_short = FormatError::TooShort { length_bytes: sealed.len() };
        let Some((nonce, rest)) = sealed.split_first_chunk::<NONCE_BYTES>() else { return Err(too_short) };
        let Some((ciphertext, code)) = rest.split_last_chunk::<CODE_BYTES>() else { return Err(too_short) };
        if nonce == &[0; NONCE_BYTES] {
            return Err(FormatError::ZeroNonce);
        }
        if !is_equal(&self.code(nonce, ciphertext), code) {
            return Err(FormatError::Unauthentic);
        }
        let mut plaintext = ciphertext.to_vec();
        self.apply_key_stream(nonce, &mut plaintext);
        Ok(plaintext)
    }

    fn apply_key_stream(&self, nonce: &[u8; NONCE_BYTES], bytes: &mut [u8]) {
        Ctr128BE::<Aes256>::new(&self.encrypt.into(), nonce.into()).apply_keystream(bytes);
    }

    fn code(&self, nonce: &[u8; NONCE_BYTES], ciphertext: &[u8]) -> [u8; CODE_BYTES] {
        let mut key = Zeroizing::new([0; 32]);
        let (r, s) = key.split_at_mut(16);
        r.copy_from_slice(&self.mac_r);
        let mut pad = (*nonce).into();
        Aes128::new(&self.mac_k.into()).encrypt_block(&mut pad);
        s.copy_from_slice(&pad);
        let mut poly = Poly1305::new((&*key).into());
        // Whole blocks go many at a time; only the rest, if any, gets Poly1305's own ending, not ChaCha20's padding.
        let (blocks, rest) = poly1305::Block::slice_as_chunks(ciphertext);
        poly.update(blocks);
        poly.compute_unpadded(rest).into()
    }

    /// The JSON that a key file seals.
    pub(super) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let base64 = |bytes: &[u8]| Zeroizing::new(BASE64_STANDARD.encode(bytes));
        let (k, r, encrypt) = (base64(&self.mac_k), base64(&self.mac_r), base64(&self.encrypt));
        let mut json = Zeroizing::new(Vec::with_capacity(256));
        for text in ["{\"mac\":{\"k\":\"", &k, "\",\"r\":\"", &r, "\"},\"encrypt\":\"", &encrypt, "\"}"] {
            json.extend_from_slice(text.as_bytes());
        }
        json
    }

    /// Reads what a key file seals.
    pub(super) fn from_json(json: &[u8]) -> Result<MasterKey, FormatError> {
        let json: MasterJson = serde_json::from_slice(json).map_err(FormatError::json("master key"))?;
        MasterKey { encrypt: *json.encrypt.0, mac_k: *json.mac.k.0, mac_r: *json.mac.r.0 }.checked()
    }

    fn checked(self) -> Result<MasterKey, FormatError> {
        let is_zero = |part: &[u8]| part.iter().all(|&byte| byte == 0);
        let any_is_zero = is_zero(&self.encrypt) || is_zero(&self.mac_k) || is_zero(&self.mac_r);
        if any_is_zero { Err(FormatError::ZeroKey) } else { Ok(self) }
    }
}

#[derive(Deserialize)]
struct MasterJson {
    mac: MacJson,
    encrypt: KeyPart<32>,
}

#[derive(Deserialize)]
struct MacJson {
    k: KeyPart<16>,
    r: KeyPart<16>,
}

/// A part of a key in base64.
struct KeyPart<const BYTES: usize>(Zeroizing<[u8; BYTES]>);

impl<'de, const BYTES: usize> Deserialize<'de> for KeyPart<BYTES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom(format_args!("not {BYTES} bytes in base64"));
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The decoder wants room for whole groups of three bytes.
        let mut bytes = Zeroizing::new([0; 64]);
        let length = BASE64_STANDARD.decode_slice(text.as_bytes(), bytes.as_mut_slice()).map_err(|_| wrong())?;
        let mut part = KeyPart(Zeroizing::new([0; BYTES]));
        let decoded = bytes.get(..length).filter(|decoded| decoded.len() == BYTES).ok_or_else(wrong)?;
        part.0.copy_from_slice(decoded);
        Ok(part)
    }
}

/// Compares in a time that does not tell where the difference is.
fn is_equal(a: &[u8; CODE_BYTES], b: &[u8; CODE_BYTES]) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
