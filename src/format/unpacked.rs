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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_has_plain_json_and_version_2_compressed() {
        let json = br#"{"time":"0001-01-01T00:00:00Z"}"#;
        assert_eq!(encode(Version::V1, Compression::Max, json).unwrap(), json);
        for compression in [Compression::Off, Compression::Auto, Compression::Max] {
            let plaintext = encode(Version::V2, compression, json).unwrap();
            assert_eq!(plaintext[0], 2);
            assert_eq!(decode(Version::V2, plaintext).unwrap(), json);
        }
    }

    #[test]
    fn version_2_reads_what_version_1_left() {
        for json in ["{}", "[]", ""] {
            assert_eq!(decode(Version::V2, json.into()).unwrap(), json.as_bytes());
        }
    }

    #[test]
    fn version_2_refuses_any_other_first_byte() {
        for plaintext in [" {}", "\u{1}{}", "\u{3}{}"] {
            assert!(matches!(decode(Version::V2, plaintext.into()), Err(FormatError::UnknownEncoding { .. })));
        }
        assert!(matches!(decode(Version::V2, vec![2]), Ok(json) if json.is_empty()));
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = encode(Version::V2, Compression::Auto, &vec![b' '; 70 << 20]).unwrap();
        assert!(matches!(decode(Version::V2, bomb), Err(FormatError::TooLong { .. })));
    }
}
