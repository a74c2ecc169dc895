//! The same folder, backed up by restic and by us into one repository: the same tree, and no blob twice.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use replicator_kuma::backend::{Backend, BackendOptions, Location};
use replicator_kuma::format::{NodeType, Polynomial, ScryptParams, Snapshot, SnapshotId, Summary, TreeId};
use replicator_kuma::repository::{
    BackupError, BackupEvent, BackupOptions, BackupOutcome, Case, Event, Excludes, InitOptions, OpenOptions,
    ParentChoice, Password, Patterns, Progress, Repository, TagFile,
};
use serde_json::Value;

use crate::support::sample::{self, Sample};
use crate::support::{Client, Repo};

/// Both of us in one process group: the host's and the snapshot's name.
const HOST: &str = "the-host";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

fn backend(repo: &Repo) -> Backend {
    Backend::open(&Location::parse(&repo.location).unwrap(), &BackendOptions::default()).unwrap()
}

/// The repository as we see it, and what it tells.
async fn open(repo: &Repo) -> (Repository, Told) {
    let told = Told::default();
    let options = OpenOptions { progress: told.progress(), ..OpenOptions::default() };
    let password = Password::new(repo.password.clone());
    (Repository::open(backend(repo), &password, options).await.unwrap(), told)
}

/// The events of a backup.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<BackupEvent>>>);

impl Told {
    fn progress(&self) -> Progress {
        let told = Arc::clone(&self.0);
        Progress::new(move |event| {
            if let Event::Backup(event) = event {
                told.lock().unwrap().push(event);
            }
        })
    }

    fn failures(&self) -> Vec<String> {
        let text = |event: &BackupEvent| match event {
            BackupEvent::Failed { path, reason, .. } => Some(format!("{}: {reason}", path.display())),
            _ => None,
        };
        self.0.lock().unwrap().iter().filter_map(text).collect()
    }
}

/// Options as our command line makes them of `--host the-host`.
fn options() -> BackupOptions {
    BackupOptions { hostname: HOST.into(), program_version: "replicator-kuma".into(), ..BackupOptions::default() }
}

/// Our backup, without a parent.
fn back_up(repo: &Repo, paths: &[PathBuf], options: &BackupOptions) -> BackupOutcome {
    let (outcome, failures) = try_back_up(repo, paths, options);
    assert_eq!(failures, Vec::<String>::new());
    outcome.unwrap()
}

fn try_back_up(
    repo: &Repo,
    paths: &[PathBuf],
    options: &BackupOptions,
) -> (Result<BackupOutcome, BackupError>, Vec<String>) {
    block_on(async {
        let (repo, told) = open(repo).await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let outcome = repo.backup(index, paths, options).await;
        (outcome, told.failures())
    })
}

fn parent(repo: &Repo, paths: &[PathBuf]) -> Option<(SnapshotId, Snapshot)> {
    let choice = ParentChoice { host: Some(HOST.into()), by_paths: true, ..ParentChoice::default() };
    block_on(async { open(repo).await.0.find_parent(&choice, paths, None).await.unwrap() })
}

/// restic's backup with these arguments; its summary.
fn restic_backup(restic: &Client, repo: &Repo, arguments: &[&str]) -> Value {
    let fixed = ["backup", "--json", "--host", HOST];
    let run = restic.run(repo, fixed.iter().chain(arguments).copied().collect::<Vec<_>>()).ok();
    run.json_lines().into_iter().find(|line| line["message_type"] == "summary").expect("a summary")
}

/// The tree of a snapshot; of restic's last one if it is not named.
fn tree_of(restic: &Client, repo: &Repo, summary: &Value) -> TreeId {
    let snapshot = summary["snapshot_id"].as_str().unwrap_or("latest");
    restic.run(repo, ["cat", "snapshot", snapshot]).ok().json()["tree"].as_str().unwrap().parse().unwrap()
}

/// The tree of a folder in a tree. What is above the folder changes while other tests run.
fn folder_in(repo: &Repo, tree: TreeId, folder: &Path) -> TreeId {
    block_on(async {
        let (repo, _) = open(repo).await;
        let index = repo.load_index().await.unwrap();
        repo.find_subfolder(&index, tree, folder.to_str().unwrap()).await.unwrap()
    })
}

/// How many trees stand above a folder in a snapshot.
fn folders_above(folder: &Path) -> u64 {
    folder.components().count() as u64 - 1
}

/// Two fresh repositories that cut files alike, with a key that costs little to open.
fn twin_repositories() -> [Repo; 2] {
    let repos = [Repo::local(), Repo::local()];
    for repo in &repos {
        block_on(init(backend(repo), Password::new(repo.password.clone())));
    }
    repos
}

