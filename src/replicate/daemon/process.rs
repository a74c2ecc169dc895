//! Kuma as our child: started, stopped in its own time, and never left behind.
//!
//! A task owns the child. It alone waits for it, so that no exit is missed while the daemon is busy elsewhere:
//!
//! - a child that ends by itself ends the daemon, with the child's exit code: whoever started us starts both again;
//! - a child on probation, started after an apply, may end without that: then the apply is undone;
//! - when the operator stops the daemon, the child gets SIGTERM at once and as much time as it needs.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::reaper::Own;
use crate::replicate::ReplicateError;
use crate::repository::{Interrupt, Interrupter, RepositoryError};

/// What opens the repository is none of Kuma's business.
const KEPT_FROM_THE_CHILD: &[&str] =
    &["RESTIC_PASSWORD", "RESTIC_PASSWORD_COMMAND", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The way to the task that owns the child.
pub(super) struct ChildHandle {
    orders: mpsc::Sender<Order>,
    up: watch::Receiver<bool>,
    task: JoinHandle<Option<ExitStatus>>,
}

enum Order {
    Stop(oneshot::Sender<()>),
    Start(oneshot::Sender<io::Result<()>>),
    Trust,
}

struct Parent {
    command: Vec<OsString>,
    own: Own,
    child: Option<Child>,
    up: watch::Sender<bool>,
    is_trusted: bool,
}

impl ChildHandle {
    /// Starts the child; `stop` is the operator's interrupt, `end` ends the daemon.
    pub(super) fn start(
        command: Vec<OsString>,
        own: Own,
        stop: Interrupt,
        end: Arc<Interrupter>,
    ) -> Result<ChildHandle, ReplicateError> {
        let (orders, received) = mpsc::channel(1);
        let (up, is_up) = watch::channel(false);
        let mut parent = Parent { command, own, child: None, up, is_trusted: true };
        parent.spawn().map_err(|source| parent.cannot_start(source))?;
        let task = tokio::spawn(parent.keep(received, stop, end));
        Ok(ChildHandle { orders, up: is_up, task })
    }

    /// Stops the child and waits for its end, however long that takes.
    pub(super) async fn stop(&self) -> Result<(), ReplicateError> {
        let (reply, stopped) = oneshot::channel();
        self.orders.send(Order::Stop(reply)).await.map_err(|_| gone())?;
        stopped.await.map_err(|_| gone())
    }

    /// Starts it again, on probation.
    pub(super) async fn start_again(&self) -> Result<(), ReplicateError> {
        let (reply, started) = oneshot::channel();
        self.orders.send(Order::Start(reply)).await.map_err(|_| gone())?;
        let started = started.await.map_err(|_| gone())?;
        started.map_err(|source| ReplicateError::Process { what: "start Kuma".to_owned(), source })
    }

    /// Ends the probation.
    pub(super) async fn trust(&self) {
        // If nobody hears it any more, the daemon is about to end.
        let _ = self.orders.send(Order::Trust).await;
    }

    /// Waits until the child is not running.
    pub(super) async fn down(&self) {
        let mut up = self.up.clone();
        let _ = up.wait_for(|up| !up).await;
    }

    /// Stops the child for good; how it ended, if it was running.
    pub(super) async fn finish(self) -> Option<ExitStatus> {
        drop(self.orders);
        self.task.await.ok().flatten()
    }
}

/// The task is gone only when the daemon is to end.
fn gone() -> ReplicateError {
    RepositoryError::Interrupted.into()
}

/// A process's exit code as a shell tells it.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

impl Parent {
    async fn keep(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        stop: Interrupt,
        end: Arc<Interrupter>,
    ) -> Option<ExitStatus> {
        loop {
            tokio::select! {
                status = wait(&mut self.child) => {
                    self.forget();
                    if self.is_trusted {
                        end.interrupt();
                        return status;
                    }
                }
                order = orders.recv() => match order {
                    None => break,
                    Some(Order::Stop(reply)) => {
                        self.terminate().await;
                        let _ = reply.send(());
                    }
                    Some(Order::Start(reply)) => {
                        self.is_trusted = false;
                        let _ = reply.send(self.spawn());
                    }
                    Some(Order::Trust) => {
                        self.is_trusted = true;
                        if self.child.is_none() {
                            end.interrupt();
                            return None;
                        }
                    }
                },
                () = stop.requested() => break,
            }
        }
        self.terminate().await
    }

    fn spawn(&mut self) -> io::Result<()> {
        let Some((program, arguments)) = self.command.split_first() else { return Err(ErrorKind::InvalidInput.into()) };
        let mut command = Command::new(program);
        command.args(arguments);
        for name in KEPT_FROM_THE_CHILD {
            command.env_remove(name);
        }
        self.child = Some(self.own.spawn(&mut command)?);
        self.up.send_replace(true);
        Ok(())
    }

    async fn terminate(&mut self) -> Option<ExitStatus> {
        if let Some(pid) = self.child.as_ref().and_then(Child::id).and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            // It may have ended by itself just now.
            let _ = kill_process(pid, Signal::TERM);
        }
        let status = match &mut self.child {
            Some(child) => child.wait().await.ok(),
            None => None,
        };
        self.forget();
        status
    }

    fn forget(&mut self) {
        self.child = None;
        self.up.send_replace(false);
    }

    fn cannot_start(&self, source: io::Error) -> ReplicateError {
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        ReplicateError::Process { what: format!("start {}", words.join(" ")), source }
    }
}

async fn wait(child: &mut Option<Child>) -> Option<ExitStatus> {
    match child {
        Some(child) => child.wait().await.ok(),
        None => std::future::pending().await,
    }
}
