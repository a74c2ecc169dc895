//! The command line: arguments, environment, printing, hints and exit codes.
//!
//! [`main`] is the whole way: arguments and environment become [`Settings`](settings::Settings), a command runs with
//! them, what it prints goes through [`Output`](output::Output), and what ends it early becomes a sentence, a hint and
//! an exit code in [`error`]. One file a command; what several share has a file of its own.

mod apply;
mod archive;
mod args;
mod backup;
mod backup_json;
mod backup_report;
mod cat;
mod check;
mod command_input;
mod context;
mod demo;
mod dump;
mod error;
mod global;
mod group_by;
mod hint;
mod init;
mod key;
mod kuma_args;
mod list;
mod ls;
mod node_text;
mod number;
mod output;
mod password;
mod pattern_args;
mod plan;
mod progress;
mod publish;
mod restore;
mod restore_report;
mod run;
mod run_args;
mod run_config;
mod run_log;
mod settings;
mod signals;
mod snapshot_filter;
mod snapshots;
mod sources;
mod status;
mod store;
mod table;
mod tar;
mod text;
mod textfile;
mod units;
mod unlock;
mod version;
mod walk;
mod when;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::backend::Environment;
use crate::repository::Interrupt;
use args::{Cli, Command};
use context::{Context, Outcome};
use error::CliError;
use output::{Output, Verbosity};
use settings::Settings;

/// How long the runtime's last threads may take after the command has ended: they hold no lock any more.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    let environment = environment();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // The parser may fail before it has seen this option.
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return args::report(&error, &Output::of_this_process(Verbosity::Normal, json, &environment)),
    };
    let fallback = Output::of_this_process(Verbosity::Normal, json, &environment);
    let settings = match Settings::gather(&cli.global, environment) {
        Ok(settings) => settings,
        Err(error) => return error.report(&fallback),
    };
    let output = Output::of_this_process(settings.verbosity, settings.json, &settings.environment);
    match start(cli.command, settings, &output) {
        Ok(outcome) => outcome.into(),
        Err(error) => error.report(&output),
    }
}

/// The variables of this process; those that are not UTF-8 can be none that is looked for.
fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Runs a command to its end, or to the point where an interrupt lets it end.
fn start(command: Command, settings: Settings, output: &Output) -> Result<Outcome, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Start { source })?;
    let (interrupter, interrupt) = Interrupt::pair();
    let outcome = runtime.block_on(async {
        signals::listen(interrupter, output.clone())?;
        let context = Context::new(settings, output.clone(), interrupt);
        command.run(&context).await
    });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    let flushed = output.finish();
    let outcome = outcome?;
    flushed?;
    Ok(outcome)
}
