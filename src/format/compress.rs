//! Zstandard (RFC 8878), with a bound on what comes out.

use std::cell::RefCell;

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{self, CCtx, DCtx};

use super::{Compression, FormatError};

/// What compressed bytes may always expand to.
const EXPANSION_FLOOR_BYTES: usize = 64 * 1024 * 1024;
/// How many times its stored size more than that may be. Zeros compress to a 30,000th; lists of ids, names and
/// times, which are what is larger than the floor in a repository, to a tenth.
const EXPANSION_FACTOR: usize = 256;

thread_local! {
    // To make a context takes four times as long as to compress 4 KiB with it.
    static COMPRESSOR: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static EXPANDER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Compresses to one frame, which names its content's size and has no checksum.
///
/// The levels are zstd's own names for what restic's library calls fastest, default, better and best.
pub(super) fn compress(compression: Compression, bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    let level = match compression {
        Compression::Fastest => 1,
        Compression::Off | Compression::Auto => 3,
        Compression::Better => 7,
        Compression::Max => 11,
    };
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    let length = COMPRESSOR.with_borrow_mut(|context| context.compress(&mut frame, bytes, level));
    length.map_err(|code| FormatError::Compress { reason: zstd_safe::get_error_name(code) })?;
    Ok(frame)
}

/// Expands any sequence of frames, to `limit_bytes` at most and to no more than their own size allows: a bomb ends in
/// an error, with little memory touched.
///
/// Memory is taken for `likely_bytes` first, and for the limit only if that is not enough.
pub fn expand(bytes: &[u8], likely_bytes: usize, limit_bytes: usize) -> Result<Vec<u8>, FormatError> {
    let limit_bytes = limit_bytes.min(EXPANSION_FLOOR_BYTES.max(bytes.len().saturating_mul(EXPANSION_FACTOR)));
    let likely_bytes = likely_bytes.min(limit_bytes);
    match expand_into(bytes, likely_bytes) {
        Err(Failure::TooSmall) if likely_bytes < limit_bytes => expand_into(bytes, limit_bytes),
        result => result,
    }
    .map_err(|failure| match failure {
        Failure::TooSmall => FormatError::TooLong { limit_bytes },
        Failure::Other(reason) => FormatError::Expand { reason },
    })
}

enum Failure {
    TooSmall,
    Other(&'static str),
}

fn expand_into(bytes: &[u8], capacity_bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut expanded = Vec::with_capacity(capacity_bytes);
    match EXPANDER.with_borrow_mut(|context| context.decompress(&mut expanded, bytes)) {
        Ok(_) => Ok(expanded),
        Err(code) if zstd_safe::is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) => {
            Err(Failure::TooSmall)
        }
        Err(code) => Err(Failure::Other(zstd_safe::get_error_name(code))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn expand_to(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, FormatError> {
        expand(bytes, 16, limit_bytes)
    }

    #[test]
    fn every_level_is_read_again_and_names_its_size() {
        let text = b"what is said three times is true. ".repeat(3000);
        for level in [Compression::Off, Compression::Auto, Compression::Fastest, Compression::Better, Compression::Max]
        {
            let frame = compress(level, &text).unwrap();
            assert_eq!(zstd_safe::get_frame_content_size(&frame).unwrap(), Some(text.len() as u64));
            // Bit 2 of the frame header's first byte says that a checksum follows (RFC 8878, 3.1.1.1.1).
            assert_eq!(frame[4] & 0b100, 0, "no checksum");
            assert_eq!(expand_to(&frame, text.len()).unwrap(), text);
        }
    }

    #[test]
    fn several_frames_and_skippable_ones_are_one_text() {
        let first = compress(Compression::Auto, b"one, ").unwrap();
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9];
        let second = compress(Compression::Max, b"two").unwrap();
        assert_eq!(expand_to(&[&first, skippable.as_slice(), &second].concat(), 100).unwrap(), b"one, two");
        assert_eq!(expand_to(&skippable, 100).unwrap(), b"");
    }

    #[test]
    fn one_byte_more_than_allowed_is_refused() {
        let frame = compress(Compression::Auto, &[7; 1000]).unwrap();
        assert_eq!(expand_to(&frame, 1000).unwrap().len(), 1000);
        assert!(matches!(expand_to(&frame, 999), Err(FormatError::TooLong { limit_bytes: 999 })));
    }

    #[test]
    fn a_bomb_is_refused_whatever_it_says_its_size_is() {
        let bomb = compress(Compression::Auto, &vec![0; 80 * MIB]).unwrap();
        assert!(bomb.len() < 16 * 1024);
        let error = expand(&bomb, 80 * MIB, usize::MAX).unwrap_err();
        assert_eq!(error.to_string(), "the compressed content expands to more than 67108864 bytes");
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let frame = compress(Compression::Auto, b"a text of some length, and more of it").unwrap();
        for bytes in [b"no frame".as_slice(), &frame[..frame.len() - 1], &[frame.as_slice(), b"more"].concat()] {
            assert!(matches!(expand_to(bytes, 1000), Err(FormatError::Expand { .. })), "{bytes:?}");
        }
    }
}
