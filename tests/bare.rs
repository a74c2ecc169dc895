//! The binary on a host that has nothing: an empty root folder that it may not write to, an unprivileged user, no
//! variables but its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::tls::Authority;
use crate::support::{Client, Repo, peers, rest, s3};

/// A root folder with the binary and a file in it, and nothing else; read-only.
struct Bare {
    root: tempfile::TempDir,
}

/// What the file at `/ca.pem` is for, besides being backed up.
const CA: &str = "/ca.pem";

impl Bare {
    /// None, with a word about it, for whoever may not change the root folder.
    fn new(cacert: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !Path::new("/usr/sbin/chroot").exists() {
            peers::skip("only root may chroot");
            return None;
        }
        // Beside the binary, which can then be linked instead of copied.
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let binary = Path::new(env!("CARGO_BIN_EXE_replicator-kuma"));
        fs::hard_link(binary, root.path().join("replicator-kuma")).expect("a link to the binary");
        fs::copy(cacert, root.path().join("ca.pem")).expect("a copy");
        fs::set_permissions(root.path().join("ca.pem"), fs::Permissions::from_mode(0o444)).expect("a mode");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o555)).expect("a mode");
        Some(Self { root })
    }

    /// What is in the root folder.
    fn names(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.path()).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into()).collect();
        names.sort();
        names
    }

    fn run(&self, repo: &Repo, arguments: &[&str]) -> Output {
        let mut command = Command::new("/usr/sbin/chroot");
        command.arg("--userspec=65534:65534").arg(self.root.path()).arg("/replicator-kuma").args(arguments);
        command.env_clear().env("RESTIC_REPOSITORY", &repo.location).env("RESTIC_PASSWORD", &repo.password);
        command.envs(repo.env.iter().map(|(name, value)| (name, value)));
        command.output().expect("chroot starts")
    }

    #[track_caller]
    fn ok(&self, repo: &Repo, arguments: &[&str]) -> String {
        let output = self.run(repo, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} on {}: {:?}\n{stderr}", repo.location, output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A repository from its making to what comes back out of it.
    fn works_on(&self, repo: &Repo) {
        self.ok(repo, &["init"]);
        self.ok(repo, &["backup", CA]);
        assert!(self.ok(repo, &["snapshots"]).contains(CA), "{}", repo.location);
        self.ok(repo, &["check", "--read-data"]);
        let ca = fs::read_to_string(self.root.path().join("ca.pem")).expect("a file");
        assert_eq!(self.ok(repo, &["dump", "latest", CA]), ca, "{}", repo.location);
        assert_eq!(self.names(), ["ca.pem", "replicator-kuma"].map(PathBuf::from), "nothing was left behind");
    }
}

fn named(mut repo: Repo, from: &str, to: &str) -> Repo {
    repo.location = repo.location.replace(from, to);
    repo
}

#[test]
fn an_empty_root_folder_is_enough_to_say_what_it_is() {
    let Some(bare) = Bare::new(&Authority::new().cacert()) else { return };
    let nowhere = Repo::at("");
    assert!(bare.ok(&nowhere, &["--version"]).starts_with("replicator-kuma"));
    assert!(bare.ok(&nowhere, &["--help"]).contains("publish"));
}

#[test]
fn an_empty_root_folder_is_enough_for_s3_by_address_by_name_and_by_tls() {
    let authority = Authority::new();
    let (Some(bare), Some(server)) = (Bare::new(&authority.cacert()), s3::seaweed()) else { return };
    bare.works_on(&server.repo());
    bare.works_on(&named(server.repo(), "127.0.0.1", "localhost"));
    let secure = server.repo().through(authority.terminate(server.port, false));
    let secure = named(secure, "http://127.0.0.1", "https://localhost");
    let refused = bare.run(&secure, &["init"]);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && stderr.contains("--cacert"), "an authority nobody named: {stderr}");
    let secure = secure.with_env("RESTIC_CACERT", CA);
    bare.works_on(&secure);
    // And it is a repository for others, too.
    if let Some(restic) = Client::restic("0.19") {
        let cacert = authority.cacert().to_str().expect("UTF-8").to_owned();
        let secure = s3::with_credentials(Repo::at(secure.location.clone())).with_env("RESTIC_CACERT", &cacert);
        restic.run(&secure, ["check", "--read-data"]).ok();
    }
}

#[test]
fn an_empty_root_folder_is_enough_for_a_rest_server_by_tls() {
    let authority = Authority::new();
    let (Some(bare), Some(server)) = (Bare::new(&authority.cacert()), rest::rest_server()) else { return };
    let repo = server.repo().through(authority.terminate(server.port, false));
    bare.works_on(&named(repo, "http://127.0.0.1", "https://localhost").with_env("RESTIC_CACERT", CA));
}

#[test]
fn a_name_that_nobody_can_look_up_is_said_to_be_so() {
    let Some(bare) = Bare::new(&Authority::new().cacert()) else { return };
    let repo = s3::with_credentials(Repo::at("s3:https://s3.example.org/bucket"));
    let output = bare.run(&repo, &["snapshots"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("/etc/resolv.conf is missing"), "{stderr}");
}
