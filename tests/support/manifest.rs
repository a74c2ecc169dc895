//! What restic restored of a fixture repository (`fixtures/repositories/NAME.json`), to compare a restore with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::folder::{self, Content};

/// The newest snapshot of a fixture repository, as restic restored it.
pub(crate) struct Manifest {
    /// Its id.
    pub(crate) snapshot: String,
    /// The id of its tree.
    pub(crate) tree: String,
    /// Every snapshot, oldest first.
    pub(crate) snapshots: Vec<String>,
    entries: BTreeMap<PathBuf, Value>,
}

impl Manifest {
    /// The manifest beside the fixture repository of this name.
    pub(crate) fn new(name: &str) -> Self {
        let path = super::fixtures::path("repositories").join(format!("{name}.json"));
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: Value = serde_json::from_slice(&text).expect("a manifest is JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let entries = file["entries"].as_array().expect("entries").iter();
        let entries = entries.map(|entry| (unescape(entry["path"].as_str().expect("a path")), entry.clone())).collect();
        Self {
            snapshot: text(&file["snapshot"]),
            tree: text(&file["tree"]),
            snapshots: file["snapshots"].as_array().expect("snapshots").iter().map(text).collect(),
            entries,
        }
    }

    /// The files that came back with another content than they had: silently wrong, unlike the missing ones.
    pub(crate) fn wrong_files(&self, restored: &Path) -> Vec<PathBuf> {
        let found = folder::entries(restored).into_iter();
        let wrong = found.filter(|(path, entry)| match (&entry.content, self.entries.get(path)) {
            (Content::File { sha256, .. }, Some(wanted)) => wanted["sha256"] != sha256.as_str(),
            (Content::File { .. }, None) => true,
            _ => false,
        });
        wrong.map(|(path, _)| path).collect()
    }

    /// How a restored folder differs, a line for each difference. Owners count only for root, who alone can give files away.
    pub(crate) fn differences(&self, restored: &Path) -> Vec<String> {
        let is_root = restored.metadata().expect("the restored folder").uid() == 0;
        let found = folder::entries(restored);
        let mut differences: Vec<String> = found
            .keys()
            .filter(|path| !self.entries.contains_key(*path))
            .map(|path| format!("+ {}", path.display()))
            .collect();
        for (path, entry) in &self.entries {
            if !found.contains_key(path) {
                differences.push(format!("- {}", path.display()));
                continue;
            }
            let mut wanted = respell(entry);
            let mut got = describe(restored, path, &found[path]);
            for value in [&mut wanted, &mut got] {
                let value = value.as_object_mut().expect("an object");
                // Which of the names of one file comes first is compared by `same_as`, not by a count of links.
                value.retain(|key, _| key != "path" && key != "nlink" && (is_root || (key != "uid" && key != "gid")));
            }
            if let Some(first) = wanted.get("same_as").and_then(Value::as_str).map(unescape) {
                let same = first == *path || inode(restored, &first) == inode(restored, path);
                wanted.as_object_mut().expect("an object").remove("same_as");
                if !same {
                    differences.push(format!("{} is no hard link of {}", path.display(), first.display()));
                }
            }
            if wanted != got {
                differences.push(format!("{}\n  wanted {wanted}\n  got    {got}", path.display()));
            }
        }
        differences
    }
}

/// The entry with link target and attribute names escaped as [`escape`] does it.
fn respell(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(target) = entry.get("target").and_then(Value::as_str).map(respell_text) {
        entry["target"] = json!(target);
    }
    if let Some(attributes) = entry.get("xattrs_b64").and_then(Value::as_object) {
        let attributes = attributes.iter().map(|(name, value)| (respell_text(name), value.clone()));
        entry["xattrs_b64"] = Value::Object(attributes.collect());
    }
    entry
}

fn respell_text(text: &str) -> String {
    escape(OsString::from_vec(percent_encoding::percent_decode_str(text).collect()))
}

/// An entry as the manifests spell it.
fn describe(root: &Path, path: &Path, entry: &folder::Entry) -> Value {
    let whole = root.join(path);
    let (seconds, nanoseconds) = entry.modified;
    let modified_ns = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let mut value = json!({
        "mode": format!("{:o}", entry.mode & 0o7777),
        "uid": entry.owner.0, "gid": entry.owner.1,
        "mtime_ns": i64::try_from(modified_ns).expect("within the times of manifests"),
    });
    match &entry.content {
        Content::File { size_bytes, sha256 } => {
            value["type"] = json!("file");
            value["size"] = json!(size_bytes);
            value["sha256"] = json!(sha256);
        }
        Content::Link(target) => {
            value["type"] = json!("symlink");
            value["target"] = json!(escape(target.as_os_str().to_owned()));
        }
        Content::Folder => value["type"] = json!("dir"),
        Content::Other { device } => {
            let kind = entry.mode & 0o170_000;
            value["type"] = json!(if kind == 0o010_000 {
                "fifo"
            } else if kind == 0o020_000 {
                "chardev"
            } else {
                "dev"
            });
            if kind != 0o010_000 {
                value["rdev"] = json!([rustix::fs::major(*device), rustix::fs::minor(*device)]);
            }
        }
    }
    let attributes: serde_json::Map<String, Value> = xattr::list(&whole)
        .into_iter()
        .flatten()
        .map(|name| {
            let bytes = xattr::get(&whole, &name).ok().flatten().unwrap_or_default();
            (escape(name), json!(BASE64_STANDARD.encode(bytes)))
        })
        .collect();
    if !attributes.is_empty() {
        value["xattrs_b64"] = Value::Object(attributes);
    }
    value
}

fn inode(root: &Path, path: &Path) -> u64 {
    root.join(path).symlink_metadata().map_or(0, |metadata| metadata.ino())
}

/// The bytes of a percent-encoded path, without its leading slash.
fn unescape(text: &str) -> PathBuf {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text.trim_start_matches('/')).collect();
    OsString::from_vec(bytes).into()
}

/// Bytes as text, reversibly.
fn escape(text: OsString) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-~/".contains(byte);
    text.into_vec()
        .iter()
        .map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
