//! Every error of the lower layers becomes one sentence, the way out, and an exit code.
//!
//! An error says what failed and its sources say why; they are printed as one chain. Hints live only here: what to do
//! about it depends on this program's options and commands, which no other layer knows.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::hint;
use super::output::Output;
use crate::backend::{BackendError, LocationError};
use crate::replicate::ReplicateError;
pub(crate) use crate::replicate::chain;
use crate::repository::{BackupError, RepositoryError, RestoreError};

/// What ended a command before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line or a variable cannot be followed.
    #[error("{0}")]
    Usage(String),
    /// Nobody said where the repository is.
    #[error("no repository is named")]
    NoRepositoryGiven,
    /// The password is empty.
    #[error("an empty password is not taken")]
    EmptyPassword {
        /// The option that allows it.
        option: &'static str,
    },
    /// The user's own command for the password failed.
    #[error("the password command {program} failed")]
    PasswordCommand {
        /// Its name.
        program: String,
        /// How it failed.
        source: io::Error,
    },
    /// A command of the user's whose output is wanted cannot be run.
    #[error("cannot run {program}")]
    Command {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// Stdin cannot be read.
    #[error("cannot read from stdin")]
    Stdin {
        /// Why.
        source: io::Error,
    },
    /// A file that an option names cannot be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The text for a location cannot be understood.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The repository, or the store under it.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// Kuma, or what lies between it and the repository.
    #[error(transparent)]
    Replicate(Box<ReplicateError>),
    /// A backup that made no snapshot.
    #[error(transparent)]
    Backup(BackupError),
    /// A restore that ended before its end.
    #[error(transparent)]
    Restore(RestoreError),
    /// A repository's error, with a hint that only the caller knows.
    #[error("{error}")]
    Hinted {
        /// What failed.
        #[source]
        error: RepositoryError,
        /// The way out.
        hint: String,
    },
    /// Something of the source could not be read: the snapshot is there, and is incomplete.
    #[error("at least one source file could not be read")]
    Incomplete,
    /// What was asked for was done in part; everything that failed has been told.
    #[error("{0}")]
    Failed(String),
    /// The operator stopped the command.
    #[error("interrupted")]
    Interrupted,
    /// Whoever read stdout went away.
    #[error("nobody reads the output any more")]
    OutputClosed,
    /// Stdout cannot be written to.
    #[error("cannot write to stdout")]
    Output {
        /// Why.
        source: io::Error,
    },
    /// The process cannot be set up.
    #[error("cannot start")]
    Start {
        /// Why.
        source: io::Error,
    },
}

impl From<ReplicateError> for CliError {
    /// A repository's error is one, whoever met it.
    fn from(error: ReplicateError) -> CliError {
        match error {
            ReplicateError::Repository(error) => CliError::Repository(error),
            error => CliError::Replicate(Box::new(error)),
        }
    }
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> CliError {
        match error {
            BackupError::Repository(error) => CliError::Repository(error),
            error => CliError::Backup(error),
        }
    }
}

impl From<RestoreError> for CliError {
    fn from(error: RestoreError) -> CliError {
        match error {
            RestoreError::Repository(error) => CliError::Repository(error),
            error => CliError::Restore(error),
        }
    }
}

impl From<BackendError> for CliError {
    fn from(error: BackendError) -> CliError {
        CliError::Repository(error.into())
    }
}

impl From<io::Error> for CliError {
    /// An error of writing the answer: nothing else in this layer is an `io::Error` without a name.
    fn from(source: io::Error) -> CliError {
        match source.kind() {
            io::ErrorKind::BrokenPipe => CliError::OutputClosed,
            _ => CliError::Output { source },
        }
    }
}

/// The object that a failure prints with `--json`, as restic's.
#[derive(Serialize)]
struct ExitError<'a> {
    message_type: &'static str,
    code: u8,
    message: &'a str,
}

impl CliError {
    /// A command line that cannot be followed.
    pub(crate) fn usage(text: impl Into<String>) -> CliError {
        CliError::Usage(text.into())
    }

    /// A variable whose value cannot be followed.
    pub(crate) fn variable(name: &str, value: &str, expected: &str) -> CliError {
        CliError::Usage(format!("the variable {name} has the value {value:?}; expected is {expected}"))
    }