async fn init(backend: Backend, password: Password) -> Repository {
    let scrypt = Some(ScryptParams { n: 1024, r: 1, p: 1 });
    let chunker_polynomial = Some(Polynomial::from_bits(0x003d_a335_8b4d_c173));
    let options = InitOptions { scrypt, chunker_polynomial, ..InitOptions::default() };
    Repository::init(backend, &password, options).await.unwrap()
}

/// The sample, and what only some may make: odd names, attributes, device nodes, times far off.
fn rich_sample() -> Sample {
    let sample = Sample::new();
    let files = sample.files();
    let odd = [&b"\xff\xfe not UTF-8"[..], b"\x07\x1b[31m", "\u{202e}\u{ad}\u{1f600}\u{378}".as_bytes(), b"<&>'"];
    for name in odd {
        fs::write(files.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(b"to\xffnowhere<\xe2\x80\xa8>"), files.join("raw link"))
        .unwrap();
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
fn a_folder_gives_the_same_tree_as_with_restic_and_adds_nothing() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = rich_sample();
    let files = sample.files();
    let path = files.to_str().unwrap();
    let [repo, _] = twin_repositories();
    let theirs = restic_backup(&restic, &repo, &[path]);
    let ours = back_up(&repo, std::slice::from_ref(&files), &options());
    let wanted = folder_in(&repo, tree_of(&restic, &repo, &theirs), &files);
    assert_eq!(folder_in(&repo, ours.tree, &files), wanted);
    assert_eq!(ours.summary.data_blobs, 0);
    assert!(ours.summary.tree_blobs <= folders_above(&files));
    restic.run(&repo, ["check", "--read-data"]).ok();
}

#[test]
fn restic_adds_nothing_to_what_we_stored() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = rich_sample();
    let files = sample.files();
    let [_, repo] = twin_repositories();
    let ours = back_up(&repo, std::slice::from_ref(&files), &options());
    restic.run(&repo, ["check", "--read-data"]).ok();
    for arguments in [&["--force"][..], &[]] {
        let theirs = restic_backup(&restic, &repo, &[&[files.to_str().unwrap()], arguments].concat());
        let tree = folder_in(&repo, tree_of(&restic, &repo, &theirs), &files);
        assert_eq!(tree, folder_in(&repo, ours.tree, &files));
        assert_eq!(theirs["data_blobs"], 0);
        assert!(theirs["tree_blobs"].as_u64().unwrap() <= folders_above(&files));
    }
}

/// The counts that must be restic's own; compressed lengths differ with the compressor.
fn counts(summary: &Summary) -> Value {
    serde_json::json!({
        "files_new": summary.files_new, "files_changed": summary.files_changed,
        "files_unmodified": summary.files_unmodified, "dirs_new": summary.dirs_new,
        "data_blobs": summary.data_blobs,
        "total_files_processed": summary.total_files_processed,
        "total_bytes_processed": summary.total_bytes_processed,
    })
}

#[track_caller]
fn assert_same_counts(ours: &BackupOutcome, theirs: &Value) {
    let summary = &ours.summary;
    let ours = counts(summary);
    for (name, count) in ours.as_object().unwrap() {
        assert_eq!(*count, theirs[name], "{name}\nours {ours}\ntheirs {theirs}");
    }
    // The folder above the sample is everybody's: it may have changed between the two.
    let dirs = |changed: &Value, unmodified: &Value| changed.as_u64().unwrap() + unmodified.as_u64().unwrap();
    let (changed, unmodified) = (summary.dirs_changed, summary.dirs_unmodified);
    assert_eq!(dirs(&theirs["dirs_changed"], &theirs["dirs_unmodified"]), changed + unmodified);
    assert!(theirs["dirs_changed"].as_u64().unwrap().abs_diff(changed) <= 1, "ours {ours}\ntheirs {theirs}");
    assert!(theirs["tree_blobs"].as_u64().unwrap().abs_diff(summary.tree_blobs) <= 2, "ours {ours}\ntheirs {theirs}");
    assert!(
        theirs["data_added"].as_u64().unwrap().abs_diff(summary.data_added) <= 4000,
        "ours {ours}\ntheirs {theirs}"
    );
}

#[test]
fn what_is_counted_is_what_restic_counts() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = rich_sample();
    let files = sample.files();
    let path = files.to_str().unwrap();
    let paths = [files.clone()];
    let [theirs, ours] = twin_repositories();
    assert_same_counts(&back_up(&ours, &paths, &options()), &restic_backup(&restic, &theirs, &[path]));
    sample.change();
    fs::remove_file(files.join("many/9")).unwrap();
    fs::create_dir(files.join("many/9")).unwrap();
    run_shell("touch \"$0\"/many/10; chmod 600 \"$0\"/many/11; mv \"$0\"/many/12 \"$0\"/many/moved", &files);
    for ignore in [None, Some("--ignore-ctime"), Some("--ignore-inode")] {
        let with_parent = BackupOptions {
            parent: parent(&ours, &paths),
            ignore_ctime: ignore == Some("--ignore-ctime"),
            ignore_inode: ignore == Some("--ignore-inode"),
            ..options()
        };
        assert!(with_parent.parent.is_some());
        let made = back_up(&ours, &paths, &with_parent);
        let arguments = [&[path][..], ignore.as_slice()].concat();
        assert_same_counts(&made, &restic_backup(&restic, &theirs, &arguments));
        run_shell("chmod 640 \"$0\"/many/13; cp -p \"$0\"/many/14 \"$0\"/x; mv \"$0\"/x \"$0\"/many/14", &files);
    }
}

