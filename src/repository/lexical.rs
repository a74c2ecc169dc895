//! Paths as text, by the rules of Go's `path/filepath` on Unix: a tree's shape and a pattern's meaning depend on them.

/// The shortest path that means the same: no empty and `.` parts, and `..` only at the start of a relative path.
///
/// The empty path becomes `.`.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let is_absolute = path.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|&last| last != b"..") => drop(parts.pop()),
            b".." if is_absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (is_absolute, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// The path that leads from `base` along `path`, cleaned; an empty part of the two does not count.
pub(super) fn join(base: &[u8], path: &[u8]) -> Vec<u8> {
    match (base, path) {
        (b"", path) => clean(path),
        (base, b"") => clean(base),
        (base, path) => clean(&[base, b"/", path].concat()),
    }
}

/// A cleaned path without its last part.
pub(super) fn parent(path: &[u8]) -> Vec<u8> {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => clean(path.get(..=at).unwrap_or_default()),
        None => b".".to_vec(),
    }
}

/// The last part of a cleaned path; of the root, the root.
pub(super) fn base(path: &[u8]) -> &[u8] {
    match path {
        b"/" => path,
        _ => path.rsplit(|&byte| byte == b'/').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        let cases = [
            ("", "."),
            (".", "."),
            ("./", "."),
            ("/", "/"),
            ("//", "/"),
            ("a//b/./c/", "a/b/c"),
            ("a/../..", ".."),
            ("../a/../../b", "../../b"),
            ("/../a", "/a"),
            ("/a/b/../..", "/"),
            ("..a/...", "..a/..."),
        ];
        for (path, cleaned) in cases {
            assert_eq!(clean(path.as_bytes()), cleaned.as_bytes(), "{path:?}");
        }
    }

    #[test]
    fn paths_are_joined_and_taken_apart() {
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"", b"a/"), b"a");
        assert_eq!(join(b"a", b""), b"a");
        assert_eq!(join(b".", b"../a"), b"../a");
        assert_eq!(parent(b"/a/b"), b"/a");
        assert_eq!(parent(b"/a"), b"/");
        assert_eq!(parent(b"/"), b"/");
        assert_eq!(parent(b"a"), b".");
        assert_eq!((base(b"/a/b"), base(b"/"), base(b"a")), (&b"b"[..], &b"/"[..], &b"a"[..]));
    }
}
