//! What a replica does about the newest snapshot: pure, so that no test sleeps.

use super::state::Applied;
use crate::format::{SnapshotId, Time, TreeId};

/// The newest snapshot there is.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    pub(super) id: SnapshotId,
    pub(super) tree: TreeId,
    pub(super) time: Time,
    pub(super) host: String,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is what was applied last, or was given up.
    Nothing,
    /// It holds the same; only its name is to be remembered.
    Remember,
    /// It is older than what was applied last.
    Older,
    /// It is to be applied.
    Apply,
}

/// What to do about `newest`, after `applied` was applied last and `given_up` did not work.
pub(super) fn next(applied: Option<&Applied>, given_up: Option<SnapshotId>, newest: &Newest) -> Next {
    if given_up == Some(newest.id) {
        return Next::Nothing;
    }
    let Some(applied) = applied else { return Next::Apply };
    if applied.snapshot == newest.id {
        Next::Nothing
    } else if newest.time.timestamp() < applied.snapshot_time.timestamp() {
        Next::Older
    } else if applied.tree == newest.tree {
        Next::Remember
    } else {
        Next::Apply
    }
}

/// What an operator should know about whose snapshot this is; `instance` is the Kuma that it was made of.
pub(super) fn stranger(applied: &Applied, newest: &Newest, instance: Option<&str>) -> Option<String> {
    let (id, host, before) = (newest.id.short(), &newest.host, &applied.host);
    match (instance, applied.instance.as_deref()) {
        (Some(now), Some(followed)) if now != followed => Some(format!(
            "snapshot {id} of host {host} is of another Kuma than the one followed so far (host {before}): do two \
             primaries publish to this repository? --host follows one of them"
        )),
        _ if host != before => Some(format!("the primary's host is {host} now; it was {before}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(name: &[u8], seconds: i64) -> Newest {
        Newest {
            id: SnapshotId::of(name),
            tree: TreeId::of(name),
            time: Time::from_unix(seconds, 0, 0),
            host: "primary".to_owned(),
        }
    }

    fn applied(newest: &Newest) -> Applied {
        Applied {
            snapshot: newest.id,
            tree: newest.tree,
            snapshot_time: newest.time,
            host: newest.host.clone(),
            instance: Some("one".to_owned()),
            digest: String::new(),
            time: String::new(),
        }
    }

    #[test]
    fn what_is_new_is_applied_once() {
        let (a, b) = (newest(b"a", 1), newest(b"b", 2));
        assert_eq!(next(None, None, &a), Next::Apply);
        assert_eq!(next(Some(&applied(&a)), None, &a), Next::Nothing);
        assert_eq!(next(Some(&applied(&a)), None, &b), Next::Apply);
    }

    #[test]
    fn the_same_tree_under_another_name_is_nothing_to_do() {
        let a = newest(b"a", 1);
        let again = Newest { id: SnapshotId::of(b"again"), time: Time::from_unix(9, 0, 0), ..a.clone() };
        assert_eq!(next(Some(&applied(&a)), None, &again), Next::Remember);
    }

    #[test]
    fn an_older_snapshot_is_not_applied_by_itself() {
        let (a, b) = (newest(b"a", 1), newest(b"b", 2));
        assert_eq!(next(Some(&applied(&b)), None, &a), Next::Older);
    }

    #[test]
    fn what_was_given_up_is_not_tried_again_until_there_is_another() {
        let (a, b, c) = (newest(b"a", 1), newest(b"b", 2), newest(b"c", 3));
        assert_eq!(next(Some(&applied(&a)), Some(b.id), &b), Next::Nothing);
        assert_eq!(next(Some(&applied(&a)), Some(b.id), &c), Next::Apply);
    }

    #[test]
    fn another_primary_is_told_and_a_new_host_name_of_the_same_one_is_not_taken_for_it() {
        let a = newest(b"a", 1);
        let moved = Newest { host: "other".to_owned(), ..newest(b"b", 2) };
        assert_eq!(stranger(&applied(&a), &a, Some("one")), None);
        assert!(stranger(&applied(&a), &moved, Some("two")).unwrap().contains("two primaries"));
        assert!(!stranger(&applied(&a), &moved, Some("one")).unwrap().contains("two primaries"));
    }
}
