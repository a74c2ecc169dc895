//! When what failed is tried again: at once to begin with, then more and more rarely.

use std::time::{Duration, Instant};

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Failures in a row of one kind of work.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    failures: u32,
    since: Option<Instant>,
    again_at: Option<Instant>,
}

impl Trouble {
    /// Takes note of a failure, and tells the pause before the next attempt.
    pub(super) fn failed(&mut self, now: Instant) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.since.get_or_insert(now);
        self.again_at = Some(now + pause);
        pause
    }

    /// Whether it may be tried now.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.again_at.is_none_or(|again| again <= now)
    }

    /// How long it is until the next attempt; none: there is no trouble.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        Some(self.again_at?.saturating_duration_since(now))
    }

    /// Takes note of a success; tells how long the trouble lasted, if there was any.
    pub(super) fn recovered(&mut self, now: Instant) -> Option<Duration> {
        let since = std::mem::take(self).since?;
        Some(now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_five_minutes_and_begin_anew_after_a_success() {
        let start = Instant::now();
        let mut trouble = Trouble::default();
        assert!(trouble.may_try(start) && trouble.recovered(start).is_none());
        let pauses: Vec<u64> = (0..12).map(|_| trouble.failed(start).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert!(!trouble.may_try(start + Duration::from_secs(299)));
        assert!(trouble.may_try(start + Duration::from_secs(300)));
        assert_eq!(trouble.recovered(start + Duration::from_secs(301)), Some(Duration::from_secs(301)));
        assert!(trouble.may_try(start));
        assert_eq!(trouble.failed(start).as_secs(), 1);
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut trouble = Trouble { failures: u32::MAX, ..Trouble::default() };
        assert_eq!(trouble.failed(Instant::now()), LONGEST_PAUSE);
    }
}
