//! Whose lock counts no longer.

use std::time::Duration;

use crate::format::Lock;
use crate::repository::{Identity, clock};

/// A lock older than this has lost its holder.
const STALE_AFTER: Duration = Duration::from_secs(30 * 60);

/// Whether a lock's holder is gone: it is too old, or its process on this host is no more (restic-format 9.3).
///
/// A time in the future is never stale. The process is asked with signal 0: restic's SIGHUP ends it (13.11).
pub(super) fn is_stale(lock: &Lock, here: &Identity) -> bool {
    if clock::age(&lock.time) > STALE_AFTER {
        return true;
    }
    lock.hostname == here.hostname && !process_exists(lock.pid)
}

fn process_exists(pid: i64) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(rustix::process::Pid::from_raw);
    match pid.map(rustix::process::test_kill_process) {
        Some(Err(rustix::io::Errno::SRCH)) | None => false,
        // Not ours to ask is somebody's who lives.
        Some(_) => true,
    }
}
