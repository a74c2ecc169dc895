//! Cuts a stream of bytes into chunks where its content says so, byte for byte as restic does.
//!
//! A Rabin fingerprint runs over the last 64 bytes; a chunk ends where the low 20 bits of it are zero, but not before
//! 512 KiB and at the latest at 8 MiB. The fingerprint at a place depends on nothing but the 64 bytes before it:
//! restic starts every window with a byte 1, but that has slid out again when the first cut may come.

use std::sync::Arc;

use super::{FormatError, Polynomial};

/// The shortest chunk, but for the last one of a stream.
pub const MIN_CHUNK_BYTES: usize = 512 * 1024;
/// The longest chunk.
pub const MAX_CHUNK_BYTES: usize = 8 * 1024 * 1024;
/// The bytes the fingerprint looks at.
const WINDOW_BYTES: usize = 64;
/// A cut is where these bits of the fingerprint are zero: once in a MiB.
const CUT_MASK: u64 = (1 << 20) - 1;
/// How far a fingerprint is shifted down to see its top eight bits.
const TOP_SHIFT: u32 = Polynomial::DEGREE - 8;

/// Finds the ends of chunks in a stream that is pushed through it.
///
/// A clone shares the tables: make one for a repository and clone it for every file.
#[derive(Clone)]
pub struct Chunker {
    tables: Arc<Tables>,
    /// Bytes of the current chunk seen so far.
    seen_bytes: usize,
    /// The last bytes seen, the oldest at `seen_bytes % 64`.
    window: [u8; WINDOW_BYTES],
    fingerprint: u64,
}

struct Tables {
    /// The fingerprint of a byte followed by 63 zeros: what is taken away when the byte leaves the window.
    out: [u64; 256],
    /// Reduces a fingerprint whose top byte (above the degree) is the index.
    reduce: [u64; 256],
}

impl Chunker {
    /// A chunker at the start of a stream; the polynomial must be of degree 53.
    pub fn new(polynomial: Polynomial) -> Result<Self, FormatError> {
        if polynomial.degree() != Some(Polynomial::DEGREE) {
            return Err(FormatError::UnfitPolynomial(polynomial));
        }
        let tables = Arc::new(Tables::new(polynomial));
        Ok(Self { tables, seen_bytes: 0, window: [0; WINDOW_BYTES], fingerprint: 0 })
    }

    /// Looks at the next bytes of the stream and says after how many of them the current chunk ends.
    ///
    /// `None`: the chunk goes on, and all the bytes were taken in. `Some(n)`: a chunk ends before `bytes[n]`; go on
    /// with `&bytes[n..]`. What is left at the end of the stream is the last chunk.
    pub fn next_cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let skipped = (MIN_CHUNK_BYTES - WINDOW_BYTES).saturating_sub(self.seen_bytes).min(bytes.len());
        self.seen_bytes += skipped;
        for (index, &byte) in bytes.iter().enumerate().skip(skipped) {
            let slot = &mut self.window[self.seen_bytes % WINDOW_BYTES];
            self.fingerprint = self.tables.slide(self.fingerprint, *slot, byte);
            *slot = byte;
            self.seen_bytes += 1;
            let may_cut = self.seen_bytes >= MIN_CHUNK_BYTES && self.fingerprint & CUT_MASK == 0;
            if may_cut || self.seen_bytes >= MAX_CHUNK_BYTES {
                self.reset();
                return Some(index + 1);
            }
        }
        None
    }

    /// Forgets the current chunk: the next byte begins a new one.
    pub fn reset(&mut self) {
        self.seen_bytes = 0;
        self.window = [0; WINDOW_BYTES];
        self.fingerprint = 0;
    }
}

impl Tables {
    fn new(polynomial: Polynomial) -> Self {
        let remainder = |bits| Polynomial::from_bits(bits).remainder(polynomial).bits();
        let mut tables = Self { out: [0; 256], reduce: [0; 256] };
        for byte in 0..=255_u8 {
            let index = usize::from(byte);
            tables.out[index] = (1..WINDOW_BYTES).fold(remainder(byte.into()), |hash, _| remainder(hash << 8));
            let top = u64::from(byte) << Polynomial::DEGREE;
            tables.reduce[index] = remainder(top) | top;
        }
        tables
    }

    /// The fingerprint after `old` left the window and `new` came in.
    fn slide(&self, fingerprint: u64, old: u8, new: u8) -> u64 {
        let rest = fingerprint ^ self.out[usize::from(old)];
        #[expect(clippy::cast_possible_truncation, reason = "a fingerprint has 53 bits, of which these are the top 8")]
        let top = (rest >> TOP_SHIFT) as u8;
        (rest << 8 | u64::from(new)) ^ self.reduce[usize::from(top)]
    }
}

#[cfg(test)]
mod tests;
