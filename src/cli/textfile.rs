//! Text files that people write: with or without a byte order mark, in UTF-8 or UTF-16.

use std::path::Path;

use zeroize::Zeroizing;

use super::error::CliError;

/// The bytes of a file in UTF-8: a byte order mark is taken off, UTF-16 with one is converted, anything else is left
/// as it is.
///
/// The bytes may be a password: they are wiped when dropped.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|source| CliError::file("read", path, source))?);
    Ok(decode(bytes))
}

fn decode(bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, text @ ..] => Zeroizing::new(text.to_vec()),
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        _ => bytes,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Zeroizing<Vec<u8>> {
    let units = Zeroizing::new(bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect::<Vec<u16>>());
    Zeroizing::new(String::from_utf16_lossy(&units).into_bytes())
}

/// The bytes without white space at both ends.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => bytes.trim_ascii(),
    }
}

/// The lines of a text without their ends (`\n` or `\r\n`).
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let nothing = bytes.is_empty();
    bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).skip(usize::from(nothing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_are_taken_off() {
        for bytes in
            [&b"geheim"[..], b"\xef\xbb\xbfgeheim", b"\xff\xfeg\0e\0h\0e\0i\0m\0", b"\xfe\xff\0g\0e\0h\0e\0i\0m"]
        {
            assert_eq!(decode(Zeroizing::new(bytes.to_vec())).as_slice(), b"geheim");
        }
    }

    #[test]
    fn white_space_goes_at_both_ends_and_stays_inside() {
        assert_eq!(trimmed(b" \t\xc2\xa0a b\r\n\n"), b"a b");
        assert_eq!(trimmed(b" \xff \n"), b"\xff", "not UTF-8");
    }

    #[test]
    fn lines_end_in_either_way() {
        let split = |text: &'static [u8]| lines(text).collect::<Vec<_>>();
        assert_eq!(split(b"a\r\nb\n\nc"), [&b"a"[..], b"b", b"", b"c"]);
        assert_eq!(split(b"a\n"), [&b"a"[..]]);
        assert!(split(b"").is_empty());
    }
}
