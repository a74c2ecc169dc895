use super::*;
use crate::backend::{Effect, ErrorKind, Fault};

async fn writer(repo: &Repository) -> BlobWriter {
    BlobWriter::new(repo, Arc::new(repo.load_index().await.unwrap()))
}

#[tokio::test]
async fn a_small_snapshot_is_four_writes_packs_before_index_before_snapshot() {
    let repo = repository().await;
    take_calls(&repo);
    store(&repo, b"hello").await;
    assert_eq!(take_calls(&repo), ["list index", "write data", "write data", "write index", "write snapshots"]);
}

#[tokio::test]
async fn what_is_there_already_is_not_written_again() {
    let repo = repository().await;
    store(&repo, b"hello").await;
    take_calls(&repo);
    store(&repo, b"hello").await;
    assert_eq!(take_calls(&repo), ["list index", "read index", "write snapshots"]);
}

#[tokio::test]
async fn a_blob_saved_twice_is_stored_once_also_before_it_is_stored() {
    let repo = repository().await;
    let writer = writer(&repo).await;
    let first = writer.save(BlobKind::Data, b"x".to_vec()).await.unwrap();
    let second = writer.save(BlobKind::Data, b"x".to_vec()).await.unwrap();
    // The same bytes as a tree are another blob.
    let tree = writer.save(BlobKind::Tree, b"x".to_vec()).await.unwrap();
    assert!(first.is_new && first.stored_bytes > 32);
    assert_eq!(second, SavedBlob { id: first.id, is_new: false, stored_bytes: 0 });
    assert!(tree.is_new);
    assert!(writer.saver().contains(&BlobHandle::data(first.id)));
    let summary = writer.finish().await.unwrap();
    assert_eq!(summary.packs.iter().map(|pack| pack.blobs.len()).sum::<usize>(), 2);
}

#[tokio::test]
async fn nothing_saved_is_nothing_written() {
    let repo = repository().await;
    let writer = writer(&repo).await;
    take_calls(&repo);
    assert_eq!(writer.finish().await.unwrap(), WriteSummary::default());
    assert_eq!(take_calls(&repo), [""; 0]);
}

#[tokio::test]
async fn packs_are_closed_when_they_are_full_and_trees_never_lie_beside_data() {
    let repo = reopened(&repository().await, OpenOptions { pack_size_bytes: 4 << 20, ..options() }).await;
    let writer = writer(&repo).await;
    for seed in 0..5 {
        writer.save(BlobKind::Data, noise(seed, 1 << 20)).await.unwrap();
        writer.save(BlobKind::Tree, noise(seed, 1 << 10)).await.unwrap();
    }
    let summary = writer.finish().await.unwrap();
    let mut packs: Vec<(usize, bool)> = Vec::new();
    for pack in &summary.packs {
        let trees = pack.blobs.iter().filter(|packed| packed.blob.kind == BlobKind::Tree).count();
        assert!(trees == 0 || trees == pack.blobs.len());
        packs.push((pack.blobs.len(), trees > 0));
    }
    packs.sort_unstable();
    assert_eq!(packs, [(1, false), (4, false), (5, true)]);
    assert_eq!(summary.indexes.len(), 1);
    assert!(
        repo.check(&CheckOptions { read_data: ReadData::All, ..CheckOptions::default() }).await.unwrap().is_healthy()
    );
}

#[tokio::test]
async fn a_dry_run_counts_as_the_real_one_and_writes_nothing() {
    let repo = repository().await;
    let index = Arc::new(repo.load_index().await.unwrap());
    take_calls(&repo);
    let writer = BlobWriter::dry_run(&repo, index);
    assert!(writer.save(BlobKind::Data, b"x".to_vec()).await.unwrap().is_new);
    assert!(!writer.save(BlobKind::Data, b"x".to_vec()).await.unwrap().is_new);
    writer.finish().await.unwrap();
    assert_eq!(take_calls(&repo), [""; 0]);
}

/// The writes of `store` on a fresh repository, one after the other.
const WRITES: usize = 4;

#[tokio::test]
async fn a_crash_after_any_write_leaves_a_repository_that_checks_clean() {
    for done in 0..=WRITES {
        let repo = repository().await;
        store(&repo, b"before").await;
        repo.backend().inject(Fault {
            operation: Some(Operation::Write),
            file_type: None,
            skip: done,
            times: usize::MAX,
            effect: Effect::Fail(ErrorKind::Io),
        });
        let crashed = reopened(&repo, options()).await;
        let outcome = tokio::spawn(async move { store(&crashed, b"after").await }).await;
        assert_eq!(outcome.is_ok(), done == WRITES, "{done}");
        let read_data = ReadData::All;
        let report = repo.check(&CheckOptions { read_data, ..CheckOptions::default() }).await.unwrap();
        assert!(report.is_healthy(), "after {done} writes: {:?}", report.findings);
        let snapshots = repo.snapshots().await.unwrap().len();
        assert_eq!(snapshots, if done == WRITES { 2 } else { 1 });
    }
}

#[tokio::test]
async fn the_error_of_an_upload_is_what_finish_returns() {
    let repo = repository().await;
    let writer = writer(&repo).await;
    repo.backend().inject(Fault {
        operation: Some(Operation::Write),
        file_type: Some(FileType::Pack),
        skip: 0,
        times: usize::MAX,
        effect: Effect::Fail(ErrorKind::Full),
    });
    writer.save(BlobKind::Data, b"x".to_vec()).await.unwrap();
    let error = writer.finish().await.unwrap_err();
    assert!(matches!(&error, RepositoryError::Backend(error) if error.kind() == ErrorKind::Full), "{error}");
    assert_eq!(repo.list(FileType::Index).await.unwrap(), []);
}

#[tokio::test]
async fn after_a_failed_upload_saving_stops() {
    let repo = reopened(&repository().await, OpenOptions { pack_size_bytes: 4 << 20, ..options() }).await;
    let writer = writer(&repo).await;
    repo.backend().inject(Fault {
        operation: Some(Operation::Write),
        file_type: Some(FileType::Pack),
        skip: 0,
        times: usize::MAX,
        effect: Effect::Fail(ErrorKind::Full),
    });
    let mut seed = 0;
    let error = loop {
        seed += 1;
        if let Err(error) = writer.save(BlobKind::Data, noise(seed, 4 << 20)).await {
            break error;
        }
        assert!(seed < 100, "nobody stopped us");
    };
    assert!(matches!(error, RepositoryError::WriterStopped), "{error}");
    let error = writer.finish().await.unwrap_err();
    assert!(matches!(error, RepositoryError::Backend(_)), "{error}");
}

#[tokio::test]
async fn a_writer_that_is_dropped_stops_and_counts_for_nothing() {
    let repo = repository().await;
    let writer = writer(&repo).await;
    let saver = writer.saver();
    writer.save(BlobKind::Data, b"x".to_vec()).await.unwrap();
    drop(writer);
    let outcome = crate::blocking::run(move || saver.save(BlobKind::Data, b"y")).await;
    assert!(matches!(outcome, Err(RepositoryError::WriterStopped)));
    assert_eq!(repo.list(FileType::Index).await.unwrap(), []);
}
