//! Whether a configuration is still the one it was, without making a snapshot of it.

use sha2::{Digest, Sha256};

use super::datadir::DataDir;
use super::dump::Dump;
use super::facts::Facts;
use super::files;
use super::manifest::ManifestFile;
use super::{Database, KumaError, Selection, SnapshotFile};

/// What a configuration and its files are, as 64 hexadecimal digits: as long as it stays the same, a publish would find
/// nothing to do. It has its reasons to differ in common with the manifest, and costs a fraction of it.
#[must_use]
pub fn fingerprint(data: &DataDir, facts: &Facts, dump: &Dump, files: &[SnapshotFile]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(&dump.digest().to_string());
    add(facts.instance.as_deref().unwrap_or_default());
    add(data.kuma_version().as_deref().unwrap_or_default());
    let version = &facts.version;
    add(version.database_version.as_deref().unwrap_or_default());
    version.patches.iter().chain(&version.migrations).for_each(|name| add(name));
    for (table, columns) in &facts.tables {
        add(table);
        columns.iter().for_each(|column| add(&column.name));
    }
    for file in files.iter().map(ManifestFile::of) {
        add(&file.path);
        add(&file.sha256);
    }
    hex::encode(hash.finalize())
}

impl Database {
    /// The [`fingerprint`] of what is in this database now, and in the files that it refers to.
    pub fn fingerprint(&self, data: &DataDir, selection: &Selection) -> Result<String, KumaError> {
        let (facts, dump) = self.dump(selection)?;
        let (files, _) = files::collect(data, &dump)?;
        Ok(fingerprint(data, &facts, &dump, &files))
    }
}
