//! The options of `run`, and the variables that stand behind them.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::kuma_args::KumaArgs;
use super::run_log::LogFormat;
use super::snapshot_filter::{TagList, flattened};
use super::units::parse_duration;
use crate::backend::Environment;
use crate::replicate::{Health, KumaProcess, PrimaryOptions, ReplicaOptions, Role, RunOptions, UnknownRole};
use crate::repository::LockMode;

const PRIMARY: &str = "Primary";
const REPLICA: &str = "Replica";
const PROCESS: &str = "Kuma's process";

/// Stay, and publish or follow by itself
///
/// A primary looks at its database every second; what changed is published after a short quiet time, so that a burst of
/// edits is one snapshot. As long as nothing changes, it makes no request. A repository is made where there never was one.
///
/// A replica asks for a newer snapshot every ten seconds, by one request. Before it applies one, it saves its own
/// configuration beside the database; `apply --file` brings that back.
///
/// With a COMMAND, Kuma is started as a child, stopped and started again for changes that it cannot take up otherwise, and
/// ended with the daemon; if it ends by itself, so does the daemon, with its exit code. Trouble with the repository or
/// the database is told and tried again more and more rarely; it never ends the daemon. SIGTERM and SIGINT do.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma run --mode primary
  REPLICATOR_MODE=RESTORE replicator-kuma run -- node server/server.js
  replicator-kuma run --mode replica --restart-command 'systemctl restart uptime-kuma'")]
pub(crate) struct RunArgs {
    /// BACKUP or primary, RESTORE or replica, RESTORE_LOCAL_ENTITY_REPLICATION [env: REPLICATOR_MODE] [default: RESTORE]
    ///
    /// The last one is a replica that keeps its own proxies and remote browsers.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,

    #[command(flatten)]
    kuma: KumaArgs,

    /// Keep what must be known after a restart in this folder [env: REPLICATOR_STATE_DIR] [default: where the database is]
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,

    /// How what happens is told on standard error [env: REPLICATOR_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// Primary: the host that snapshots name [env: RESTIC_HOST]; replica: follow only snapshots of this host (several times)
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Vec<String>,

    /// Primary: tags for snapshots; replica: follow only snapshots with all tags of this list (several times: of any)
    #[arg(long, value_name = "TAG[,TAG…]")]
    tag: Vec<TagList>,

    /// Look at the database so often [env: REPLICATOR_WATCH_INTERVAL] [default: 1s]
    #[arg(long, value_name = "DURATION", help_heading = PRIMARY, value_parser = parse_duration)]
    watch_interval: Option<Duration>,

    /// Publish when nothing more has changed for so long; after 30s in any case [env: REPLICATOR_QUIET_TIME] [default: 2s]
    #[arg(long, value_name = "DURATION", help_heading = PRIMARY, value_parser = parse_duration)]
    quiet_time: Option<Duration>,

    /// Ask for a newer snapshot so often, by one request each time [env: REPLICATOR_POLL_INTERVAL] [default: 10s]
    #[arg(long, value_name = "DURATION", help_heading = REPLICA, value_parser = parse_duration)]
    poll_interval: Option<Duration>,

    /// Follow what both schemas have in common if the primary's Kuma has another version
    #[arg(long, help_heading = REPLICA)]
    allow_schema_mismatch: bool,

    /// Apply even what would delete more than half of the monitors, or all rows of a table
    #[arg(long, help_heading = REPLICA)]
    allow_mass_delete: bool,

    /// Keep so many saved configurations [default: 10]
    #[arg(long, value_name = "COUNT", help_heading = REPLICA)]
    keep_saved: Option<usize>,

    /// Restart Kuma by this shell command when it must be
    #[arg(long, value_name = "COMMAND", help_heading = PROCESS, conflicts_with_all = ["stop_command", "command"])]
    restart_command: Option<String>,

    /// Stop Kuma by this shell command, which ends when Kuma is stopped
    #[arg(long, value_name = "COMMAND", help_heading = PROCESS, requires = "start_command", conflicts_with = "command")]
    stop_command: Option<String>,

