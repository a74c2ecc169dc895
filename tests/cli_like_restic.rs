//! What we print beside what restic 0.19 prints of the same repository.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::Value;

use crate::support::{Client, Repo, Run};

/// A repository that restic wrote, with snapshots of two hosts, tags, and odd names.
struct Both {
    repo: Repo,
    restic: Client,
    ours: Client,
    _folder: tempfile::TempDir,
}

impl Both {
    fn new() -> Option<Both> {
        let restic = Client::restic("0.19")?;
        let (repo, folder) = (Repo::made(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("src/folder/deep")).unwrap();
        fs::write(at("src/a.txt"), "hi\n").unwrap();
        fs::write(at("src/folder/b.sh"), vec![b'x'; 3000]).unwrap();
        fs::write(at("src/folder/deep/empty"), "").unwrap();
        fs::write(at("src/e\u{1b}[31mvil \"<&>\" ü"), "1").unwrap();
        fs::set_permissions(at("src/folder/b.sh"), fs::Permissions::from_mode(0o4755)).unwrap();
        symlink("a.txt", at("src/link")).unwrap();
        let back_up = |arguments: &[&str]| restic.run_in(folder.path(), &repo, [&["backup"], arguments].concat()).ok();
        back_up(&["src", "--host", "one", "--time", "2024-01-02 03:04:05"]);
        back_up(&["src/folder", "src/a.txt", "--host", "two", "--tag", "x,y", "--time", "2024-02-03 04:05:06"]);
        back_up(&["src", "--host", "one", "--tag", "z", "--time", "2024-03-04 05:06:07"]);
        Some(Both { repo, restic, ours: Client::ours(), _folder: folder })
    }

    fn run(&self, arguments: &[&str]) -> (Run, Run) {
        (self.restic.run(&self.repo, arguments), self.ours.run(&self.repo, arguments))
    }

    /// Both print the very same bytes.
    #[track_caller]
    fn same(&self, arguments: &[&str]) {
        let (theirs, ours) = self.run(arguments);
        assert_eq!(theirs.text(), ours.text(), "{theirs}\n{ours}");
        assert_eq!(theirs.code, ours.code, "{theirs}\n{ours}");
    }

    /// Both print the same lines, in an order that restic leaves open.
    #[track_caller]
    fn same_lines(&self, arguments: &[&str]) {
        let (theirs, ours) = self.run(arguments);
        let sorted = |run: &Run| {
            let mut lines: Vec<String> = run.text().lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&theirs), sorted(&ours), "{theirs}\n{ours}");
    }
}

#[test]
fn snapshots_are_listed_alike() {
    let Some(both) = Both::new() else { return };
    for arguments in [
        &["snapshots"][..],
        &["snapshots", "--compact"],
        &["snapshots", "--json"],
        &["snapshots", "--latest", "1"],
        &["snapshots", "--latest", "1", "--json"],
        &["snapshots", "--host", "two"],
        &["snapshots", "--tag", "x", "--tag", "z"],
        &["snapshots", "--tag", ""],
        &["snapshots", "--host", "none"],
        &["snapshots", "--json", "--host", "none"],
        &["snapshots", "latest"],
        &["snapshots", "--group-by", "host", "--host", "two"],
        &["snapshots", "--group-by", "host,paths,tags", "--json", "--host", "two"],
    ] {
        both.same(arguments);
    }
    let (theirs, ours) = both.run(&["snapshots", "--group-by", "tags", "--json"]);
    let groups = |run: Run| {
        let mut groups: Vec<String> = run.json().as_array().unwrap().iter().map(Value::to_string).collect();
        groups.sort();
        groups
    };
    assert_eq!(groups(theirs), groups(ours));
}

#[test]
fn files_are_listed_alike() {
    let Some(both) = Both::new() else { return };
    for arguments in [
        &["ls", "latest"][..],
        &["ls", "-l", "latest"],
        &["ls", "-l", "--human-readable", "latest"],
        &["ls", "--json", "latest"],
        &["ls", "--ncdu", "latest"],
        &["ls", "-q", "latest", "/src/folder"],
        &["ls", "-q", "latest", "/src/folder", "--recursive"],
        &["ls", "-q", "latest", "/none"],
        &["ls", "-q", "latest:src/folder"],
        &["ls", "-q", "--host", "two", "latest"],
        &["ls", "-q", "latest", "--sort", "size"],
        &["ls", "-q", "latest", "--sort", "extension", "--reverse"],
        &["ls", "-q", "latest", "--reverse"],
    ] {
        both.same(arguments);
    }
}

