//! The index files, and the packs they name.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::report::{Finding, Reporter, fault_of};
use crate::format::{BlobKind, FileType, Id, IndexFile, IndexId, IndexPack, PackId, PackedBlob, pack};
use crate::repository::error::with_causes;
use crate::repository::{Index, Repository, RepositoryError};

/// A pack in the index files: who names it, and with how many different contents.
#[derive(Default)]
struct Mentions {
    indexes: Vec<IndexId>,
    contents: HashSet<Id>,
    kinds: HashSet<BlobKind>,
}

/// Loads the index; none if a part of it is damaged, which is reported.
pub(super) async fn check(repo: &Repository, reporter: &mut Reporter) -> Result<Option<Index>, RepositoryError> {
    let mut packs: BTreeMap<PackId, Mentions> = BTreeMap::new();
    let mut damaged = Vec::new();
    let index = repo
        .load_index_with(|id, file| {
            match file {
                Ok(file) => mention(&mut packs, id, file),
                Err(error @ RepositoryError::Damaged { .. }) => damaged.push((id, fault_of(&error))),
                Err(RepositoryError::Backend(error)) if error.is_not_found() => damaged.push((id, with_causes(&error))),
                Err(error) => return Err(error),
            }
            Ok(())
        })
        .await?;
    for (pack, mentions) in packs {
        report_pack(pack, mentions, reporter);
    }
    let healthy = damaged.is_empty();
    damaged.sort_unstable();
    for (index, fault) in damaged {
        reporter.add(Finding::IndexDamaged { index, fault });
    }
    Ok(healthy.then_some(index))
}

fn mention(packs: &mut BTreeMap<PackId, Mentions>, index: IndexId, file: &IndexFile) {
    // A pack without blobs says nothing of what is in the pack (restic-format 8.4).
    for pack in file.packs.iter().filter(|pack| !pack.blobs.is_empty()) {
        let mentions = packs.entry(pack.id).or_default();
        if !mentions.indexes.contains(&index) {
            mentions.indexes.push(index);
        }
        mentions.contents.insert(content_digest(pack));
        mentions.kinds.extend(pack.blobs.iter().map(|packed| packed.blob.kind));
    }
}

/// A digest of what an index says that a pack holds, whatever the order it says it in.
fn content_digest(pack: &IndexPack) -> Id {
    let mut blobs: Vec<&PackedBlob> = pack.blobs.iter().collect();
    blobs.sort_unstable_by_key(|blob| (blob.offset, blob.length, blob.blob));
    let mut bytes = Vec::with_capacity(blobs.len() * 45);
    for packed in blobs {
        bytes.push(u8::from(packed.blob.kind == BlobKind::Tree));
        bytes.extend_from_slice(packed.blob.id.as_bytes());
        bytes.extend_from_slice(&packed.offset.to_le_bytes());
        bytes.extend_from_slice(&packed.length.to_le_bytes());
        bytes.extend_from_slice(&packed.uncompressed_length.map_or(0, std::num::NonZeroU32::get).to_le_bytes());
    }
    Id::of(&bytes)
}

fn report_pack(pack: PackId, mentions: Mentions, reporter: &mut Reporter) {
    let Mentions { indexes, contents, kinds } = mentions;
    if contents.len() > 1 {
        reporter.add(Finding::PackDiffers { pack, indexes });
    } else if indexes.len() > 1 {
        reporter.add(Finding::PackTwice { pack, indexes });
    }
    if kinds.len() > 1 {
        reporter.add(Finding::PackMixed { pack });
    }
}

/// Compares the packs that are there with those the index names; returns the latter that are there, with their sizes.
pub(super) async fn check_packs(
    repo: &Repository,
    index: &Index,
    reporter: &mut Reporter,
) -> Result<Vec<(PackId, u64)>, RepositoryError> {
    let listed = repo.list(FileType::Pack).await?;
    let mut there: HashMap<PackId, u64> = listed.into_iter().map(|(id, size)| (id.into(), size)).collect();
    let mut found = Vec::new();
    for (pack, blobs) in index.by_pack().iter() {
        let expected_bytes = pack::size_with(&blobs);
        match there.remove(&pack) {
            None => reporter.add(Finding::PackMissing { pack }),
            Some(actual_bytes) => {
                if actual_bytes != expected_bytes {
                    reporter.add(Finding::PackSize { pack, actual_bytes, expected_bytes });
                }
                found.push((pack, actual_bytes));
            }
        }
    }
    let mut unindexed: Vec<PackId> = there.into_keys().collect();
    unindexed.sort_unstable();
    unindexed.into_iter().for_each(|pack| reporter.add(Finding::PackUnindexed { pack }));
    Ok(found)
}