    /// Start Kuma by this shell command
    #[arg(long, value_name = "COMMAND", help_heading = PROCESS, requires = "stop_command", conflicts_with = "command")]
    start_command: Option<String>,

    /// Restart Kuma at most once in so long [env: REPLICATOR_RESTART_INTERVAL] [default: 1m]
    #[arg(long, value_name = "DURATION", help_heading = PROCESS, value_parser = parse_duration)]
    restart_interval: Option<Duration>,

    /// Kuma must come up within so long, or what was applied is put back [env: REPLICATOR_HEALTH_TIMEOUT] [default: 2m]
    #[arg(long, value_name = "DURATION", help_heading = PROCESS, value_parser = parse_duration)]
    health_timeout: Option<Duration>,

    /// Where Kuma listens, as in 127.0.0.1:3001 [env: UPTIME_KUMA_HOST, UPTIME_KUMA_PORT, HOST, PORT]
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = PROCESS)]
    kuma_address: Option<SocketAddr>,

    /// Tell what is in force, and where it comes from, without secrets; and do nothing else
    #[arg(long)]
    print_config: bool,

    /// Start Kuma so, as our child
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl RunArgs {
    /// Whether only the settings are asked for.
    pub(crate) fn prints_config(&self) -> bool {
        self.print_config
    }

    /// Whether this option was given.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        match name {
            "mode" => self.mode.is_some(),
            "data-dir" => self.kuma.names_data_dir(),
            "database" => self.kuma.names_database(),
            "state-dir" => self.state_dir.is_some(),
            "watch-interval" => self.watch_interval.is_some(),
            "quiet-time" => self.quiet_time.is_some(),
            "poll-interval" => self.poll_interval.is_some(),
            "keep-saved" => self.keep_saved.is_some(),
            "restart-interval" => self.restart_interval.is_some(),
            "health-timeout" => self.health_timeout.is_some(),
            "kuma-address" => self.kuma_address.is_some(),
            "command" => self.process() != KumaProcess::Beside,
            _ => false,
        }
    }

    /// How the log looks.
    pub(crate) fn log_format(&self, context: &Context) -> Result<LogFormat, CliError> {
        match self.log_format {
            Some(format) => Ok(format),
            None if context.output.is_json() => Ok(LogFormat::Json),
            None => LogFormat::of_variable(&context.settings.environment),
        }
    }

    /// The role that is asked for; none: nobody said.
    pub(crate) fn role(&self, environment: &Environment) -> Result<Option<Role>, CliError> {
        let word = self.mode.as_deref().or_else(|| environment.get("REPLICATOR_MODE"));
        let unknown = |error: UnknownRole| CliError::usage(error.to_string());
        word.map(|word| Role::from_str(word).map_err(unknown)).transpose()
    }

    /// What the daemon is told.
    pub(crate) fn options(&self, context: &Context, role: Role) -> Result<RunOptions, CliError> {
        let environment = &context.settings.environment;
        let mut kuma = self.kuma.options(environment);
        if role == Role::ReplicaKeepingLocal {
            kuma.keep_local = ["proxy", "remote_browser"].map(str::to_owned).to_vec();
        }
        Ok(RunOptions {
            role,
            kuma,
            state_dir: self.state_dir.clone().or_else(|| environment.get("REPLICATOR_STATE_DIR").map(PathBuf::from)),
            process: self.process(),
            primary: self.primary(context, role)?,
            replica: self.replica(environment)?,
        })
    }

    fn process(&self) -> KumaProcess {
        match (&self.restart_command, &self.stop_command, &self.start_command) {
            (Some(command), _, _) => KumaProcess::Restart(command.clone()),
            (None, Some(stop), Some(start)) => KumaProcess::StopAndStart { stop: stop.clone(), start: start.clone() },
            _ if self.command.is_empty() => KumaProcess::Beside,
            _ => KumaProcess::Child(self.command.clone()),
        }
    }

    fn primary(&self, context: &Context, role: Role) -> Result<PrimaryOptions, CliError> {
        if role == Role::Primary && self.host.len() > 1 {
            return Err(CliError::usage("a primary has one name: --host is given several times"));
        }
        let environment = &context.settings.environment;
        let defaults = PrimaryOptions::default();
        let watch = duration(environment, self.watch_interval, "REPLICATOR_WATCH_INTERVAL", defaults.watch_interval)?;
        Ok(PrimaryOptions {
            watch_interval: at_least_a_moment(watch),
            quiet_time: duration(environment, self.quiet_time, "REPLICATOR_QUIET_TIME", defaults.quiet_time)?,
            quiet_at_most: defaults.quiet_at_most,
            host: self.host.first().cloned().or_else(|| context.settings.host.clone()),
            tags: flattened(&self.tag),
            no_lock: context.lock_mode(LockMode::Shared) == LockMode::None,
            retry_lock: context.settings.retry_lock,
        })
    }

    fn replica(&self, environment: &Environment) -> Result<ReplicaOptions, CliError> {
        let defaults = ReplicaOptions::default();
        let poll = duration(environment, self.poll_interval, "REPLICATOR_POLL_INTERVAL", defaults.poll_interval)?;
        let (restart, within) = ("REPLICATOR_RESTART_INTERVAL", "REPLICATOR_HEALTH_TIMEOUT");
        Ok(ReplicaOptions {
            poll_interval: at_least_a_moment(poll),
            hosts: self.host.clone(),
            tags: self.tag.iter().map(|list| list.0.clone()).collect(),
            allow_schema_mismatch: self.allow_schema_mismatch,
            allow_mass_delete: self.allow_mass_delete,
            keep_saved: self.keep_saved.unwrap_or(defaults.keep_saved),
            restart_interval: duration(environment, self.restart_interval, restart, defaults.restart_interval)?,
            health: Health {
                address: self.kuma_address.map_or_else(|| address(environment), Ok)?,
                is_tls: environment.first(&["UPTIME_KUMA_SSL_KEY", "SSL_KEY"]).is_some(),
                within: duration(environment, self.health_timeout, within, defaults.health.within)?,
            },
        })
    }
}

