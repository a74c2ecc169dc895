//! `backup`: files and folders become a snapshot.

use std::ffi::OsString;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::backup_report::BackupReport;
use super::command_input::CommandInput;
use super::context::{Context, Outcome};
use super::error::CliError;
use super::group_by::GroupBy;
use super::pattern_args::ExcludeArgs;
use super::progress::{Meter, Steps};
use super::snapshot_filter::{TagList, flattened};
use super::sources::{FilesFromArgs, existing};
use super::units::parse_bytes;
use super::version::PROGRAM_VERSION;
use crate::repository::{
    BackupOptions, BackupOutcome, Excludes, Identity, LockMode, ParentChoice, Repository, TagFile,
};

/// Store files and folders as a new snapshot
///
/// Files that look as they do in the parent snapshot are not read again. What cannot be read is told and left out; the
/// exit code is 3 then.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma backup /srv/kuma/data --exclude '*.log'
  replicator-kuma backup --files-from list.txt --tag nightly
  mysqldump kuma | replicator-kuma backup --stdin --stdin-filename kuma.sql")]
pub(crate) struct BackupArgs {
    /// Do everything but writing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Read all files again, whatever the parent says
    #[arg(short, long)]
    force: bool,

    /// Compare with this snapshot [default: the newest of the same group that is not newer than --time]
    #[arg(long, value_name = "SNAPSHOT")]
    parent: Option<String>,

    /// The newest among snapshots that have this in common is the parent; empty: among all
    #[arg(short, long, value_name = "GROUP[,GROUP…]", default_value = "host,paths")]
    group_by: GroupBy,

    /// Make no snapshot if it would be as its parent
    #[arg(long)]
    skip_if_unchanged: bool,

    #[command(flatten)]
    excludes: ExcludeArgs,

    /// Leave out what lies beside a file of this name, if the file begins with HEADER; several times
    #[arg(long, value_name = "NAME[:HEADER]")]
    exclude_if_present: Vec<String>,

    /// Leave out caches: folders with a file CACHEDIR.TAG (<https://bford.info/cachedir/>)
    #[arg(long)]
    exclude_caches: bool,

    /// Leave out files that are larger, as in 500M
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    exclude_larger_than: Option<u64>,

    /// Stay on the file systems of the paths that are named
    #[arg(short = 'x', long)]
    one_file_system: bool,

    #[command(flatten)]
    files_from: FilesFromArgs,

    /// Store what comes in on stdin
    #[arg(long, conflicts_with = "paths")]
    stdin: bool,

    /// The file's name in the snapshot, for --stdin and --stdin-from-command
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    stdin_filename: PathBuf,

    /// Run a command and store what it prints; if it fails there is no snapshot
    #[arg(long, conflicts_with = "stdin")]
    stdin_from_command: bool,

    /// Tags for the snapshot; several times
    #[arg(long, value_name = "TAG[,TAG…]")]
    tag: Vec<TagList>,

    /// The host that the snapshot names [env: RESTIC_HOST] [default: this host's name]
    #[arg(short = 'H', long, value_name = "HOST", alias = "hostname")]
    host: Option<String>,

    /// The time that the snapshot names, as in '2012-11-01 22:08:41' [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,

    /// Store when files were read last
    #[arg(long)]
    with_atime: bool,

    /// Take a file for unchanged even if its inode number or ctime differs
    #[arg(long)]
    ignore_inode: bool,

    /// Take a file for unchanged even if its ctime differs
    #[arg(long)]
    ignore_ctime: bool,

    /// Read so many files at once [env: RESTIC_READ_CONCURRENCY] [default: 2]
    #[arg(long, value_name = "N")]
    read_concurrency: Option<usize>,

    /// Do not count files ahead to tell how far the backup is
    #[arg(long)]
    no_scan: bool,

    /// Files and folders; with --stdin-from-command the command and its arguments
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
}

/// Where the data comes from.
enum Source {
    Paths { paths: Vec<PathBuf>, whole: bool },
    Stream(Box<dyn Read + Send>),
}

pub(super) async fn run(context: &Context, args: &BackupArgs) -> Result<Outcome, CliError> {
    args.check(context)?;
    let mut options = args.options(context)?;
    let source = args.source(context)?;
    context.output.verbose("open repository");
    let (report, steps) = (BackupReport::new(&context.output), Steps::new());
    let repository = context.open_with(report.listener(&steps)).await?;
    let work = async {
        report.begin();
        let meter = Meter::start(context, Arc::clone(&report) as Arc<_>);
        let outcome = back_up(context, args, &repository, source, &mut options).await;
        drop(meter);
        outcome
    };
    let mode = if args.dry_run { LockMode::None } else { LockMode::Shared };
    let outcome = context.locked_to_write(&repository, mode, work).await?;
    report.finish(&outcome, args.dry_run);
    if outcome.is_incomplete { Err(CliError::Incomplete) } else { Ok(Outcome::Done) }
}

