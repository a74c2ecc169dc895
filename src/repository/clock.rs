//! The clock of this layer: locks, keys and snapshots carry the time they were made.

use std::time::Duration;

use crate::format::Time;

/// The time now, with this machine's offset from UTC.
pub(crate) fn now() -> Time {
    Time::from(&jiff::Zoned::now())
}

/// How long ago `time` was; zero if it is in the future.
pub(crate) fn age(time: &Time) -> Duration {
    let elapsed = jiff::Timestamp::now().duration_since(time.timestamp());
    Duration::try_from(elapsed).unwrap_or(Duration::ZERO)
}
