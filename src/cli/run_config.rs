//! `run --print-config`: what is in force, and where it comes from; never a secret.

use serde::Serialize;

use super::context::Context;
use super::error::CliError;
use super::run_args::RunArgs;
use crate::backend::Location;
use crate::replicate::{KumaProcess, RunOptions};

/// One setting.
#[derive(Serialize)]
pub(crate) struct Setting {
    name: &'static str,
    value: String,
    from: String,
}

/// Prints the settings, one a line, or as one JSON array.
pub(crate) fn print(context: &Context, args: &RunArgs, options: &RunOptions) -> Result<(), CliError> {
    let settings = settings(context, args, options)?;
    if context.output.is_json() {
        context.output.json(&settings)?;
        return Ok(());
    }
    for Setting { name, value, from } in &settings {
        context.output.answer(&format!("{name:<18} {value:<40} # {from}"))?;
    }
    Ok(())
}

fn settings(context: &Context, args: &RunArgs, options: &RunOptions) -> Result<Vec<Setting>, CliError> {
    let environment = &context.settings.environment;
    let from = |name: &'static str, variables: &[&str]| {
        let variable = variables.iter().find(|variable| environment.get(variable).is_some());
        match (args.is_given(name), variable) {
            (true, _) => "option".to_owned(),
            (false, Some(variable)) => format!("variable {variable}"),
            (false, None) => "default".to_owned(),
        }
    };
    let setting =
        |name: &'static str, value: String, variables: &[&str]| Setting { name, value, from: from(name, variables) };
    let (primary, replica, kuma) = (&options.primary, &options.replica, &options.kuma);
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map_or("-".into(), |path| path.display().to_string());
    let repository = Location::parse(&context.settings.repository.read()?)?.to_string();
    let process = match &options.process {
        KumaProcess::Beside => "none: Kuma is restarted by somebody else".to_owned(),
        KumaProcess::Child(words) => words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "),
        KumaProcess::Restart(command) => format!("restart by {command:?}"),
        KumaProcess::StopAndStart { stop, start } => format!("stop by {stop:?}, start by {start:?}"),
    };
    Ok(vec![
        setting("mode", options.role.to_string(), &["REPLICATOR_MODE"]),
        Setting { name: "repository", value: repository, from: "option or variable RESTIC_REPOSITORY".to_owned() },
        Setting { name: "password", value: "(secret)".to_owned(), from: context.settings.password.place() },
        setting("data-dir", path(&kuma.data_dir), &["DATA_DIR"]),
        setting("database", path(&kuma.database), &["SQLITE_DATABASE"]),
        setting("state-dir", path(&options.state_dir), &["REPLICATOR_STATE_DIR"]),
        setting("watch-interval", format!("{:?}", primary.watch_interval), &["REPLICATOR_WATCH_INTERVAL"]),
        setting("quiet-time", format!("{:?}", primary.quiet_time), &["REPLICATOR_QUIET_TIME"]),
        setting("poll-interval", format!("{:?}", replica.poll_interval), &["REPLICATOR_POLL_INTERVAL"]),
        setting("keep-saved", replica.keep_saved.to_string(), &[]),
        setting("restart-interval", format!("{:?}", replica.restart_interval), &["REPLICATOR_RESTART_INTERVAL"]),
        setting("health-timeout", format!("{:?}", replica.health.within), &["REPLICATOR_HEALTH_TIMEOUT"]),
        setting("kuma-address", replica.health.address.to_string(), &["UPTIME_KUMA_PORT", "PORT"]),
        setting("command", process, &[]),
    ])
}
