//! `init`: a new repository.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::password::{Names, PasswordSource, Purpose};
use super::settings::RepositorySource;
use crate::format::{Polynomial, Version};
use crate::repository::{InitOptions, Progress, Repository};

/// Make a new repository
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma -r /srv/kuma-repo init
  replicator-kuma -r s3:https://s3.example.com/bucket/kuma -p /etc/kuma-password init")]
pub(crate) struct InitArgs {
    /// The version of the format: 1, 2, `stable` or `latest`
    #[arg(long, value_name = "VERSION", default_value = "stable")]
    repository_version: String,

    /// Cut files where another repository does, so that snapshots copied from it share their data
    #[arg(long)]
    copy_chunker_params: bool,

    #[command(flatten)]
    from: FromArgs,
}

/// The other repository.
#[derive(Args)]
struct FromArgs {
    /// The other repository [env: RESTIC_FROM_REPOSITORY]
    #[arg(long, value_name = "REPOSITORY")]
    from_repo: Option<String>,

    /// Read where the other repository is from this file [env: RESTIC_FROM_REPOSITORY_FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "from_repo")]
    from_repository_file: Option<PathBuf>,

    /// Read the other repository's password from this file [env: RESTIC_FROM_PASSWORD_FILE]
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,

    /// Take the other repository's password from what this command prints [env: RESTIC_FROM_PASSWORD_COMMAND]
    #[arg(long, value_name = "COMMAND", conflicts_with = "from_password_file")]
    from_password_command: Option<String>,

    /// The other repository's key to try first [env: RESTIC_FROM_KEY_HINT]
    #[arg(long, value_name = "KEY")]
    from_key_hint: Option<String>,

    /// The other repository has the empty password
    #[arg(long)]
    from_insecure_no_password: bool,
}

#[derive(Serialize)]
struct Initialized<'a> {
    message_type: &'static str,
    id: &'a str,
    repository: &'a str,
}

pub(super) async fn run(context: &Context, args: &InitArgs) -> Result<Outcome, CliError> {
    let version = version(&args.repository_version)?;
    let chunker_polynomial = polynomial(context, args).await?;
    let backend = context.backend()?;
    let location = backend.location();
    let password = context.settings.password.obtain_new(Purpose::INIT, &context.interrupt).await?;
    let open = context.open_options(Progress::silent());
    let options = InitOptions { version, chunker_polynomial, open, ..InitOptions::default() };
    let repository = context.unless_interrupted(Repository::init(backend, &password, options)).await?;
    let id = repository.config().id.as_str();
    if context.output.is_json() {
        context.output.json(&Initialized { message_type: "initialized", id, repository: &location })?;
        return Ok(Outcome::Done);
    }
    let short: String = id.chars().take(10).collect();
    context.output.note(&format!("created restic repository {short} at {location}"));
    if chunker_polynomial.is_some() {
        context.output.note("with the chunker parameters of the other repository");
    }
    context.output.note("\nKeep the password: without it nobody, not even you, can read what is stored there.");
    Ok(Outcome::Done)
}

fn version(text: &str) -> Result<Version, CliError> {
    match text {
        "2" | "stable" | "latest" | "" => Ok(Version::V2),
        "1" => Ok(Version::V1),
        _ => Err(CliError::usage(format!("--repository-version {text}: it is one of 1, 2, stable, latest"))),
    }
}

/// The chunker polynomial of the other repository, if it is wanted.
async fn polynomial(context: &Context, args: &InitArgs) -> Result<Option<Polynomial>, CliError> {
    let environment = &context.settings.environment;
    let from = &args.from;
    if !args.copy_chunker_params {
        return match (&from.from_repo, &from.from_repository_file) {
            (None, None) => Ok(None),
            _ => {
                Err(CliError::usage("another repository is named, but not what for: --copy-chunker-params is missing"))
            }
        };
    }
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let location = match (&from.from_repo, &from.from_repository_file) {
        (Some(location), _) => RepositorySource::Location(location.clone()),
        (None, Some(path)) => RepositorySource::File(path.clone()),
        (None, None) => match (variable("RESTIC_FROM_REPOSITORY"), variable("RESTIC_FROM_REPOSITORY_FILE")) {
            (Some(location), _) => RepositorySource::Location(location),
            (None, Some(path)) => RepositorySource::File(path.into()),
            (None, None) => {
                return Err(CliError::usage("--copy-chunker-params needs --from-repo or --from-repository-file"));
            }
        },
    };
    let names = Names { prefix: "RESTIC_FROM", insecure: "--from-insecure-no-password" };
    let options = (
        from.from_password_file.as_deref().map(Path::new),
        from.from_password_command.as_deref(),
        from.from_insecure_no_password,
    );
    let password = PasswordSource::choose(options, environment, names)?;
    let key_hint = from.from_key_hint.clone().or_else(|| variable("RESTIC_FROM_KEY_HINT"));
    let repository = context.open_source(&location, &password, key_hint).await?;
    Ok(Some(repository.config().chunker_polynomial))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_as_in_restic() {
        for (text, expected) in
            [("1", Version::V1), ("2", Version::V2), ("stable", Version::V2), ("latest", Version::V2)]
        {
            assert_eq!(version(text).unwrap(), expected);
        }
        assert!(version("3").unwrap_err().to_string().contains("one of 1, 2, stable, latest"));
    }
}
