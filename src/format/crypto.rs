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

    /// The JSON that a key file seals: the key in clear text.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn bytes(hex: &Value) -> Vec<u8> {
        hex::decode(hex.as_str().unwrap()).unwrap()
    }

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../fixtures/vectors/crypto.json")).unwrap()
    }

    fn vector_key(encrypt: &[u8], mac_k: &[u8], mac_r: &[u8]) -> MasterKey {
        MasterKey::from_bytes(&[encrypt, mac_k, mac_r].concat().try_into().unwrap()).unwrap()
    }

    #[test]
    fn the_code_is_that_of_bernstein_s_paper() {
        for vector in vectors()["poly1305_aes_hex"].as_array().unwrap() {
            let key = vector_key(&[1; 32], &bytes(&vector["k"]), &bytes(&vector["r"]));
            let nonce = bytes(&vector["nonce"]).try_into().unwrap();
            assert_eq!(key.code(&nonce, &bytes(&vector["msg"])).to_vec(), bytes(&vector["mac"]));
        }
    }

    #[test]
    fn a_text_that_restic_sealed_opens() {
        let vector = &vectors()["sealed"][0];
        let key = vector_key(&bytes(&vector["encrypt"]), &bytes(&vector["mac_k"]), &bytes(&vector["mac_r"]));
        let plaintext = key.open(&bytes(&vector["ciphertext"])).unwrap();
        assert_eq!(plaintext, vector["plaintext"].as_str().unwrap().as_bytes());
    }

    #[test]
    fn what_is_sealed_opens_again_and_never_looks_the_same() {
        let key = MasterKey::generate().unwrap();
        for length in [0, 1, 15, 16, 17, 1000, 100_000] {
            let plaintext = vec![7; length];
            let sealed = key.seal(&plaintext).unwrap();
            assert_eq!(sealed.len(), length + SEAL_OVERHEAD_BYTES);
            assert_eq!(key.open(&sealed).unwrap(), plaintext);
            assert_ne!(key.seal(&plaintext).unwrap(), sealed);
        }
    }

    #[test]
    fn an_altered_byte_is_noticed_wherever_it_is() {
        let key = MasterKey::generate().unwrap();
        let sealed = key.seal(b"a text of more than one block").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x40;
            assert!(matches!(key.open(&altered), Err(FormatError::Unauthentic)), "byte {at}");
        }
        assert!(matches!(MasterKey::generate().unwrap().open(&sealed), Err(FormatError::Unauthentic)));
    }

    #[test]
    fn what_is_too_short_to_be_sealed_is_refused() {
        let key = MasterKey::generate().unwrap();
        for length_bytes in 0..SEAL_OVERHEAD_BYTES {
            let error = key.open(&vec![1; length_bytes]).unwrap_err();
            assert_eq!(error.to_string(), format!("{length_bytes} bytes are too few to be anything sealed"));
        }
    }

    #[test]
    fn a_nonce_of_zeros_is_refused_even_with_the_right_code() {
        let key = MasterKey::generate().unwrap();
        let mut sealed = vec![0; NONCE_BYTES + 5];
        let code = key.code(&[0; NONCE_BYTES], &sealed[NONCE_BYTES..]);
        sealed.extend(code);
        assert!(matches!(key.open(&sealed), Err(FormatError::ZeroNonce)));
    }

    #[test]
    fn a_key_with_a_part_of_zeros_is_refused() {
        for zeros in [0..32, 32..48, 48..64] {
            let mut bytes = [9; 64];
            bytes[zeros].fill(0);
            assert!(matches!(MasterKey::from_bytes(&bytes), Err(FormatError::ZeroKey)));
        }
    }

    #[test]
    fn a_key_survives_its_json() {
        let key = MasterKey::generate().unwrap();
        let again = MasterKey::from_json(&key.to_json()).unwrap();
        assert_eq!((again.encrypt, again.mac_k, again.mac_r), (key.encrypt, key.mac_k, key.mac_r));
        assert!(key.to_json().starts_with(br#"{"mac":{"k":""#));
    }

    #[test]
    fn a_key_with_a_part_of_another_length_is_refused() {
        let key = |encrypt: &str| {
            let mac = r#"{"k":"AQEBAQEBAQEBAQEBAQEBAQ==","r":"AQEBAQEBAQEBAQEBAQEBAQ=="}"#;
            MasterKey::from_json(format!(r#"{{"mac":{mac},"encrypt":"{encrypt}"}}"#).as_bytes()).is_ok()
        };
        assert!(key(&BASE64_STANDARD.encode([1; 32])));
        for length in [0, 16, 31, 33, 64, 65, 1000] {
            assert!(!key(&BASE64_STANDARD.encode(vec![1; length])), "{length} bytes");
        }
    }
}
