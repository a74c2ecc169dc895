//! `run`: the daemon.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::kuma_args::KumaArgs;
use super::password::Purpose;
use super::run_log::{LogFormat, RunLog};
use super::snapshot_filter::{TagList, flattened};
use super::store;
use super::units::parse_duration;
use crate::replicate::{Connection, PrimaryOptions, Role, RunOptions, run as daemon};
use crate::repository::{LockMode, Progress};

const PRIMARY: &str = "Primary";

/// Stay, and publish by itself whatever changes
///
/// The database is looked at every second. What changed is published after a short quiet time, so that a burst of edits
/// is one snapshot; as long as nothing changes, no request is made. A repository is made where there never was one.
/// Trouble with the repository or the database is told and tried again more and more rarely; it never ends the daemon.
/// SIGTERM and SIGINT do, with locks released.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma run --mode primary
  REPLICATOR_MODE=BACKUP replicator-kuma run --data-dir /srv/kuma/data --log-format json")]
pub(crate) struct RunArgs {
    /// What this instance is: BACKUP (or primary), RESTORE (or replica), or RESTORE_LOCAL_ENTITY_REPLICATION
    /// [env: REPLICATOR_MODE] [default: RESTORE]
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

    /// The host that snapshots name [env: RESTIC_HOST] [default: this host's name]
    #[arg(short = 'H', long, value_name = "HOST", help_heading = PRIMARY)]
    host: Option<String>,

    /// Tags for snapshots
    #[arg(long, value_name = "TAG[,TAG…]", help_heading = PRIMARY)]
    tag: Vec<TagList>,

    /// Look at the database so often [env: REPLICATOR_WATCH_INTERVAL] [default: 1s]
    #[arg(long, value_name = "DURATION", help_heading = PRIMARY, value_parser = parse_duration)]
    watch_interval: Option<Duration>,

    /// Publish when nothing more has changed for so long; after 30s in any case [env: REPLICATOR_QUIET_TIME] [default: 2s]
    #[arg(long, value_name = "DURATION", help_heading = PRIMARY, value_parser = parse_duration)]
    quiet_time: Option<Duration>,
}

pub(super) async fn run(context: &Context, args: &RunArgs) -> Result<Outcome, CliError> {
    let log = RunLog::new(&context.output, args.log_format(context)?);
    let options = args.options(context, &log)?;
    if options.role != Role::Primary {
        return Err(CliError::usage("`run` cannot follow yet: run `apply` on a replica"));
    }
    let settings = &context.settings;
    let connection = Connection {
        backend: store::open_for_daemon(&settings.repository.read()?, settings)?,
        password: settings.password.obtain(Purpose::OPEN, &context.interrupt).await?,
        // What happens is told by the daemon itself.
        open: context.open_options(Progress::silent()),
    };
    daemon(connection, &options, &log.listener()).await?;
    Ok(Outcome::Done)
}

impl RunArgs {
    fn log_format(&self, context: &Context) -> Result<LogFormat, CliError> {
        match self.log_format {
            Some(format) => Ok(format),
            None if context.output.is_json() => Ok(LogFormat::Json),
            None => LogFormat::of_variable(&context.settings.environment),
        }
    }

    fn options(&self, context: &Context, log: &RunLog) -> Result<RunOptions, CliError> {
        let environment = &context.settings.environment;
        let defaults = PrimaryOptions::default();
        let duration = |option: Option<Duration>, name: &str, default: Duration| match (option, environment.get(name)) {
            (Some(given), _) => Ok(given),
            (None, Some(text)) => {
                parse_duration(text).map_err(|_| CliError::variable(name, text, "a duration, as in 10s or 5m"))
            }
            (None, None) => Ok(default),
        };
        Ok(RunOptions {
            role: self.role(context, log)?,
            kuma: self.kuma.options(environment),
            state_dir: self.state_dir.clone().or_else(|| environment.get("REPLICATOR_STATE_DIR").map(PathBuf::from)),
            primary: PrimaryOptions {
                watch_interval: at_least_a_moment(duration(
                    self.watch_interval,
                    "REPLICATOR_WATCH_INTERVAL",
                    defaults.watch_interval,
                )?),
                quiet_time: duration(self.quiet_time, "REPLICATOR_QUIET_TIME", defaults.quiet_time)?,
                quiet_at_most: defaults.quiet_at_most,
                host: self.host.clone().or_else(|| context.settings.host.clone()),
                tags: flattened(&self.tag),
                no_lock: context.lock_mode(LockMode::Shared) == LockMode::None,
                retry_lock: context.settings.retry_lock,
            },
        })
    }

    fn role(&self, context: &Context, log: &RunLog) -> Result<Role, CliError> {
        let unknown = |error: crate::replicate::UnknownRole| CliError::usage(error.to_string());
        match (&self.mode, context.settings.environment.get("REPLICATOR_MODE")) {
            (Some(word), _) => word.parse().map_err(unknown),
            (None, Some(word)) => word.parse().map_err(unknown),
            (None, None) => {
                log.note("neither --mode nor REPLICATOR_MODE is set: this is a replica (RESTORE)");
                Ok(Role::Replica)
            }
        }
    }
}

/// No interval makes a loop that never rests.
fn at_least_a_moment(interval: Duration) -> Duration {
    interval.max(Duration::from_millis(50))
}
