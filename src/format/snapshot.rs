//! Snapshots: what was stored, when, and by whom.

use serde::Serialize;
use serde_json::value::RawValue;

use super::json::{self, Extra, Fields};
use super::{FormatError, SnapshotId, Time, TreeId};

/// What was stored, when, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// When.
    pub time: Time,
    /// The snapshot whose files were taken for unchanged where they looked so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<SnapshotId>,
    /// The root directory.
    pub tree: TreeId,
    /// What was asked for, as absolute paths.
    pub paths: Vec<String>,
    /// On which host.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// By whom.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// That user's number; root's, 0, is not written.
    #[serde(skip_serializing_if = "json::is_zero")]
    pub uid: u32,
    /// That user's group; 0 is not written.
    #[serde(skip_serializing_if = "json::is_zero")]
    pub gid: u32,
    /// Patterns of what was left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The snapshot that this one was made of, by changing tags, copying or rewriting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<SnapshotId>,
    /// The program that made it, such as `restic 0.19.1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub program_version: String,
    /// Counts of what was done; since restic 0.17.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Fields of other programs.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Counts of what making a snapshot did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// When it began.
    pub backup_start: Time,
    /// When it ended.
    pub backup_end: Time,
    /// Files that the parent did not have.
    pub files_new: u64,
    /// Files that differ from the parent's.
    pub files_changed: u64,
    /// Files that look as in the parent.
    pub files_unmodified: u64,
    /// Directories that the parent did not have.
    pub dirs_new: u64,
    /// Directories that differ from the parent's.
    pub dirs_changed: u64,
    /// Directories that look as in the parent.
    pub dirs_unmodified: u64,
    /// Data blobs that were not stored yet.
    pub data_blobs: u64,
    /// Tree blobs that were not stored yet.
    pub tree_blobs: u64,
    /// Bytes of all those, before compression and sealing.
    pub data_added: u64,
    /// Bytes of all those as stored.
    pub data_added_packed: u64,
    /// Files looked at.
    pub total_files_processed: u64,
    /// Bytes in them.
    pub total_bytes_processed: u64,
    /// Fields of other programs.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Snapshot {
    /// A snapshot with no field set but these.
    #[must_use]
    pub fn new(time: Time, tree: TreeId, paths: Vec<String>) -> Snapshot {
        Snapshot {
            time,
            parent: None,
            tree,
            paths,
            hostname: String::new(),
            username: String::new(),
            uid: 0,
            gid: 0,
            excludes: Vec::new(),
            tags: Vec::new(),
            original: None,
            program_version: String::new(),
            summary: None,
            extra: Extra::default(),
        }
    }

    /// Its JSON.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        json::to_vec(self).map_err(FormatError::json("snapshot"))
    }

    /// Reads its JSON; only `tree` must be there.
    pub fn decode(json: &[u8]) -> Result<Snapshot, FormatError> {
        let mut fields = Fields::of("snapshot", json)?;
        let summary = fields.take::<Box<RawValue>>("summary")?;
        Ok(Snapshot {
            time: fields.take_or_default("time")?,
            parent: fields.take("parent")?,
            tree: fields.require("tree")?,
            paths: fields.take_or_default("paths")?,
            hostname: fields.take_or_default("hostname")?,
            username: fields.take_or_default("username")?,
            uid: fields.take_or_default("uid")?,
            gid: fields.take_or_default("gid")?,
            excludes: fields.take_or_default("excludes")?,
            tags: fields.take_or_default("tags")?,
            original: fields.take("original")?,
            program_version: fields.take_or_default("program_version")?,
            summary: summary.map(|summary| Summary::decode(summary.get().as_bytes())).transpose()?,
            extra: fields.rest(),
        })
    }
}

impl Summary {
    fn decode(json: &[u8]) -> Result<Summary, FormatError> {
        let mut fields = Fields::of("summary of the snapshot", json)?;
        Ok(Summary {
            backup_start: fields.take_or_default("backup_start")?,
            backup_end: fields.take_or_default("backup_end")?,
            files_new: fields.take_or_default("files_new")?,
            files_changed: fields.take_or_default("files_changed")?,
            files_unmodified: fields.take_or_default("files_unmodified")?,
            dirs_new: fields.take_or_default("dirs_new")?,
            dirs_changed: fields.take_or_default("dirs_changed")?,
            dirs_unmodified: fields.take_or_default("dirs_unmodified")?,
            data_blobs: fields.take_or_default("data_blobs")?,
            tree_blobs: fields.take_or_default("tree_blobs")?,
            data_added: fields.take_or_default("data_added")?,
            data_added_packed: fields.take_or_default("data_added_packed")?,
            total_files_processed: fields.take_or_default("total_files_processed")?,
            total_bytes_processed: fields.take_or_default("total_bytes_processed")?,
            extra: fields.rest(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_of_restic_are_written_as_they_were() {
        let snapshots = include_str!("../../fixtures/vectors/snapshots.jsonl");
        for json in snapshots.lines() {
            let snapshot = Snapshot::decode(json.as_bytes()).unwrap();
            assert!(snapshot.extra.is_empty());
            assert_eq!(String::from_utf8(snapshot.encode().unwrap()).unwrap(), json);
        }
        assert_eq!(snapshots.lines().count(), 35);
    }

    #[test]
    fn fields_of_other_programs_survive_behind_the_known_ones() {
        let tree = "11".repeat(32);
        let json = format!(
            r#"{{"label":"x","time":"2024-01-01T00:00:00Z","tree":"{tree}","paths":["/a"],"summary":{{"speed":1.250}}}}"#
        );
        let snapshot = Snapshot::decode(json.as_bytes()).unwrap();
        assert_eq!(snapshot.extra.iter().collect::<Vec<_>>(), [("label", "\"x\"")]);
        let again = String::from_utf8(snapshot.encode().unwrap()).unwrap();
        assert!(again.ends_with(r#""total_bytes_processed":0,"speed":1.250},"label":"x"}"#), "{again}");
        assert_eq!(Snapshot::decode(again.as_bytes()).unwrap(), snapshot);
    }

    #[test]
    fn only_the_tree_must_be_there() {
        let tree = "22".repeat(32);
        let snapshot = Snapshot::decode(format!(r#"{{"tree":"{tree}","paths":null}}"#).as_bytes()).unwrap();
        assert_eq!(snapshot, Snapshot::new(Time::ZERO, tree.parse().unwrap(), Vec::new()));
        for json in [r#"{"paths":["/a"]}"#, r#"{"tree":null}"#] {
            assert_eq!(Snapshot::decode(json.as_bytes()).unwrap_err().to_string(), "snapshot has no `tree`");
        }
    }

    #[test]
    fn a_bad_field_is_named() {
        let tree = "33".repeat(32);
        for (field, message) in [
            (r#""parent":"abcd""#, "snapshot: `parent` is not what it should be"),
            (r#""summary":{"files_new":-1}"#, "summary of the snapshot: `files_new` is not what it should be"),
            (r#""time":"yesterday""#, "snapshot: `time` is not what it should be"),
        ] {
            let error = Snapshot::decode(format!(r#"{{"tree":"{tree}",{field}}}"#).as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
