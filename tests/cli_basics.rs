//! The binary from outside: exit codes, what goes where, passwords, pipes and signals.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::fixtures::Unpacked;
use crate::support::{Client, Repo};

const PASSWORD: &str = "geheim";

/// A repository with one snapshot of a folder that holds a file `a` and an evil name.
struct Small {
    repo: Repo,
    folder: tempfile::TempDir,
}

impl Small {
    fn new() -> Small {
        let (repo, folder) = (Repo::made(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("a"), "hi\n").unwrap();
        fs::write(folder.path().join("e\u{1b}[31mvil"), "").unwrap();
        Client::ours().run_in(folder.path(), &repo, ["backup", "."]).ok();
        Small { repo, folder }
    }

    fn locks(&self) -> usize {
        let files = fs::read_dir(Path::new(&self.repo.location).join("locks")).unwrap();
        // A file on its way has a longer name, and is no lock yet.
        files.filter(|file| file.as_ref().unwrap().file_name().len() == 64).count()
    }

    /// The program with pipes for everything, still running.
    fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_replicator-kuma"))
            .args(arguments)
            .env_clear()
            .env("RESTIC_REPOSITORY", &self.repo.location)
            .env("RESTIC_PASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until a lock is there.
    fn wait_for_lock(&self) {
        let start = Instant::now();
        while self.locks() == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "no lock appeared");
            std::thread::yield_now();
        }
    }
}

fn exit_error(stderr: &str) -> Value {
    serde_json::from_str(stderr.lines().last().unwrap()).unwrap()
}

#[test]
fn exit_codes_tell_what_is_wrong_and_hints_the_way_out() {
    let ours = Client::ours();
    let small = Small::new();
    ours.run(&Repo::at("/nonexistent/repo"), ["snapshots"]).exits(10).says(&["/nonexistent/repo", "hint", "init"]);
    ours.run(&small.repo.with_password("wrong"), ["snapshots"]).exits(12).says(&["wrong password", "RESTIC_PASSWORD"]);
    ours.run(&small.repo, ["ls", "nosuchsnapshot"]).exits(1).says(&["nosuchsnapshot"]);
    ours.run(&small.repo, ["init"]).exits(1).says(&["already has a config"]);
    ours.run(&Repo::at(""), ["snapshots"]).exits(1).says(&["no repository is named", "RESTIC_REPOSITORY"]);
}

#[test]
fn a_command_line_that_cannot_be_followed_is_an_error_of_code_1() {
    let ours = Client::ours();
    let repo = Repo::at("/nonexistent/repo");
    for (arguments, word) in [
        (&["--nosuch"][..], "--nosuch"),
        (&["snapshots", "--nosuch"], "--nosuch"),
        (&["nosuch"], "nosuch"),
        (&[], "Usage"),
        (&["key"], "Usage"),
        (&["list", "nosuch"], "nosuch"),
        (&["cat", "snapshot"], "<ID>"),
        (&["restore", "latest"], "--target"),
        (&["backup"], "nothing to back up"),
        (&["snapshots", "-q", "-v"], "contradict"),
        (&["--limit-upload", "5", "snapshots"], "--limit-upload is not supported"),
        (&["-o", "local.nosuch=1", "snapshots"], "local.nosuch"),
        (&["check", "--read-data", "--read-data-subset", "1/2"], "cannot be used with"),
    ] {
        let run = ours.run(&repo, arguments).exits(1).says(&[word]);
        assert!(run.stdout.is_empty(), "{run}");
    }
    for (name, value) in [("RESTIC_COMPRESSION", "foo"), ("RESTIC_PACK_SIZE", "1"), ("RESTIC_PROGRESS_FPS", "often")] {
        let repo = Repo::at("/nonexistent/repo").with_env(name, value);
        ours.run(&repo, ["snapshots"]).exits(1).says(&[value]);
    }
}

