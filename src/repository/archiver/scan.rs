//! The scan that runs beside a backup, so that its progress can say how much is left.

use std::fs;
use std::path::{Path, PathBuf};

use super::run::Run;
use super::targets::{self, Target, to_path};
use super::{BackupEvent, ScanTotals};

impl Run {
    /// Counts what the backup is going to look at, on this blocking thread.
    pub(super) fn scan(&self, targets: &Target) {
        let mut totals = ScanTotals::default();
        self.scan_target(targets, &mut totals);
        if !self.is_stopped() {
            self.tell(BackupEvent::Scanned { totals, is_complete: true });
        }
    }

    fn scan_target(&self, target: &Target, totals: &mut ScanTotals) {
        match target.path.as_ref().map(|path| (path, targets::absolute(path))) {
            Some((_, Ok(absolute))) => self.scan_path(absolute, target.is_explicit, totals),
            Some((path, Err(error))) => self.scan_failed(&to_path(path.clone()), error),
            None => target.below.values().for_each(|target| self.scan_target(target, totals)),
        }
    }

    /// Counts a path and what is below it, depth first, without recursion.
    fn scan_path(&self, path: PathBuf, is_explicit: bool, totals: &mut ScanTotals) {
        let mut waiting = vec![(path, is_explicit)];
        while let Some((path, is_explicit)) = waiting.pop()
            && !self.is_stopped()
        {
            if !is_explicit && self.select.rejects_name(&path) {
                continue;
            }
            let metadata = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.scan_failed(&path, error);
                    continue;
                }
            };
            if !is_explicit && self.select.rejects(&path, &metadata) {
                continue;
            }
            if metadata.is_dir() {
                totals.dirs += 1;
                match fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                    Ok(entries) => waiting.extend(entries.into_iter().map(|entry| (entry.path(), false))),
                    Err(error) => self.scan_failed(&path, error),
                }
            } else if metadata.is_file() {
                totals.files += 1;
                totals.bytes += metadata.len();
            } else {
                totals.others += 1;
            }
            self.tell(BackupEvent::Scanned { totals: *totals, is_complete: false });
        }
    }

    fn scan_failed(&self, path: &Path, error: impl ToString) {
        self.tell(BackupEvent::Failed { path: path.to_owned(), reason: error.to_string(), is_scan: true });
    }
}
