//! The snapshots, and every tree and blob they need.

use std::collections::HashSet;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::CheckOptions;
use super::report::{Finding, Reporter, fault_of};
use crate::format::{BlobHandle, BlobId, BlobKind, Id, Node, NodeType, PackId, Snapshot, SnapshotId, Tree, TreeId};
use crate::repository::{Event, Index, Repository, RepositoryError, Step};

/// Walks the trees of the chosen snapshots, each tree once. If snapshots are filtered: the packs they need.
pub(super) async fn check(
    repo: &Repository,
    index: &Index,
    options: &CheckOptions,
    reporter: &mut Reporter,
) -> Result<Option<HashSet<PackId>>, RepositoryError> {
    let roots = chosen_trees(repo, options, reporter).await?;
    let mut walk =
        Walk { index, seen: HashSet::new(), waiting: Vec::new(), used: options.is_filtered().then(HashSet::new) };
    let progress = reporter.progress().clone();
    progress.report(Event::StepStarted { step: Step::Snapshots, total: roots.len() as u64 });
    for root in roots {
        walk.enqueue(root);
        walk.run(repo, reporter).await;
        progress.report(Event::StepAdvanced { step: Step::Snapshots });
    }
    progress.report(Event::StepFinished { step: Step::Snapshots });
    Ok(walk.used)
}

async fn chosen_trees(
    repo: &Repository,
    options: &CheckOptions,
    reporter: &mut Reporter,
) -> Result<Vec<TreeId>, RepositoryError> {
    let mut trees = Vec::new();
    let mut take = |id: Option<SnapshotId>, name: String, snapshot: Result<Snapshot, RepositoryError>| match snapshot {
        Ok(snapshot) => trees.push(snapshot.tree),
        Err(error) => reporter.add(Finding::SnapshotDamaged { snapshot: name, id, fault: fault_of(&error) }),
    };
    if options.snapshots.is_empty() {
        for (id, snapshot) in repo.snapshots_or_faults().await? {
            let passes = snapshot.as_ref().map_or(true, |snapshot| options.filter.matches(snapshot));
            if passes {
                take(Some(id), id.to_string(), snapshot);
            }
        }
    }
    for spec in &options.snapshots {
        let found = repo.find_snapshot(spec, &options.filter).await;
        let id = found.as_ref().ok().map(|found| found.id);
        take(id, spec.clone(), found.map(|found| found.snapshot));
    }
    Ok(trees)
}

struct Walk<'index> {
    index: &'index Index,
    seen: HashSet<TreeId>,
    waiting: Vec<TreeId>,
    used: Option<HashSet<PackId>>,
}

impl Walk<'_> {
    /// A tree is walked once: what a hostile repository can make of a few trees has no bound (restic-format 13.5).
    fn enqueue(&mut self, tree: TreeId) {
        if self.seen.insert(tree) {
            self.waiting.push(tree);
        }
    }

    async fn run(&mut self, repo: &Repository, reporter: &mut Reporter) {
        let index = self.index;
        let load = |tree: TreeId| async move { (tree, repo.load_tree(index, tree).await) };
        let mut loads = FuturesUnordered::new();
        loop {
            while loads.len() < 2 * repo.backend().connections() {
                match self.waiting.pop() {
                    Some(tree) => loads.push(load(tree)),
                    None => break,
                }
            }
            let Some((id, tree)) = loads.next().await else { return };
            self.mark_used(&BlobHandle::from(id));
            match tree {
                Ok(tree) => self.check_tree(id, &tree, reporter),
                Err(error) => reporter.add(Finding::TreeDamaged { tree: id, fault: fault_of(&error) }),
            }
        }
    }

    fn check_tree(&mut self, id: TreeId, tree: &Tree, reporter: &mut Reporter) {
        for node in &tree.nodes {
            let mut fault = |text: String| {
                let name = String::from_utf8_lossy(&node.name).escape_debug().to_string();
                reporter.add(Finding::TreeDamaged { tree: id, fault: format!("{} \"{name}\" {text}", node.node_type) });
            };
            if node.name.is_empty() {
                fault("has an empty name".to_owned());
            }
            match node.node_type {
                NodeType::File => self.check_file(node, &mut fault),
                NodeType::Dir => match node.subtree {
                    None => fault("has no subtree".to_owned()),
                    Some(subtree) if Id::from(subtree) == Id::ZERO => fault("has a null subtree".to_owned()),
                    Some(subtree) => self.enqueue(subtree),
                },
                NodeType::Irregular | NodeType::Other(_) => fault("is of an unknown type".to_owned()),
                NodeType::Symlink | NodeType::Dev | NodeType::CharDev | NodeType::Fifo | NodeType::Socket => {}
            }
        }
    }

    fn check_file(&mut self, node: &Node, fault: &mut impl FnMut(String)) {
        let Some(content) = &node.content else { return fault("has no list of blobs".to_owned()) };
        for (number, id) in content.iter().enumerate() {
            let blob = BlobHandle { kind: BlobKind::Data, id: *id };
            if *id == BlobId::from(Id::ZERO) {
                fault(format!("has a null blob as number {number}"));
            } else if self.index.contains(&blob) {
                self.mark_used(&blob);
            } else {
                fault(format!("needs {blob}, which is in no index"));
            }
        }
    }

    fn mark_used(&mut self, blob: &BlobHandle) {
        if let Some(used) = &mut self.used {
            used.extend(self.index.lookup(blob).map(|location| location.pack));
        }
    }
}
