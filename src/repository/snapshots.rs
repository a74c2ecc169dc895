//! Finding and loading snapshots.

use futures::{StreamExt, stream};

use super::unpacked::{damaged, unsealable};
use super::{Index, Repository, RepositoryError};
use crate::format::{FileHandle, FileType, NodeType, Snapshot, SnapshotId, TreeId};

/// Which snapshots are meant: those that pass all three; an empty list lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotFilter {
    /// The host is one of these.
    pub hosts: Vec<String>,
    /// One of these lists has only tags that the snapshot has; the tag `""` stands for having no tags.
    pub tags: Vec<Vec<String>>,
    /// The snapshot has all these paths, compared as exact text; absolute ones, as snapshots have them.
    pub paths: Vec<String>,
}

impl SnapshotFilter {
    /// Whether every snapshot passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.tags.is_empty() && self.paths.is_empty()
    }

    /// Whether `snapshot` passes.
    #[must_use]
    pub fn matches(&self, snapshot: &Snapshot) -> bool {
        let host = self.hosts.is_empty() || self.hosts.contains(&snapshot.hostname);
        let tags = self.tags.is_empty() || self.tags.iter().any(|list| has_tags(snapshot, list));
        host && tags && self.paths.iter().all(|path| snapshot.paths.contains(path))
    }

    /// The filter in words, with a leading blank; nothing if it is empty.
    fn in_words(&self) -> String {
        let mut words = String::new();
        if !self.hosts.is_empty() {
            words += &format!(" of host {}", self.hosts.join(" or "));
        }
        if !self.paths.is_empty() {
            words += &format!(" of {}", self.paths.join(" and "));
        }
        if !self.tags.is_empty() {
            let lists: Vec<String> = self.tags.iter().map(|list| list.join(",")).collect();
            words += &format!(" tagged {}", lists.join(" or "));
        }
        words
    }
}

fn has_tags(snapshot: &Snapshot, wanted: &[String]) -> bool {
    wanted.iter().all(|tag| snapshot.tags.contains(tag) || tag.is_empty() && snapshot.tags.is_empty())
}

/// A snapshot that was asked for, and the folder in it that was asked for.
#[derive(Clone, Debug)]
pub struct FoundSnapshot {
    /// Its name.
    pub id: SnapshotId,
    /// What it says.
    pub snapshot: Snapshot,
    /// What stood after the colon.
    pub subfolder: Option<String>,
}

impl Repository {
    /// What a snapshot says.
    pub async fn load_snapshot(&self, snapshot: SnapshotId) -> Result<Snapshot, RepositoryError> {
        let file = FileHandle::from(snapshot);
        let content = match self.load_unpacked(&file).await {
            Err(RepositoryError::Backend(error)) if error.is_not_found() => {
                return Err(RepositoryError::SnapshotMissing { snapshot });
            }
            content => content?,
        };
        Snapshot::decode(&content).map_err(|fault| damaged(file, fault))
    }

    /// Stores a snapshot: the commit point of everything that it refers to.
    pub async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<SnapshotId, RepositoryError> {
        let content = snapshot.encode().map_err(unsealable("a new snapshot"))?;
        Ok(self.save_unpacked(FileType::Snapshot, content).await?.into())
    }

    /// All snapshots, the oldest first; a damaged one is an error that names it.
    pub async fn snapshots(&self) -> Result<Vec<(SnapshotId, Snapshot)>, RepositoryError> {
        let loaded = self.snapshots_or_faults().await?;
        let mut snapshots = Vec::with_capacity(loaded.len());
        for (id, snapshot) in loaded {
            snapshots.push((id, snapshot?));
        }
        snapshots.sort_by(|(a_id, a), (b_id, b)| (a.time.timestamp(), a_id).cmp(&(b.time.timestamp(), b_id)));
        Ok(snapshots)
    }

    /// All snapshots in the order of their names, each of them or why it cannot be used.
    pub async fn snapshots_or_faults(
        &self,
    ) -> Result<Vec<(SnapshotId, Result<Snapshot, RepositoryError>)>, RepositoryError> {
        let mut ids = self.list(FileType::Snapshot).await?;
        ids.sort_unstable();
        let loads =
            stream::iter(ids).map(|(id, _)| async move { (SnapshotId::from(id), self.load_snapshot(id.into()).await) });
        Ok(loads.buffered(self.backend().connections()).collect().await)
    }

    /// The newest snapshot that passes `filter`; of two with the same time the one with the greater name.
    ///
    /// A damaged snapshot is an error: it may have been the newest.
    pub async fn latest_snapshot(&self, filter: &SnapshotFilter) -> Result<(SnapshotId, Snapshot), RepositoryError> {
        let newest = self.snapshots().await?.into_iter().rev().find(|(_, snapshot)| filter.matches(snapshot));
        newest.ok_or_else(|| RepositoryError::NoSnapshot { filter: filter.in_words() })
    }

    /// The snapshot that `spec` means: `latest` (of those that pass `filter`), or the beginning of a name; a folder
    /// may follow after a colon.
    pub async fn find_snapshot(&self, spec: &str, filter: &SnapshotFilter) -> Result<FoundSnapshot, RepositoryError> {
        let (name, subfolder) = match spec.split_once(':') {
            Some((name, subfolder)) => (name, Some(subfolder.to_owned())),
            None => (spec, None),
        };
        let (id, snapshot) = if name == "latest" {
            self.latest_snapshot(filter).await?
        } else {
            let id = SnapshotId::from(self.find_id(FileType::Snapshot, name).await?);
            (id, self.load_snapshot(id).await?)
        };
        Ok(FoundSnapshot { id, snapshot, subfolder })
    }

    /// The tree of the folder `path` below `tree`.
    ///
    /// Names are compared byte by byte; `.` and empty parts count for nothing, `..` goes back one part.
    pub async fn find_subfolder(&self, index: &Index, tree: TreeId, path: &str) -> Result<TreeId, RepositoryError> {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            match part {
                ".." => parts.truncate(parts.len().saturating_sub(1)),
                part => parts.push(part),
            }
        }
        let mut tree = tree;
        for (depth, part) in parts.iter().enumerate() {
            let so_far = || format!("/{}", parts[..=depth].join("/"));
            let folder = self.load_tree(index, tree).await?;
            let node = folder.nodes.iter().find(|node| node.name == part.as_bytes());
            tree = match node {
                None => return Err(RepositoryError::SubfolderMissing { path: so_far() }),
                Some(node) if node.node_type == NodeType::Dir => {
                    node.subtree.ok_or_else(|| RepositoryError::NotAFolder { path: so_far() })?
                }
                Some(_) => return Err(RepositoryError::NotAFolder { path: so_far() }),
            };
        }
        Ok(tree)
    }

    /// The tree a found snapshot means: its own, or that of the folder asked for.
    pub async fn found_tree(&self, index: &Index, found: &FoundSnapshot) -> Result<TreeId, RepositoryError> {
        match &found.subfolder {
            None => Ok(found.snapshot.tree),
            Some(path) => self.find_subfolder(index, found.snapshot.tree, path).await,
        }
    }
}
