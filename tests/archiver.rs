//! The same folder, backed up by restic and by us into one repository: the same tree, and no blob twice.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use replicator_kuma::backend::{Backend, BackendOptions, Location};
use replicator_kuma::format::{NodeType, Polynomial, ScryptParams, Summary};
use replicator_kuma::repository::{
    BackupError, BackupEvent, BackupOptions, Event, InitOptions, OpenOptions, Password, Progress, Repository,
};
use serde_json::Value;

use crate::support::sample::{self, Sample};
use crate::support::{Client, Repo};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

/// A fresh repository whose key costs little to open; all of them cut files alike.
fn new_repo() -> Repo {
    let repo = Repo::local();
    let backend = Backend::open(&Location::parse(&repo.location).unwrap(), &BackendOptions::default()).unwrap();
    block_on(init(backend, Password::new(repo.password.clone())));
    repo
}

async fn repository_in_memory() -> Repository {
    init(Backend::memory(), Password::new("geheim")).await
}

async fn init(backend: Backend, password: Password) -> Repository {
    let scrypt = Some(ScryptParams { n: 1024, r: 1, p: 1 });
    let chunker_polynomial = Some(Polynomial::from_bits(0x003d_a335_8b4d_c173));
    let options = InitOptions { scrypt, chunker_polynomial, ..InitOptions::default() };
    Repository::init(backend, &password, options).await.unwrap()
}

/// A backup: its tree, and the counts of its snapshot and its `--json` summary.
struct Backup {
    tree: String,
    code: Option<i32>,
    snapshot: Value,
    summary: Value,
}

impl Backup {
    /// Runs `backup` from a folder; both programs understand the arguments.
    fn run(client: &Client, repo: &Repo, folder: &Path, arguments: &[&str]) -> Self {
        let run = client.run_in(folder, repo, [&["backup", "--json", "--host", "the-host"], arguments].concat());
        let code = run.code;
        assert!(matches!(code, Some(0 | 3)), "{run}");
        let summary = run.json_lines().into_iter().find(|line| line["message_type"] == "summary");
        let summary = summary.unwrap_or_else(|| panic!("no summary: {run}"));
        let id = summary["snapshot_id"].as_str().unwrap();
        let snapshot = client.run(repo, ["cat", "snapshot", id]).ok().json();
        Self { tree: snapshot["tree"].as_str().unwrap().to_owned(), code, snapshot, summary }
    }

    /// What must be equal whoever counts; compressed lengths differ with the compressor.
    fn counts(&self) -> Value {
        let mut counts = self.snapshot["summary"].clone();
        for name in ["backup_start", "backup_end", "data_added_packed"] {
            counts.as_object_mut().unwrap().remove(name).unwrap();
        }
        for (name, count) in counts.as_object().unwrap() {
            assert_eq!(self.summary[name], *count, "{name}");
        }
        counts
    }

    #[track_caller]
    fn adds_nothing(&self) {
        assert_eq!((&self.summary["data_blobs"], &self.summary["tree_blobs"]), (&0.into(), &0.into()));
    }
}

/// The sample, and what only some may make: odd names, attributes, device nodes, times far off.
fn rich_sample() -> Sample {
    let sample = Sample::new();
    let files = sample.files();
    let odd = [&b"\xff\xfe not UTF-8"[..], b"\x07\x1b[31m", "\u{202e}\u{ad}\u{1f600}\u{378}".as_bytes(), b"<&>'"];
    for name in odd {
        fs::write(files.join(OsStr::from_bytes(name)), name).unwrap();
    }
    std::os::unix::fs::symlink(OsStr::from_bytes(b"to\xffnowhere<\xe2\x80\xa8>"), files.join("raw link")).unwrap();
    let shell = "set -e; cd \"$0\"; truncate -s 9M sparse; printf x >> sparse; mkdir -p many hollow sticky;
        for i in $(seq 300); do echo $i > many/$i; done; chmod 0 many/7; chmod 2755 many; chmod 1777 sticky;
        touch -h -d '1901-12-13 20:45:52.123456789Z' many/1 link; touch -d '2300-01-01' many/2; touch -d @0 many/3";
    run_shell(shell, &files);
    let privileged =
        "cd \"$0\"; mknod block b 259 300000; mknod char c 1 3; chown 12345:54321 many/4; chown -h 1:2 link;
        chmod 6755 many/4; true";
    run_shell(privileged, &files);
    // Version 2; then tag, permissions and id of owner, user 1000, group, mask and others.
    let no_id = u32::MAX;
    let entries = [(1, 6, no_id), (2, 6, 1000), (4, 4, no_id), (16, 6, no_id), (32, 4, no_id)];
    let acl = entries.iter().flat_map(|&(tag, permissions, id): &(u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    });
    let acl = 2_u32.to_le_bytes().into_iter().chain(acl).collect::<Vec<u8>>();
    let attributes = [
        ("many/5", "user.zz", &b"1"[..]),
        ("many/5", "user.aa", b"\0\xff"),
        ("many/5", "user.\u{e9}", b""),
        ("many/5", "trusted.t", b"x"),
        ("many/5", "security.s", b"y"),
        ("many/6", "system.posix_acl_access", &acl),
        ("sticky", "system.posix_acl_default", &acl),
    ];
    for (name, attribute, value) in attributes {
        // Only root may set some, and some file systems have none.
        let _ = xattr::set(files.join(name), attribute, value);
    }
    drop(std::os::unix::net::UnixListener::bind(files.join("socket")).unwrap());
    sample
}

