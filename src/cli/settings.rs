//! Options and environment become one plain structure; nothing below this layer reads either.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use super::error::CliError;
use super::global::{CompressionMode, GlobalArgs};
use super::output::Verbosity;
use super::password::PasswordSource;
use super::textfile;
use crate::backend::Environment;

/// What the global options and the environment say, checked for itself but not yet used.
pub(crate) struct Settings {
    /// Where the repository is, or where that is written.
    pub(crate) repository: RepositorySource,
    /// Where the password comes from.
    pub(crate) password: PasswordSource,
    /// The key to try first.
    pub(crate) key_hint: Option<String>,
    /// How much is told.
    pub(crate) verbosity: Verbosity,
    /// Whether the answer is JSON.
    pub(crate) json: bool,
    /// Take no lock.
    pub(crate) no_lock: bool,
    /// How long to wait for a lock.
    pub(crate) retry_lock: Duration,
    /// How hard new data is compressed.
    pub(crate) compression: CompressionMode,
    /// The wanted size of packs.
    pub(crate) pack_size_mib: Option<u32>,
    /// How the store is reached.
    pub(crate) transport: Transport,
    /// The store's options, as `key=value` with the key in lower case.
    pub(crate) options: Vec<(String, String)>,
    /// How often progress is told where that is not a terminal; none: never.
    pub(crate) progress_interval: Option<Duration>,
    /// `RESTIC_HOST`.
    pub(crate) host: Option<String>,
    /// The variables, for the store and the commands.
    pub(crate) environment: Environment,
}

/// The options of the connection to a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transport {
    /// Certificates to trust instead of the built-in ones.
    pub(crate) cacerts: Vec<PathBuf>,
    /// A certificate and key to show.
    pub(crate) client_cert: Option<PathBuf>,
    /// Trust any certificate.
    pub(crate) insecure_tls: bool,
    /// How long a request may stand still.
    pub(crate) stall_timeout: Option<Duration>,
    /// The name to go by.
    pub(crate) user_agent: Option<String>,
    /// KiB a second to send at most.
    pub(crate) limit_upload_kib: u32,
    /// KiB a second to receive at most.
    pub(crate) limit_download_kib: u32,
}

/// Where the repository's location comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RepositorySource {
    /// The location itself.
    Location(String),
    /// A file that holds it.
    File(PathBuf),
    /// Nobody said.
    Missing,
}

impl RepositorySource {
    /// The location's text.
    pub(crate) fn read(&self) -> Result<String, CliError> {
        match self {
            RepositorySource::Location(text) => Ok(text.clone()),
            RepositorySource::File(path) => {
                let bytes = textfile::read(path)?;
                let text = String::from_utf8_lossy(textfile::trimmed(&bytes)).into_owned();
                if text.is_empty() { Err(CliError::usage(format!("{} is empty", path.display()))) } else { Ok(text) }
            }
            RepositorySource::Missing => Err(CliError::NoRepositoryGiven),
        }
    }
}

impl Settings {
    /// Gathers the global options and the environment.
    pub(crate) fn gather(args: &GlobalArgs, environment: Environment) -> Result<Settings, CliError> {
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        Ok(Settings {
            repository: repository_source(args, &environment)?,
            password: PasswordSource::of_options(args, &environment)?,
            key_hint: args.key_hint.clone().or_else(|| variable("RESTIC_KEY_HINT")),
            verbosity: verbosity(args)?,
            json: args.json,
            no_lock: args.no_lock,
            retry_lock: args.retry_lock.unwrap_or_default(),
            compression: compression(args, &environment)?,
            pack_size_mib: pack_size(args, &environment)?,
            transport: transport(args, &environment),
            options: store_options(&args.options)?,
            progress_interval: progress_interval(&environment)?,
            host: variable("RESTIC_HOST"),
            environment,
        })
    }
}

fn repository_source(args: &GlobalArgs, environment: &Environment) -> Result<RepositorySource, CliError> {
    let location = |text: &str| RepositorySource::Location(text.to_owned());
    match (&args.repo, &args.repository_file) {
        (Some(text), _) if !text.is_empty() => return Ok(location(text)),
        (_, Some(path)) => return Ok(RepositorySource::File(path.clone())),
        _ => {}
    }
    match (environment.get("RESTIC_REPOSITORY"), environment.get("RESTIC_REPOSITORY_FILE")) {
        (Some(_), Some(_)) => {
            Err(CliError::usage("RESTIC_REPOSITORY and RESTIC_REPOSITORY_FILE are both set: which one is meant?"))
        }
        (Some(text), None) => Ok(location(text)),
        (None, Some(path)) => Ok(RepositorySource::File(Path::new(path).to_owned())),
        (None, None) => Ok(RepositorySource::Missing),
    }
}

