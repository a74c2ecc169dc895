//! One contract for every store: in memory, in a local folder, and on two real S3 servers.

use bytes::Bytes;
use futures::future::try_join_all;
use replicator_kuma::backend::{Backend, BackendOptions, Environment, ErrorKind, Location, RetryOptions, S3Options};
use replicator_kuma::format::{FileHandle, FileType, Id};

use crate::support::Repo;
use crate::support::s3::{self, S3};

const NAMED_TYPES: [FileType; 5] = [FileType::Key, FileType::Lock, FileType::Snapshot, FileType::Index, FileType::Pack];

pub(crate) fn file(file_type: FileType, content: &[u8]) -> FileHandle {
    FileHandle { file_type, id: Id::of(content) }
}

pub(crate) const CONFIG: FileHandle = FileHandle::CONFIG;

/// Bytes that no two files of a test share.
pub(crate) fn content(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(step).flatten().take(length).collect()
}

pub(crate) async fn kind<T>(
    work: impl Future<Output = Result<T, replicator_kuma::backend::BackendError>>,
) -> ErrorKind {
    work.await.map(|_| ()).expect_err("it fails").kind()
}

/// What every store must do, on a place where nothing is yet.
pub(crate) async fn keeps_the_contract(backend: &Backend) {
    an_empty_place_is_empty(backend).await;
    backend.create().await.expect("create");
    what_is_written_is_read(backend).await;
    ranges_are_exact_or_errors(backend).await;
    listings_are_whole(backend).await;
    config_is_written_once(backend).await;
    deleting_is_final_and_may_be_repeated(backend).await;
    many_at_a_time(backend).await;
}

async fn an_empty_place_is_empty(backend: &Backend) {
    for file_type in NAMED_TYPES {
        assert_eq!(backend.list(file_type).await.expect("a listing"), [], "{file_type}");
    }
    assert!(!backend.exists(&CONFIG).await.expect("looked"));
    for missing in [CONFIG, file(FileType::Pack, b"missing"), file(FileType::Snapshot, b"missing")] {
        assert_eq!(kind(backend.read(&missing)).await, ErrorKind::NotFound);
        assert_eq!(kind(backend.read_range(&missing, 0, 1)).await, ErrorKind::NotFound);
        assert_eq!(kind(backend.size(&missing)).await, ErrorKind::NotFound);
        let error = backend.read(&missing).await.expect_err("missing").to_string();
        assert!(error.contains(&missing.to_string()) && error.contains(&backend.location()), "{error}");
    }
}

async fn what_is_written_is_read(backend: &Backend) {
    for (seed, length) in [(1, 0), (2, 1), (3, 155), (4, 100_000), (5, 17 * 1024 * 1024)] {
        let bytes = content(seed, length);
        for file_type in if length > 1_000_000 { &NAMED_TYPES[4..] } else { &NAMED_TYPES } {
            let handle = file(*file_type, &bytes);
            backend.write(&handle, bytes.clone()).await.expect("write");
            assert_eq!(backend.read(&handle).await.expect("read"), bytes, "{length} bytes");
            assert_eq!(backend.size(&handle).await.expect("size"), length as u64);
            assert!(backend.exists(&handle).await.expect("exists"));
            // Named by its content, so writing it again is no overwriting.
            if length < 1000 {
                backend.write(&handle, bytes.clone()).await.expect("write again");
            }
        }
    }
}

async fn ranges_are_exact_or_errors(backend: &Backend) {
    let bytes = content(6, 50_000);
    let pack = file(FileType::Pack, &bytes);
    backend.write(&pack, bytes.clone()).await.expect("write");
    for (offset, length) in [(0, 1), (0, 50_000), (1, 49_999), (49_999, 1), (12_345, 6_789), (7, 0), (50_000, 0)] {
        let range = backend.read_range(&pack, offset, length).await.expect("a range");
        let (start, end) = (offset as usize, (offset + length) as usize);
        assert_eq!(range, bytes.slice(start..end), "{length} from {offset}");
    }
    for (offset, length) in [(0, 50_001), (49_999, 2), (50_000, 1), (60_000, 5), (1, u64::MAX), (u64::MAX, 1)] {
        assert_eq!(
            kind(backend.read_range(&pack, offset, length)).await,
            ErrorKind::TooShort,
            "{length} from {offset}"
        );
    }
}

