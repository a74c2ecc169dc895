//! Names of nodes: any bytes, written as Go's `strconv.Quote` writes them, without the outer quotes.
//!
//! The quoted text then goes through JSON as any string does: two layers of escapes.

mod printable;

use std::fmt::Write as _;

use printable::is_printable;

/// The text that stands for a name in a tree.
pub(super) fn quote(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    for chunk in name.utf8_chunks() {
        chunk.valid().chars().for_each(|character| push_quoted(&mut text, character));
        chunk.invalid().iter().for_each(|byte| push_formatted(&mut text, format_args!("\\x{byte:02x}")));
    }
    text
}

fn push_quoted(text: &mut String, character: char) {
    match character {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\x07' => text.push_str("\\a"),
        '\x08' => text.push_str("\\b"),
        '\t' => text.push_str("\\t"),
        '\n' => text.push_str("\\n"),
        '\x0b' => text.push_str("\\v"),
        '\x0c' => text.push_str("\\f"),
        '\r' => text.push_str("\\r"),
        _ if is_printable(character) => text.push(character),
        '\0'..' ' | '\x7f' => push_formatted(text, format_args!("\\x{:02x}", u32::from(character))),
        '\u{10000}'.. => push_formatted(text, format_args!("\\U{:08x}", u32::from(character))),
        _ => push_formatted(text, format_args!("\\u{:04x}", u32::from(character))),
    }
}

fn push_formatted(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

/// The name that a text stands for; `None` if it is not what Go's `strconv.Unquote` takes.
pub(super) fn unquote(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        return Some(text.as_bytes().to_vec());
    }
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        let (plain, special) = rest.split_at(at);
        name.extend_from_slice(plain.as_bytes());
        // A bare quote or newline is no escape: both are refused.
        rest = unescape(special.strip_prefix('\\')?, &mut name)?;
    }
    name.extend_from_slice(rest.as_bytes());
    Some(name)
}

/// Takes the escape that `text` begins with, after its backslash, and returns what follows it.
fn unescape<'a>(text: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    let mut characters = text.chars();
    let byte = match characters.next()? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => return number(characters.as_str(), 2, 16).and_then(|(value, rest)| push_byte(value, rest, name)),
        '0'..='7' => return number(text, 3, 8).and_then(|(value, rest)| push_byte(value, rest, name)),
        'u' => return number(characters.as_str(), 4, 16).and_then(|(value, rest)| push_char(value, rest, name)),
        'U' => return number(characters.as_str(), 8, 16).and_then(|(value, rest)| push_char(value, rest, name)),
        _ => return None,
    };
    name.push(byte);
    Some(characters.as_str())
}

fn number(text: &str, digits: usize, radix: u32) -> Option<(u32, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    // `from_str_radix` would take a sign too.
    let value =
        number.chars().all(|digit| digit.is_digit(radix)).then(|| u32::from_str_radix(number, radix).ok())??;
    Some((value, rest))
}

fn push_byte<'a>(value: u32, rest: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    name.push(u8::try_from(value).ok()?);
    Some(rest)
}

fn push_char<'a>(value: u32, rest: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    name.extend_from_slice(char::from_u32(value)?.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_point_is_quoted_as_restic_0_19_quotes_it() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/vectors/go-isprint.json")).unwrap();
        let ranges = vectors["measured"]["restic 0.19.1 (go1.26.4)"]["raw"].as_array().unwrap();
        let range_of = |range: &serde_json::Value| range[0].as_u64().unwrap()..=range[1].as_u64().unwrap();
        let mut raw = vec![false; 0x11_0000];
        for code_point in ranges.iter().flat_map(range_of) {
            raw[usize::try_from(code_point).unwrap()] = true;
        }
        // No file name holds a slash; Go calls it printable.
        raw[usize::from(b'/')] = true;
        for character in '\0'..=char::MAX {
            let mut buffer = [0; 4];
            let name = character.encode_utf8(&mut buffer);
            let quoted = quote(name.as_bytes());
            assert_eq!(quoted == *name, raw[character as usize], "{character:?} became {quoted}");
            assert_eq!(unquote(&quoted).unwrap(), name.as_bytes());
        }
    }

    #[test]
    fn escapes_are_those_of_go() {
        let cases: [(&[u8], &str); 7] = [
            (b"a\"b\\c'd", r#"a\"b\\c'd"#),
            (b"\x07\x08\x09\x0a\x0b\x0c\x0d", r"\a\b\t\n\v\f\r"),
            (b"\x01\x1f\x7f", r"\x01\x1f\x7f"),
            (b"\xff\xe2\x82x", r"\xff\xe2\x82x"),
            ("\u{ad}\u{a0}\u{2028}".as_bytes(), r"\u00ad\u00a0\u2028"),
            ("\u{e0001}".as_bytes(), r"\U000e0001"),
            ("\u{fffd}é😀".as_bytes(), "\u{fffd}é😀"),
        ];
        for (name, text) in cases {
            assert_eq!(quote(name), text);
            assert_eq!(unquote(text).unwrap(), name);
        }
        assert_eq!(unquote(r"\101\x42\u0043\U00000044\377").unwrap(), b"ABCD\xff");
    }

    #[test]
    fn what_go_does_not_unquote_is_refused() {
        let broken = [
            "\"",
            "\n",
            "\\",
            r"\",
            r"\'",
            r"\q",
            r"\x4",
            r"\x+4",
            r"\xé",
            r"\u12",
            r"\ud800",
            r"\U00110000",
            r"\08x",
            r"\400",
            r"\7",
        ];
        for text in broken {
            assert_eq!(unquote(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_survives(name: Vec<u8>) {
            prop_assert_eq!(unquote(&quote(&name)), Some(name));
        }

        #[test]
        fn no_text_panics(text in r#"[\\xuU0-7a-f"é]{0,12}"#) {
            unquote(&text);
        }
    }
}
