//! The command line as a whole.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use super::context::{Context, Outcome};
use super::error::CliError;
use super::global::GlobalArgs;
use super::output::Output;
use super::{
    apply, backup, cat, check, demo, dump, init, key, list, ls, plan, publish, restore, run, snapshots, status, unlock,
    version,
};

/// Replicates Uptime Kuma's configuration through a restic repository
///
/// A primary publishes its configuration as a snapshot, replicas apply it and keep their own history. The repository is
/// restic's: stock restic lists, restores and checks what is published here, and the commands that restic has work here
/// as they do there.
#[derive(Parser)]
#[command(name = "replicator-kuma", version, max_term_width = 100, after_help = EXAMPLES, after_long_help = MORE_EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  export RESTIC_REPOSITORY=s3:https://s3.example.com/bucket/kuma
  export RESTIC_PASSWORD_FILE=/etc/kuma-password
  replicator-kuma init                 make the repository
  replicator-kuma publish              on the primary: publish what changed
  replicator-kuma plan                 on a replica: what would change
  replicator-kuma apply                on a replica: change it
  replicator-kuma run --mode primary   publish by itself whatever changes

--help tells more than -h, also of each command.";

const MORE_EXAMPLES: &str = "\
Examples:
  export RESTIC_REPOSITORY=s3:https://s3.example.com/bucket/kuma
  export RESTIC_PASSWORD_FILE=/etc/kuma-password
  replicator-kuma init                 make the repository
  replicator-kuma publish              on the primary: publish what changed
  replicator-kuma plan                 on a replica: what would change
  replicator-kuma apply                on a replica: change it
  replicator-kuma run --mode primary   publish by itself whatever changes
  replicator-kuma demo                 see all of it on a database that comes along

Exit codes:
  0    done
  1    an error; nothing was changed unless it says so
  2    plan only: there is something to apply
  3    backup only: the snapshot lacks what could not be read
  10   there is no repository
  11   the repository is locked by somebody else
  12   no key opens with this password
  130  interrupted; locks were released
  141  whoever read the output went away

Environment:
  An option that names a variable takes its value from there, unless it is
  given itself; an empty variable counts as none. For buckets:
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
  AWS_DEFAULT_REGION, AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE.
  Besides: RESTIC_HOST, RESTIC_PROGRESS_FPS, NO_COLOR, TZ.";

/// What can be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    Publish(publish::PublishArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Run(Box<run::RunArgs>),
    Status(status::StatusArgs),
    Demo(demo::DemoArgs),
    Init(init::InitArgs),
    Snapshots(snapshots::SnapshotsArgs),
    Backup(Box<backup::BackupArgs>),
    Restore(Box<restore::RestoreArgs>),
    Ls(ls::LsArgs),
    Cat(cat::CatArgs),
    Dump(dump::DumpArgs),
    List(list::ListArgs),
    Check(check::CheckArgs),
    Unlock(unlock::UnlockArgs),
    Key(key::KeyArgs),
    Version(version::VersionArgs),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, context: &Context) -> Result<Outcome, CliError> {
        match self {
            Command::Publish(args) => publish::run(context, &args).await,
            Command::Plan(args) => plan::run(context, &args).await,
            Command::Apply(args) => apply::run(context, &args).await,
            Command::Run(args) => run::run(context, &args).await,
            Command::Status(args) => status::run(context, &args),
            Command::Demo(args) => demo::run(context, &args).await,
            Command::Init(args) => init::run(context, &args).await,
            Command::Snapshots(args) => snapshots::run(context, &args).await,
            Command::Backup(args) => backup::run(context, &args).await,
            Command::Restore(args) => restore::run(context, &args).await,
            Command::Ls(args) => ls::run(context, &args).await,
            Command::Cat(args) => cat::run(context, &args).await,
            Command::Dump(args) => dump::run(context, &args).await,
            Command::List(args) => list::run(context, &args).await,
            Command::Check(args) => check::run(context, &args).await,
            Command::Unlock(args) => unlock::run(context, &args).await,
            Command::Key(args) => key::run(context, &args).await,
            Command::Version(args) => version::run(context, &args),
        }
    }
}

/// Prints help where it was asked for, and else what is wrong with the command line.
pub(crate) fn report(error: &clap::Error, output: &Output) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away has seen enough.
            let _ = error.print();
            let _ = std::io::stdout().flush();
            ExitCode::SUCCESS
        }
        _ if output.is_json() => {
            let text = error.render().to_string();
            let text = text.trim_start_matches("error: ").trim_end();
            CliError::usage(text).report(output)
        }
        _ => {
            let _ = error.print();
            // clap's own code for this, 2, means something else here.
            ExitCode::from(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_and_behind_the_command() {
        for arguments in [["-r", "x", "snapshots"], ["snapshots", "-r", "x"]] {
            let cli = Cli::try_parse_from(std::iter::once("replicator-kuma").chain(arguments)).unwrap();
            assert_eq!(cli.global.repo.as_deref(), Some("x"));
        }
    }

    #[test]
    fn every_command_and_option_has_a_help_text() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} has no help");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {}", argument.get_id());
            }
            command.get_subcommands().for_each(|command| check(command, &path));
        }
        check(&Cli::command(), "");
    }
}
