//! Is everything there that the snapshots need, and is it what it was?
//!
//! What restic calls harmless is a hint here too: duplicate and mixed packs, and packs that no index names (a crash or
//! a parallel backup leaves them). Everything else is an error (restic-format 12).
//!
//! The check trusts nothing that it reads: a tree is walked once however often it is named, blobs are looked at where
//! the pack's real size allows, and the list of findings is bounded.

mod data;
mod indexes;
mod report;
mod subset;
mod trees;

pub use report::{CheckReport, Finding};
pub use subset::{ReadData, ReadDataError};

use super::{Event, Repository, RepositoryError, SnapshotFilter};
use report::Reporter;

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Which packs to read whole.
    pub read_data: ReadData,
    /// Only these snapshots; none: all.
    pub snapshots: Vec<String>,
    /// Only snapshots that pass.
    pub filter: SnapshotFilter,
}

impl CheckOptions {
    fn is_filtered(&self) -> bool {
        !self.snapshots.is_empty() || !self.filter.is_empty()
    }
}

impl Repository {
    /// Checks the repository and tells all it finds; call it under an exclusive lock.
    ///
    /// An error means that the check itself could not go on, not that the repository is damaged.
    pub async fn check(&self, options: &CheckOptions) -> Result<CheckReport, RepositoryError> {
        let mut reporter = Reporter::new(self.progress().clone());
        self.note("load indexes");
        let Some(index) = indexes::check(self, &mut reporter).await? else {
            // Without the whole index everything would seem to be missing.
            return Ok(reporter.finish());
        };
        self.note("check all packs");
        let packs = indexes::check_packs(self, &index, &mut reporter).await?;
        self.note("check snapshots, trees and blobs");
        let used = trees::check(self, &index, options, &mut reporter).await?;
        if options.read_data != ReadData::None {
            let wanted = packs.into_iter().filter(|(pack, _)| used.as_ref().is_none_or(|used| used.contains(pack)));
            let chosen = options.read_data.choose(wanted.collect())?;
            self.note(&format!("read {} of the data packs", options.read_data));
            data::check(self, &index, chosen, &mut reporter).await;
        }
        Ok(reporter.finish())
    }

    fn note(&self, text: &str) {
        self.progress().report(Event::Note(text.to_owned()));
    }
}
