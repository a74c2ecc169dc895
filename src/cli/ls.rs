//! `ls`: the files of a snapshot.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::CliError;
use super::node_text::{NcduEntry, NodeEntry, Style};
use super::snapshot_filter::FilterArgs;
use super::snapshots::Named;
use super::text;
use super::walk::{Visit, Walk, is_within};
use crate::format::{Node, Snapshot, SnapshotId, to_json};
use crate::repository::{LockMode, Repository};

/// List the files of a snapshot
///
/// Without folders all of them are listed, with folders these and what is directly in them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma ls latest
  replicator-kuma ls -l latest:/backup
  replicator-kuma ls latest /backup --recursive --sort size --reverse")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// Print mode, owner, size and time too
    #[arg(short, long)]
    long: bool,

    /// List what is in the folders of the folders, too
    #[arg(long)]
    recursive: bool,

    /// Print sizes with units
    #[arg(long)]
    human_readable: bool,

    /// Print what ncdu reads: pipe it into `ncdu -f -`
    #[arg(long, conflicts_with_all = ["json", "sort", "reverse"])]
    ncdu: bool,

    /// Sort by this
    #[arg(short, long, value_name = "KEY")]
    sort: Option<SortKey>,

    /// Sort the other way round
    #[arg(long)]
    reverse: bool,

    /// `latest`, an ID or the beginning of one; a folder may follow after a colon
    #[arg(value_name = "SNAPSHOT[:FOLDER]")]
    snapshot: String,

    /// Only these folders, by their absolute paths
    #[arg(value_name = "FOLDER")]
    folders: Vec<String>,
}

/// What entries can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortKey {
    Name,
    Size,
    #[value(alias = "mtime")]
    Time,
    Atime,
    Ctime,
    Extension,
}

/// The snapshot as the first line of `ls --json`.
#[derive(Serialize)]
struct SnapshotEntry {
    #[serde(flatten)]
    named: Named,
    message_type: &'static str,
    struct_type: &'static str,
}

pub(super) async fn run(context: &Context, args: &LsArgs) -> Result<Outcome, CliError> {
    if let Some(folder) = args.folders.iter().find(|folder| !folder.starts_with('/')) {
        return Err(CliError::usage(format!("{folder}: folders are named by absolute paths, beginning with a slash")));
    }
    let repository = context.open().await?;
    context.locked(&repository, LockMode::Shared, list(context, args, &repository)).await?;
    Ok(Outcome::Done)
}

async fn list(context: &Context, args: &LsArgs, repository: &Repository) -> Result<(), CliError> {
    let found = repository.find_snapshot(&args.snapshot, &args.filter.filter(context)).await?;
    let index = repository.load_index().await?;
    let tree = repository.found_tree(&index, &found).await?;
    let mut printer = Printer::new(context, args);
    printer.begin(found.id, &found.snapshot)?;
    let mut walk = Walk::begin(repository, &index, b"/", tree).await?;
    while let Some(visit) = walk.next() {
        match visit {
            Visit::Left => printer.left()?,
            Visit::Node { path, node } => {
                let step = args.step(&path);
                // ncdu's listing is nested: it needs the folders on the way, too.
                let shown = step.shown || args.ncdu && step.entered;
                if shown {
                    printer.node(&path, &node)?;
                }
                let entered = step.entered && walk.enter(path, &node).await?;
                if shown && !entered {
                    printer.not_entered(&node)?;
                }
            }
        }
    }
    printer.finish()
}

/// What to do with an entry.
struct Step {
    shown: bool,
    entered: bool,
}

impl LsArgs {
    fn step(&self, path: &[u8]) -> Step {
        if self.folders.is_empty() {
            return Step { shown: true, entered: true };
        }
        let mut folders = self.folders.iter().map(String::as_bytes);
        let shown = folders.clone().any(|folder| is_within(folder, path));
        let on_the_way = folders.any(|folder| is_within(path, folder));
        Step { shown, entered: on_the_way || shown && self.recursive }
    }

    fn is_sorted(&self) -> bool {
        self.reverse || self.sort.is_some_and(|key| key != SortKey::Name)
    }
}

/// Prints entries as they come, or sorted at the end.
struct Printer<'a> {
    context: &'a Context,
    args: &'a LsArgs,
    style: Style,
    depth: usize,
    collected: Vec<(Vec<u8>, Node)>,
}

