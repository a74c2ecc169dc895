//! A server that cannot outlive the tests: a shell waits on a pipe that we hold, and ends the server
//! when the pipe closes, however the test process ended (statics are never dropped, and a killed
//! process drops nothing).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Starts the server given after `--`, and, when standard input ends, stops it and removes `$0`.
const KEEPER: &str = r#"
home=$0; cleanup=$1; shift
"$@" </dev/null & server=$!
read -r _ || true
kill "$server" 2>/dev/null; wait "$server"
rm -rf "$home"; eval "$cleanup"
"#;

/// A server and its folder, both gone when this is dropped or the process ends.
pub(crate) struct Server {
    keeper: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `command`, with its output in `home/log`. `home` is removed at the end, and `cleanup`
    /// (shell) is run then.
    pub(crate) fn start(home: &Path, cleanup: &str, program: &Path, arguments: &[String]) -> Self {
        let log = home.join("log");
        let output = File::create(&log).expect("a log file");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(home)
            .arg(cleanup)
            .arg(program)
            .args(arguments)
            .env("RCLONE_CONFIG", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("sh starts");
        Self { keeper, log }
    }

    /// What the server has printed so far: the story of a failed start.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper was asked to end; nothing is left to do with how it ended.
        let _ = self.keeper.wait();
    }
}
