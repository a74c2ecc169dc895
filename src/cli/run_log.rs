//! What the daemon tells, line by line on standard error: for people, or as JSON.

use clap::ValueEnum;
use serde::Serialize;

use super::error::CliError;
use super::hint;
use super::output::{Output, Verbosity};
use super::text;
use crate::backend::Environment;
use crate::format::Time;
use crate::replicate::{Level, Listener, ReplicateError, RunEvent};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Time and words
    Text,
    /// An object a line
    Json,
}

impl LogFormat {
    /// What the variable says.
    pub(crate) fn of_variable(environment: &Environment) -> Result<LogFormat, CliError> {
        let name = "REPLICATOR_LOG_FORMAT";
        let Some(word) = environment.get(name) else { return Ok(LogFormat::Text) };
        LogFormat::from_str(word, true).map_err(|_| CliError::variable(name, word, "one of text, json"))
    }
}

/// The daemon's log.
#[derive(Clone)]
pub(crate) struct RunLog {
    output: Output,
    format: LogFormat,
}

#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    level: Level,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(flatten)]
    event: Option<&'a RunEvent>,
}

impl RunLog {
    pub(crate) fn new(output: &Output, format: LogFormat) -> RunLog {
        RunLog { output: output.clone(), format }
    }

    /// One who writes each event down.
    pub(crate) fn listener(&self) -> Listener {
        let log = self.clone();
        Listener::new(move |event| log.write(event.level(), &event.to_string(), way_out(&event), Some(&event)))
    }

    /// A line of the command itself.
    pub(crate) fn note(&self, message: &str) {
        self.write(Level::Info, message, None, None);
    }

    fn write(&self, level: Level, message: &str, hint: Option<String>, event: Option<&RunEvent>) {
        if level == Level::Info && self.output.verbosity() < Verbosity::Normal {
            return;
        }
        let time = now();
        let hint = hint.as_deref();
        match self.format {
            LogFormat::Json => self.output.json_error(&Line { time: &time, level, message, hint, event }),
            LogFormat::Text => {
                let word = match level {
                    Level::Info => "",
                    Level::Warning => "Warning: ",
                    Level::Error => "Error: ",
                };
                let hint = hint.map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
                // Lists within a message are told in the same line.
                let line = format!("{time} {word}{message}{hint}").replace("\n  ", " ").replace('\n', "; ");
                self.output.error(&text::one_line(&line));
            }
        }
    }
}

/// What an operator can do about an event.
fn way_out(event: &RunEvent) -> Option<String> {
    let RunEvent::Failed { error, .. } = event else { return None };
    match error.as_ref() {
        ReplicateError::Repository(error) => hint::of_repository(error),
        _ => None,
    }
}

/// The time in whole seconds, with this machine's offset.
fn now() -> String {
    let now = jiff::Zoned::now();
    Time::from_unix(now.timestamp().as_second(), 0, now.offset().seconds()).to_string()
}