    /// A file that an option names cannot be used.
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> CliError {
        CliError::File { action, path: path.to_owned(), source }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CliError::Incomplete => 3,
            CliError::Interrupted => 130,
            // As a shell tells of a process that SIGPIPE ended.
            CliError::OutputClosed => 141,
            error => match error.of_repository() {
                Some(RepositoryError::NoRepository { .. }) => 10,
                Some(RepositoryError::Locked(_)) => 11,
                Some(RepositoryError::WrongPassword { .. }) => 12,
                Some(RepositoryError::Interrupted) => 130,
                _ => 1,
            },
        }
    }

    /// The error with its causes, in one line, nothing twice.
    pub(crate) fn message(&self) -> String {
        let word = if matches!(self, CliError::Incomplete) { "Warning" } else { "Fatal" };
        let text = match self {
            // The store's words, that there is no such file, say nothing more.
            CliError::Repository(RepositoryError::NoRepository { .. }) => self.to_string(),
            _ => chain(self),
        };
        format!("{word}: {text}")
    }

    /// The way out, if there is one to name.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            CliError::NoRepositoryGiven => Some(
                "name it by -r (--repo), --repository-file, RESTIC_REPOSITORY or RESTIC_REPOSITORY_FILE".to_owned(),
            ),
            CliError::EmptyPassword { option } => Some(format!(
                "the password comes from --password-file, --password-command, RESTIC_PASSWORD, RESTIC_PASSWORD_FILE, \
                 RESTIC_PASSWORD_COMMAND or stdin; if it is meant to be empty, say {option}"
            )),
            CliError::Hinted { hint, .. } => Some(hint.clone()),
            error => error.of_repository().and_then(hint::of_repository),
        }
    }

    /// The repository's error that is behind this one, whoever met it.
    fn of_repository(&self) -> Option<&RepositoryError> {
        match self {
            CliError::Repository(error) | CliError::Hinted { error, .. } => Some(error),
            CliError::Replicate(error) => match &**error {
                ReplicateError::Repository(error) | ReplicateError::Store(BackupError::Repository(error)) => {
                    Some(error)
                }
                ReplicateError::Read { source, .. } => match &**source {
                    RestoreError::Repository(error) => Some(error),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// Tells the error, and returns the exit code for it.
    pub(crate) fn report(&self, output: &Output) -> ExitCode {
        let code = self.exit_code();
        if matches!(self, CliError::OutputClosed) {
            return ExitCode::from(code);
        }
        let (message, hint) = (self.message(), self.hint());
        if output.is_json() {
            let message = match hint {
                Some(hint) => format!("{message}\n{hint}"),
                None => message,
            };
            output.json_error(&ExitError { message_type: "exit_error", code, message: &message });
        } else {
            output.fatal(&message, hint.as_deref());
        }
        ExitCode::from(code)
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::Verbosity;
    use super::super::output::capture::captured;
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let source = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let error = CliError::file("read", Path::new("/a"), source);
        assert_eq!(error.message(), "Fatal: cannot read /a: no such file");
        let transparent = CliError::from(RepositoryError::Interrupted);
        assert_eq!(transparent.message(), "Fatal: interrupted");
    }

    #[test]
    fn a_failure_with_json_is_one_object_on_stderr() {
        let (output, stdout, stderr) = captured(Verbosity::Normal, true, false);
        CliError::NoRepositoryGiven.report(&output);
        assert_eq!(stdout.text(), "");
        let object: serde_json::Value = serde_json::from_str(&stderr.text()).unwrap();
        assert_eq!(object["message_type"], "exit_error");
        assert_eq!(object["code"], 1);
        assert!(object["message"].as_str().unwrap().starts_with("Fatal: no repository is named\n"));
        assert_eq!(object.as_object().unwrap().len(), 3);
    }

    #[test]
    fn a_reader_that_went_away_ends_the_command_without_noise() {
        let (output, stdout, stderr) = captured(Verbosity::Normal, false, false);
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.exit_code(), 141);
        error.report(&output);
        assert_eq!(stdout.text() + &stderr.text(), "");
    }

    #[test]
    fn a_way_out_is_told_whoever_met_the_error() {
        let polynomial = crate::format::Polynomial::from_bits(7);
        let error = || RepositoryError::UnsuitedPolynomial { polynomial };
        let hint = CliError::from(error()).hint();
        assert!(hint.is_some());
        assert_eq!(CliError::from(ReplicateError::Store(BackupError::Repository(error()))).hint(), hint);
    }

    #[test]
    fn exit_codes_are_those_of_restic() {
        assert_eq!(CliError::usage("x").exit_code(), 1);
        assert_eq!(CliError::Incomplete.exit_code(), 3);
        assert_eq!(CliError::Interrupted.exit_code(), 130);
        assert_eq!(CliError::from(RepositoryError::Interrupted).exit_code(), 130);
        let source = Box::new(RestoreError::Repository(RepositoryError::Interrupted));
        let reading = ReplicateError::Read { snapshot: crate::format::Id::of(b"").into(), source };
        assert_eq!(CliError::from(reading).exit_code(), 130);
    }
}
