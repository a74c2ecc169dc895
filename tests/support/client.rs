//! Runs restic and replicator-kuma in one way, so that a test says who does what and nothing else.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use replicator_kuma::backend::{Backend, BackendOptions, Location};
use replicator_kuma::format::ScryptParams;
use replicator_kuma::repository::{InitOptions, Password, Repository};
use serde_json::Value;

use super::peers;

/// No command of a test takes longer: a hanging one is a failure with a name.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that speaks restic's command line: one of restic's versions, or ours.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    program: PathBuf,
    is_restic: bool,
    is_limited: bool,
}

impl Client {
    /// The binary under test.
    pub(crate) fn ours() -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_replicator-kuma"));
        Self { name: "replicator-kuma".into(), program, is_restic: false, is_limited: false }
    }

    /// restic of this version ("0.14"), or none with a word about it.
    pub(crate) fn restic(version: &str) -> Option<Self> {
        let name = format!("restic-{version}");
        let [program] = peers::find([name.as_str()])?;
        Some(Self { name, program, is_restic: true, is_limited: false })
    }

    /// The same program, held by the system to 1.2 GB of memory and files of 1 GB: a stranger's file must not
    /// cost more, and if it does, it costs this process and not the machine.
    pub(crate) fn limited(mut self) -> Self {
        self.is_limited = true;
        self
    }

    /// Runs the program on a repository, in an environment that holds nothing else.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, repo: &Repo, arguments: impl IntoIterator<Item = S>) -> Run {
        self.run_in(Path::new("/"), repo, arguments)
    }

    /// As [`Client::run`], from a folder.
    pub(crate) fn run_in<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        repo: &Repo,
        arguments: impl IntoIterator<Item = S>,
    ) -> Run {
        self.start(folder, repo, Vec::new(), arguments)
    }

    /// As [`Client::run`], with something to read on standard input.
    pub(crate) fn run_with_input<S: AsRef<OsStr>>(
        &self,
        repo: &Repo,
        input: &[u8],
        arguments: impl IntoIterator<Item = S>,
    ) -> Run {
        self.start(Path::new("/"), repo, input.to_vec(), arguments)
    }

    fn start<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        repo: &Repo,
        input: Vec<u8>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Run {
        let mut command = if self.is_limited {
            let mut shell = assert_cmd::Command::new("sh");
            shell.args(["-c", "ulimit -v 1200000; ulimit -f 2000000; exec \"$0\" \"$@\""]).arg(&self.program);
            shell
        } else {
            assert_cmd::Command::new(&self.program)
        };
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", repo.home.path()).env("TZ", "UTC");
        if self.is_limited {
            // One arena: glibc would reserve address space for each thread.
            command.env("MALLOC_ARENA_MAX", "1");
        }
        command.env("TMPDIR", repo.home.path()).env("RESTIC_REPOSITORY", &repo.location);
        command.env("RESTIC_PASSWORD", &repo.password).envs(repo.env.iter().map(|(k, v)| (k, v)));
        command.current_dir(folder).timeout(PATIENCE).write_stdin(input);
        if self.is_restic {
            command.arg("--no-cache");
        }
        let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        command.args(&arguments);
        let output = command.output().expect("the program starts");
        let line = arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ");
        Run {
            what: format!("{} {line} (repository {})", self.name, repo.location),
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Where a repository is and how it opens.
pub(crate) struct Repo {
    pub(crate) location: String,
    pub(crate) password: String,
    /// Further variables: credentials of the place.
    pub(crate) env: Vec<(String, String)>,
    /// HOME and TMPDIR of whoever works on it.
    home: tempfile::TempDir,
}

impl Repo {
    /// A repository at a location, with the suites' usual password.
    pub(crate) fn at(location: impl Into<String>) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        Self { location: location.into(), password: "geheim".into(), env: Vec::new(), home }
    }

    /// A repository to be made in a fresh folder that lives as long as this value.
    pub(crate) fn local() -> Self {
        let repo = Self::at("");
        let location = repo.home.path().join("repo").to_str().expect("UTF-8").to_owned();
        Self { location, ..repo }
    }

    /// A repository in a fresh folder whose key costs little to open: for tests of what comes after.
    pub(crate) fn made() -> Self {
        let repo = Self::local();
        let backend = Backend::open(&Location::parse(&repo.location).expect("a path"), &BackendOptions::default());
        let scrypt = Some(ScryptParams { n: 1024, r: 1, p: 1 });
        let (password, options) =
            (Password::new(repo.password.clone()), InitOptions { scrypt, ..InitOptions::default() });
        let init = async { Repository::init(backend.expect("a folder"), &password, options).await.map(drop) };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(init).expect("a new repository");
        repo
    }

    /// The same place, opened with another password.
    pub(crate) fn with_password(&self, password: &str) -> Self {
        Self { password: password.into(), env: self.env.clone(), ..Self::at(self.location.clone()) }
    }

    /// The same place on an S3 server, reached through another port of this machine: a proxy's.
    pub(crate) fn through(&self, port: u16) -> Self {
        let (start, rest) = self.location.split_once("127.0.0.1:").expect("an S3 server on loopback");
        let (_, path) = rest.split_once('/').expect("a path");
        let location = format!("{start}127.0.0.1:{port}/{path}");
        Self { password: self.password.clone(), env: self.env.clone(), ..Self::at(location) }
    }

    /// The same place with a variable more.
    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// How a command ended and what it said.
pub(crate) struct Run {
    what: String,
    /// None: a signal ended it, or our patience did.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    /// Fails the test unless the command succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails the test unless standard error says each of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "standard error does not say {word:?}: {self}");
        }
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let lines = self.text();
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}: {self}"));
        lines.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or_else(|| "by a signal or time".to_owned(), |code| code.to_string());
        write!(f, "{}\nended: {code}\n--- stdout\n{}\n--- stderr\n{}", self.what, self.text(), self.stderr)
    }
}
