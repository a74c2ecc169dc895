//! The library and real restic on one repository: each reads, checks, locks and opens what the other made.

use std::sync::Arc;
use std::time::Duration;

use replicator_kuma::backend::{Backend, BackendOptions, Location};
use replicator_kuma::format::{BlobKind, Node, NodeType, ScryptParams, Snapshot, Time, Tree, TreeId, Version};
use replicator_kuma::repository::{
    BlobWriter, CheckOptions, InitOptions, KeyOwner, LockMode, OpenOptions, Password, ReadData, Repository,
    RepositoryError,
};

use super::support::{Client, Repo};

const CHEAP: Option<ScryptParams> = Some(ScryptParams { n: 1024, r: 8, p: 1 });
const VERSIONS: [&str; 3] = ["0.14", "0.18", "0.19"];

fn backend(repo: &Repo) -> Backend {
    Backend::open(&Location::parse(&repo.location).unwrap(), &BackendOptions::default()).unwrap()
}

async fn init(repo: &Repo, version: Version) -> Repository {
    let options = InitOptions { version, scrypt: CHEAP, ..InitOptions::default() };
    Repository::init(backend(repo), &Password::new(repo.password.as_str()), options).await.unwrap()
}

async fn open(repo: &Repo) -> Repository {
    Repository::open(backend(repo), &Password::new(repo.password.as_str()), OpenOptions::default()).await.unwrap()
}

/// A snapshot of one file in one folder.
async fn store(repo: &Repository, content: &[u8]) {
    let writer = BlobWriter::new(repo, Arc::new(repo.load_index().await.unwrap()));
    let mut file = Node::new("file", NodeType::File);
    file.size = content.len() as u64;
    file.content = Some(vec![writer.save(BlobKind::Data, content.to_vec()).await.unwrap().id]);
    let mut folder = Node::new("folder", NodeType::Dir);
    folder.subtree = Some(save_tree(&writer, file).await);
    let tree = save_tree(&writer, folder).await;
    writer.finish().await.unwrap();
    let time = Time::from_unix(1_700_000_000, 0, 0);
    repo.save_snapshot(&Snapshot::new(time, tree, vec!["/folder".to_owned()])).await.unwrap();
}

async fn save_tree(writer: &BlobWriter, node: Node) -> TreeId {
    let content = Tree { nodes: vec![node] }.encode().unwrap();
    let saved = writer.save(BlobKind::Tree, content).await.unwrap();
    TreeId::from_bytes(*saved.id.as_bytes())
}

async fn assert_healthy(repo: &Repository) {
    let report = repo.check(&CheckOptions { read_data: ReadData::All, ..CheckOptions::default() }).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[tokio::test]
async fn restic_checks_and_reads_what_the_library_wrote_and_the_other_way_round() {
    for version in VERSIONS {
        let Some(restic) = Client::restic(version) else { continue };
        for format in [Version::V1, Version::V2] {
            let place = Repo::local();
            let repo = init(&place, format).await;
            store(&repo, b"from the library").await;
            restic.run(&place, ["check", "--read-data"]).ok();
            let dumped = restic.run(&place, ["dump", "latest", "/folder/file"]).ok();
            assert_eq!(dumped.stdout, b"from the library");
            restic.run(&place, ["backup", "--quiet", concat!(env!("CARGO_MANIFEST_DIR"), "/src")]).ok();
            assert_healthy(&open(&place).await).await;
            store(&open(&place).await, b"and once more").await;
            restic.run(&place, ["check", "--read-data"]).ok();
            restic.run(&place, ["forget", "--prune", "--keep-last=1", "--group-by="]).ok();
            assert_healthy(&open(&place).await).await;
        }
    }
}

#[tokio::test]
async fn keys_of_each_open_for_the_other() {
    let Some(restic) = Client::restic("0.19") else { return };
    let place = Repo::local();
    let repo = init(&place, Version::V2).await;
    let owner = KeyOwner { username: "grace".to_owned(), hostname: "there".to_owned() };
    repo.add_key(&Password::new("second"), &owner, CHEAP).await.unwrap();
    let keys = restic.run(&place.with_password("second"), ["key", "list", "--json"]).ok().json();
    assert!(keys.as_array().unwrap().iter().any(|key| key["userName"] == "grace" && key["current"] == true));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "third").unwrap();
    restic.run(&place, ["key", "passwd", "--new-password-file", file.path().to_str().unwrap()]).ok();
    assert_eq!(open(&place.with_password("third")).await.config(), repo.config());
    let password = Password::new(place.password.as_str());
    let error = Repository::open(backend(&place), &password, OpenOptions::default()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::WrongPassword { .. }), "{error}");
}

#[tokio::test]
async fn locks_of_each_hold_the_other_off() {
    let Some(restic) = Client::restic("0.19") else { return };
    let place = Repo::local();
    let repo = init(&place, Version::V2).await;
    // restic asks whether we live by a real SIGHUP, which would be the end of this process (restic-format 13.11).
    let _outlived = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).unwrap();
    let work = async {
        restic.run(&place, ["snapshots"]).ok();
        restic.run(&place, ["check"]).exits(11).says(&[&format!("PID {}", std::process::id())]);
        // We live: unlocking by the stale rules leaves our lock alone.
        restic.run(&place, ["unlock"]).ok();
        assert_eq!(repo.remove_stale_locks().await?, []);
        restic.run(&place, ["check"]).exits(11);
        Ok::<_, RepositoryError>(())
    };
    repo.locked(LockMode::Shared, Duration::ZERO, work).await.unwrap();
    restic.run(&place, ["check"]).ok();
    let work = async {
        restic.run(&place, ["snapshots"]).exits(11).says(&["locked exclusively"]);
        Ok::<_, RepositoryError>(())
    };
    repo.locked(LockMode::Exclusive, Duration::ZERO, work).await.unwrap();
}
