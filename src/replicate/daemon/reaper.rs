//! As PID 1 we inherit processes whose parents ended, and must wait for them, or they stay as zombies for ever.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// The processes that we started ourselves and wait for where they were started.
#[derive(Clone, Default)]
pub(super) struct Own(Arc<Mutex<BTreeSet<u32>>>);

impl Own {
    /// Starts a process; from its first moment on the reaper leaves it alone.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Process ids come again: what is not our child any more may be somebody else's.
        own.retain(|pid| parent_and_state(*pid).is_some_and(|(parent, _)| parent == std::process::id()));
        let child = command.spawn()?;
        own.extend(child.id());
        Ok(child)
    }

    /// Waits for inherited processes, if this is PID 1.
    pub(super) fn reap_as_init(&self) -> io::Result<()> {
        if std::process::id() != 1 {
            return Ok(());
        }
        let mut ended = signal(SignalKind::child())?;
        let own = self.clone();
        tokio::spawn(async move {
            while ended.recv().await.is_some() {
                own.reap();
            }
        });
        Ok(())
    }

    fn reap(&self) {
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(processes) = std::fs::read_dir("/proc") else { return };
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        for pid in pids.filter(|pid| !own.contains(pid)) {
            if parent_and_state(pid) == Some((std::process::id(), 'Z')) {
                let _ = waitpid(Pid::from_raw(pid.cast_signed()), WaitOptions::NOHANG);
            }
        }
    }
}

/// Of a process its parent and its state, from `/proc/PID/stat`: proc_pid_stat(5).
fn parent_and_state(pid: u32) -> Option<(u32, char)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processs_parent_and_state_are_read() {
        let own = std::process::id();
        let (parent, _) = parent_and_state(own).unwrap();
        assert_eq!(parent, std::os::unix::process::parent_id());
        assert_eq!(parent_and_state(u32::MAX), None);
    }
}
