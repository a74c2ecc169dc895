//! The options that every command takes, as restic has them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::units::parse_duration;
use crate::format::Compression;

const REPOSITORY: &str = "Repository";
const OUTPUT: &str = "Output";
const ACCESS: &str = "Access";
const STORAGE: &str = "Storage";

/// Options of every command. Where an environment variable stands behind an option, the option wins.
#[derive(Args, Clone, Default)]
pub(crate) struct GlobalArgs {
    /// Where the repository is [env: RESTIC_REPOSITORY]
    ///
    /// A folder; s3:https://HOST/BUCKET/PREFIX, s3:HOST/BUCKET/PREFIX or s3://HOST/BUCKET/PREFIX;
    /// r2:ACCOUNT/BUCKET/PREFIX; rest:https://USER:PASSWORD@HOST/PATH/.
    #[arg(short, long, global = true, value_name = "REPOSITORY", help_heading = REPOSITORY)]
    pub(crate) repo: Option<String>,

    /// Read where the repository is from this file [env: RESTIC_REPOSITORY_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = REPOSITORY, conflicts_with = "repo")]
    pub(crate) repository_file: Option<PathBuf>,

    /// Read the password from this file [env: RESTIC_PASSWORD_FILE]
    #[arg(short, long, global = true, value_name = "FILE", help_heading = REPOSITORY)]
    pub(crate) password_file: Option<PathBuf>,

    /// Take the password from what this command prints [env: RESTIC_PASSWORD_COMMAND]
    #[arg(long, global = true, value_name = "COMMAND", help_heading = REPOSITORY, conflicts_with = "password_file")]
    pub(crate) password_command: Option<String>,

    /// Use the empty password; such a repository needs this option with every command
    #[arg(long, global = true, help_heading = REPOSITORY, hide_short_help = true)]
    pub(crate) insecure_no_password: bool,

    /// The key to try first, by its ID or the beginning of it [env: RESTIC_KEY_HINT]
    #[arg(long, global = true, value_name = "KEY", help_heading = REPOSITORY, hide_short_help = true)]
    pub(crate) key_hint: Option<String>,

    /// Print JSON; for the commands that restic has too, with its fields
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(crate) json: bool,

    /// Print the answer and errors only
    #[arg(short, long, global = true, help_heading = OUTPUT)]
    pub(crate) quiet: bool,