#[test]
fn with_atime_tells_when_files_were_read() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = Sample::new();
    let files = sample.files();
    let [repo, _] = twin_repositories();
    // In the future: the system leaves such a time as it is when something is read.
    run_shell("find \"$0\" -exec touch -h -a -d '2100-02-02 02:02:02.2Z' {} +", &files);
    let theirs = restic_backup(&restic, &repo, &[files.to_str().unwrap(), "--with-atime"]);
    let ours = back_up(&repo, std::slice::from_ref(&files), &BackupOptions { with_atime: true, ..options() });
    let wanted = folder_in(&repo, tree_of(&restic, &repo, &theirs), &files);
    assert_eq!(folder_in(&repo, ours.tree, &files), wanted);
}

/// Runs restic's backup from a folder, and ours of the same paths made absolute where that gives the same tree.
#[test]
fn excludes_leave_out_what_restic_leaves_out() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = rich_sample();
    let files = sample.files();
    run_shell(
        "cd \"$0\"; mkdir -p cache/sub tagged/sub badtag; printf 'Signature: 8a477f597d28d172789f06886806bc55\\nx' > cache/CACHEDIR.TAG;
        echo 1 > cache/sub/file; echo 1 > cache/file; touch tagged/.nobackup tagged/x tagged/sub/y; echo no > badtag/CACHEDIR.TAG;
        touch badtag/z; mkdir sub; touch sub/KEEP.TMP sub/a.tmp sub/b.log",
        &files,
    );
    let path = files.to_str().unwrap();
    let tag = |spec| TagFile::parse(spec).unwrap();
    let patterns = |patterns: &[&str], case| vec![Patterns::new(patterns, case).unwrap()];
    let anchored = format!("{path}/many/1?");
    let negated = ["*.tmp", "deep", "!deep/deeper", "many/*", "!many/[12]*"];
    let cases: Vec<(Vec<&str>, Excludes)> = vec![
        (
            vec!["--exclude", "*.tmp", "--exclude", &anchored, "--exclude", "deep/**/the*"],
            Excludes {
                patterns: patterns(&["*.tmp", &anchored, "deep/**/the*"], Case::Sensitive),
                ..Excludes::default()
            },
        ),
        (
            negated.iter().flat_map(|pattern| ["--exclude", pattern]).collect(),
            Excludes { patterns: patterns(&negated, Case::Sensitive), ..Excludes::default() },
        ),
        (
            vec!["--iexclude", "*.TMP", "--iexclude", "ZEROS"],
            Excludes { patterns: patterns(&["*.TMP", "ZEROS"], Case::Insensitive), ..Excludes::default() },
        ),
        (vec!["--exclude-caches"], Excludes { if_present: vec![TagFile::of_caches()], ..Excludes::default() }),
        (
            vec!["--exclude-if-present", ".nobackup", "--exclude-if-present", "CACHEDIR.TAG:no"],
            Excludes { if_present: vec![tag(".nobackup"), tag("CACHEDIR.TAG:no")], ..Excludes::default() },
        ),
        (vec!["--exclude-larger-than", "100k"], Excludes { larger_than_bytes: Some(102_400), ..Excludes::default() }),
        (vec!["--one-file-system"], Excludes { other_file_systems: true, ..Excludes::default() }),
    ];
    let [repo, _] = twin_repositories();
    for (arguments, excludes) in cases {
        let theirs = restic_backup(&restic, &repo, &[&[path], &arguments[..]].concat());
        let ours = back_up(&repo, std::slice::from_ref(&files), &BackupOptions { excludes, scan: true, ..options() });
        let wanted = folder_in(&repo, tree_of(&restic, &repo, &theirs), &files);
        assert_eq!(folder_in(&repo, ours.tree, &files), wanted, "{arguments:?}");
    }
}

