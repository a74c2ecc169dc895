//! The plaintext of files that are not packs (index, snapshot, lock): compressed in version 2.
//!
//! `config` and keys never are; their plaintext is their JSON.

use super::compress::{compress, expand};
use super::{Compression, FormatError, Version};

/// The first byte of a plaintext that is compressed; one that is not begins with its JSON's bracket.
const COMPRESSED: u8 = 2;
/// An index of restic's largest size is a thirtieth of this.
const LIMIT_BYTES: usize = 512 * 1024 * 1024;

/// What to seal for some JSON; in version 2 it is always compressed.
pub fn encode(version: Version, compression: Compression, json: &[u8]) -> Result<Vec<u8>, FormatError> {
    if version == Version::V1 {
        return Ok(json.to_vec());
    }
    let mut plaintext = compress(compression, json)?;
    plaintext.insert(0, COMPRESSED);
    Ok(plaintext)
}

/// The JSON of what was opened.
///
/// A repository that was of version 1 before still has plain JSON. What expands to more than 512 MiB, or to more than
/// 64 MiB and 256 times its size, is refused.
pub fn decode(version: Version, plaintext: Vec<u8>) -> Result<Vec<u8>, FormatError> {
    if version == Version::V1 {
        return Ok(plaintext);
    }
    match plaintext.split_first() {
        None | Some((b'[' | b'{', _)) => Ok(plaintext),
        Some((&COMPRESSED, frames)) => expand(frames, frames.len().saturating_mul(8), LIMIT_BYTES),
        Some((&first_byte, _)) => Err(FormatError::UnknownEncoding { first_byte }),
    }
}
