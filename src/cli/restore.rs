//! `restore`: a snapshot becomes files again.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::context::{Context, Outcome};
use super::error::CliError;
use super::ls::describe;
use super::pattern_args::{ExcludeArgs, IncludeArgs};
use super::progress::{Meter, Steps};
use super::restore_report::RestoreReport;
use super::snapshot_filter::FilterArgs;
use crate::format::TreeId;
use crate::repository::{
    Case, Index, LockMode, Overwrite, Patterns, Repository, RestoreOptions, Restored, SelectXattr, Selection, restore,
    verify,
};

/// Bring the files of a snapshot back
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma restore latest --target /tmp/restored
  replicator-kuma restore latest:/backup/current --target . --include backup.sql
  replicator-kuma restore 5d4b6f64 --target /srv --delete --dry-run -vv")]
pub(crate) struct RestoreArgs {
    /// The folder to restore to; made if it is not there
    #[arg(short, long, value_name = "FOLDER")]
    target: PathBuf,

    #[command(flatten)]
    excludes: ExcludeArgs,

    #[command(flatten)]
    includes: IncludeArgs,

    /// Do not restore extended attributes whose names this pattern matches; several times
    #[arg(long, value_name = "PATTERN", conflicts_with = "include_xattr")]
    exclude_xattr: Vec<String>,

    /// Restore only extended attributes whose names this pattern matches; several times
    #[arg(long, value_name = "PATTERN")]
    include_xattr: Vec<String>,

    #[command(flatten)]
    filter: FilterArgs,

    /// What to do about files that are there
    #[arg(long, value_name = "WHEN", default_value = "always")]
    overwrite: When,

    /// Remove what is in the target and not in the snapshot; `--dry-run -vv` tells what that is
    #[arg(long)]
    delete: bool,

    /// Leave holes for zeros in new files
    #[arg(long)]
    sparse: bool,

    /// Read what was restored, and compare it
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,

    /// Restore owners by their names, not by their numbers
    #[arg(long)]
    ownership_by_name: bool,

    /// Change nothing, tell what would be done
    #[arg(long)]
    dry_run: bool,

    /// `latest`, an ID or the beginning of one; a folder may follow after a colon
    #[arg(value_name = "SNAPSHOT[:FOLDER]")]
    snapshot: String,
}

/// When a file that is there is overwritten.
#[derive(Clone, Copy, ValueEnum)]
enum When {
    /// When its content differs
    Always,
    /// When its size or time differs, and then its content
    IfChanged,
    /// When it is older than that of the snapshot
    IfNewer,
    /// Never
    Never,
}

pub(super) async fn run(context: &Context, args: &RestoreArgs) -> Result<Outcome, CliError> {
    let options = args.options(context)?;
    let (report, steps) = (RestoreReport::new(&context.output), Steps::new());
    let repository = context.open_with(report.listener(&steps)).await?;
    let work = work(context, args, &repository, &report, options);
    context.locked(&repository, LockMode::Shared, work).await?;
    Ok(Outcome::Done)
}

async fn work(
    context: &Context,
    args: &RestoreArgs,
    repository: &Repository,
    report: &Arc<RestoreReport>,
    options: RestoreOptions,
) -> Result<(), CliError> {
    let found = repository.find_snapshot(&args.snapshot, &args.filter.filter(context)).await?;
    let index = repository.load_index().await?;
    let tree = repository.found_tree(&index, &found).await?;
    let snapshot = describe(found.id, &found.snapshot, &context.zone);
    context.output.note(&format!("restoring {snapshot} to {}", args.target.display()));
    report.begin();
    let meter = Meter::start(context, Arc::clone(report) as Arc<_>);
    let restored = restore(repository, &index, tree, options.clone()).await;
    drop(meter);
    let restored = restored?;
    report.finish(&restored.counts);
    refuse_errors(restored.counts.errors)?;
    if args.verify {
        compare(context, args, repository, &index, tree, &options, &restored).await?;
    }
    Ok(())
}

