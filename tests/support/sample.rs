//! A folder with something of everything that a backup meets, the same at every run.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// A fresh folder `files` with files of several chunks, empty and sparse ones, odd names, links, a pipe.
pub(crate) struct Sample {
    folder: tempfile::TempDir,
}

impl Sample {
    /// Makes the folder. Names are those that every version of restic spells alike.
    pub(crate) fn new() -> Self {
        let sample = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let files = sample.files();
        fs::create_dir_all(files.join("deep/deeper/empty folder")).expect("folders");
        sample.write("several chunks", &noise(1, 3_000_000));
        sample.write("text.sql", "INSERT INTO monitor VALUES(1);\n".repeat(2000).as_bytes());
        sample.write("zeros", &[0; 600_000]);
        sample.write("empty", b"");
        sample.write("deep/the same", &noise(2, 5000));
        sample.write("deep/deeper/the same", &noise(2, 5000));
        for name in ["grüße", "日本", "quote\"d", "back\\slash", "new\nline", "<&>", "-dash", "%41", " "] {
            sample.write(name, name.as_bytes());
        }
        symlink("text.sql", files.join("link")).expect("a link");
        symlink("/nowhere/at all", files.join("dangling")).expect("a link");
        fs::hard_link(files.join("text.sql"), files.join("deep/hard link")).expect("a hard link");
        assert!(Command::new("mkfifo").arg(files.join("pipe")).status().expect("mkfifo").success());
        fs::set_permissions(files.join("several chunks"), Permissions::from_mode(0o4751)).expect("chmod");
        fs::set_permissions(files.join("deep/deeper"), Permissions::from_mode(0o1777)).expect("chmod");
        // Where the file system takes none, the sample has none.
        let _ = xattr::set(files.join("zeros"), "user.note", b"nothing\0here");
        sample
    }

    /// Where `backup files` is run.
    pub(crate) fn parent(&self) -> &Path {
        self.folder.path()
    }

    /// The folder itself.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// Writes a file, with a time that does not depend on when.
    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.files().join(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000 + content.len() as u64, 123_456_789);
        let file = File::options().append(true).open(&path).expect("the file");
        file.set_times(FileTimes::new().set_modified(time)).expect("a time");
    }

    /// What an operator does between two backups: edits, adds, removes.
    pub(crate) fn change(&self) {
        let mut content = noise(1, 3_000_000);
        content.splice(1_000_000..1_000_010, *b"an insertion in the middle");
        self.write("several chunks", &content);
        self.write("deep/new", b"added");
        fs::remove_file(self.files().join("grüße")).expect("removing");
    }
}

/// Bytes that do not compress, the same for the same seed (splitmix64).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(|| next().to_le_bytes()).take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}
