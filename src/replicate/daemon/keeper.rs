//! Who stops and starts Kuma: we as its parent, commands, or nobody.

use std::ffi::OsString;
use std::process::ExitStatus;
use std::sync::Arc;

use tokio::process::Command;

use super::process::ChildHandle;
use super::reaper::Own;
use crate::replicate::ReplicateError;
use crate::repository::{Interrupt, Interrupter};

/// How Kuma is stopped and started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KumaProcess {
    /// By somebody else.
    #[default]
    Beside,
    /// By us: it is our child, with this program and these arguments.
    Child(Vec<OsString>),
    /// By a shell command that restarts it.
    Restart(String),
    /// By shell commands.
    StopAndStart {
        /// The one that ends when Kuma is stopped.
        stop: String,
        /// The one that starts it.
        start: String,
    },
}

pub(super) struct Keeper {
    own: Own,
    kind: Kind,
}

enum Kind {
    Beside,
    Child(ChildHandle),
    Restart(String),
    StopAndStart { stop: String, start: String },
}

impl Keeper {
    /// Starts the child, if there is to be one.
    pub(super) fn begin(
        process: KumaProcess,
        stop: Interrupt,
        end: Arc<Interrupter>,
    ) -> Result<Keeper, ReplicateError> {
        let own = Own::default();
        let init = own.reap_as_init();
        init.map_err(|source| ReplicateError::Process { what: "wait for processes".to_owned(), source })?;
        let kind = match process {
            KumaProcess::Beside => Kind::Beside,
            KumaProcess::Child(command) => Kind::Child(ChildHandle::start(command, own.clone(), stop, end)?),
            KumaProcess::Restart(command) => Kind::Restart(command),
            KumaProcess::StopAndStart { stop, start } => Kind::StopAndStart { stop, start },
        };
        Ok(Keeper { own, kind })
    }

    /// Whether Kuma can be restarted from here.
    pub(super) fn can_restart(&self) -> bool {
        !matches!(self.kind, Kind::Beside)
    }

    /// Stops Kuma, where it can be stopped without being started again.
    pub(super) async fn stop(&self) -> Result<(), ReplicateError> {
        match &self.kind {
            Kind::Beside | Kind::Restart(_) => Ok(()),
            Kind::Child(child) => child.stop().await,
            Kind::StopAndStart { stop, .. } => self.shell(stop).await,
        }
    }

    /// Starts it again, or restarts it where it could not be stopped.
    pub(super) async fn start(&self) -> Result<(), ReplicateError> {
        match &self.kind {
            Kind::Beside => Ok(()),
            Kind::Child(child) => child.start_again().await,
            Kind::Restart(command) | Kind::StopAndStart { start: command, .. } => self.shell(command).await,
        }
    }

    /// From now on a child that ends takes the daemon with it again.
    pub(super) async fn trust(&self) {
        if let Kind::Child(child) = &self.kind {
            child.trust().await;
        }
    }

    /// Waits until Kuma is down, as far as that can be seen from here.
    pub(super) async fn down(&self) {
        match &self.kind {
            Kind::Child(child) => child.down().await,
            _ => std::future::pending().await,
        }
    }

    /// Stops the child for good; how it ended.
    pub(super) async fn finish(self) -> Option<ExitStatus> {
        match self.kind {
            Kind::Child(child) => child.finish().await,
            _ => None,
        }
    }

    async fn shell(&self, command: &str) -> Result<(), ReplicateError> {
        let what = || format!("run {command:?}");
        let failed = |source| ReplicateError::Process { what: what(), source };
        let mut child = self.own.spawn(Command::new("/bin/sh").arg("-c").arg(command)).map_err(failed)?;
        let status = child.wait().await.map_err(failed)?;
        if status.success() { Ok(()) } else { Err(ReplicateError::CommandFailed { what: what(), status }) }
    }
}