fn run_shell(script: &str, folder: &Path) {
    let output = std::process::Command::new("sh").arg("-c").arg(script).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_folder_gives_the_same_tree_as_with_restic_whoever_comes_first() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = rich_sample();
    for [first, second] in [[&restic, &Client::ours()], [&Client::ours(), &restic]] {
        let repo = new_repo();
        let made = Backup::run(first, &repo, sample.parent(), &["files"]);
        restic.run(&repo, ["check", "--read-data"]).ok();
        let by_parent = Backup::run(second, &repo, sample.parent(), &["files"]);
        let read_again = Backup::run(second, &repo, sample.parent(), &["files", "--force"]);
        for again in [by_parent, read_again] {
            assert_eq!(again.tree, made.tree, "{} after {}", second.name, first.name);
            again.adds_nothing();
        }
    }
}

#[test]
fn what_is_counted_is_what_restic_counts() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = rich_sample();
    let clients = [restic, Client::ours()].map(|client| (client, new_repo()));
    let same_counts = |arguments: &[&str]| {
        let [theirs, ours] =
            clients.each_ref().map(|(client, repo)| Backup::run(client, repo, sample.parent(), arguments));
        assert_eq!(ours.tree, theirs.tree, "{arguments:?}");
        assert_eq!(ours.counts(), theirs.counts(), "{arguments:?}");
    };
    same_counts(&["files"]);
    sample.change();
    let change = "cd \"$0\"; rm many/9; mkdir many/9; touch many/10; chmod 600 many/11; mv many/12 many/moved";
    run_shell(change, &sample.files());
    for ignore in ["--no-scan", "--ignore-ctime", "--ignore-inode", "--force"] {
        same_counts(&["files", ignore]);
        run_shell("cd \"$0\"; chmod 640 many/13; cp -p many/14 x; mv x many/14; ln -sf new link", &sample.files());
    }
}

#[test]
fn with_atime_tells_when_files_were_read() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = Sample::new();
    let repo = new_repo();
    // In the future: the system leaves such a time as it is when something is read.
    run_shell("find \"$0\" -exec touch -h -a -d '2100-02-02 02:02:02.2Z' {} +", &sample.files());
    let [theirs, ours] = [restic, Client::ours()]
        .map(|client| Backup::run(&client, &repo, sample.parent(), &["files", "--with-atime", "--force"]));
    assert_eq!(ours.tree, theirs.tree);
}

