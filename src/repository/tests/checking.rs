use bytes::Bytes;

use super::*;
use crate::format::{BlobId, FileHandle, Id, IndexFile, IndexPack, PackId};

async fn check(repo: &Repository, read_data: ReadData) -> CheckReport {
    repo.check(&CheckOptions { read_data, ..CheckOptions::default() }).await.unwrap()
}

async fn files(repo: &Repository, file_type: FileType) -> Vec<Id> {
    repo.list(file_type).await.unwrap().into_iter().map(|(id, _)| id).collect()
}

/// The pack of the only data blob.
async fn data_pack(repo: &Repository) -> PackId {
    let index = repo.load_index().await.unwrap();
    index.blobs().find(|location| location.blob.blob.kind == BlobKind::Data).unwrap().pack
}

async fn save_index(repo: &Repository, packs: Vec<IndexPack>) {
    repo.save_unpacked(FileType::Index, IndexFile { packs }.encode().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_whole_repository_has_nothing_to_find() {
    let repo = repository().await;
    store(&repo, b"one").await;
    store(&repo, b"two").await;
    let report = check(&repo, ReadData::All).await;
    assert!(report.is_healthy() && report.findings.is_empty(), "{report:?}");
}

#[tokio::test]
async fn without_reading_data_packs_are_only_listed() {
    let repo = repository().await;
    store(&repo, b"one").await;
    take_calls(&repo);
    check(&repo, ReadData::None).await;
    let reads = take_calls(&repo).into_iter().filter(|call| call == "read data").count();
    assert_eq!(reads, 1, "both trees with one request");
}

/// Any bit of any file: an error, and it names the file, or the blobs of the pack.
#[tokio::test]
async fn a_flipped_bit_anywhere_is_found_and_named() {
    let made = repository().await;
    store(&made, b"one").await;
    for file_type in [FileType::Pack, FileType::Index, FileType::Snapshot] {
        for id in files(&made, file_type).await {
            let file = FileHandle { file_type, id };
            let whole = made.backend().read(&file).await.unwrap();
            for at in (0..whole.len()).step_by(7) {
                let mut bytes = whole.to_vec();
                bytes[at] ^= 0x10;
                made.backend().write(&file, Bytes::from(bytes)).await.unwrap();
                let report = check(&made, ReadData::All).await;
                let texts: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
                assert!(texts.iter().any(|text| text.contains(&id.to_string())), "{file} at {at}: {texts:?}");
            }
            made.backend().write(&file, whole).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_missing_pack_is_an_error_and_a_pack_too_many_a_hint() {
    let repo = repository().await;
    store(&repo, b"one").await;
    let stray = PackId::of(b"stray");
    repo.backend().write(&FileHandle::from(stray), Bytes::from_static(b"stray")).await.unwrap();
    let report = check(&repo, ReadData::All).await;
    assert!(report.is_healthy() && report.suggest_prune && report.unindexed_packs == 1);
    let pack = data_pack(&repo).await;
    repo.delete(&FileHandle::from(pack)).await.unwrap();
    let report = check(&repo, ReadData::All).await;
    assert_eq!((report.error_count, report.broken_packs), (1, vec![pack]));
}

#[tokio::test]
async fn a_pack_named_twice_is_a_hint_and_named_differently_an_error() {
    let repo = repository().await;
    store(&repo, b"one").await;
    let index = repo.load_index_file(files(&repo, FileType::Index).await[0].into()).await.unwrap();
    let pack = index.packs.into_iter().find(|pack| pack.blobs.len() > 1).unwrap();
    save_index(&repo, vec![pack.clone()]).await;
    let report = check(&repo, ReadData::All).await;
    assert!(report.is_healthy() && report.suggest_repair_index, "{report:?}");
    let mut other = pack.clone();
    other.blobs.truncate(other.blobs.len() - 1);
    save_index(&repo, vec![other]).await;
    let report = check(&repo, ReadData::None).await;
    assert_eq!((report.error_count, report.broken_packs), (1, vec![pack.id]));
}

#[tokio::test]
async fn overlapping_blobs_are_told_and_not_opened_one_by_one() {
    let repo = repository().await;
    store(&repo, b"one").await;
    let pack = data_pack(&repo).await;
    let mut index = repo.load_index_file(files(&repo, FileType::Index).await[0].into()).await.unwrap();
    let packed = index.packs.iter_mut().find(|entry| entry.id == pack).unwrap();
    let first = packed.blobs[0];
    for number in 0_u32..1000 {
        let mut blob = first;
        blob.blob.id = BlobId::of(&number.to_le_bytes());
        packed.blobs.push(blob);
    }
    repo.delete(&FileHandle { file_type: FileType::Index, id: files(&repo, FileType::Index).await[0] }).await.unwrap();
    save_index(&repo, index.packs).await;
    let report = check(&repo, ReadData::All).await;
    assert!(report.broken_packs.contains(&pack), "{report:?}");
    assert!(report.findings.iter().any(|finding| finding.to_string().contains("overlapping")), "{report:?}");
}

#[tokio::test]
async fn a_tree_named_a_million_times_is_loaded_once() {
    let repo = repository().await;
    let writer = BlobWriter::new(&repo, Arc::default());
    let mut tree = save_tree(&writer, Vec::new()).await;
    for _ in 0..12 {
        let folders = (0..10).map(|name| {
            let mut node = Node::new(vec![b'a' + name], NodeType::Dir);
            node.subtree = Some(tree);
            node
        });
        tree = save_tree(&writer, folders.collect()).await;
    }
    writer.finish().await.unwrap();
    repo.save_snapshot(&Snapshot::new(Time::ZERO, tree, Vec::new())).await.unwrap();
    take_calls(&repo);
    assert!(check(&repo, ReadData::None).await.is_healthy());
    assert_eq!(take_calls(&repo).into_iter().filter(|call| call == "read data").count(), 1);
}

#[tokio::test]
async fn what_a_tree_lacks_is_told_with_the_tree_and_the_name() {
    let repo = repository().await;
    let writer = BlobWriter::new(&repo, Arc::default());
    let lost = BlobId::of(b"lost");
    let mut nodes = vec![Node::new("a-nil", NodeType::File), Node::new("b-lost", NodeType::File)];
    nodes[1].content = Some(vec![lost, BlobId::from_bytes([0; 32])]);
    nodes.push(Node::new("c-dir", NodeType::Dir));
    nodes.push(Node::new("d-odd", NodeType::Other("odd".to_owned())));
    let tree = save_tree(&writer, nodes).await;
    writer.finish().await.unwrap();
    repo.save_snapshot(&Snapshot::new(Time::ZERO, tree, Vec::new())).await.unwrap();
    let report = check(&repo, ReadData::None).await;
    let texts: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(report.error_count, 5, "{texts:?}");
    for (text, words) in texts.iter().zip(["\"a-nil\"", &lost.to_string(), "null blob", "\"c-dir\"", "\"d-odd\""]) {
        assert!(text.contains(words) && text.contains(&tree.to_string()), "{words}: {text}");
    }
}

#[tokio::test]
async fn only_the_chosen_snapshots_and_their_packs_are_checked() {
    let repo = repository().await;
    let whole = store(&repo, b"one").await;
    let broken_pack = data_pack(&repo).await;
    let damaged = store(&repo, b"two").await;
    let index = repo.load_index().await.unwrap();
    let other = |location: &Location| location.blob.blob.kind == BlobKind::Data && location.pack != broken_pack;
    let pack = index.blobs().find(other).unwrap().pack;
    let file = FileHandle::from(pack);
    let mut bytes = repo.backend().read(&file).await.unwrap().to_vec();
    bytes[3] ^= 1;
    repo.backend().write(&file, Bytes::from(bytes)).await.unwrap();
    for (snapshot, healthy) in [(whole, true), (damaged, false)] {
        let snapshots = vec![snapshot.to_string()];
        let options = CheckOptions { read_data: ReadData::All, snapshots, filter: SnapshotFilter::default() };
        assert_eq!(repo.check(&options).await.unwrap().is_healthy(), healthy);
    }
}