async fn listings_are_whole(backend: &Backend) {
    let mut expected: Vec<(Id, u64)> = backend.list(FileType::Index).await.expect("a listing");
    for seed in 100..120 {
        let bytes = content(seed, seed as usize);
        let handle = file(FileType::Index, &bytes);
        expected.push((handle.id, bytes.len() as u64));
        backend.write(&handle, bytes).await.expect("write");
    }
    let mut listing = backend.list(FileType::Index).await.expect("a listing");
    listing.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listing, expected);
}

async fn config_is_written_once(backend: &Backend) {
    backend.write(&CONFIG, Bytes::from_static(b"the first")).await.expect("write");
    assert_eq!(kind(backend.write(&CONFIG, Bytes::from_static(b"the second"))).await, ErrorKind::AlreadyExists);
    assert_eq!(backend.read(&CONFIG).await.expect("read"), "the first");
    assert!(backend.exists(&CONFIG).await.expect("looked"));
    backend.delete(&CONFIG).await.expect("delete");
    backend.write(&CONFIG, Bytes::from_static(b"the second")).await.expect("write after delete");
    assert_eq!(backend.size(&CONFIG).await.expect("size"), 10);
}

async fn deleting_is_final_and_may_be_repeated(backend: &Backend) {
    for file_type in NAMED_TYPES {
        for (id, _) in backend.list(file_type).await.expect("a listing") {
            let handle = FileHandle { file_type, id };
            backend.delete(&handle).await.expect("delete");
            backend.delete(&handle).await.expect("delete again");
            assert_eq!(kind(backend.read(&handle)).await, ErrorKind::NotFound);
        }
        assert_eq!(backend.list(file_type).await.expect("a listing"), []);
    }
}

async fn many_at_a_time(backend: &Backend) {
    let packs: Vec<Bytes> = (200..240).map(|seed| content(seed, 10_000)).collect();
    let write = async |bytes: &Bytes| backend.write(&file(FileType::Pack, bytes), bytes.clone()).await;
    try_join_all(packs.iter().map(write)).await.expect("writes");
    let read = async |bytes: &Bytes| backend.read(&file(FileType::Pack, bytes)).await;
    assert_eq!(try_join_all(packs.iter().map(read)).await.expect("reads"), packs);
    assert_eq!(backend.list(FileType::Pack).await.expect("a listing").len(), packs.len());
}

/// Attempts are short: a test waits for no one.
pub(crate) fn hasty() -> BackendOptions {
    let second = std::time::Duration::from_secs(1);
    let retry =
        RetryOptions { budget: second, short_budget: second / 4, first_pause: second / 20, longest_pause: second };
    BackendOptions { retry, record_calls: true, ..BackendOptions::default() }
}

pub(crate) fn open(repo: &Repo, options: BackendOptions) -> Backend {
    let environment = repo.env.iter().cloned().collect();
    let location = Location::parse(&repo.location).expect("a location");
    Backend::open(&location, &BackendOptions { environment, ..options }).expect("a backend")
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
}

#[test]
fn memory_keeps_the_contract() {
    block_on(keeps_the_contract(&Backend::memory()));
}

#[test]
fn a_local_folder_keeps_the_contract() {
    let repo = Repo::local();
    block_on(keeps_the_contract(&open(&repo, hasty())));
}

#[test]
fn seaweed_keeps_the_contract() {
    let Some(server) = s3::seaweed() else { return };
    block_on(keeps_the_contract(&open(&server.repo(), BackendOptions::default())));
}

#[test]
fn rclone_keeps_the_contract() {
    let Some(server) = s3::rclone() else { return };
    block_on(keeps_the_contract(&open(&server.repo(), BackendOptions::default())));
}

