//! How dear guessing the password is made: scrypt's parameters, measured on this machine.

use std::time::{Duration, Instant};

use crate::blocking;
use crate::format::{KeyFile, MasterKey, ScryptParams, Time};

/// What deriving a key may take at most (restic-format 3.4).
const TIME: Duration = Duration::from_millis(500);
/// The memory it may take at most: 60 MB.
const MEMORY_BYTES: u64 = 60 << 20;
/// `N` of the first measurement; nothing cheaper is ever chosen.
const LEAST: ScryptParams = ScryptParams { n: 1 << 14, r: 8, p: 1 };
/// More is never chosen, however quick the machine seemed.
const MOST_P: u32 = 64;

/// Parameters that take about half a second and at most 60 MB on this machine, as restic chooses them.
pub(super) async fn calibrated() -> ScryptParams {
    blocking::run(|| {
        choose(|params| {
            let start = Instant::now();
            // The outcome is of no interest, and a failure shows when the real key is made.
            drop(MasterKey::generate().map(|key| KeyFile::seal(&key, b"", params, Time::ZERO, "", "")));
            start.elapsed()
        })
    })
    .await
}

/// Doubles `N` as long as time and memory allow, then spends what is left of the time on `p`.
fn choose(measure: impl Fn(ScryptParams) -> Duration) -> ScryptParams {
    let mut params = LEAST;
    let mut taken = measure(params);
    while taken * 2 <= TIME && memory_bytes(params) * 2 <= MEMORY_BYTES {
        params.n *= 2;
        taken = measure(params);
    }
    let rounds = TIME.as_micros() / taken.as_micros().max(1);
    params.p = u32::try_from(rounds).unwrap_or(u32::MAX).clamp(1, MOST_P);
    params
}

fn memory_bytes(params: ScryptParams) -> u64 {
    128 * u64::from(params.r) * params.n
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that takes so many microseconds for N = 16384.
    fn on_a_machine_of(micros: u64) -> ScryptParams {
        choose(|params| Duration::from_micros(micros) * u32::try_from(params.n / LEAST.n).unwrap())
    }

    #[test]
    fn a_common_machine_gets_32_mib_and_the_rest_of_the_time_in_rounds() {
        assert_eq!(on_a_machine_of(40_000), ScryptParams { n: 32_768, r: 8, p: 6 });
    }

    #[test]
    fn a_slow_machine_gets_the_least_and_a_quick_one_no_more_than_the_most() {
        assert_eq!(on_a_machine_of(3_000_000), LEAST);
        assert_eq!(on_a_machine_of(1), ScryptParams { n: 32_768, r: 8, p: MOST_P });
        assert_eq!(on_a_machine_of(0).p, MOST_P);
    }

    #[test]
    fn whatever_is_chosen_opens_again() {
        for micros in [0, 10, 1_000, 30_000, 250_000, 10_000_000] {
            on_a_machine_of(micros).check().unwrap();
        }
    }
}