#[test]
fn several_paths_stand_where_restic_puts_them() {
    let Some(restic) = Client::restic("0.19") else { return };
    let sample = Sample::new();
    let files = sample.files();
    run_shell("cd \"$0\"; ln -s deep linked; touch deep/deeper/x", &files);
    let [repo, _] = twin_repositories();
    let below = |name: &str| files.join(name);
    let cases = [
        vec![below("deep"), below("text.sql")],
        vec![below("deep"), below("deep/deeper/x")],
        vec![below("linked/deeper"), below("deep")],
        vec![below("deep"), below("missing"), below("./deep/../deep")],
        vec![below("link")],
    ];
    for paths in cases {
        let texts = paths.iter().map(|path| path.to_str().unwrap()).collect::<Vec<_>>();
        let arguments = [&["backup", "--json", "--host", HOST], &texts[..]].concat();
        let run = restic.run(&repo, arguments);
        let code = run.code;
        let theirs = run.json_lines().into_iter().find(|line| line["message_type"] == "summary").unwrap();
        let ours = back_up(&repo, &paths, &options());
        assert_eq!(ours.is_incomplete, code == Some(3));
        let wanted = folder_in(&repo, tree_of(&restic, &repo, &theirs), sample.parent());
        assert_eq!(folder_in(&repo, ours.tree, sample.parent()), wanted, "{texts:?}");
        let snapshot = restic.run(&repo, ["cat", "snapshot", theirs["snapshot_id"].as_str().unwrap()]).ok().json();
        assert_eq!(serde_json::json!(ours.snapshot.unwrap().1.paths), snapshot["paths"]);
    }
}

#[test]
fn a_stream_gives_the_tree_that_restic_gives_it() {
    let Some(restic) = Client::restic("0.19") else { return };
    let [repo, _] = twin_repositories();
    let time = "2024-05-06 07:08:09";
    for (name, length) in [("dump.sql", 3_000_000), ("/a/b/c.sql", 10)] {
        let content = sample::noise(7, length);
        let arguments = ["backup", "--json", "--stdin", "--stdin-filename", name, "--time", time, "--host", HOST];
        let lines = restic.run_with_input(&repo, &content, arguments).ok().json_lines();
        let tree = tree_of(&restic, &repo, lines.last().unwrap());
        let ours = block_on(async {
            let (repo, _) = open(&repo).await;
            let index = Arc::new(repo.load_index().await.unwrap());
            let time = Some("2024-05-06T07:08:09Z".parse().unwrap());
            let options = BackupOptions { time, ..options() };
            repo.backup_stream(index, Path::new(name), Box::new(std::io::Cursor::new(content)), &options).await.unwrap()
        });
        assert_eq!((ours.tree, ours.summary.tree_blobs), (tree, 0), "{name}");
        assert!(!ours.is_incomplete);
    }
}

#[test]
fn an_empty_stream_is_a_file_that_could_not_be_read() {
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let input = Box::new(std::io::empty());
        let outcome = repo.backup_stream(index, Path::new("x"), input, &options()).await.unwrap();
        assert!(outcome.is_incomplete && outcome.snapshot.is_some());
    });
}

async fn repository_in_memory() -> Repository {
    init(Backend::memory(), Password::new("geheim")).await
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_stored() {
    // Root reads everything: a file that vanishes cannot be staged, one of another user can be.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let sample = Sample::new();
    run_shell("chmod 0 \"$0\"/text.sql", &sample.files());
    let [repo, _] = twin_repositories();
    let (outcome, failures) = try_back_up(&repo, &[sample.files()], &options());
    assert!(outcome.unwrap().is_incomplete);
    assert_eq!(failures.len(), 1, "{failures:?}");
}

#[test]
fn nothing_to_back_up_is_an_error() {
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let missing = [PathBuf::from("/nowhere/at all")];
        let error = repo.backup(index, &missing, &options()).await.unwrap_err();
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
        let dry = BackupOptions { dry_run: true, ..options() };
        let calls = repo.backend().calls().len();
        let tried = repo.backup(Arc::clone(&index), &paths, &dry).await.unwrap();
        assert_eq!(repo.backend().calls().len(), calls);
        assert!(tried.snapshot.is_none());
        let made = repo.backup(index, &paths, &options()).await.unwrap();
        assert_eq!(counts(&made.summary), counts(&tried.summary));
        assert_eq!(made.summary.data_added_packed, tried.summary.data_added_packed);

        let index = Arc::new(repo.load_index().await.unwrap());
        let again = BackupOptions { parent: made.snapshot, skip_if_unchanged: true, ..options() };
        let skipped = repo.backup(index, &paths, &again).await.unwrap();
        assert!(skipped.snapshot.is_none());
        assert_eq!(skipped.tree, made.tree);
        assert_eq!(skipped.summary.files_unmodified, made.summary.files_new);
    });
}

#[test]
fn sockets_are_not_stored_and_hard_links_keep_their_inode() {
    let sample = rich_sample();
    block_on(async {
        let repo = repository_in_memory().await;
        let index = Arc::new(repo.load_index().await.unwrap());
        let made = repo.backup(index, &[sample.files()], &options()).await.unwrap();
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
