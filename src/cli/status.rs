//! `status`: what the daemon of this host does and did.

use std::path::PathBuf;

use clap::Args;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::kuma_args::KumaArgs;
use super::text;
use crate::replicate::{State, status};

/// Tell what `run` did last here, from what it wrote down
///
/// Asks no repository. The exit code is 0 if the daemon last did its work without trouble, and 1 if not, or if it never ran.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma status
  replicator-kuma status --json | jq .applied")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    kuma: KumaArgs,

    /// The daemon's --state-dir [env: REPLICATOR_STATE_DIR] [default: where the database is]
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &StatusArgs) -> Result<Outcome, CliError> {
    let environment = &context.settings.environment;
    let folder = args.state_dir.clone().or_else(|| environment.get("REPLICATOR_STATE_DIR").map(PathBuf::from));
    let (path, state) = status(&args.kuma.options(environment), folder.as_deref())?;
    let Some(state) = state else {
        return Err(CliError::Failed(format!("no daemon has run here yet: there is no {}", path.display())));
    };
    if context.output.is_json() {
        context.output.json(&state)?;
    } else {
        for line in lines(&state) {
            context.output.answer(&text::one_line(&line))?;
        }
    }
    match (&state.trouble, &state.held_back, &state.given_up) {
        (None, None, None) => Ok(Outcome::Done),
        _ => Ok(Outcome::Unwell),
    }
}

fn lines(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let role = state.role.map(|role| role.to_string());
    lines.push(format!("{} at {}", role.as_deref().unwrap_or("role unknown"), state.location));
    if let Some(published) = &state.published {
        lines.push(format!("published: snapshot {} at {}", published.snapshot.short(), published.time));
    }
    if let Some(applied) = &state.applied {
        let (id, host) = (applied.snapshot.short(), &applied.host);
        lines.push(format!("applied: snapshot {id} of {host} of {}, at {}", applied.snapshot_time, applied.time));
    }
    lines.push(format!("all well: {}", state.well_at.as_deref().unwrap_or("not yet")));
    if let Some(trouble) = &state.trouble {
        lines.push(format!("trouble since {}: cannot {}: {}", trouble.since, trouble.what, trouble.error));
    }
    lines.extend(state.held_back.clone());
    if let Some(given_up) = &state.given_up {
        lines.push(format!("given up: snapshot {}: {}", given_up.snapshot.short(), given_up.reason));
    }
    lines
}