impl<'a> Printer<'a> {
    fn new(context: &'a Context, args: &'a LsArgs) -> Printer<'a> {
        let for_terminal = context.output.is_terminal();
        let style = Style { long: args.long, human_readable: args.human_readable, for_terminal };
        Printer { context, args, style, depth: 1, collected: Vec::new() }
    }

    fn begin(&self, id: SnapshotId, snapshot: &Snapshot) -> Result<(), CliError> {
        let output = &self.context.output;
        if output.is_json() {
            let named = Named::new(id, snapshot.clone());
            output.json(&SnapshotEntry { named, message_type: "snapshot", struct_type: "snapshot" })?;
        } else if self.args.ncdu {
            let json = json_text(snapshot)?;
            output.answer_bytes(format!("[1, 2, {json}, [{{\"name\":\"/\"}}").as_bytes())?;
        } else {
            let folders = text::one_line(&self.args.folders.join(" ")).into_owned();
            let line = describe(id, snapshot, &self.context.zone);
            output.note(&format!("{line} filtered by [{folders}]:"));
        }
        Ok(())
    }

    fn node(&mut self, path: &[u8], node: &Node) -> Result<(), CliError> {
        if self.args.is_sorted() {
            self.collected.push((path.to_vec(), node.clone()));
            return Ok(());
        }
        self.print(path, node)
    }

    fn print(&mut self, path: &[u8], node: &Node) -> Result<(), CliError> {
        let output = &self.context.output;
        if output.is_json() {
            output.json(&NodeEntry::new(path, node))?;
        } else if self.args.ncdu {
            let json = json_text(&NcduEntry::new(node))?;
            let indent = "  ".repeat(self.depth);
            if node.node_type == crate::format::NodeType::Dir {
                self.depth += 1;
                output.answer_bytes(format!(",\n{indent}[\n{indent}  {json}").as_bytes())?;
            } else {
                output.answer_bytes(format!(",\n{indent}{json}").as_bytes())?;
            }
        } else {
            let mut line = self.style.line(path, node, &self.context.zone);
            line.push(b'\n');
            output.answer_bytes(&line)?;
        }
        Ok(())
    }

    /// The end of a folder that was shown and entered.
    fn left(&mut self) -> Result<(), CliError> {
        if self.args.ncdu {
            self.depth = self.depth.saturating_sub(1);
            self.context.output.answer_bytes(format!("\n{}]", "  ".repeat(self.depth)).as_bytes())?;
        }
        Ok(())
    }

    /// A folder that was shown and not entered ends at once.
    fn not_entered(&mut self, node: &Node) -> Result<(), CliError> {
        if node.node_type == crate::format::NodeType::Dir { self.left() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<(), CliError> {
        if self.args.ncdu {
            self.context.output.answer_bytes(b"\n]\n]\n")?;
        }
        let mut collected = std::mem::take(&mut self.collected);
        sort(&mut collected, self.args.sort.unwrap_or(SortKey::Name));
        if self.args.reverse {
            collected.reverse();
        }
        collected.iter().try_for_each(|(path, node)| self.print(path, node))
    }
}

/// A snapshot in one line, as restic's messages have it.
pub(crate) fn describe(id: SnapshotId, snapshot: &Snapshot, zone: &super::when::Zone) -> String {
    let line = format!(
        "snapshot {} of [{}] at {} by {}@{}",
        id.short(),
        snapshot.paths.join(" "),
        zone.format_long(&snapshot.time),
        snapshot.username,
        snapshot.hostname
    );
    text::one_line(&line).into_owned()
}

fn json_text(value: &impl Serialize) -> Result<String, CliError> {
    let json = to_json(value).map_err(|error| CliError::usage(error.to_string()))?;
    Ok(String::from_utf8_lossy(&json).into_owned())
}

/// Sorts entries; equal ones by path, and by name is the order of the snapshot.
fn sort(entries: &mut [(Vec<u8>, Node)], key: SortKey) {
    match key {
        SortKey::Name => {}
        SortKey::Size => entries.sort_by(|(a_path, a), (b_path, b)| (a.size, a_path).cmp(&(b.size, b_path))),
        SortKey::Time => entries.sort_by(|(a_path, a), (b_path, b)| (a.mtime, a_path).cmp(&(b.mtime, b_path))),
        SortKey::Atime => entries.sort_by(|(a_path, a), (b_path, b)| (a.atime, a_path).cmp(&(b.atime, b_path))),
        SortKey::Ctime => entries.sort_by(|(a_path, a), (b_path, b)| (a.ctime, a_path).cmp(&(b.ctime, b_path))),
        SortKey::Extension => entries.sort_by(|(a, _), (b, _)| (extension(a), a).cmp(&(extension(b), b))),
    }
}

/// What follows the last dot of the last part of a path, with the dot.
fn extension(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.iter().rposition(|byte| *byte == b'.').and_then(|dot| name.get(dot..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(folders: &[&str], recursive: bool, path: &str) -> (bool, bool) {
        let args = LsArgs {
            filter: FilterArgs::default(),
            long: false,
            recursive,
            human_readable: false,
            ncdu: false,
            sort: None,
            reverse: false,
            snapshot: "latest".to_owned(),
            folders: folders.iter().map(|folder| (*folder).to_owned()).collect(),
        };
        let Step { shown, entered } = args.step(path.as_bytes());
        (shown, entered)
    }

    #[test]
    fn without_folders_everything_is_shown() {
        assert_eq!(step(&[], false, "/a/b/c"), (true, true));
    }

    #[test]
    fn a_folder_is_shown_with_what_is_directly_in_it() {
        assert_eq!(step(&["/a/b"], false, "/a"), (false, true), "on the way");
        assert_eq!(step(&["/a/b"], false, "/a/b"), (true, true));
        assert_eq!(step(&["/a/b"], false, "/a/b/c"), (true, false));
        assert_eq!(step(&["/a/b"], true, "/a/b/c"), (true, true));
        assert_eq!(step(&["/a/b"], true, "/a/x"), (false, false));
    }

    #[test]
    fn extensions_begin_at_the_last_dot_of_the_name() {
        assert_eq!(extension(b"/a.b/c.tar.gz"), b".gz");
        assert_eq!(extension(b"/a.b/c"), b"");
        assert_eq!(extension(b"/.profile"), b".profile");
    }
}