#[test]
fn with_json_a_failure_is_an_object_on_stderr() {
    let ours = Client::ours();
    let small = Small::new();
    let runs = [
        (10, ours.run(&Repo::at("/nonexistent/repo"), ["snapshots", "--json"])),
        (12, ours.run(&small.repo.with_password("wrong"), ["--json", "snapshots"])),
        (1, ours.run(&small.repo, ["--json", "--nosuch"])),
        (1, ours.run(&small.repo, ["ls", "--json", "nosuchsnapshot"])),
    ];
    for (code, run) in runs {
        let run = run.exits(code);
        let object = exit_error(&run.stderr);
        assert_eq!((&object["message_type"], &object["code"]), (&"exit_error".into(), &code.into()), "{run}");
        assert!(object["message"].as_str().is_some_and(|text| text.starts_with("Fatal: ")), "{run}");
        assert!(run.stdout.is_empty(), "{run}");
    }
}

#[test]
fn help_is_asked_for_and_answers_on_stdout() {
    let repo = Repo::at("/nonexistent/repo");
    for arguments in [&["--help"][..], &["-h"], &["help", "key", "add"], &["backup", "--help"], &["--version"]] {
        let run = Client::ours().run(&repo, arguments).ok();
        assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{run}");
        assert!(!run.text().contains('\u{1b}'), "{run}");
    }
}

#[test]
fn the_password_comes_from_a_file_a_command_or_stdin() {
    let ours = Client::ours();
    let small = Small::new();
    let file = small.folder.path().join("password");
    fs::write(&file, format!("\u{feff} {PASSWORD}\r\n")).unwrap();
    let file = file.to_str().unwrap();
    let none = small.repo.with_password("");
    ours.run(&none, ["snapshots", "-p", file]).ok();
    ours.run(&none, ["snapshots", "--password-command", &format!("echo ' {PASSWORD}'")]).ok();
    ours.run(&small.repo.with_password("").with_env("RESTIC_PASSWORD_FILE", file), ["snapshots"]).ok();
    ours.run_with_input(&none, format!("{PASSWORD}\n").as_bytes(), ["snapshots"]).ok();
    ours.run(&none, ["snapshots"]).exits(1).says(&["empty password", "--insecure-no-password"]);
    ours.run(&none, ["snapshots", "-p", "/nonexistent/file"]).exits(1).says(&["/nonexistent/file"]);
    ours.run(&none, ["snapshots", "--password-command", "false"]).exits(1).says(&["false failed"]);
    ours.run(&small.repo, ["snapshots", "--insecure-no-password"]).exits(1).says(&["--insecure-no-password"]);
}

#[test]
fn a_repository_may_have_the_empty_password() {
    let ours = Client::ours();
    let repo = Repo::local().with_password("");
    ours.run(&repo, ["init", "--insecure-no-password"]).ok();
    ours.run(&repo, ["snapshots", "--insecure-no-password"]).ok();
    ours.run(&repo.with_password("x"), ["snapshots"]).exits(12);
}

#[test]
fn keys_are_added_changed_and_removed() {
    let ours = Client::ours();
    let small = Small::new();
    let file = small.folder.path().join("new");
    fs::write(&file, "neu\n").unwrap();
    let new = ["--new-password-file", file.to_str().unwrap()];
    ours.run(&small.repo, [&["key", "add", "--user", "anna", "--host", "there"][..], &new].concat()).ok();
    let other = small.repo.with_password("neu");
    let keys = ours.run(&other, ["key", "list", "--json"]).ok().json();
    let keys = keys.as_array().unwrap();
    assert_eq!(keys.len(), 2);
    let added = keys.iter().find(|key| key["userName"] == "anna").unwrap();
    assert_eq!((&added["hostName"], &added["current"]), (&"there".into(), &true.into()));
    ours.run(&other, ["key", "remove", added["id"].as_str().unwrap()]).exits(1).says(&["in use"]);
    let first = keys.iter().find(|key| key["current"] == false).unwrap()["id"].as_str().unwrap();
    ours.run(&other, ["key", "remove", &first[..10]]).ok();
    ours.run(&small.repo, ["snapshots"]).exits(12);
    fs::write(&file, "neuer\n").unwrap();
    ours.run(&other, [&["key", "passwd"][..], &new].concat()).ok();
    ours.run(&other, ["snapshots"]).exits(12);
    ours.run(&small.repo.with_password("neuer"), ["check", "-q"]).ok();
}