#[test]
fn excludes_leave_out_what_restic_leaves_out() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = rich_sample();
    let files = "cd \"$0\"; mkdir -p cache/sub tagged/sub badtag sub; echo 1 > cache/sub/file; echo 1 > cache/file;
        printf 'Signature: 8a477f597d28d172789f06886806bc55\nx' > cache/CACHEDIR.TAG; echo no > badtag/CACHEDIR.TAG;
        touch tagged/.nobackup tagged/x tagged/sub/y badtag/z sub/KEEP.TMP sub/a.tmp sub/b.log
        printf '# comment\n*.log\n\n  !sub/b.log \n$HOME/x\nmany/2*\n' > ../patterns";
    run_shell(files, &sample.files());
    let anchored = format!("{}/many/1?", sample.files().display());
    let cases = [
        &["--exclude", "*.tmp", "--exclude", &anchored, "--exclude", "deep/**/the*"][..],
        &["-e", "*.tmp", "-e", "deep", "-e", "!deep/deeper", "-e", "many/*", "-e", "!many/[12]*"],
        &["--iexclude", "*.TMP", "--iexclude", "ZEROS", "--iexclude", "GRÜSSE", "--iexclude", "GRÜßE"],
        &["--exclude-file", "patterns", "--iexclude-file", "patterns"],
        &["--exclude-caches"],
        &["--exclude-if-present", ".nobackup", "--exclude-if-present", "CACHEDIR.TAG:no"],
        &["--exclude-larger-than", "100k"],
        &["--one-file-system"],
    ];
    let repo = new_repo();
    for arguments in cases {
        let arguments = [&["files"], arguments].concat();
        let [theirs, ours] =
            [&restic, &Client::ours()].map(|client| Backup::run(client, &repo, sample.parent(), &arguments));
        assert_eq!(ours.tree, theirs.tree, "{arguments:?}");
        assert_eq!(ours.snapshot["excludes"], theirs.snapshot["excludes"], "{arguments:?}");
        ours.adds_nothing();
    }
}

#[test]
fn several_paths_stand_where_restic_puts_them() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = Sample::new();
    run_shell("cd \"$0\"; ln -s deep linked; touch deep/deeper/x; mkdir deep/files", &sample.files());
    let files = sample.files();
    let deep = files.join("deep");
    let cases = [
        (&files, &["."][..]),
        (&files, &["./", "deep/deeper/x"]),
        (&files, &["deep", "deep/deeper/x", "text.sql"]),
        (&files, &["linked/deeper", "deep/../deep", "link"]),
        (&files, &["deep", "missing"]),
        (&deep, &[".."]),
        (&deep, &["../deep/deeper", "deeper", "../text.sql"]),
        (&deep, &["files", "../../files/empty", "hard link", "hard link"]),
    ];
    let repo = new_repo();
    for (folder, paths) in cases {
        let [theirs, ours] = [&restic, &Client::ours()].map(|client| Backup::run(client, &repo, folder, paths));
        assert_eq!(ours.tree, theirs.tree, "{paths:?}");
        assert_eq!(ours.code, theirs.code, "{paths:?}");
        assert_eq!(ours.snapshot["paths"], theirs.snapshot["paths"], "{paths:?}");
        ours.adds_nothing();
    }
}

#[test]
fn times_are_told_in_the_zone_of_the_machine() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = Sample::new();
    run_shell(
        "cd \"$0\"; touch -d '2024-07-01' summer; touch -d '2024-01-01' winter; touch -d 1880-01-01 old",
        &sample.files(),
    );
    for zone in ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns", ":/etc/localtime", "Nowhere/Else", ""] {
        let repo = new_repo().with_env("TZ", zone);
        let [theirs, ours] =
            [&restic, &Client::ours()].map(|client| Backup::run(client, &repo, sample.parent(), &["files", "--force"]));
        assert_eq!(ours.tree, theirs.tree, "{zone}");
        let offset = |backup: &Backup| {
            backup.snapshot["time"].as_str().unwrap().rsplit(['Z', '+', '-']).next().unwrap().to_owned()
        };
        assert_eq!(offset(&ours), offset(&theirs), "{zone}");
    }
}

#[test]
fn a_stream_gives_the_tree_that_restic_gives_it() {
    let Some(restic) = Client::restic("0.19") else { return };
    let repo = new_repo();
    for (name, length) in [("dump.sql", 3_000_000), ("/a/b/c.sql", 10)] {
        let content = sample::noise(7, length);
        let arguments = ["backup", "--json", "--stdin", "--stdin-filename", name, "--time", "2024-05-06 07:08:09"];
        let trees = [&restic, &Client::ours()].map(|client| {
            let lines = client.run_with_input(&repo, &content, arguments).ok().json_lines();
            let summary = lines.last().unwrap();
            let snapshot = client.run(&repo, ["cat", "snapshot", summary["snapshot_id"].as_str().unwrap()]).ok().json();
            (snapshot["tree"].clone(), snapshot["paths"].clone(), summary["total_bytes_processed"].clone())
        });
        assert_eq!(trees[0], trees[1], "{name}");
    }
}

