//! Who we are, as locks, keys and snapshots record it.

use std::fs;

/// The user, host and process that act on a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The host's name, as uname(2) has it.
    pub hostname: String,
    /// The user's name from `/etc/passwd`; empty if it has none there.
    pub username: String,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The process's number.
    pub pid: u32,
}

impl Identity {
    /// The identity of this process, read without libc's name services (a static binary has none).
    pub fn of_this_process() -> Identity {
        let uid = rustix::process::getuid().as_raw();
        Identity {
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            username: fs::read("/etc/passwd").ok().and_then(|passwd| user_name(&passwd, uid)).unwrap_or_default(),
            uid,
            gid: rustix::process::getgid().as_raw(),
            pid: std::process::id(),
        }
    }
}

/// The name of user `uid` in a file laid out as passwd(5).
fn user_name(passwd: &[u8], uid: u32) -> Option<String> {
    let wanted = uid.to_string();
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        (fields.nth(1)? == wanted.as_bytes()).then(|| String::from_utf8_lossy(name).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_found_by_number_in_passwd() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nbroken line\nkuma:x:1000:1000::/home/kuma:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("kuma"));
        assert_eq!(user_name(passwd, 0).as_deref(), Some("root"));
        assert_eq!(user_name(passwd, 7), None);
    }
}