#[test]
fn chunker_parameters_are_copied_from_another_repository() {
    let ours = Client::ours();
    let first = Repo::local();
    ours.run(&first, ["init"]).ok();
    let polynomial = |repo: &Repo| ours.run(repo, ["cat", "config"]).ok().json()["chunker_polynomial"].clone();
    let second = Repo::local().with_env("RESTIC_FROM_PASSWORD", PASSWORD);
    ours.run(&second, ["init", "--repository-version", "1", "--copy-chunker-params", "--from-repo", &first.location])
        .ok();
    assert_eq!(polynomial(&first), polynomial(&second));
    assert_eq!(ours.run(&second, ["cat", "config"]).ok().json()["version"], 1);
    ours.run(&Repo::local(), ["init", "--from-repo", &first.location]).exits(1).says(&["--copy-chunker-params"]);
}

#[test]
fn names_reach_a_pipe_as_they_are() {
    let small = Small::new();
    let run = Client::ours().run(&small.repo, ["ls", "-q", "latest"]).ok();
    assert_eq!(run.text(), "/a\n/e\u{1b}[31mvil\n");
}

#[test]
fn an_incomplete_backup_is_saved_and_ends_with_3() {
    let small = Small::new();
    let a = small.folder.path().join("a");
    let run = Client::ours().run(&small.repo, ["backup", "/nonexistent/x", a.to_str().unwrap()]);
    let run =
        run.exits(3).says(&["/nonexistent/x does not exist, skipping", "at least one source file could not be read"]);
    assert!(run.text().contains("saved"), "{run}");
}

#[test]
fn a_stream_is_backed_up_and_a_command_that_fails_is_not() {
    let ours = Client::ours();
    let small = Small::new();
    ours.run_with_input(&small.repo, b"from stdin", ["backup", "--stdin", "--stdin-filename", "x"]).ok();
    assert_eq!(ours.run(&small.repo, ["dump", "latest", "x"]).ok().text(), "from stdin");
    let command = ["backup", "--stdin-from-command", "--", "sh", "-c", "echo hi; echo told >&2"];
    ours.run(&small.repo, command).ok().says(&["subprocess sh: told"]);
    assert_eq!(ours.run(&small.repo, ["dump", "latest", "stdin"]).ok().text(), "hi\n");
    let count = || ours.run(&small.repo, ["list", "snapshots"]).ok().text().lines().count();
    let before = count();
    let command = ["backup", "--stdin-from-command", "--", "sh", "-c", "echo half; exit 7"];
    ours.run(&small.repo, command).exits(1).says(&["sh failed", "7"]);
    assert_eq!(count(), before);
    let none = small.repo.with_password("");
    ours.run(&none, ["backup", "--stdin"]).exits(1).says(&["both data and password"]);
}

#[test]
fn dumps_are_files_and_archives() {
    let ours = Client::ours();
    let small = Small::new();
    assert_eq!(ours.run(&small.repo, ["dump", "latest", "/a"]).ok().stdout, b"hi\n");
    ours.run(&small.repo, ["dump", "latest", "/none"]).exits(1).says(&["/none"]);
    let tar = ours.run(&small.repo, ["dump", "latest", "/"]).ok().stdout;
    let mut archive = tar::Archive::new(tar.as_slice());
    let paths: Vec<_> = archive.entries().unwrap().map(|entry| entry.unwrap().path_bytes().into_owned()).collect();
    assert_eq!(paths, [&b"a"[..], b"e\x1b[31mvil"]);
    let target = small.folder.path().join("all.zip");
    ours.run(&small.repo, ["dump", "-a", "zip", "-t", target.to_str().unwrap(), "latest", "/"]).ok();
    assert!(fs::read(target).unwrap().starts_with(b"PK"));
    ours.run(&small.repo, ["dump", "-t", "/nonexistent/x", "latest", "/"]).exits(1).says(&["/nonexistent/x"]);
}