#[test]
fn an_empty_stream_is_a_file_that_could_not_be_read() {
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let input = Box::new(std::io::empty());
        let outcome = repo.backup_stream(index, Path::new("x"), input, &BackupOptions::default()).await.unwrap();
        assert!(outcome.is_incomplete && outcome.snapshot.is_some());
    });
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_stored() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let progress = Progress::new(move |event| {
        if let Event::Backup(BackupEvent::Failed { path, reason, is_scan: false }) = event {
            listener.lock().unwrap().push((path, reason));
        }
    });
    block_on(async {
        let backend = Backend::memory();
        init(backend.clone(), Password::new("geheim")).await;
        let options = OpenOptions { progress, ..OpenOptions::default() };
        let repo = Repository::open(backend, &Password::new("geheim"), options).await.unwrap();
        let index = Arc::new(repo.load_index().await.unwrap());
        // A file that even root cannot read from its start.
        let paths = [PathBuf::from("/proc/self/mem"), PathBuf::from("Cargo.toml")];
        let outcome = repo.backup(index, &paths, &BackupOptions::default()).await.unwrap();
        assert!(outcome.is_incomplete);
        assert_eq!(outcome.summary.files_new, 1);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, PathBuf::from("/proc/self/mem"));
    });
}

#[test]
fn nothing_to_back_up_is_an_error() {
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let missing = [PathBuf::from("/nowhere/at all")];
        let error = repo.backup(index, &missing, &BackupOptions::default()).await.unwrap_err();
        assert!(matches!(error, BackupError::NoSource), "{error:?}");
    });
}

#[test]
fn a_dry_run_counts_and_writes_nothing_and_an_unchanged_tree_may_be_skipped() {
    // Of the project's folder, where nothing changes meanwhile.
    let paths = [PathBuf::from("fixtures/vectors")];
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let dry = BackupOptions { dry_run: true, ..BackupOptions::default() };
        let calls = repo.backend().calls().len();
        let tried = repo.backup(Arc::clone(&index), &paths, &dry).await.unwrap();
        assert_eq!(repo.backend().calls().len(), calls);
        assert!(tried.snapshot.is_none());
        let made = repo.backup(index, &paths, &BackupOptions::default()).await.unwrap();
        let untimed = |mut summary: Summary| {
            (summary.backup_start, summary.backup_end) = Default::default();
            summary
        };
        assert_eq!(untimed(made.summary.clone()), untimed(tried.summary));

        let index = Arc::new(repo.load_index().await.unwrap());
        let again = BackupOptions { parent: made.snapshot, skip_if_unchanged: true, ..BackupOptions::default() };
        let skipped = repo.backup(index, &paths, &again).await.unwrap();
        assert!(skipped.snapshot.is_none());
        assert_eq!(skipped.tree, made.tree);
        assert_eq!(skipped.summary.files_unmodified, made.summary.files_new);
    });
}

#[test]
fn what_has_not_changed_costs_two_requests() {
    let paths = ["src", "tests", "fixtures/vectors"].map(PathBuf::from);
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let made = repo.backup(index, &paths, &BackupOptions::default()).await.unwrap();
        let index = Arc::new(repo.load_index().await.unwrap());
        let before = repo.backend().calls().len();
        let again = BackupOptions { parent: made.snapshot, ..BackupOptions::default() };
        let unchanged = repo.backup(index, &paths, &again).await.unwrap();
        assert_eq!(unchanged.tree, made.tree);
        assert_eq!(unchanged.summary.files_unmodified, made.summary.files_new);
        assert!(made.summary.dirs_new > 20, "{:?}", made.summary);
        // All trees of the parent in one read, and the new snapshot.
        let calls = repo.backend().calls().split_off(before);
        assert_eq!(calls.len(), 2, "{calls:?}");
    });
}

#[test]
fn sockets_are_not_stored_and_hard_links_keep_their_inode() {
    let sample = rich_sample();
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let made = repo.backup(index, &[sample.files()], &BackupOptions::default()).await.unwrap();
        let index = repo.load_index().await.unwrap();
        let folder = repo.find_subfolder(&index, made.tree, sample.files().to_str().unwrap()).await.unwrap();
        let nodes = repo.load_tree(&index, folder).await.unwrap().nodes;
        assert!(nodes.iter().all(|node| node.node_type != NodeType::Socket && node.name != b"socket"));
        let deep = nodes.iter().find(|node| node.name == b"deep").unwrap().subtree.unwrap();
        let linked = repo.load_tree(&index, deep).await.unwrap().nodes;
        let linked = linked.iter().find(|node| node.name == b"hard link").unwrap();
        let named = nodes.iter().find(|node| node.name == b"text.sql").unwrap();
        assert_eq!((named.inode, named.links, &named.content), (linked.inode, 2, &linked.content));
    });
}
