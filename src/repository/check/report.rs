//! What a check found.

use crate::format::{IndexId, PackId, SnapshotId, TreeId};
use crate::repository::error::with_causes;
use crate::repository::{Event, Progress, RepositoryError};

/// So many findings are kept; more are counted. A hostile tree can have millions.
const MAX_FINDINGS: usize = 10_000;

/// One thing that a check found, naming the object it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// An index file cannot be used.
    #[error("index {index}: {fault}")]
    IndexDamaged {
        /// Which.
        index: IndexId,
        /// Why, with all its causes.
        fault: String,
    },
    /// Index files disagree about a pack.
    #[error("pack {pack} has different data in indexes {}", list(.indexes))]
    PackDiffers {
        /// Which pack.
        pack: PackId,
        /// The index files that name it.
        indexes: Vec<IndexId>,
    },
    /// A pack is named by several index files, which agree.
    #[error("pack {pack} is contained in several indexes: {}", list(.indexes))]
    PackTwice {
        /// Which pack.
        pack: PackId,
        /// The index files that name it.
        indexes: Vec<IndexId>,
    },
    /// A pack holds data and trees, as restic before 0.8 wrote them.
    #[error("pack {pack} contains a mix of tree and data blobs")]
    PackMixed {
        /// Which pack.
        pack: PackId,
    },
    /// An index names a pack that is not there.
    #[error("pack {pack}: does not exist")]
    PackMissing {
        /// Which pack.
        pack: PackId,
    },
    /// A pack does not have the size that its blobs add up to.
    #[error("pack {pack}: unexpected file size: got {actual_bytes}, expected {expected_bytes}")]
    PackSize {
        /// Which pack.
        pack: PackId,
        /// The size it has.
        actual_bytes: u64,
        /// The size it should have.
        expected_bytes: u64,
    },
    /// A pack is there that no index names.
    #[error("pack {pack}: not referenced in any index")]
    PackUnindexed {
        /// Which pack.
        pack: PackId,
    },
    /// A pack's content is not what index and name promise.
    #[error("pack {pack} is damaged: {}", .faults.join("; "))]
    PackDamaged {
        /// Which pack.
        pack: PackId,
        /// All that is wrong with it, blobs named.
        faults: Vec<String>,
    },
    /// A pack could not be read.
    #[error("pack {pack} cannot be read: {fault}")]
    PackUnreadable {
        /// Which pack.
        pack: PackId,
        /// Why.
        fault: String,
    },
    /// A snapshot cannot be used.
    #[error("snapshot {snapshot}: {fault}")]
    SnapshotDamaged {
        /// Which: its name, or the text that it was asked for by.
        snapshot: String,
        /// Its name, if it is known.
        id: Option<SnapshotId>,
        /// Why.
        fault: String,
    },
    /// A tree is missing, damaged, or names what is missing.
    #[error("tree {tree}: {fault}")]
    TreeDamaged {
        /// Which.
        tree: TreeId,
        /// Why.
        fault: String,
    },
}

impl Finding {
    /// Whether the repository works without a repair.
    #[must_use]
    pub fn is_hint(&self) -> bool {
        matches!(self, Finding::PackTwice { .. } | Finding::PackMixed { .. } | Finding::PackUnindexed { .. })
    }
}

/// All that a check found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// What was found, in the order it was, up to a bound.
    pub findings: Vec<Finding>,
    /// How many errors there are in all.
    pub error_count: usize,
    /// How many hints there are in all.
    pub hint_count: usize,
    /// Packs that must be repaired.
    pub broken_packs: Vec<PackId>,
    /// Snapshots that must be repaired.
    pub broken_snapshots: Vec<SnapshotId>,
    /// Packs that no index names.
    pub unindexed_packs: usize,
    /// Rebuilding the index would help.
    pub suggest_repair_index: bool,
    /// Pruning would tidy up.
    pub suggest_prune: bool,
}

impl CheckReport {
    /// Whether there is no error; there may be hints.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.error_count == 0
    }
}

/// Collects findings and tells them as they come.
pub(super) struct Reporter {
    report: CheckReport,
    progress: Progress,
}

impl Reporter {
    pub(super) fn new(progress: Progress) -> Reporter {
        Reporter { report: CheckReport::default(), progress }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let report = &mut self.report;
        match &finding {
            Finding::IndexDamaged { .. } | Finding::PackTwice { .. } => report.suggest_repair_index = true,
            Finding::PackMixed { .. } => report.suggest_prune = true,
            Finding::PackUnindexed { .. } => {
                report.suggest_prune = true;
                report.unindexed_packs += 1;
            }
            Finding::PackDiffers { pack, .. }
            | Finding::PackMissing { pack }
            | Finding::PackSize { pack, .. }
            | Finding::PackDamaged { pack, .. } => {
                if !report.broken_packs.contains(pack) {
                    report.broken_packs.push(*pack);
                }
            }
            Finding::SnapshotDamaged { id: Some(id), .. } => report.broken_snapshots.push(*id),
            Finding::SnapshotDamaged { .. } | Finding::TreeDamaged { .. } | Finding::PackUnreadable { .. } => {}
        }
        let is_hint = finding.is_hint();
        if is_hint {
            report.hint_count += 1
        } else {
            report.error_count += 1
        }
        self.progress.report(Event::Finding { is_hint, text: finding.to_string() });
        if report.findings.len() < MAX_FINDINGS {
            report.findings.push(finding);
        }
    }

    pub(super) fn finish(self) -> CheckReport {
        self.report
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }
}

/// What is wrong, for a finding that names the object already.
pub(super) fn fault_of(error: &RepositoryError) -> String {
    match error {
        RepositoryError::Damaged { fault, .. } => with_causes(fault.as_ref()),
        RepositoryError::TreeInvalid { fault, .. } => format!("cannot be decoded: {}", with_causes(fault.as_ref())),
        RepositoryError::BlobUnknown { .. } => "is in no index".to_owned(),
        RepositoryError::BlobUnreadable { tried, fault, .. } => {
            format!("cannot be read from pack {}: {}", list(tried), with_causes(fault.as_ref()))
        }
        error => with_causes(error),
    }
}

fn list(names: &[impl ToString]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