#[test]
fn an_archive_has_no_name_that_leads_elsewhere() {
    for name in ["name-dotdot", "name-dotdot-dir", "name-absolute", "name-slash", "name-empty", "name-dot-dir"] {
        let hostile = Unpacked::new(&format!("hostile/{name}"));
        let run = Client::ours().run(&hostile.repo("pw"), ["dump", "latest", "/"]);
        let run = run.exits(1).says(&["leaving out", "entries were left out"]);
        let mut archive = tar::Archive::new(run.stdout.as_slice());
        for entry in archive.entries().unwrap() {
            let path = entry.unwrap().path_bytes().into_owned();
            let mut parts = path.strip_suffix(b"/").unwrap_or(&path).split(|byte| *byte == b'/');
            assert!(parts.all(|part| !matches!(part, b"" | b"." | b"..")), "{name}: {path:?}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command_without_noise_and_without_a_lock() {
    let small = Small::new();
    let mut child = small.start(&["dump", "latest", "/"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(small.locks(), 0);
}

#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let small = Small::new();
    let status = Command::new(env!("CARGO_BIN_EXE_replicator-kuma"))
        .args(["snapshots", "-r", &small.repo.location])
        .env_clear()
        .env("RESTIC_PASSWORD", PASSWORD)
        .stdout(fs::File::create("/dev/full").unwrap())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_signal_ends_the_command_in_order() {
    for (signal, name) in [(rustix::process::Signal::INT, "SIGINT"), (rustix::process::Signal::TERM, "SIGTERM")] {
        let small = Small::new();
        let snapshots = || fs::read_dir(Path::new(&small.repo.location).join("snapshots")).unwrap().count();
        let before = snapshots();
        let mut child = small.start(&["backup", "--stdin"]);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"not all of it").unwrap();
        small.wait_for_lock();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
        assert!(told.contains(name), "{told}");
        assert_eq!((small.locks(), snapshots()), (0, before), "{told}");
    }
}

#[test]
fn a_lock_is_named_waited_for_and_removed() {
    let ours = Client::ours();
    let small = Small::new();
    let mut child = small.start(&["backup", "--stdin"]);
    let stdin = child.stdin.take().unwrap();
    small.wait_for_lock();
    let pid = child.id().to_string();
    ours.run(&small.repo, ["check"]).exits(11).says(&["already locked", &pid, "unlock", "--retry-lock"]);
    let run = ours.run(&small.repo, ["check", "--json"]).exits(11);
    assert_eq!(exit_error(&run.stderr)["code"], 11);
    assert_eq!(run.json()["num_errors"], 1);
    ours.run(&small.repo, ["snapshots"]).ok();
    ours.run(&small.repo, ["check", "--no-lock"]).ok();
    // The process lives: its lock is not stale.
    ours.run(&small.repo, ["unlock"]).ok();
    assert_eq!(small.locks(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdin);
    assert_eq!(small.locks(), 1, "a killed process leaves its lock");
    ours.run(&small.repo, ["check"]).exits(11).says(&["`unlock` removes it"]);
    let run = ours.run(&small.repo, ["unlock"]).ok();
    assert_eq!((run.text().as_str(), small.locks()), ("successfully removed 1 locks\n", 0));
    ours.run(&small.repo, ["check"]).ok();
}

#[test]
fn damage_is_told_with_what_helps() {
    let damaged = Unpacked::new("damaged/tree-blob-missing");
    let repo = damaged.repo("geheim");
    let run =
        Client::ours().run(&repo, ["check"]).exits(1).says(&["error:", "repository contains errors", "restic repair"]);
    assert!(!run.text().contains("no errors were found"), "{run}");
    let run = Client::ours().run(&repo, ["check", "--json"]).exits(1);
    assert!(run.json()["num_errors"].as_u64() > Some(0), "{run}");
    let first: Value = serde_json::from_str(run.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(first["message_type"], "error");
}