fn verbosity(args: &GlobalArgs) -> Result<Verbosity, CliError> {
    match (args.quiet, args.verbose_level()) {
        (true, 1..) => Err(CliError::usage("--quiet and --verbose contradict each other")),
        (true, 0) => Ok(Verbosity::Quiet),
        (false, 0) => Ok(Verbosity::Normal),
        (false, 1) => Ok(Verbosity::Verbose),
        (false, 2..) => Ok(Verbosity::Debug),
    }
}

fn compression(args: &GlobalArgs, environment: &Environment) -> Result<CompressionMode, CliError> {
    if let Some(mode) = args.compression {
        return Ok(mode);
    }
    let Some(text) = environment.get("RESTIC_COMPRESSION") else { return Ok(CompressionMode::Auto) };
    CompressionMode::from_str(text, false)
        .map_err(|_| CliError::variable("RESTIC_COMPRESSION", text, "one of auto, off, fastest, better, max"))
}

fn pack_size(args: &GlobalArgs, environment: &Environment) -> Result<Option<u32>, CliError> {
    let size = match (args.pack_size, environment.get("RESTIC_PACK_SIZE")) {
        (Some(size), _) => size,
        (None, Some(text)) => {
            text.parse().map_err(|_| CliError::variable("RESTIC_PACK_SIZE", text, "a whole number of MiB, 4 to 128"))?
        }
        (None, None) => 0,
    };
    match size {
        0 => Ok(None),
        4..=128 => Ok(Some(size)),
        _ => Err(CliError::usage(format!("a pack size of {size} MiB is out of range: 4 to 128"))),
    }
}

fn transport(args: &GlobalArgs, environment: &Environment) -> Transport {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let from_variable = |list: String| list.split(',').map(PathBuf::from).collect();
    let cacerts = if args.cacert.is_empty() {
        variable("RESTIC_CACERT").map(from_variable).unwrap_or_default()
    } else {
        args.cacert.clone()
    };
    Transport {
        cacerts,
        client_cert: args.tls_client_cert.clone().or_else(|| variable("RESTIC_TLS_CLIENT_CERT").map(PathBuf::from)),
        insecure_tls: args.insecure_tls,
        stall_timeout: args.stuck_request_timeout,
        user_agent: args.http_user_agent.clone().or_else(|| variable("RESTIC_HTTP_USER_AGENT")),
        limit_upload_kib: args.limit_upload.unwrap_or(0),
        limit_download_kib: args.limit_download.unwrap_or(0),
    }
}

/// Splits `key=value` at the first equals sign; the same key twice must have the same value.
fn store_options(given: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let mut options: Vec<(String, String)> = Vec::new();
    for text in given {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        let (key, value) = (key.trim().to_lowercase(), value.trim().to_owned());
        if key.is_empty() {
            return Err(CliError::usage(format!("-o {text}: an option is written as key=value")));
        }
        match options.iter().find(|(known, _)| *known == key) {
            Some((_, known)) if *known != value => {
                return Err(CliError::usage(format!("the option {key} is given twice, with different values")));
            }
            Some(_) => {}
            None => options.push((key, value)),
        }
    }
    Ok(options)
}

/// `RESTIC_PROGRESS_FPS`: how often in a second, at most 60 times.
fn progress_interval(environment: &Environment) -> Result<Option<Duration>, CliError> {
    let Some(text) = environment.get("RESTIC_PROGRESS_FPS") else { return Ok(None) };
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => {
            let seconds = 1.0 / rate.min(60.0);
            Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
        }
        Ok(0.0) => Ok(None),
        _ => Err(CliError::variable("RESTIC_PROGRESS_FPS", text, "a number of updates in a second, like 0.1 or 10")),
    }
}

