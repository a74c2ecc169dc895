//! When a changed configuration is published: pure, so that no test sleeps.

use std::time::{Duration, Instant};

/// What is known of the configuration, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    published: Option<String>,
    change: Option<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    fingerprint: String,
    first_seen: Instant,
    last_seen: Instant,
}

/// How long edits are gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    /// So long nothing more must have changed, so that a burst of edits is one snapshot.
    pub(super) time: Duration,
    /// So long after the first edit it is published all the same.
    pub(super) at_most: Duration,
}

impl Watch {
    /// Begins with what is known to be published.
    pub(super) fn new(published: Option<String>) -> Watch {
        Watch { published, change: None }
    }

    /// Takes note of how the configuration looks now.
    pub(super) fn seen(&mut self, fingerprint: &str, now: Instant) {
        if self.published.as_deref() == Some(fingerprint) {
            // Edited back: there is nothing to say any more.
            self.change = None;
            return;
        }
        match &mut self.change {
            Some(change) if change.fingerprint == fingerprint => {}
            Some(change) => (change.fingerprint, change.last_seen) = (fingerprint.to_owned(), now),
            None => {
                let fingerprint = fingerprint.to_owned();
                self.change = Some(Change { fingerprint, first_seen: now, last_seen: now });
            }
        }
    }

    /// Whether it is time to publish.
    pub(super) fn is_due(&self, now: Instant, quiet: Quiet) -> bool {
        let Some(change) = &self.change else { return false };
        // Of the first configuration ever seen there was no edit to wait for the end of.
        self.published.is_none() || now >= (change.last_seen + quiet.time).min(change.first_seen + quiet.at_most)
    }

    /// Takes note of what the newest snapshot holds now: what was found while publishing, not what was seen before.
    pub(super) fn published(&mut self, fingerprint: String) {
        self.published = Some(fingerprint);
        self.change = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Quiet = Quiet { time: Duration::from_secs(2), at_most: Duration::from_secs(30) };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_edit_is_published_after_the_quiet_time_and_once() {
        let start = Instant::now();
        let mut watch = Watch::new(Some("a".to_owned()));
        watch.seen("a", start);
        assert!(!watch.is_due(start + seconds(60), QUIET), "nothing changed");
        watch.seen("b", start);
        assert!(!watch.is_due(start + seconds(1), QUIET));
        assert!(watch.is_due(start + seconds(2), QUIET));
        watch.published("b".to_owned());
        watch.seen("b", start + seconds(3));
        assert!(!watch.is_due(start + seconds(60), QUIET));
    }

    #[test]
    fn a_burst_is_one_snapshot_but_at_most_thirty_seconds_late() {
        let start = Instant::now();
        let mut watch = Watch::new(Some("a".to_owned()));
        for second in 0..30 {
            let now = start + seconds(second);
            watch.seen(&format!("edit {second}"), now);
            assert!(!watch.is_due(now, QUIET), "{second}");
        }
        watch.seen("edit 30", start + seconds(30));
        assert!(watch.is_due(start + seconds(30), QUIET));
    }

    #[test]
    fn what_was_edited_back_is_not_published() {
        let start = Instant::now();
        let mut watch = Watch::new(Some("a".to_owned()));
        watch.seen("b", start);
        watch.seen("a", start + seconds(1));
        assert!(!watch.is_due(start + seconds(60), QUIET));
    }

    #[test]
    fn the_first_configuration_ever_is_published_at_once() {
        let start = Instant::now();
        let mut watch = Watch::new(None);
        assert!(!watch.is_due(start, QUIET), "nothing was seen yet");
        watch.seen("a", start);
        assert!(watch.is_due(start, QUIET));
    }

    #[test]
    fn a_change_during_the_publish_is_seen_after_it() {
        let start = Instant::now();
        let mut watch = Watch::new(Some("a".to_owned()));
        watch.seen("b", start);
        // When the publish read the database it was "c" already, and is "b" again now.
        watch.published("c".to_owned());
        watch.seen("b", start + seconds(3));
        assert!(watch.is_due(start + seconds(5), QUIET));
    }
}
