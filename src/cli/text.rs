//! Text from a repository on its way to a terminal.
//!
//! Host names, tags, paths and file names are chosen by whoever wrote the repository. A terminal obeys escape
//! sequences in them: it changes colours, its title, or what stands on the screen already (restic-format 13.7).

use std::borrow::Cow;

/// Whether a terminal shows this character and does nothing else with it.
///
/// Besides the control characters, those that reorder text or have no width are left out: they make a name look like
/// another one.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with every character that could do something to a terminal written as an escape; line breaks and tabs stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| matches!(character, '\n' | '\t') || is_harmless(character)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' | '\t' => out.push(character),
            _ => push_visible(&mut out, character),
        }
    }
    Cow::Owned(out)
}

/// JSON with the same characters written as JSON's own escapes: they stand in its strings only.
pub(crate) fn visible_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' => out.push(character),
            _ if is_harmless(character) => out.push(character),
            _ => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    out
}

/// One line of text from a repository: as [`visible`], and a line break does not break the line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|character| push_visible(&mut out, character));
    Cow::Owned(out)
}

/// A file name or path for a terminal: as it is, or in quotes with escapes if a character of it would not be seen.
pub(crate) fn quoted_name(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if text.chars().all(is_harmless) => return Cow::Borrowed(text),
        _ => {}
    }
    let mut out = String::from("\"");
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => out.extend(['\\', character]),
                _ => push_visible(&mut out, character),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    Cow::Owned(out)
}

fn push_visible(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if is_harmless(character) => out.push(character),
        _ if u32::from(character) < 0x80 => out.push_str(&format!("\\x{:02x}", u32::from(character))),
        _ => out.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_text() {
        assert_eq!(visible("\u{1b}[31mred\u{1b}]0;title\u{7}"), "\\x1b[31mred\\x1b]0;title\\x07");
        assert_eq!(visible("\u{9b}2J"), "\\u{9b}2J", "an eight-bit CSI is one too");
    }

    #[test]
    fn line_breaks_stay_in_messages_and_not_in_single_lines() {
        assert_eq!(visible("a\nb"), "a\nb");
        assert_eq!(one_line("a\nb\r"), "a\\nb\\r");
    }

    #[test]
    fn text_in_any_script_is_left_alone() {
        for text in ["Grüße", "監視", "смена", "a b", "🙂"] {
            assert!(matches!(visible(text), Cow::Borrowed(_)));
            assert!(matches!(quoted_name(text.as_bytes()), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn names_that_would_not_be_seen_are_quoted() {
        assert_eq!(quoted_name(b"e\x1b[31mvil"), r#""e\x1b[31mvil""#);
        assert_eq!(quoted_name(b"say \"\xff\"\n"), r#""say \"\xff\"\n""#);
        assert_eq!(quoted_name("exe\u{202e}gpj".as_bytes()), r#""exe\u{202e}gpj""#);
    }
}
