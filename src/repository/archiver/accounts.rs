//! Names of users and groups, read from `/etc/passwd` and `/etc/group`: libc's name services do not work in a static
//! binary, and restic's own binaries do without them too.

use std::collections::HashMap;
use std::fs;

/// The names of all users and groups of this machine.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Accounts {
    /// Those of this machine; a file that cannot be read has none.
    pub(super) fn of_this_machine() -> Self {
        let read = |path| fs::read(path).unwrap_or_default();
        Self { users: parse(&read("/etc/passwd"), 6), groups: parse(&read("/etc/group"), 3) }
    }

    /// A user's name, or nothing.
    pub(super) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_default()
    }

    /// A group's name, or nothing.
    pub(super) fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_default()
    }
}

/// The names by number, as Go's `os/user` finds them: the first of a number counts; lines that are short of colons,
/// and the `+` and `-` of NIS, do not.
fn parse(content: &[u8], colons: usize) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        let fields = line.split(|&byte| byte == b':').collect::<Vec<_>>();
        let (Some(&[first, ..]), true) = (fields.first(), fields.len() > colons) else { continue };
        let number = fields.get(2).and_then(|field| str::from_utf8(field).ok()).and_then(|text| text.parse().ok());
        if let Some(number) = number
            && !matches!(first, b'#' | b'+' | b'-')
        {
            let name = fields.first().copied().unwrap_or_default();
            names.entry(number).or_insert_with(|| String::from_utf8_lossy(name).into_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_go_finds_them() {
        let content = b"# c:x:9:\nroot:x:0:0:r:/root:/bin/sh\n  toor:x:0:0:r:/:/\n+nis:x:7:7:::\nshort:x:8:8\n:x:6:6:::\nkuma:x:1000:1:::\n";
        let names = parse(content, 6);
        assert_eq!(names, HashMap::from([(0, "root".into()), (1000, "kuma".into())]));
        assert_eq!(parse(b"adm:x:4:a,b\nbad:x:-1:\n", 3), HashMap::from([(4, "adm".into())]));
    }
}
