//! When a failed attempt is made again: the one place for all stores.
//!
//! This is ours and not a layer of opendal's, because a local folder and stores that opendal does not know need it too,
//! because it must tell a mistyped host from a passing trouble, and because every attempt is recorded here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::BackendError;
use super::error::Patience;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// How long and how often a failed attempt is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryOptions {
    /// No new attempt begins when this much time has passed since the first (restic: 15 minutes).
    pub budget: Duration,
    /// The same for what hardly passes by itself: an answer that makes no sense, and a host that cannot be reached as
    /// long as it has never been reached, which is most likely a typing mistake.
    pub short_budget: Duration,
    /// The pause before the second attempt; it doubles each time, plus some jitter.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for RetryOptions {
    fn default() -> RetryOptions {
        RetryOptions {
            budget: Duration::from_secs(15 * 60),
            short_budget: Duration::from_secs(5),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl RetryOptions {
    /// One attempt only.
    pub const NEVER: RetryOptions = RetryOptions {
        budget: Duration::ZERO,
        short_budget: Duration::ZERO,
        first_pause: Duration::ZERO,
        longest_pause: Duration::ZERO,
    };
}

/// Told of every failed attempt that will be made again, and of the pause before that.
#[derive(Clone)]
pub struct RetryNotice(Arc<Tell>);

type Tell = dyn Fn(&BackendError, Duration) + Send + Sync;

impl RetryNotice {
    /// A notice that calls `tell`.
    pub fn new(tell: impl Fn(&BackendError, Duration) + Send + Sync + 'static) -> RetryNotice {
        RetryNotice(Arc::new(tell))
    }

    pub(super) fn tell(&self, error: &BackendError, pause: Duration) {
        (self.0)(error, pause);
    }
}

impl fmt::Debug for RetryNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryNotice")
    }
}

/// The attempts of one operation.
pub(super) struct Schedule {
    options: RetryOptions,
    pauses: ExponentialBackoff,
}

impl Schedule {
    pub(super) fn new(options: RetryOptions) -> Schedule {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(options.first_pause)
            .with_max_delay(options.longest_pause)
            .with_jitter()
            .without_max_times();
        Schedule { options, pauses: pauses.build() }
    }

    /// The pause before the next attempt when so much time has passed since the first, or none: that was the last.
    pub(super) fn next_pause(&mut self, patience: Patience, elapsed: Duration) -> Option<Duration> {
        let budget = match patience {
            Patience::None => return None,
            Patience::Short => self.options.short_budget,
            Patience::Long => self.options.budget,
        };
        let pause = self.pauses.next()?;
        (elapsed + pause < budget).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many attempts are made if each takes `attempt`, and when the last one begins.
    fn attempts(options: RetryOptions, patience: Patience, attempt: Duration) -> (u32, Duration) {
        let mut schedule = Schedule::new(options);
        let (mut attempts, mut start) = (1, Duration::ZERO);
        while let Some(pause) = schedule.next_pause(patience, start + attempt) {
            attempts += 1;
            start += attempt + pause;
        }
        (attempts, start)
    }

    #[test]
    fn passing_trouble_is_waited_for_until_the_budget_is_spent_and_not_longer() {
        let (attempts, last) = attempts(RetryOptions::default(), Patience::Long, Duration::ZERO);
        assert!((12..=40).contains(&attempts), "{attempts}");
        assert!(last > Duration::from_secs(12 * 60) && last <= Duration::from_secs(15 * 60), "{last:?}");
    }

    #[test]
    fn what_hardly_passes_is_given_up_after_a_few_attempts() {
        let (attempts, last) = attempts(RetryOptions::default(), Patience::Short, Duration::ZERO);
        assert!((2..=4).contains(&attempts), "{attempts}");
        assert!(last <= Duration::from_secs(5), "{last:?}");
    }

    #[test]
    fn an_attempt_that_used_up_the_budget_itself_is_the_last() {
        assert_eq!(attempts(RetryOptions::default(), Patience::Short, Duration::from_secs(30)).0, 1);
    }

    #[test]
    fn what_does_not_pass_is_not_retried() {
        assert_eq!(attempts(RetryOptions::default(), Patience::None, Duration::ZERO).0, 1);
        assert_eq!(attempts(RetryOptions::NEVER, Patience::Long, Duration::ZERO).0, 1);
    }
}
