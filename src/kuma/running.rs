//! Who has a database open.
//!
//! *Whether* anybody has is asked of SQLite itself: in WAL mode every connection holds a shared lock on the file for as
//! long as it lives, so an exclusive lock is granted only to the one connection there is (see `Database::open_alone`).
//! That works across containers, and once granted, nobody can come in between. *Who* it is, is only for the message, and
//! read from `/proc` as far as this process may look.

use std::borrow::Cow;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process that has the database open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, as seen from here.
    pub pid: u32,
    /// Its program and script, such as `node server/server.js`; other arguments may hold a password.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

/// The other processes that have `file` open, as far as `/proc` shows them; never an error, since it is only told.
pub(super) fn holders(file: &Path) -> Vec<Holder> {
    let Ok(wanted) = std::fs::metadata(file) else { return Vec::new() };
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id() && has_open(*pid, wanted.dev(), wanted.ino()))
        .map(|pid| Holder { pid, command: command(pid) })
        .collect()
}

/// Looks through the process's descriptors with stat only: opening the file and closing it again would drop the POSIX
/// locks that SQLite holds in *this* process.
fn has_open(pid: u32, device: u64, inode: u64) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        std::fs::metadata(descriptor.path()).is_ok_and(|open| open.dev() == device && open.ino() == inode)
    })
}

fn command(pid: u32) -> String {
    told(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default())
}

/// The first word of a command line, and the second if it is no option.
fn told(line: &[u8]) -> String {
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let script = |(place, word): &(usize, &Cow<'_, str>)| *place == 0 || !word.starts_with('-');
    let words: Vec<_> = words.iter().enumerate().take(2).filter(script).map(|(_, word)| word.as_ref()).collect();
    words.join(" ").trim().chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_told_without_its_options() {
        assert_eq!(told(b"node\0server/server.js\0--ssl-key-passphrase=hunter2\0"), "node server/server.js");
        assert_eq!(told(b"node\0--ssl-key-passphrase=hunter2\0"), "node");
        assert_eq!(told(b""), "");
    }
}