/// Reads a size that an option of the store names.
pub(crate) fn option_number(key: &str, value: &str) -> Result<usize, CliError> {
    value.parse().map_err(|_| CliError::usage(format!("-o {key}={value}: a whole number is expected")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        global: GlobalArgs,
    }

    fn gather(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Settings, CliError> {
        let arguments = std::iter::once("program").chain(arguments.iter().copied());
        Settings::gather(&Only::parse_from(arguments).global, variables.iter().copied().collect())
    }

    fn fault(arguments: &[&str], variables: &[(&str, &str)]) -> String {
        match gather(arguments, variables) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_option_wins_over_the_variable_behind_it() {
        let settings = gather(&["-r", "/given"], &[("RESTIC_REPOSITORY", "/variable")]).unwrap();
        assert_eq!(settings.repository, RepositorySource::Location("/given".to_owned()));
        let settings = gather(&["--repository-file", "f"], &[("RESTIC_REPOSITORY", "/variable")]).unwrap();
        assert_eq!(settings.repository, RepositorySource::File("f".into()));
        let settings = gather(&["--compression", "max"], &[("RESTIC_COMPRESSION", "nonsense")]).unwrap();
        assert_eq!(settings.compression, CompressionMode::Max);
    }

    #[test]
    fn an_empty_variable_is_an_unset_one() {
        let settings = gather(&[], &[("RESTIC_REPOSITORY", ""), ("RESTIC_COMPRESSION", "")]).unwrap();
        assert_eq!(settings.repository, RepositorySource::Missing);
        assert_eq!(settings.compression, CompressionMode::Auto);
    }

    #[test]
    fn two_variables_for_one_thing_are_refused() {
        let variables = [("RESTIC_REPOSITORY", "a"), ("RESTIC_REPOSITORY_FILE", "b")];
        assert!(fault(&[], &variables).contains("both set"));
    }

    #[test]
    fn a_bad_value_of_a_variable_is_named_with_the_variable() {
        for variable in ["RESTIC_COMPRESSION", "RESTIC_PACK_SIZE", "RESTIC_PROGRESS_FPS"] {
            let text = fault(&[], &[(variable, "foo")]);
            assert!(text.contains(variable) && text.contains("foo"), "{text}");
        }
    }

    #[test]
    fn verbosity_counts_and_takes_a_level() {
        let level = |arguments: &[&str]| gather(arguments, &[]).unwrap().verbosity;
        assert_eq!(level(&[]), Verbosity::Normal);
        assert_eq!(level(&["-v"]), Verbosity::Verbose);
        assert_eq!(level(&["-vv"]), Verbosity::Debug);
        assert_eq!(level(&["-v", "--verbose"]), Verbosity::Debug);
        assert_eq!(level(&["--verbose=2"]), Verbosity::Debug);
        assert_eq!(level(&["--verbose=9"]), Verbosity::Debug);
        assert_eq!(level(&["-q"]), Verbosity::Quiet);
        assert!(fault(&["-q", "-v"], &[]).contains("contradict"));
    }

    #[test]
    fn pack_sizes_are_bounded_as_in_restic() {
        assert_eq!(gather(&["--pack-size", "4"], &[]).unwrap().pack_size_mib, Some(4));
        assert_eq!(gather(&["--pack-size", "0"], &[]).unwrap().pack_size_mib, None);
        assert!(fault(&["--pack-size", "129"], &[]).contains("4 to 128"));
        assert!(fault(&["--pack-size", "3"], &[]).contains("4 to 128"));
    }

    #[test]
    fn options_of_the_store_are_keys_with_values() {
        let settings = gather(&["-o", "S3.Connections = 10", "-o", "s3.connections=10"], &[]).unwrap();
        assert_eq!(settings.options, [("s3.connections".to_owned(), "10".to_owned())]);
        assert!(fault(&["-o", "a=1", "-o", "a=2"], &[]).contains("twice"));
        assert!(fault(&["-o", "=1"], &[]).contains("key=value"));
    }

    #[test]
    fn the_rate_of_progress_is_at_most_60_a_second() {
        let interval = |rate| gather(&[], &[("RESTIC_PROGRESS_FPS", rate)]).unwrap().progress_interval;
        assert_eq!(interval("0.1"), Some(Duration::from_secs(10)));
        assert_eq!(interval("1000"), Some(Duration::from_secs_f64(1.0 / 60.0)));
        assert_eq!(interval("0"), None);
    }
}