async fn compare(
    context: &Context,
    args: &RestoreArgs,
    repository: &Repository,
    index: &Index,
    tree: TreeId,
    options: &RestoreOptions,
    restored: &Restored,
) -> Result<(), CliError> {
    let target = args.target.display();
    context.output.note(&format!("verifying files in {target}"));
    let started = Instant::now();
    let verified = verify(repository, index, tree, options, &restored.written).await?;
    refuse_errors(verified.errors)?;
    let took = in_words(started.elapsed());
    context.output.note(&format!("finished verifying {} files in {target} (took {took})", verified.files));
    Ok(())
}

fn refuse_errors(count: u64) -> Result<(), CliError> {
    match count {
        0 => Ok(()),
        count => Err(CliError::Failed(format!("There were {count} errors"))),
    }
}

/// A duration to the millisecond, in Go's words.
fn in_words(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        1..1000 => format!("{milliseconds}ms"),
        _ => format!("{}s", duration.as_secs_f64().mul_add(1000.0, 0.5).floor() / 1000.0),
    }
}

impl RestoreArgs {
    fn options(&self, context: &Context) -> Result<RestoreOptions, CliError> {
        let select = self.selection(context)?;
        let everything = matches!(select, Selection::All);
        if self.delete && everything && is_root(&self.target) {
            return Err(CliError::usage(
                "--delete with the target / would remove what is not in the snapshot from the whole system: \
                 say by --include or --exclude what it is about",
            ));
        }
        Ok(RestoreOptions {
            select,
            select_xattr: self.select_xattr()?,
            overwrite: match self.overwrite {
                When::Always => Overwrite::Always,
                When::IfChanged => Overwrite::IfChanged,
                When::IfNewer => Overwrite::IfNewer,
                When::Never => Overwrite::Never,
            },
            ownership_by_name: self.ownership_by_name,
            delete: self.delete,
            sparse: self.sparse,
            dry_run: self.dry_run,
            verify: self.verify,
            ..RestoreOptions::to(&self.target)
        })
    }

    fn selection(&self, context: &Context) -> Result<Selection, CliError> {
        let environment = &context.settings.environment;
        let (excludes, includes) = (self.excludes.lists(environment)?, self.includes.lists(environment)?);
        match (excludes.is_empty(), includes.is_empty()) {
            (true, true) => Ok(Selection::All),
            (false, true) => Ok(Selection::Excluding(excludes)),
            (true, false) => Ok(Selection::Including(includes)),
            (false, false) => Err(CliError::usage("--exclude and --include cannot be used together")),
        }
    }

    fn select_xattr(&self) -> Result<Option<SelectXattr>, CliError> {
        let (patterns, option, taken) = match (self.exclude_xattr.is_empty(), self.include_xattr.is_empty()) {
            (true, true) => return Ok(None),
            (false, _) => (&self.exclude_xattr, "--exclude-xattr", false),
            (true, false) => (&self.include_xattr, "--include-xattr", true),
        };
        let patterns =
            Patterns::new(patterns, Case::Sensitive).map_err(|fault| CliError::usage(format!("{option}: {fault}")))?;
        Ok(Some(Arc::new(move |name: &[u8]| {
            let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
            patterns.matches(Path::new(name)).is_match == taken
        })))
    }
}

/// Whether the path is `/`, however it is written.
fn is_root(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_known_in_every_spelling() {
        for (path, root) in [("/", true), ("//", true), ("/./", true), ("/..", true), ("/a", false), (".", false)] {
            assert_eq!(is_root(Path::new(path)), root, "{path}");
        }
    }

    #[test]
    fn durations_are_told_to_the_millisecond() {
        let told = |milliseconds| in_words(Duration::from_millis(milliseconds));
        assert_eq!([0, 12, 1234, 2000].map(told), ["0s", "12ms", "1.234s", "2s"]);
    }
}
