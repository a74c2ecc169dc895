//! Rust sources read as far as the architecture's rules need it: code without comments and literals, and
//! the paths in it.

use std::path::{Path, PathBuf};

/// A source file: where it is, and what it holds.
pub(crate) struct Source {
    /// From the project's root, as `src/kuma/dump.rs`.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The text with comments and literals blanked; line breaks stay.
    pub(crate) code: String,
}

impl Source {
    /// Every `.rs` file below a folder of the project.
    pub(crate) fn all(folder: &str) -> Vec<Self> {
        let mut files = Vec::new();
        walk(&root().join(folder), &mut |path| {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).expect("sources are UTF-8");
                let code = without_comments_and_literals(&text);
                files.push(Self { path: path.strip_prefix(root()).expect("below the root").into(), text, code });
            }
        });
        files.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(!files.is_empty(), "no sources in {folder}");
        files
    }

    /// The module below `src/` that the file belongs to: `kuma` of `src/kuma/dump.rs`, `blocking` of `src/blocking.rs`.
    pub(crate) fn module(&self) -> String {
        let first = self.path.components().nth(1).expect("a file of src/");
        Path::new(&first).file_stem().expect("a name").to_str().expect("UTF-8").to_owned()
    }

    /// How many `super::` lead from the file's own top to the crate's root.
    pub(crate) fn depth(&self) -> usize {
        let below_src = self.path.components().count() - 1;
        if self.path.file_name().is_some_and(|name| name == "mod.rs") { below_src - 1 } else { below_src }
    }

    /// The code without its unit tests; nothing for a file that holds only tests.
    pub(crate) fn product(&self) -> &str {
        if self.path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
            return "";
        }
        self.code.find("#[cfg(test)]\nmod tests {").map_or(&self.code, |tests| &self.code[..tests])
    }
}

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Calls `visit` with every file below a folder.
pub(crate) fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, visit) } else { visit(&path) }
    }
}

/// The first segments that follow `start` (`crate::` or `super::`), braces opened: `crate::{a::B, c}` names `a` and `c`.
pub(crate) fn heads(code: &str, start: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(start).filter(|(at, _)| !code[..*at].ends_with(is_word)) {
        let rest = &code[at + start.len()..];
        match rest.trim_start().strip_prefix('{') {
            Some(group) => found.extend(split_group(group).iter().map(|part| word(part.trim_start()).to_owned())),
            None => found.push(word(rest).to_owned()),
        }
    }
    found.retain(|head| !head.is_empty());
    found
}

/// Whether the code names a crate: `name::…` or `use name;`, not as a part of a longer path.
pub(crate) fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end();
        let after = &code[at + name.len()..];
        let is_whole = !code[..at].ends_with(is_word) && !after.starts_with(is_word);
        is_whole && !code[..at].ends_with("::") && (after.starts_with("::") || before.ends_with("use"))
    })
}

fn split_group(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word(text: &str) -> &str {
    text.split(|character| !is_word(character)).next().unwrap_or_default()
}

/// Blanks comments, strings and characters. Raw strings and nested block comments included.
fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = literal_length(rest, code.ends_with(is_word));
        if length == 0 {
            code.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            // Byte for byte: places in the code are places in the text.
            code.extend(rest[..length].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    code
}

/// The length of the comment or literal that the text starts with, 0 if none.
fn literal_length(text: &str, inside_word: bool) -> usize {
    let bytes = text.as_bytes();
    let ended = |at: Option<usize>, end: usize| at.map_or(text.len(), |at| at + end);
    if text.starts_with("//") {
        return ended(text.find('\n'), 0);
    }
    if text.starts_with("/*") {
        return block_comment_length(bytes);
    }
    let raw = if inside_word { None } else { text.strip_prefix("br").or_else(|| text.strip_prefix('r')) };
    if let Some(raw) = raw {
        let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
        if raw.as_bytes().get(hashes) == Some(&b'"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = text.len() - raw.len() + hashes + 1;
            return ended(text[open..].find(&close), open + close.len());
        }
    }
    match bytes[0] {
        b'"' => quoted_length(bytes, b'"'),
        b'\'' if bytes.get(1) == Some(&b'\\') => quoted_length(bytes, b'\''),
        // A character, not a lifetime: its quote closes right after it.
        b'\'' => {
            let inner = text[1..].chars().next().map_or(0, char::len_utf8);
            if bytes.get(1 + inner) == Some(&b'\'') { inner + 2 } else { 0 }
        }
        _ => 0,
    }
}

fn block_comment_length(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn quoted_length(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[test]
fn paths_are_seen_in_code_and_not_in_words_about_it() {
    let text = "// crate::a\nuse crate::{b::X, c};\nlet s = \"crate::d\"; let r = r#\"crate::e\"#; let q = '\"'; crate::f::g::<'x>()";
    let code = without_comments_and_literals(text);
    assert_eq!(heads(&code, "crate::"), ["b", "c", "f"]);
    assert!(names_crate("use zstd;", "zstd") && names_crate("zstd::bulk()", "zstd"));
    assert!(!names_crate("format::zstd::bulk()", "zstd") && !names_crate("let zstd = 1", "zstd"));
}