    /// Print more: -v for each phase, -vv or --verbose=2 for each file
    #[arg(short, long, global = true, value_name = "LEVEL", help_heading = OUTPUT, action = ArgAction::Append,
        num_args = 0..=1, require_equals = true, default_missing_value = "+1", value_parser = parse_verbosity)]
    pub(crate) verbose: Vec<VerboseStep>,

    /// Read without a lock, for a repository that may only be read; what writes takes one in any case
    #[arg(long, global = true, help_heading = ACCESS)]
    pub(crate) no_lock: bool,

    /// Wait this long for a lock that somebody else holds: 30s, 5m, 2h
    #[arg(long, global = true, value_name = "DURATION", help_heading = ACCESS, value_parser = parse_duration)]
    pub(crate) retry_lock: Option<Duration>,

    /// How to compress new data, in repositories of version 2 [env: RESTIC_COMPRESSION] [default: auto]
    #[arg(long, global = true, value_name = "MODE", help_heading = STORAGE, hide_short_help = true)]
    pub(crate) compression: Option<CompressionMode>,

    /// The size to aim at for pack files, 4 to 128 MiB [env: RESTIC_PACK_SIZE] [default: 16]
    #[arg(long, global = true, value_name = "MIB", help_heading = STORAGE, hide_short_help = true)]
    pub(crate) pack_size: Option<u32>,

    /// Accepted for restic's sake: what is sealed is opened again and compared in any case
    #[arg(long, global = true, help_heading = STORAGE, hide_short_help = true)]
    pub(crate) no_extra_verify: bool,

    /// Trust the certificates in this PEM file, and no others; several times [env: RESTIC_CACERT]
    #[arg(long, global = true, value_name = "FILE", help_heading = STORAGE, hide_short_help = true, value_delimiter = ',')]
    pub(crate) cacert: Vec<PathBuf>,

    /// Show this PEM file, a certificate and its key, to the server [env: RESTIC_TLS_CLIENT_CERT]
    #[arg(long, global = true, value_name = "FILE", help_heading = STORAGE, hide_short_help = true)]
    pub(crate) tls_client_cert: Option<PathBuf>,

    /// Do not check the server's certificate: whoever is between here and there can read and change everything
    #[arg(long, global = true, help_heading = STORAGE, hide_short_help = true)]
    pub(crate) insecure_tls: bool,

    /// Try a request again when nothing has moved for this long [default: 1m]
    #[arg(long, global = true, value_name = "DURATION", help_heading = STORAGE, hide_short_help = true,
        value_parser = parse_duration)]
    pub(crate) stuck_request_timeout: Option<Duration>,

    /// restic's; refused, since it is not supported yet
    #[arg(long, global = true, value_name = "KIB", help_heading = STORAGE, hide = true)]
    pub(crate) limit_upload: Option<u32>,

    /// restic's; refused, since it is not supported yet
    #[arg(long, global = true, value_name = "KIB", help_heading = STORAGE, hide = true)]
    pub(crate) limit_download: Option<u32>,

    /// The name this program goes by in HTTP requests [env: RESTIC_HTTP_USER_AGENT]
    #[arg(long, global = true, value_name = "NAME", help_heading = STORAGE, hide_short_help = true)]
    pub(crate) http_user_agent: Option<String>,

    /// Set an option of the store, as in -o s3.connections=10
    #[arg(short = 'o', long = "option", global = true, value_name = "KEY=VALUE", help_heading = STORAGE,
        hide_short_help = true)]
    pub(crate) options: Vec<String>,

    /// Accepted for restic's sake: there is no cache
    #[arg(long, global = true, help_heading = STORAGE, hide_short_help = true)]
    pub(crate) no_cache: bool,

    /// Accepted for restic's sake: there is no cache [env: RESTIC_CACHE_DIR]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = STORAGE, hide_short_help = true)]
    pub(crate) cache_dir: Option<OsString>,

    /// Accepted for restic's sake: there is no cache
    #[arg(long, global = true, help_heading = STORAGE, hide_short_help = true)]
    pub(crate) cleanup_cache: bool,
}

/// How hard new data is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionMode {
    /// Balanced
    Auto,
    /// Not at all, except for metadata
    Off,
    /// Least time
    Fastest,
    /// Smaller than auto
    Better,
    /// Smallest, slow
    Max,
}

/// One `-v`, or a level named by `--verbose=2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerboseStep {
    /// One more than before.
    Up,
    /// This level, whatever was before.
    Level(u32),
}

fn parse_verbosity(text: &str) -> Result<VerboseStep, String> {
    match text {
        "+1" => Ok(VerboseStep::Up),
        _ => {
            text.parse().map(VerboseStep::Level).map_err(|_| "a level is a whole number, at most 2 matters".to_owned())
        }
    }
}

impl CompressionMode {
    /// Its word on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            CompressionMode::Auto => "auto",
            CompressionMode::Off => "off",
            CompressionMode::Fastest => "fastest",
            CompressionMode::Better => "better",
            CompressionMode::Max => "max",
        }
    }
}

impl From<CompressionMode> for Compression {
    fn from(mode: CompressionMode) -> Compression {
        match mode {
            CompressionMode::Auto => Compression::Auto,
            CompressionMode::Off => Compression::Off,
            CompressionMode::Fastest => Compression::Fastest,
            CompressionMode::Better => Compression::Better,
            CompressionMode::Max => Compression::Max,
        }
    }
}

impl GlobalArgs {
    /// How verbose the options ask to be, counting from 0.
    pub(crate) fn verbose_level(&self) -> u32 {
        self.verbose.iter().fold(0, |level, step| match step {
            VerboseStep::Up => level.saturating_add(1),
            VerboseStep::Level(named) => *named,
        })
    }
}
