//! A daemon that runs inside the test, and what it tells.

use std::time::Duration;

use replicator_kuma::backend::Backend;
use replicator_kuma::replicate::{
    Connection, KumaOptions, KumaProcess, Listener, PrimaryOptions, ReplicaOptions, ReplicateError, Role, RunEvent,
    RunOptions, run,
};
use replicator_kuma::repository::{InitOptions, Interrupt, Interrupter, LockTiming, OpenOptions, Password, Repository};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use super::kuma::Kuma;

const PASSWORD: &str = "geheim";
/// Nothing here takes so long; a test that waits for more has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon.
pub(crate) struct Daemon {
    events: UnboundedReceiver<RunEvent>,
    interrupter: Interrupter,
    task: JoinHandle<Result<Option<u8>, ReplicateError>>,
}

/// The options of a test: everything is looked at every few milliseconds.
pub(crate) fn options(role: Role, kuma: &Kuma) -> RunOptions {
    let moment = Duration::from_millis(20);
    RunOptions {
        role,
        kuma: KumaOptions { data_dir: Some(kuma.path().to_owned()), ..KumaOptions::default() },
        state_dir: None,
        process: KumaProcess::Beside,
        primary: PrimaryOptions { watch_interval: moment, quiet_time: moment, ..PrimaryOptions::default() },
        replica: ReplicaOptions { poll_interval: moment, ..ReplicaOptions::default() },
    }
}

/// How a daemon's repository is worked with.
fn open_options(interrupt: Interrupt) -> OpenOptions {
    let lock_timing = LockTiming { settle: Duration::ZERO, ..LockTiming::default() };
    OpenOptions { lock_timing, interrupt, ..OpenOptions::default() }
}

/// An empty repository in `backend`, with the password of [`Daemon`]s.
pub(crate) async fn init(backend: &Backend) -> Repository {
    let cheap = replicator_kuma::format::ScryptParams { n: 2, r: 1, p: 1 };
    let open = open_options(Interrupt::never());
    let options = InitOptions { scrypt: Some(cheap), open, ..InitOptions::default() };
    Repository::init(backend.clone(), &Password::new(PASSWORD), options).await.unwrap()
}

impl Daemon {
    /// Starts it over `backend`.
    pub(crate) fn start(backend: &Backend, options: RunOptions) -> Self {
        let (sender, events) = unbounded_channel();
        let (interrupter, interrupt) = Interrupt::pair();
        let connection =
            Connection { backend: backend.clone(), password: Password::new(PASSWORD), open: open_options(interrupt) };
        let listener = Listener::new(move |event| drop(sender.send(event)));
        let task = tokio::spawn(async move { run(connection, &options, &listener).await });
        Self { events, interrupter, task }
    }

    /// Waits for an event whose words contain `part`, and returns the words of all until then.
    pub(crate) async fn until(&mut self, part: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            let Ok(Some(event)) = event else { panic!("waited for {part:?}, was told {told:#?}") };
            told.push(event.to_string());
            if event.to_string().contains(part) {
                return told;
            }
        }
    }

    /// Waits until it ends by itself, and returns its exit code.
    pub(crate) async fn ended(mut self) -> Option<u8> {
        let ended = tokio::time::timeout(PATIENCE, &mut self.task).await.expect("it does not end");
        ended.unwrap().unwrap()
    }

    /// Ends it as SIGTERM does, and returns what it told since.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        self.interrupter.interrupt();
        let ended = tokio::time::timeout(PATIENCE, &mut self.task).await.expect("it does not end");
        ended.unwrap().unwrap();
        let mut told = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            told.push(event.to_string());
        }
        told
    }
}
