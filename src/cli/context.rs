//! What every command works with: settings, output, and the way to an open repository.

use std::process::ExitCode;
use std::sync::OnceLock;

use super::error::CliError;
use super::output::Output;
use super::password::{PasswordSource, Purpose};
use super::progress::{Meter, Steps};
use super::settings::{RepositorySource, Settings};
use super::store;
use super::when::Zone;
use crate::backend::Backend;
use crate::repository::{Interrupt, LockMode, OpenOptions, Password, Progress, Repository, RepositoryError};

/// A person may mistype so often.
const TRIES: usize = 3;

/// What a command did, if it met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was asked for.
    Done,
    /// It looked, and there is something to do (`plan`).
    ChangesWait,
    /// It looked, and not all is well (`status`).
    Unwell,
    /// Our child ended with this code (`run`).
    ChildEnded(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::ChangesWait => ExitCode::from(2),
            Outcome::Unwell => ExitCode::FAILURE,
            Outcome::ChildEnded(code) => ExitCode::from(code),
        }
    }
}

/// What every command works with.
pub(crate) struct Context {
    /// Options and environment.
    pub(crate) settings: Settings,
    /// Where everything is printed.
    pub(crate) output: Output,
    /// The operator's wish to stop.
    pub(crate) interrupt: Interrupt,
    /// The zone that times are shown in.
    pub(crate) zone: Zone,
    /// Tells the progress of what has no progress of its own.
    meter: OnceLock<Meter>,
}

impl Context {
    pub(crate) fn new(settings: Settings, output: Output, interrupt: Interrupt) -> Context {
        let zone = Zone::of_this_system(&settings.environment);
        Context { settings, output, interrupt, zone, meter: OnceLock::new() }
    }

    /// The store that the options name.
    pub(crate) fn backend(&self) -> Result<Backend, CliError> {
        store::open(&self.settings.repository.read()?, &self.settings, &self.output)
    }

    /// The lock to take, unless the operator wants none.
    pub(crate) fn lock_mode(&self, mode: LockMode) -> LockMode {
        if self.settings.no_lock { LockMode::None } else { mode }
    }

    /// How to work with a repository.
    pub(crate) fn open_options(&self, progress: Progress) -> OpenOptions {
        let mut options = OpenOptions {
            key_hint: self.settings.key_hint.clone(),
            compression: self.settings.compression.into(),
            progress,
            interrupt: self.interrupt.clone(),
            ..OpenOptions::default()
        };
        if let Some(size_mib) = self.settings.pack_size_mib {
            options.pack_size_bytes = size_mib << 20;
        }
        options
    }

    /// Opens the repository that the options name, asking for the password if need be, and tells what happens in it
    /// until the command ends.
    pub(crate) async fn open(&self) -> Result<Repository, CliError> {
        let steps = Steps::new();
        let repository = self.open_with(steps.listener(&self.output)).await?;
        let _ = self.meter.set(Meter::start(self, steps));
        Ok(repository)
    }

    /// The same, with another listener.
    pub(crate) async fn open_with(&self, progress: Progress) -> Result<Repository, CliError> {
        let options = self.open_options(progress);
        let repository = self.open_backend(self.backend()?, &self.settings.password, Purpose::OPEN, options).await?;
        let config = repository.config();
        let id: String = config.id.chars().take(8).collect();
        let compression = match config.version.number() {
            2.. => format!(", compression level {}", self.settings.compression.word()),
            _ => String::new(),
        };
        self.output.aside(&format!("repository {id} opened (version {}{compression})", config.version));
        Ok(repository)
    }

    /// Opens another repository, for its parameters.
    pub(crate) async fn open_source(
        &self,
        location: &RepositorySource,
        password: &PasswordSource,
        key_hint: Option<String>,
    ) -> Result<Repository, CliError> {
        let backend = store::open(&location.read()?, &self.settings, &self.output)?;
        let options = OpenOptions { key_hint, ..self.open_options(Steps::new().listener(&self.output)) };
        self.open_backend(backend, password, Purpose::FROM, options).await
    }

    async fn open_backend(
        &self,
        backend: Backend,
        source: &PasswordSource,
        purpose: Purpose,
        options: OpenOptions,
    ) -> Result<Repository, CliError> {
        let mut tries = if source.is_typed() { TRIES } else { 1 };
        loop {
            tries -= 1;
            let password = source.obtain(purpose, &self.interrupt).await?;
            match self.try_open(backend.clone(), &password, options.clone()).await {
                Err(RepositoryError::WrongPassword { .. }) if tries > 0 => {
                    self.output.error("wrong password, try again")
                }
                Err(error @ RepositoryError::WrongPassword { .. }) if !source.is_typed() => {
                    return Err(CliError::Hinted { error, hint: source.told() });
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Nothing is locked yet: an interrupt may drop whatever is under way.
    async fn try_open(
        &self,
        backend: Backend,
        password: &Password,
        options: OpenOptions,
    ) -> Result<Repository, RepositoryError> {
        self.unless_interrupted(Repository::open(backend, password, options)).await
    }

    /// Runs what holds no lock until it ends or the operator stops it.
    pub(crate) async fn unless_interrupted<T, E: From<RepositoryError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            outcome = work => outcome,
            () = self.interrupt.requested() => Err(RepositoryError::Interrupted.into()),
        }
    }

    /// Runs what writes under a lock, whatever the operator wants: without it a prune elsewhere takes away what this
    /// relies on.
    pub(crate) async fn locked_to_write<T>(
        &self,
        repository: &Repository,
        mode: LockMode,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        repository.locked(mode, self.settings.retry_lock, work).await
    }

    /// Runs `work` on an open repository under a lock, unless the operator wants none.
    pub(crate) async fn locked<T>(
        &self,
        repository: &Repository,
        mode: LockMode,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        repository.locked(self.lock_mode(mode), self.settings.retry_lock, work).await
    }
}
