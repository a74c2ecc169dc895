use bytes::Bytes;
use futures::StreamExt;

use super::*;
use crate::backend::{Effect, Fault};
use crate::format::{BlobId, FileHandle, Id, PackId};

/// Stores blobs in one pack, and returns their handles in order.
async fn stored(repo: &Repository, contents: &[Vec<u8>]) -> Vec<BlobHandle> {
    let writer = BlobWriter::new(repo, Arc::default());
    let mut blobs = Vec::new();
    for content in contents {
        blobs.push(BlobHandle::data(writer.save(BlobKind::Data, content.clone()).await.unwrap().id));
    }
    writer.finish().await.unwrap();
    blobs
}

async fn corrupt(repo: &Repository, pack: PackId, at: usize) {
    let file = FileHandle::from(pack);
    let mut bytes = repo.backend().read(&file).await.unwrap().to_vec();
    bytes[at] ^= 1;
    repo.backend().write(&file, Bytes::from(bytes)).await.unwrap();
}

#[tokio::test]
async fn a_blob_is_one_request_for_its_range() {
    let repo = repository().await;
    let blobs = stored(&repo, &[noise(1, 100), Vec::new(), noise(2, 100_000)]).await;
    let index = repo.load_index().await.unwrap();
    take_calls(&repo);
    assert_eq!(repo.load_blob(&index, &blobs[0]).await.unwrap(), noise(1, 100));
    assert_eq!(take_calls(&repo), ["read data"]);
    assert_eq!(repo.load_blob(&index, &blobs[1]).await.unwrap(), b"");
    assert_eq!(repo.load_blob(&index, &blobs[2]).await.unwrap(), noise(2, 100_000));
    assert_eq!(index.plaintext_bytes(&blobs[2]), Some(100_000));
}

#[tokio::test]
async fn every_copy_of_a_blob_is_tried() {
    let repo = repository().await;
    // Two clients at once: neither knows the other's pack.
    let (first, second) = (noise(1, 1000), noise(2, 1000));
    let blobs = stored(&repo, &[first.clone(), second]).await;
    stored(&repo, std::slice::from_ref(&first)).await;
    let index = repo.load_index().await.unwrap();
    let copies: Vec<PackId> = index.lookup(&blobs[0]).map(|location| location.pack).collect();
    assert_eq!(copies.len(), 2);
    corrupt(&repo, copies[0], 20).await;
    assert_eq!(repo.load_blob(&index, &blobs[0]).await.unwrap(), first);
    repo.delete(&FileHandle::from(copies[1])).await.unwrap();
    let error = repo.load_blob(&index, &blobs[0]).await.unwrap_err().to_string();
    for pack in copies {
        assert!(error.contains(&pack.to_string()) && error.contains(&blobs[0].id.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_blob_that_no_index_has_is_named() {
    let repo = repository().await;
    let blob = BlobHandle::data(BlobId::of(b"nowhere"));
    let error = repo.load_blob(&Index::default(), &blob).await.unwrap_err();
    assert_eq!(error.to_string(), format!("data {} is in no index", blob.id));
}

#[tokio::test]
async fn many_blobs_of_a_pack_come_with_few_requests() {
    let repo = repository().await;
    let contents: Vec<Vec<u8>> = (0..50).map(|seed| noise(seed, 10_000)).collect();
    let blobs = stored(&repo, &contents).await;
    let index = repo.load_index().await.unwrap();
    take_calls(&repo);
    let wanted = blobs.iter().copied().step_by(2).chain([blobs[0]]);
    let loaded: Vec<_> = repo.load_blobs(&index, wanted).collect().await;
    assert_eq!(take_calls(&repo), ["read data"]);
    assert_eq!(loaded.len(), 25);
    for (blob, content) in loaded {
        assert_eq!(BlobId::of(&content.unwrap()), blob.id);
    }
}

#[tokio::test]
async fn of_many_blobs_only_the_damaged_and_the_unknown_fail() {
    let repo = repository().await;
    let blobs = stored(&repo, &[noise(1, 1000), noise(2, 1000), noise(3, 1000)]).await;
    let index = repo.load_index().await.unwrap();
    let second = index.lookup(&blobs[1]).next().unwrap();
    corrupt(&repo, second.pack, second.blob.offset as usize + 40).await;
    let unknown = BlobHandle::data(BlobId::of(b"nowhere"));
    let wanted = blobs.iter().copied().chain([unknown]);
    let failed =
        repo.load_blobs(&index, wanted).filter_map(|(blob, content)| async move { content.err().map(|_| blob) });
    let mut failed: Vec<BlobHandle> = failed.collect().await;
    let mut expected = vec![blobs[1], unknown];
    failed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(failed, expected);
}

#[tokio::test]
async fn a_file_read_wrongly_once_is_read_again_and_twice_is_damaged() {
    for (times, readable) in [(1, true), (2, false)] {
        let repo = repository().await;
        let snapshot = store(&repo, b"x").await;
        repo.backend().inject(Fault {
            operation: Some(Operation::Read),
            file_type: Some(FileType::Snapshot),
            skip: 0,
            times,
            effect: Effect::Truncate(20),
        });
        match repo.load_snapshot(snapshot).await {
            Ok(_) => assert!(readable),
            Err(RepositoryError::Damaged { file, .. }) => {
                assert!(!readable);
                assert_eq!(file, FileHandle::from(snapshot));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_damaged_index_file_is_named() {
    for content in [&b""[..], b"x", &[0; 64]] {
        let repo = repository().await;
        store(&repo, b"x").await;
        let file = FileHandle { file_type: FileType::Index, id: Id::of(content) };
        repo.backend().write(&file, Bytes::copy_from_slice(content)).await.unwrap();
        let error = repo.load_index().await.unwrap_err();
        assert!(matches!(error, RepositoryError::Damaged { file: named, .. } if named == file));
    }
}

#[tokio::test]
async fn an_unpacked_file_comes_back_as_it_was() {
    let repo = repository().await;
    let content = b"{\"some\":\"json\"}".repeat(1000);
    let id = repo.save_unpacked(FileType::Index, content.clone()).await.unwrap();
    let file = FileHandle { file_type: FileType::Index, id };
    assert_eq!(repo.load_unpacked(&file).await.unwrap(), content);
    assert!(repo.backend().size(&file).await.unwrap() < 1000, "compressed in version 2");
}