async fn back_up(
    context: &Context,
    args: &BackupArgs,
    repository: &Repository,
    source: Source,
    options: &mut BackupOptions,
) -> Result<BackupOutcome, CliError> {
    let output = &context.output;
    let (paths, whole) = match source {
        Source::Stream(input) => {
            let index = Arc::new(repository.load_index().await?);
            output.verbose("read data from stdin");
            return Ok(repository.backup_stream(index, &args.stdin_filename, input, options).await?);
        }
        Source::Paths { paths, whole } => (paths, whole),
    };
    if !args.force {
        options.parent = repository.find_parent(&args.parent_choice(options), &paths, options.time).await?;
    }
    match &options.parent {
        Some((id, _)) => output.note(&format!("using parent snapshot {}", id.short())),
        None => output.note("no parent snapshot found, will read all files"),
    }
    output.verbose("load index files");
    let index = Arc::new(repository.load_index().await?);
    let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if options.scan {
        output.verbose(&format!("start scan on [{}]", named.join(" ")));
    }
    output.verbose(&format!("start backup on [{}]", named.join(" ")));
    let mut outcome = repository.backup(index, &paths, options).await?;
    outcome.is_incomplete |= !whole;
    Ok(outcome)
}

impl BackupArgs {
    /// What contradicts each other.
    fn check(&self, context: &Context) -> Result<(), CliError> {
        let stream = self.stdin || self.stdin_from_command;
        if stream && !self.files_from.is_empty() {
            return Err(CliError::usage("the data comes from a stream: --files-from names files besides"));
        }
        if context.settings.password.reads_stdin() && (self.stdin || self.files_from.read_stdin()) {
            return Err(CliError::usage(
                "stdin cannot be both data and password: give the password by --password-file or RESTIC_PASSWORD",
            ));
        }
        if !stream && self.paths.is_empty() && self.files_from.is_empty() {
            return Err(CliError::usage("nothing to back up: name files or folders"));
        }
        Ok(())
    }

    fn source(&self, context: &Context) -> Result<Source, CliError> {
        if self.stdin_from_command {
            return Ok(Source::Stream(Box::new(CommandInput::start(&self.paths, &context.output)?)));
        }
        if self.stdin {
            return Ok(Source::Stream(Box::new(io::stdin())));
        }
        let given: Vec<PathBuf> = self.paths.iter().map(PathBuf::from).collect();
        let paths = self.files_from.paths(&given, &context.output)?;
        if paths.is_empty() {
            return Err(CliError::usage("nothing to back up: name files or folders"));
        }
        let (paths, whole) = existing(paths, &context.output)?;
        Ok(Source::Paths { paths, whole })
    }

    fn options(&self, context: &Context) -> Result<BackupOptions, CliError> {
        let settings = &context.settings;
        let own_host = || settings.host.clone().unwrap_or_else(|| Identity::of_this_process().hostname);
        let time = match &self.time {
            None => None,
            Some(text) => Some(context.zone.parse(text).map_err(|fault| {
                CliError::usage(format!("--time {text:?}: a time like '2012-11-01 22:08:41' is expected: {fault}"))
            })?),
        };
        Ok(BackupOptions {
            excludes: self.excludes(context)?,
            parent: None,
            ignore_inode: self.ignore_inode,
            ignore_ctime: self.ignore_ctime,
            with_atime: self.with_atime,
            dry_run: self.dry_run,
            skip_if_unchanged: self.skip_if_unchanged,
            scan: !self.no_scan,
            read_concurrency: self.read_concurrency(context)?,
            time,
            hostname: self.host.clone().filter(|host| !host.is_empty()).unwrap_or_else(own_host),
            tags: flattened(&self.tag),
            program_version: PROGRAM_VERSION.to_owned(),
        })
    }

    fn excludes(&self, context: &Context) -> Result<Excludes, CliError> {
        let mut if_present =
            self.exclude_if_present.iter().map(|spec| TagFile::parse(spec)).collect::<Result<Vec<_>, _>>()?;
        if_present.extend(self.exclude_caches.then(TagFile::of_caches));
        let texts = self.excludes.exclude.iter().map(|pattern| pattern.to_string_lossy().into_owned()).collect();
        Ok(Excludes {
            patterns: self.excludes.lists(&context.settings.environment)?,
            texts,
            if_present,
            larger_than_bytes: self.exclude_larger_than,
            other_file_systems: self.one_file_system,
        })
    }

    fn read_concurrency(&self, context: &Context) -> Result<Option<NonZeroUsize>, CliError> {
        let variable = context.settings.environment.get("RESTIC_READ_CONCURRENCY");
        let number = match (self.read_concurrency, variable) {
            (Some(number), _) => number,
            (None, Some(text)) => text
                .parse()
                .map_err(|_| CliError::variable("RESTIC_READ_CONCURRENCY", text, "a whole number of files"))?,
            (None, None) => 0,
        };
        Ok(NonZeroUsize::new(number))
    }

    fn parent_choice(&self, options: &BackupOptions) -> ParentChoice {
        ParentChoice {
            name: self.parent.clone(),
            host: self.group_by.host.then(|| options.hostname.clone()),
            by_paths: self.group_by.paths,
            tags: self.group_by.tags.then(|| options.tags.clone()),
        }
    }
}
