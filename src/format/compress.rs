//! Zstandard (RFC 8878), with a bound on what comes out.

use zstd::bulk::Compressor;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{self, DCtx};

use super::{Compression, FormatError};

/// What compressed bytes may always expand to.
const EXPANSION_FLOOR_BYTES: usize = 64 * 1024 * 1024;
/// How many times its stored size more than that may be. Zeros compress to a 30,000th; lists of ids, names and
/// times, which are what is larger than the floor in a repository, to a tenth.
const EXPANSION_FACTOR: usize = 256;

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
    Compressor::new(level).and_then(|mut compressor| compressor.compress(bytes)).map_err(FormatError::Compress)
}

/// Expands any sequence of frames, to `limit_bytes` at most and to no more than their own size allows: a bomb ends in
/// an error, with little memory touched.
///
/// Memory is taken for `likely_bytes` first, and for the limit only if that is not enough.
pub(super) fn expand(bytes: &[u8], likely_bytes: usize, limit_bytes: usize) -> Result<Vec<u8>, FormatError> {
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
    match DCtx::create().decompress(&mut expanded, bytes) {
        Ok(_) => Ok(expanded),
        Err(code) if zstd_safe::is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) => {
            Err(Failure::TooSmall)
        }
        Err(code) => Err(Failure::Other(zstd_safe::get_error_name(code))),
    }
}