#[test]
fn a_prefix_may_hold_any_characters() {
    for server in servers() {
        let mut repo = server.repo();
        repo.location.push_str("/a b/ü+%25/c%2fd=e&f");
        let location = Location::parse(&repo.location).expect("a location").to_string();
        let backend = open(&repo, hasty());
        assert_eq!(backend.location(), location);
        block_on(async {
            let bytes = content(7, 300);
            let key = file(FileType::Key, &bytes);
            backend.write(&key, bytes.clone()).await.expect("write");
            assert_eq!(backend.read(&key).await.expect("read"), bytes, "{}", server.name);
            assert_eq!(backend.list(FileType::Key).await.expect("a listing"), [(key.id, 300)], "{}", server.name);
        });
    }
}

#[test]
fn a_listing_of_more_than_a_thousand_files_is_whole() {
    for server in servers() {
        let backend = open(&server.repo(), BackendOptions { connections: Some(16), ..hasty() });
        block_on(async {
            let names: Vec<Bytes> = (0..1234).map(|seed| content(seed + 1000, 8)).collect();
            let write = async |bytes: &Bytes| backend.write(&file(FileType::Pack, bytes), bytes.clone()).await;
            try_join_all(names.iter().map(write)).await.expect("writes");
            let mut listing = backend.list(FileType::Pack).await.expect("a listing");
            listing.sort_unstable();
            let mut expected: Vec<(Id, u64)> = names.iter().map(|bytes| (Id::of(bytes), 8)).collect();
            expected.sort_unstable();
            assert_eq!(listing, expected, "{}", server.name);
        });
    }
}

#[test]
fn wrong_credentials_are_said_at_once() {
    for server in servers() {
        let repo = server.repo();
        for (name, value) in [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "wrong")] {
            let mut environment: Environment = repo.env.iter().cloned().collect();
            environment.set(name, value);
            let location = Location::parse(&repo.location).expect("a location");
            let backend = Backend::open(&location, &BackendOptions { environment, ..hasty() }).expect("a backend");
            block_on(async {
                let error = backend.list(FileType::Key).await.expect_err("wrong credentials");
                let expected = [ErrorKind::CredentialsRejected, ErrorKind::PermissionDenied];
                assert!(expected.contains(&error.kind()), "{}: {error:?}", server.name);
                assert_eq!(error.attempts(), 1, "{}: {error:?}", server.name);
                assert!(expected.contains(&kind(backend.exists(&CONFIG)).await), "{}", server.name);
            });
        }
    }
}

#[test]
fn a_missing_bucket_is_told_from_a_missing_file() {
    for server in servers() {
        let mut repo = server.repo();
        repo.location = repo.location.replace(s3::BUCKET, "no-such-bucket");
        let backend = open(&repo, hasty());
        block_on(async {
            assert_eq!(kind(backend.exists(&CONFIG)).await, ErrorKind::BucketMissing, "{}", server.name);
            assert_eq!(kind(backend.list(FileType::Key)).await, ErrorKind::BucketMissing, "{}", server.name);
            let bytes = content(8, 10);
            let key = file(FileType::Key, &bytes);
            assert_eq!(kind(backend.write(&key, bytes)).await, ErrorKind::BucketMissing, "{}", server.name);
            assert_eq!(backend.calls().len(), 3, "nothing is tried twice");
        });
    }
}

#[test]
fn a_region_may_be_told_by_an_option() {
    let Some(server) = s3::seaweed() else { return };
    let s3 = S3Options { region: Some("eu-elsewhere-1".to_owned()), ..S3Options::default() };
    let backend = open(&server.repo(), BackendOptions { s3, ..hasty() });
    // SeaweedFS takes any region; that the signature agrees with what was signed for is what counts here.
    block_on(async { assert_eq!(backend.list(FileType::Key).await.expect("a listing"), []) });
}

fn servers() -> Vec<&'static S3> {
    [s3::seaweed(), s3::rclone()].into_iter().flatten().collect()
}
