//! What both roles need: the way to the repository, the state on disk, and who is told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::event::{Listener, RunEvent, millis};
use super::state::{CurrentTrouble, FILE, State};
use super::trouble::Trouble;
use super::{Connection, RunOptions};
use crate::format::Time;
use crate::kuma::DataDir;
use crate::replicate::{ReplicateError, chain};
use crate::repository::{InitOptions, Repository, RepositoryError};

/// So often it is written down that all is well.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// A running daemon's surroundings.
pub(super) struct Session {
    connection: Connection,
    repository: Option<Repository>,
    folder: PathBuf,
    listener: Listener,
    warned: BTreeSet<String>,
    noted: Option<Instant>,
    pub(super) data: DataDir,
    pub(super) state: State,
}

impl Session {
    /// Finds the database and the state; makes no request.
    pub(super) fn begin(
        connection: Connection,
        options: &RunOptions,
        listener: &Listener,
    ) -> Result<Session, ReplicateError> {
        let data = options.kuma.find()?;
        // What cannot be followed is told now, not when it is needed first.
        options.kuma.selection()?;
        let folder = options.state_dir.clone().unwrap_or_else(|| beside(data.database()));
        let (mut state, warning) = State::load(&folder);
        let location = connection.backend.location();
        if state.location != location {
            state = state.elsewhere(location.clone());
        }
        let listener = listener.clone();
        let database = data.database().to_owned();
        let warned = BTreeSet::new();
        state.role = Some(options.role);
        let mut session = Session { connection, repository: None, folder, listener, warned, noted: None, data, state };
        session.tell(RunEvent::Started { role: options.role, database, repository: location });
        session.warn(warning);
        // What cannot be written down later is told now.
        session.save()?;
        Ok(session)
    }

    pub(super) fn tell(&self, event: RunEvent) {
        self.listener.tell(event);
    }

    /// Tells warnings, each once as long as the daemon runs.
    pub(super) fn warn(&mut self, warnings: impl IntoIterator<Item = String>) {
        for text in warnings {
            if self.warned.insert(text.clone()) {
                self.tell(RunEvent::Warning { text });
            }
        }
    }

    /// Tells that something failed and when it is tried again; an interrupt is passed on.
    pub(super) fn failed(
        &mut self,
        what: &'static str,
        error: ReplicateError,
        trouble: &mut Trouble,
    ) -> Result<(), ReplicateError> {
        if matches!(error, ReplicateError::Repository(RepositoryError::Interrupted)) {
            return Err(error);
        }
        // Whatever it is, it may be another repository by then.
        self.repository = None;
        let retry_in_ms = millis(trouble.failed(Instant::now()));
        let since = match self.state.trouble.take() {
            Some(current) if current.what == what => current.since,
            _ => now(),
        };
        self.state.trouble = Some(CurrentTrouble { what: what.to_owned(), error: chain(&error), since });
        // If that fails too, it is the lesser trouble.
        let _ = self.save();
        self.tell(RunEvent::Failed { what, error: Box::new(error), retry_in_ms });
        Ok(())
    }

    /// Tells that it works, if it did not before.
    pub(super) fn worked(&mut self, what: &'static str, trouble: &mut Trouble) {
        if let Some(after) = trouble.recovered(Instant::now()) {
            self.tell(RunEvent::Recovered { what, after_ms: millis(after) });
        }
        let is_over = self.state.trouble.as_ref().is_some_and(|current| current.what == what);
        if is_over || self.noted.is_none_or(|noted| noted.elapsed() >= NOTED_EVERY) {
            self.state.trouble.take_if(|current| current.what == what);
            (self.state.well_at, self.noted) = (Some(now()), Some(Instant::now()));
            // Only `status` would miss it.
            let _ = self.save();
        }
    }

    /// Waits; false if the operator wants an end.
    pub(super) async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.connection.open.interrupt.requested() => false,
        }
    }

    /// The open repository.
    pub(super) async fn repository(&mut self) -> Result<Repository, ReplicateError> {
        if let Some(repository) = &self.repository {
            return Ok(repository.clone());
        }
        let Connection { backend, password, open } = &self.connection;
        let opened = tokio::select! {
            opened = Repository::open(backend.clone(), password, open.clone()) => opened,
            // Nothing is locked yet.
            () = open.interrupt.requested() => Err(RepositoryError::Interrupted),
        };
        self.adopt(opened?)
    }

    /// The same; where there is none, it is made. Only where there never was one: a folder that is not mounted today must
    /// not become an empty repository.
    pub(super) async fn repository_or_new(&mut self) -> Result<Repository, ReplicateError> {
        match self.repository().await {
            Err(ReplicateError::Repository(error @ RepositoryError::NoRepository { .. })) => {
                if self.state.repository.is_some() {
                    let state = self.folder.join(FILE).display().to_string();
                    return Err(ReplicateError::RepositoryGone { state, source: error });
                }
                let Connection { backend, password, open } = &self.connection;
                let options = InitOptions { open: open.clone(), ..InitOptions::default() };
                // Not to be interrupted: a key without a config would be in the way of the next attempt.
                let made = Repository::init(backend.clone(), password, options).await?;
                self.tell(RunEvent::Created { repository: backend.location() });
                self.adopt(made)
            }
            outcome => outcome,
        }
    }

    /// Where the state and the saved configurations are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn adopt(&mut self, repository: Repository) -> Result<Repository, ReplicateError> {
        let id = Some(repository.config().id.as_str().to_owned());
        if self.state.repository != id {
            // What is remembered is about another one.
            self.state = State { repository: id, ..self.state.elsewhere(self.state.location.clone()) };
            self.save()?;
        }
        self.repository = Some(repository.clone());
        Ok(repository)
    }

    /// Writes the state.
    pub(super) fn save(&self) -> Result<(), ReplicateError> {
        self.state.save(&self.folder)
    }
}

/// The time now, RFC 3339.
pub(super) fn now() -> String {
    Time::from(&jiff::Zoned::now()).to_string()
}

/// The folder of a file.
pub(super) fn beside(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
