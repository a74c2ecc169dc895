//! One part of a pattern, with the meaning of Go's `filepath.Match`.

use std::ops::RangeInclusive;

/// A pattern for one part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `?`: one character.
    One,
    /// `*`: any bytes.
    Any,
    /// `[…]`: one character of these, or none of them.
    Class {
        ranges: Vec<RangeInclusive<char>>,
        is_negated: bool,
    },
}

impl Glob {
    /// What `*` means.
    pub(super) fn any() -> Self {
        Self(vec![Token::Any])
    }

    /// Takes a pattern apart; `None` if it is malformed.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            tokens.push(match byte {
                b'*' => Token::Any,
                b'?' => Token::One,
                b'[' => class(&mut rest)?,
                b'\\' => Token::Byte(take_byte(&mut rest)?),
                _ => Token::Byte(byte),
            });
        }
        Some(Self(tokens))
    }

    /// Whether the whole of `name` matches.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        let (mut tokens, mut rest) = (&self.0[..], name);
        // Where to go on when something does not match: the last `*` takes one byte more.
        let mut retry: Option<(&[Token], &[u8])> = None;
        loop {
            let step = match tokens.split_first() {
                None if rest.is_empty() => return true,
                None => None,
                Some((Token::Any, after)) => {
                    retry = Some((after, rest));
                    Some((after, rest))
                }
                Some((token, after)) => token.take(rest).map(|rest| (after, rest)),
            };
            (tokens, rest) = match (step, retry) {
                (Some(step), _) => step,
                (None, Some((after, [_, shorter @ ..]))) => {
                    retry = Some((after, shorter));
                    (after, shorter)
                }
                (None, _) => return false,
            };
        }
    }
}

impl Token {
    /// What is left of `name` after what the token matches at its beginning.
    fn take<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Self::Byte(byte) => name.strip_prefix(&[*byte]),
            Self::Any => Some(name),
            Self::One => first_character(name).map(|(_, rest)| rest),
            Self::Class { ranges, is_negated } => {
                let (character, rest) = first_character(name)?;
                let is_in = ranges.iter().any(|range| range.contains(&character));
                (is_in != *is_negated).then_some(rest)
            }
        }
    }
}

/// The first character; a byte that is not UTF-8 counts as U+FFFD.
fn first_character(bytes: &[u8]) -> Option<(char, &[u8])> {
    let start = bytes.get(..bytes.len().min(4))?;
    let chunk = start.utf8_chunks().next()?;
    let character = chunk.valid().chars().next();
    let length = character.map_or(1, char::len_utf8);
    Some((character.unwrap_or(char::REPLACEMENT_CHARACTER), bytes.get(length..)?))
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (&byte, after) = rest.split_first()?;
    *rest = after;
    Some(byte)
}

/// Reads a class after its opening bracket.
fn class(rest: &mut &[u8]) -> Option<Token> {
    let is_negated = rest.first() == Some(&b'^');
    if is_negated {
        take_byte(rest)?;
    }
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.first() == Some(&b']') {
            take_byte(rest)?;
            return Some(Token::Class { ranges, is_negated });
        }
        let low = class_character(rest)?;
        let high = if rest.first() == Some(&b'-') {
            take_byte(rest)?;
            class_character(rest)?
        } else {
            low
        };
        ranges.push(low..=high);
    }
}

/// Reads an end of a range: any character but `-` and `]`, which need a backslash.
fn class_character(rest: &mut &[u8]) -> Option<char> {
    match rest.first()? {
        b'-' | b']' => return None,
        b'\\' => drop(take_byte(rest)?),
        _ => {}
    }
    let (character, after) = first_character(rest)?;
    // U+FFFD written as itself has three bytes; one byte is no UTF-8, which Go refuses here.
    if character == char::REPLACEMENT_CHARACTER && rest.len() - after.len() == 1 {
        return None;
    }
    *rest = after;
    Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_matches_as_in_go() {
        // From the documentation and tests of Go's path/filepath.
        let cases: [(&str, &[u8], bool); 22] = [
            ("abc", b"abc", true),
            ("*", b"abc", true),
            ("*c", b"abc", true),
            ("a*", b"a", true),
            ("a*b*c*d*e*", b"axbxcxdxexxx", true),
            ("a*b?c*x", b"abxbbxdbxebxczzx", true),
            ("a*b?c*x", b"abxbbxdbxebxczzy", false),
            ("ab[c]", b"abc", true),
            ("ab[b-d]", b"abc", true),
            ("ab[e-g]", b"abc", false),
            ("ab[^c]", b"abc", false),
            ("ab[^e-g]", b"abc", true),
            ("a\\*b", b"a*b", true),
            ("a\\*b", b"ab", false),
            ("a?b", "a☺b".as_bytes(), true),
            ("a[^a]b", "a☺b".as_bytes(), true),
            ("a???b", "a☺b".as_bytes(), false),
            ("[a-ζ]*", "α".as_bytes(), true),
            ("*[a-ζ]", b"A", false),
            ("[\\]a]", b"]", true),
            ("[x\\-]", b"-", true),
            ("?\u{fffd}?", b"\xff\xef\xbf\xbd\xfe", true),
        ];
        for (pattern, name, is_match) in cases {
            assert_eq!(Glob::parse(pattern.as_bytes()).unwrap().matches(name), is_match, "{pattern} {name:?}");
        }
    }

    #[test]
    fn a_malformed_part_is_refused() {
        for pattern in ["[", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\", "[\\", "[a-"] {
            assert_eq!(Glob::parse(pattern.as_bytes()), None, "{pattern}");
        }
        assert_eq!(Glob::parse(b"[\xff]"), None);
    }

    #[test]
    fn many_stars_take_little_time() {
        assert!(!Glob::parse(&b"a*".repeat(50)).unwrap().matches(&b"a".repeat(10_000)[..49]));
        assert!(!Glob::parse(&[b"*a".repeat(20), b"b".to_vec()].concat()).unwrap().matches(&b"a".repeat(5_000)));
    }
}