#[test]
fn objects_are_printed_alike() {
    let Some(both) = Both::new() else { return };
    for kind in ["packs", "index", "snapshots", "keys", "locks", "blobs"] {
        both.same_lines(&["list", kind]);
    }
    let first = |kind: &str| both.ours.run(&both.repo, ["list", kind]).text().lines().next().unwrap().to_owned();
    both.same(&["cat", "config"]);
    both.same(&["cat", "masterkey"]);
    for (kind, list) in [("snapshot", "snapshots"), ("index", "index"), ("key", "keys"), ("pack", "packs")] {
        both.same(&["cat", kind, &first(list)]);
    }
    let snapshot = first("snapshots");
    both.same(&["cat", "tree", &format!("{}:", &snapshot[..12])]);
    let blob = first("blobs");
    both.same(&["cat", "blob", blob.split_once(' ').unwrap().1]);
    both.same(&["key", "list"]);
    both.same(&["key", "list", "--json"]);
}

#[test]
fn contents_are_dumped_alike() {
    let Some(both) = Both::new() else { return };
    both.same(&["dump", "latest", "/src/a.txt"]);
    both.same(&["dump", "latest:src", "folder/b.sh"]);
    let entries = |run: Run| {
        let bytes = run.ok().stdout;
        let mut archive = tar::Archive::new(bytes.as_slice());
        let describe = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            let header = entry.header();
            let what = (header.mode().unwrap(), header.uid().unwrap(), header.mtime().unwrap(), header.entry_type());
            let link = entry.link_name_bytes().map(|link| link.into_owned());
            (entry.path_bytes().into_owned(), what, link, content)
        };
        archive.entries().unwrap().map(describe).collect::<Vec<_>>()
    };
    for path in ["/", "/src/folder"] {
        let (theirs, ours) = both.run(&["dump", "latest", path]);
        assert_eq!(entries(theirs), entries(ours), "{path}");
    }
}

#[test]
fn checks_conclude_alike() {
    let Some(both) = Both::new() else { return };
    both.same(&["check", "--json"]);
    both.same(&["check", "--json", "--read-data"]);
}

/// The names of an object's fields, in their order.
fn fields(object: &Value) -> Vec<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn summaries_have_the_same_fields() {
    let Some(both) = Both::new() else { return };
    let summary = |run: &Run| run.json_lines().into_iter().find(|line| line["message_type"] == "summary").unwrap();
    let source = both._folder.path().join("src");
    let (theirs, ours) = both.run(&["backup", "--json", source.to_str().unwrap()]);
    assert_eq!(fields(&summary(&theirs)), fields(&summary(&ours)), "{theirs}\n{ours}");
    let restore = |client: &Client, name: &str| {
        let target = both._folder.path().join(name);
        client.run(&both.repo, ["restore", "latest", "--json", "-vv", "--target", target.to_str().unwrap()]).ok()
    };
    let (theirs, ours) = (restore(&both.restic, "theirs"), restore(&both.ours, "ours"));
    let sorted = |run: &Run| {
        let mut lines: Vec<String> = run.json_lines().iter().map(Value::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&theirs), sorted(&ours), "{theirs}\n{ours}");
}

#[test]
fn failures_have_the_same_codes() {
    let Some(both) = Both::new() else { return };
    for arguments in [
        &["ls", "nosuch"][..],
        &["ls", "latest:nosuch"],
        &["ls"],
        &["snapshots", "nosuch"],
        &["cat", "snapshot", "nosuch"],
        &["dump", "latest", "/nosuch"],
        &["restore", "latest"],
        &["restore", "nosuch", "--target", "/nonexistent/x"],
        &["backup", "/nonexistent/x"],
        &["list", "nosuch"],
        &["--nosuch"],
        &["key", "remove", "nosuch"],
        &["check", "--read-data-subset", "2/1"],
    ] {
        let (theirs, ours) = both.run(arguments);
        assert_eq!(theirs.code, ours.code, "{theirs}\n{ours}");
        assert!(ours.stdout.is_empty(), "{ours}");
    }
    for repo in [Repo::at("/nonexistent/repo"), both.repo.with_password("wrong")] {
        let (theirs, ours) = (both.restic.run(&repo, ["snapshots"]), both.ours.run(&repo, ["snapshots"]));
        assert_eq!(theirs.code, ours.code, "{theirs}\n{ours}");
    }
}
