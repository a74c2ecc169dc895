//! Files of patterns (`--exclude-file` and its kin).

/// The patterns of a file's content: a line each, blanks around it dropped, empty lines and comments (`#`) left out,
/// variables put in their places.
///
/// A variable is `$name` or `${name}`; one that is not set counts as empty; `$$` is a dollar sign. UTF-16 and UTF-8
/// with a byte order mark are understood.
pub fn patterns_of_file(content: &[u8], variable: impl Fn(&str) -> Option<String>) -> Vec<Vec<u8>> {
    let text = without_byte_order_mark(content);
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    lines.map(|line| expand(line, &variable)).collect()
}

fn without_byte_order_mark(content: &[u8]) -> Vec<u8> {
    let utf_16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let characters = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
        characters.collect::<String>().into_bytes()
    };
    match content {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest.to_vec(),
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        _ => content.to_vec(),
    }
}

/// Puts variables in their places, as Go's `os.Expand` does.
fn expand(line: &[u8], variable: &impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let mut expanded = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.iter().position(|&byte| byte == b'$') {
        let (before, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
        expanded.extend_from_slice(before);
        let (name, length) = variable_name(after);
        match name {
            Some(b"$") => expanded.push(b'$'),
            Some(name) => {
                let value = str::from_utf8(name).ok().and_then(variable);
                expanded.extend_from_slice(value.unwrap_or_default().as_bytes());
            }
            None if length == 0 => expanded.push(b'$'),
            // Bad syntax: Go swallows it.
            None => {}
        }
        rest = after.get(length..).unwrap_or_default();
    }
    expanded.extend_from_slice(rest);
    expanded
}

/// The variable's name after a dollar sign, if there is one, and how many bytes belong to it.
fn variable_name(text: &[u8]) -> (Option<&[u8]>, usize) {
    let is_special = |byte: u8| b"*#$@!?-0123456789".contains(&byte);
    match text {
        [b'{', special, b'}', ..] if is_special(*special) => (text.get(1..2), 3),
        [b'{', rest @ ..] => match rest.iter().position(|&byte| byte == b'}') {
            Some(0) => (None, 2),
            Some(end) => (rest.get(..end), end + 2),
            None => (None, 1),
        },
        [special, ..] if is_special(*special) => (text.get(..1), 1),
        _ => {
            let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            (text.get(..length).filter(|name| !name.is_empty()), length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Vec<String> {
        let variable = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let patterns = patterns_of_file(content, variable);
        patterns.into_iter().map(|pattern| String::from_utf8(pattern).unwrap()).collect()
    }

    #[test]
    fn a_file_holds_a_pattern_a_line() {
        assert_eq!(read(b"*.tmp\r\n\n  # comment\n  /a b\t\n!x#y"), ["*.tmp", "/a b", "!x#y"]);
        assert_eq!(read(b"\xef\xbb\xbfa\n"), ["a"]);
        assert_eq!(read(b"\xff\xfea\0\xe9\0\n\0"), ["aé"]);
        assert_eq!(read(b"\xfe\xff\0a"), ["a"]);
    }

    #[test]
    fn variables_are_put_in_their_places() {
        let content = b"$HOME/x\n${HOME}y\n$HOMEz\na$$b\n$UNSET/\n${}a\n${a\n$.\nx$\n${1}$1";
        assert_eq!(read(content), ["/root/x", "/rooty", "", "a$b", "/", "a", "a", "$.", "x$", ""]);
    }
}
