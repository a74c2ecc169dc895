//! Patterns that say which paths are left out or taken in, with restic's meaning (`internal/filter` of restic 0.19).
//!
//! A pattern is a path whose parts may hold `*`, `?` and `[…]`; the part `**` stands for any number of parts. One that
//! begins with `/` is matched from the root, any other at every depth. `!` before a pattern takes back what earlier
//! ones matched; of several patterns the last word counts.

mod glob;
mod pattern_file;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use glob::Glob;
pub use pattern_file::patterns_of_file;

use super::lexical;

/// A list of patterns, to be matched in order.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    case: Case,
}

/// Whether letters of another case count as the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// They do not.
    #[default]
    Sensitive,
    /// They do, as Unicode's simple lower case has them (`--iexclude`, `--iinclude`).
    Insensitive,
}

/// What patterns say of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The path itself is matched.
    pub is_match: bool,
    /// Something below it may be.
    pub may_hold_match: bool,
}

/// Patterns that mean nothing, such as a bracket that is never closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid pattern(s): {}", .patterns.join(", "))]
pub struct InvalidPatterns {
    /// The patterns as they were given.
    pub patterns: Vec<String>,
}

#[derive(Clone, Debug)]
struct Pattern {
    parts: Vec<Part>,
    is_negated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The beginning of an absolute path.
    Root,
    /// `**`.
    AnyDepth,
    Name(Glob),
}

impl Patterns {
    /// Takes patterns apart; empty ones are left out. Fails with all that are invalid.
    pub fn new<P: AsRef<[u8]>>(patterns: impl IntoIterator<Item = P>, case: Case) -> Result<Self, InvalidPatterns> {
        let mut parsed = Vec::new();
        let mut invalid = Vec::new();
        for pattern in patterns {
            let text = pattern.as_ref();
            let folded = case.fold(text);
            match Pattern::parse(&folded) {
                _ if text.is_empty() => {}
                Some(pattern) => parsed.push(pattern),
                None => invalid.push(String::from_utf8_lossy(text).into_owned()),
            }
        }
        if invalid.is_empty() {
            Ok(Self { patterns: parsed, case })
        } else {
            Err(InvalidPatterns { patterns: invalid })
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// What the patterns say of a cleaned path.
    ///
    /// Parts are bytes, and absolute paths have the root as their first. The empty path is never matched.
    #[must_use]
    pub fn matches(&self, path: &Path) -> Match {
        let path = self.case.fold(path.as_os_str().as_bytes());
        let parts = split(&path);
        let mut found = Match { is_match: false, may_hold_match: false };
        if path.is_empty() {
            return found;
        }
        for pattern in &self.patterns {
            let is_match = matches(&pattern.parts.iter().collect::<Vec<_>>(), &parts);
            if pattern.is_negated {
                found.is_match &= !is_match;
                found.may_hold_match &= !is_match;
            } else {
                found.is_match |= is_match;
                found.may_hold_match |= pattern.may_match_below(&parts);
            }
        }
        found
    }
}

impl Case {
    fn fold(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sensitive => text.to_vec(),
            Self::Insensitive if text.is_ascii() => text.to_ascii_lowercase(),
            // As Go's strings.ToLower: one character becomes one, and what is no UTF-8 becomes U+FFFD.
            Self::Insensitive => {
                let lower = |character: char| character.to_lowercase().next().unwrap_or(character);
                let folded = text.utf8_chunks().flat_map(|chunk| {
                    let invalid = chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER);
                    chunk.valid().chars().map(lower).chain(invalid)
                });
                folded.collect::<String>().into_bytes()
            }
        }
    }
}

impl Pattern {
    fn parse(text: &[u8]) -> Option<Self> {
        let (is_negated, text) = match text.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let cleaned = lexical::clean(text);
        let parts = split(&cleaned).into_iter().map(|part| match part {
            b"/" => Some(Part::Root),
            b"**" => Some(Part::AnyDepth),
            name => Glob::parse(name).map(Part::Name),
        });
        Some(Self { parts: parts.collect::<Option<_>>()?, is_negated })
    }

    /// Whether something below `path` may match: its beginning matches the pattern's.
    fn may_match_below(&self, path: &[&[u8]]) -> bool {
        if self.parts.first() != Some(&Part::Root) {
            return true;
        }
        let before_any_depth = self.parts.iter().position(|part| *part == Part::AnyDepth).unwrap_or(usize::MAX);
        let path = path.get(..before_any_depth).unwrap_or(path);
        let parts = self.parts.iter().take(path.len()).collect::<Vec<_>>();
        matches(&parts, path)
    }
}

/// The parts of a cleaned path; an absolute one begins with the part `/`.
fn split(path: &[u8]) -> Vec<&[u8]> {
    let mut parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    if let Some(first) = parts.first_mut().filter(|first| first.is_empty()) {
        *first = b"/";
    }
    parts
}

/// Whether the parts match at some place of the path, up to its end or the end of any of its folders.
fn matches(parts: &[&Part], path: &[&[u8]]) -> bool {
    if let Some(at) = parts.iter().position(|part| **part == Part::AnyDepth) {
        return matches_any_depth(parts, at, path);
    }
    let Some(last_offset) = path.len().checked_sub(parts.len()) else { return false };
    let starts_at_root = path.first().is_some_and(|first| *first == b"/");
    let (first_offset, last_offset) = match parts.first() {
        None => return path.is_empty(),
        Some(Part::Root) => (0, 0),
        Some(_) => (usize::from(starts_at_root), last_offset),
    };
    path.windows(parts.len())
        .enumerate()
        .filter(|(offset, _)| (first_offset..=last_offset).contains(offset))
        .any(|(_, window)| parts.iter().zip(window).all(|(part, name)| part.matches(name)))
}

/// Puts ever more parts `*` in the place of the first `**`.
fn matches_any_depth(parts: &[&Part], at: usize, path: &[&[u8]]) -> bool {
    let any = Part::Name(Glob::any());
    let (before, after) = (parts.get(..at).unwrap_or_default(), parts.get(at + 1..).unwrap_or_default());
    let most = (path.len() + 1).checked_sub(parts.len());
    most.is_some_and(|most| {
        (0..=most).any(|count| {
            let stars = std::iter::repeat_n(&any, count);
            let expanded = before.iter().copied().chain(stars).chain(after.iter().copied()).collect::<Vec<_>>();
            matches(&expanded, path)
        })
    })
}

impl Part {
    fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Root => name == b"/",
            Self::AnyDepth => false,
            Self::Name(glob) => name != b"/" && glob.matches(name),
        }
    }
}

#[cfg(test)]
mod tests;
