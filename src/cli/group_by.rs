//! `--group-by`: which snapshots belong together.

use std::str::FromStr;

use serde::Serialize;

use crate::format::Snapshot;

/// What the snapshots of a group have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupBy {
    /// The host.
    pub(crate) host: bool,
    /// The paths.
    pub(crate) paths: bool,
    /// The tags.
    pub(crate) tags: bool,
}

/// What the snapshots of one group have in common, as restic's JSON has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct GroupKey {
    hostname: String,
    paths: Option<Vec<String>>,
    tags: Option<Vec<String>>,
}

impl GroupBy {
    /// Whether all snapshots are one group.
    pub(crate) fn is_nothing(self) -> bool {
        self == GroupBy::default()
    }

    /// The group of a snapshot, whose paths and tags are sorted.
    pub(crate) fn key_of(self, snapshot: &Snapshot) -> GroupKey {
        GroupKey {
            hostname: if self.host { snapshot.hostname.clone() } else { String::new() },
            paths: self.paths.then(|| snapshot.paths.clone()),
            tags: (self.tags && !snapshot.tags.is_empty()).then(|| snapshot.tags.clone()),
        }
    }
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<GroupBy, String> {
        let mut by = GroupBy::default();
        for word in text.split(',') {
            match word {
                "host" | "hosts" => by.host = true,
                "path" | "paths" => by.paths = true,
                "tag" | "tags" => by.tags = true,
                "" => {}
                _ => return Err(format!("{word:?} is none of host, paths, tags")),
            }
        }
        Ok(by)
    }
}

impl GroupKey {
    /// For a heading; nothing if there is nothing in common.
    pub(crate) fn in_words(&self) -> String {
        let host = (!self.hostname.is_empty()).then(|| format!("host [{}]", self.hostname));
        let tags = self.tags.as_ref().map(|tags| format!("tags [{}]", tags.join(", ")));
        let paths = self.paths.as_ref().map(|paths| format!("paths [{}]", paths.join(", ")));
        host.into_iter().chain(tags).chain(paths).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_in_singular_and_plural() {
        let all = GroupBy { host: true, paths: true, tags: true };
        assert_eq!("host,paths,tag".parse(), Ok(all));
        assert_eq!("".parse(), Ok(GroupBy::default()));
        assert!("hst".parse::<GroupBy>().unwrap_err().contains("\"hst\""));
    }

    #[test]
    fn a_key_has_null_for_what_does_not_count() {
        let key = GroupKey { tags: Some(vec!["a".to_owned()]), ..GroupKey::default() };
        assert_eq!(serde_json::to_string(&key).unwrap(), r#"{"hostname":"","paths":null,"tags":["a"]}"#);
        assert_eq!(key.in_words(), "tags [a]");
    }
}
