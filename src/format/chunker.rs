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

/// A quarter of the bytes that are looked at side by side.
const LANE_BYTES: usize = 2048;
/// The bytes that are looked at side by side; so many may be looked at in vain, once in a chunk.
const BLOCK_BYTES: usize = 4 * LANE_BYTES;

/// Finds the ends of chunks in a stream that is pushed through it.
///
/// A clone shares the tables: make one for a repository and clone it for every file.
#[derive(Clone)]
pub struct Chunker {
    tables: Arc<Tables>,
    /// Bytes of the current chunk seen so far.
    seen_bytes: usize,
    /// The last bytes that went into the fingerprint, the newest at the end; zeros before the first.
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
        let room = MAX_CHUNK_BYTES - self.seen_bytes;
        let length = room.min(bytes.len() - skipped);
        let fresh = bytes.get(skipped..skipped + length).unwrap_or_default();
        let cut = self.scan(fresh).or((length == room).then_some(length));
        if cut.is_some() {
            self.reset();
        }
        cut.map(|cut| skipped + cut)
    }

    /// Forgets the current chunk: the next byte begins a new one.
    pub fn reset(&mut self) {
        self.seen_bytes = 0;
        self.window = [0; WINDOW_BYTES];
        self.fingerprint = 0;
    }

    /// Takes bytes into the fingerprint, up to the first cut.
    fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        // What leaves the window stands in `window` at first, and then in `bytes` itself.
        let (head, rest) = bytes.split_at(bytes.len().min(WINDOW_BYTES));
        let window = self.window;
        if let Some(cut) = self.roll(&window, head) {
            return Some(cut);
        }
        // From here on the chunk is long enough to be cut anywhere.
        let mut done = 0;
        while let Some(block) = bytes.get(done..).and_then(<[u8]>::first_chunk) {
            match self.roll_block(block) {
                Some(cut) => return Some(WINDOW_BYTES + done + cut),
                None => done += BLOCK_BYTES,
            }
        }
        let olds = bytes.get(done..).unwrap_or_default();
        if let Some(cut) = self.roll(olds, rest.get(done..).unwrap_or_default()) {
            return Some(WINDOW_BYTES + done + cut);
        }
        self.window.copy_within(head.len().., 0);
        let newest = bytes.len().saturating_sub(WINDOW_BYTES);
        let newest = bytes.get(newest..).unwrap_or_default();
        let kept = WINDOW_BYTES - newest.len();
        self.window.iter_mut().skip(kept).zip(newest).for_each(|(slot, &byte)| *slot = byte);
        None
    }

    /// Takes bytes in one by one while others leave the window, up to the first cut.
    fn roll(&mut self, olds: &[u8], news: &[u8]) -> Option<usize> {
        let mut fingerprint = self.fingerprint;
        for (index, (&old, &new)) in olds.iter().zip(news).enumerate() {
            fingerprint = self.tables.slide(fingerprint, old, new);
            if fingerprint & CUT_MASK == 0 && self.seen_bytes + index + 1 >= MIN_CHUNK_BYTES {
                return Some(index + 1);
            }
        }
        self.fingerprint = fingerprint;
        self.seen_bytes += news.len();
        None
    }

    /// As [`roll`](Self::roll), for a window and the bytes of a block after it.
    ///
    /// The block's quarters are taken in side by side: each byte waits for two look-ups that depend on the byte
    /// before, and a processor can wait for four such chains at once.
    #[expect(clippy::needless_range_loop, reason = "the lanes go side by side, byte by byte")]
    fn roll_block(&mut self, bytes: &[u8; WINDOW_BYTES + BLOCK_BYTES]) -> Option<usize> {
        let lane = |number: usize| bytes.get(number * LANE_BYTES..).and_then(<[u8]>::first_chunk);
        let lanes: [&[u8; WINDOW_BYTES + LANE_BYTES]; 4] = [lane(0)?, lane(1)?, lane(2)?, lane(3)?];
        let mut fingerprints = [self.fingerprint, 0, 0, 0];
        for index in 0..WINDOW_BYTES {
            for number in 1..4 {
                fingerprints[number] = self.tables.slide(fingerprints[number], 0, lanes[number][index]);
            }
        }
        let mut cuts = [None; 4];
        for index in 0..LANE_BYTES {
            for number in 0..4 {
                let (old, new) = (lanes[number][index], lanes[number][WINDOW_BYTES + index]);
                fingerprints[number] = self.tables.slide(fingerprints[number], old, new);
                if fingerprints[number] & CUT_MASK == 0 && cuts[number].is_none() {
                    cuts[number] = Some(number * LANE_BYTES + index + 1);
                }
            }
        }
        self.fingerprint = fingerprints[3];
        self.seen_bytes += BLOCK_BYTES;
        cuts.into_iter().flatten().next()
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