/// An option, else a variable, else the default.
fn duration(
    environment: &Environment,
    option: Option<Duration>,
    name: &str,
    default: Duration,
) -> Result<Duration, CliError> {
    match (option, environment.get(name)) {
        (Some(given), _) => Ok(given),
        (None, Some(text)) => {
            parse_duration(text).map_err(|_| CliError::variable(name, text, "a duration, as in 10s or 5m"))
        }
        (None, None) => Ok(default),
    }
}

/// No interval makes a loop that never rests.
fn at_least_a_moment(interval: Duration) -> Duration {
    interval.max(Duration::from_millis(50))
}

/// Where Kuma listens, by its own variables: on which address of this host it is asked.
fn address(environment: &Environment) -> Result<SocketAddr, CliError> {
    let port = match environment.first(&["UPTIME_KUMA_PORT", "PORT"]) {
        Some(text) => text.parse().map_err(|_| CliError::variable("UPTIME_KUMA_PORT or PORT", text, "a port"))?,
        None => 3001,
    };
    // A name would have to be looked up; whoever listens on one listens on loopback too, or is named by the option.
    let ip = environment.first(&["UPTIME_KUMA_HOST", "HOST"]).and_then(|text| text.parse::<IpAddr>().ok());
    let ip = match ip {
        Some(ip) if ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        Some(ip) if !ip.is_unspecified() => ip,
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kuma_is_asked_where_its_own_variables_say() {
        let at = |variables: &[(&str, &str)]| address(&variables.iter().copied().collect()).unwrap().to_string();
        assert_eq!(at(&[]), "127.0.0.1:3001");
        assert_eq!(at(&[("UPTIME_KUMA_PORT", "80"), ("PORT", "81"), ("UPTIME_KUMA_HOST", "0.0.0.0")]), "127.0.0.1:80");
        assert_eq!(at(&[("UPTIME_KUMA_HOST", "::"), ("PORT", "81")]), "[::1]:81");
        assert_eq!(at(&[("HOST", "10.0.0.1")]), "10.0.0.1:3001");
        assert!(address(&[("PORT", "http")].into_iter().collect()).is_err());
    }
}
