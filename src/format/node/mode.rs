//! Modes: Go's `os.FileMode`, whose upper bits are not those of Unix.

use std::fmt;

/// Permissions and type as Go's `os.FileMode` has them: the nine permission bits are those of Unix, the rest not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode(pub u32);

/// File types: Unix's type bits, Go's bits, and the letter that Go prints.
const TYPES: [(u32, u32); 7] = [
    (0o040_000, Mode::DIR),
    (0o120_000, Mode::SYMLINK),
    (0o060_000, Mode::DEVICE),
    (0o020_000, Mode::DEVICE | Mode::CHAR_DEVICE),
    (0o010_000, Mode::NAMED_PIPE),
    (0o140_000, Mode::SOCKET),
    (0o100_000, 0),
];
/// Unix's bits above the permissions, and Go's.
const FLAGS: [(u32, u32); 3] = [(0o4000, Mode::SETUID), (0o2000, Mode::SETGID), (0o1000, Mode::STICKY)];

impl Mode {
    /// A directory.
    pub const DIR: u32 = 1 << 31;
    /// A symbolic link.
    pub const SYMLINK: u32 = 1 << 27;
    /// A device, of blocks unless [`Self::CHAR_DEVICE`] is set too.
    pub const DEVICE: u32 = 1 << 26;
    /// A named pipe.
    pub const NAMED_PIPE: u32 = 1 << 25;
    /// A socket.
    pub const SOCKET: u32 = 1 << 24;
    /// Runs as its owner.
    pub const SETUID: u32 = 1 << 23;
    /// Runs as its group.
    pub const SETGID: u32 = 1 << 22;
    /// A device of characters; only with [`Self::DEVICE`].
    pub const CHAR_DEVICE: u32 = 1 << 21;
    /// Only owners delete in it.
    pub const STICKY: u32 = 1 << 20;
    /// None of the types above.
    pub const IRREGULAR: u32 = 1 << 19;

    /// The mode of what `st_mode` describes.
    #[must_use]
    pub fn from_unix(st_mode: u32) -> Self {
        let type_bits = TYPES.iter().find(|(unix, _)| st_mode & 0o170_000 == *unix).map_or(Self::IRREGULAR, |t| t.1);
        let flags = FLAGS.iter().filter(|(unix, _)| st_mode & unix != 0).map(|(_, go)| go).sum::<u32>();
        Self(type_bits | flags | st_mode & 0o777)
    }

    /// What `chmod` takes: the permissions, setuid, setgid and sticky.
    #[must_use]
    pub fn unix_permissions(self) -> u32 {
        FLAGS.iter().filter(|(_, go)| self.0 & go != 0).map(|(unix, _)| unix).sum::<u32>() | self.0 & 0o777
    }
}

/// As Go prints it, and so `restic ls -l`: `-rw-r--r--`, `drwxr-xr-x`, `urwxr-xr-x` for setuid.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = (0..32).rev().zip("dalTLDpSugct?".chars()).filter(|(bit, _)| self.0 >> bit & 1 == 1);
        let letters = letters.map(|(_, letter)| letter).collect::<String>();
        f.write_str(if letters.is_empty() { "-" } else { &letters })?;
        let permissions = (0..9).rev().zip("rwxrwxrwx".chars());
        permissions
            .map(|(bit, letter)| if self.0 >> bit & 1 == 1 { letter } else { '-' })
            .try_for_each(|c| write!(f, "{c}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_go() {
        let cases = [
            (0o100_644, 0o644, "-rw-r--r--"),
            (0o104_755, 8_389_101, "urwxr-xr-x"),
            (0o040_755, 2_147_484_141, "drwxr-xr-x"),
            (0o041_777, 2_148_532_735, "dtrwxrwxrwx"),
            (0o120_777, 134_218_239, "Lrwxrwxrwx"),
            (0o020_666, 69_206_454, "Dcrw-rw-rw-"),
            (0o060_660, 67_109_296, "Drw-rw----"),
            (0o010_600, 33_554_816, "prw-------"),
            (0o140_600, 16_777_600, "Srw-------"),
            (0o100_000, 0, "----------"),
        ];
        for (unix, go, text) in cases {
            assert_eq!(Mode::from_unix(unix), Mode(go), "{unix:o}");
            assert_eq!(Mode(go).to_string(), text);
            assert_eq!(Mode(go).unix_permissions(), unix & 0o7777);
        }
    }
}
