//! Names of users and groups, read from `/etc/passwd` and `/etc/group`: libc's name services do not work in a static
//! binary, and restic's own binaries do without them too.

use std::collections::HashMap;
use std::fs;
use std::hash::Hash;

/// The names of all users and groups of this machine.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
    user_numbers: HashMap<String, u32>,
    group_numbers: HashMap<String, u32>,
}

impl Accounts {
    /// Those of this machine; a file that cannot be read has none.
    pub(super) fn of_this_machine() -> Self {
        let read = |path| fs::read(path).unwrap_or_default();
        let (users, groups) = (parse(&read("/etc/passwd"), 6), parse(&read("/etc/group"), 3));
        Self {
            user_numbers: first_by(users.iter().map(|(number, name)| (name.clone(), *number))),
            group_numbers: first_by(groups.iter().map(|(number, name)| (name.clone(), *number))),
            users: first_by(users),
            groups: first_by(groups),
        }
    }

    /// A user's name, or nothing.
    pub(super) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_default()
    }

    /// The number of the user of this name.
    pub(super) fn user_number(&self, name: &str) -> Option<u32> {
        self.user_numbers.get(name).copied()
    }

    /// The number of the group of this name.
    pub(super) fn group_number(&self, name: &str) -> Option<u32> {
        self.group_numbers.get(name).copied()
    }

    /// A group's name, or nothing.
    pub(super) fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_default()
    }
}

/// Of all values of a key the first.
fn first_by<K: Eq + Hash, V>(pairs: impl IntoIterator<Item = (K, V)>) -> HashMap<K, V> {
    let mut map = HashMap::new();
    for (key, value) in pairs {
        map.entry(key).or_insert(value);
    }
    map
}

/// Numbers and names in the order of the file, as Go's `os/user` finds them: lines that are short of colons,
/// and the `+` and `-` of NIS, do not.
fn parse(content: &[u8], colons: usize) -> Vec<(u32, String)> {
    let mut names = Vec::new();
    for line in content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        let fields = line.split(|&byte| byte == b':').collect::<Vec<_>>();
        let (Some(&[first, ..]), true) = (fields.first(), fields.len() > colons) else { continue };
        let number = fields.get(2).and_then(|field| str::from_utf8(field).ok()).and_then(|text| text.parse().ok());
        if let Some(number) = number
            && !matches!(first, b'#' | b'+' | b'-')
        {
            let name = fields.first().copied().unwrap_or_default();
            names.push((number, String::from_utf8_lossy(name).into_owned()));
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
        let names = first_by(parse(content, 6));
        assert_eq!(names, HashMap::from([(0, "root".into()), (1000, "kuma".into())]));
        assert_eq!(parse(b"adm:x:4:a,b\nbad:x:-1:\n", 3), [(4, "adm".into())]);
    }
}
