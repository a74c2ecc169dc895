//! `dump`: a file of a snapshot, or a folder as an archive.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use futures::{StreamExt, stream};

use super::archive::Archive;
use super::context::{Context, Outcome};
use super::error::CliError;
use super::output::Output;
use super::snapshot_filter::FilterArgs;
use super::text::quoted_name;
use super::walk::{Visit, Walk};
use crate::format::{BlobHandle, BlobId, BlobKind, Node, NodeType, TreeId};
use crate::repository::{Index, LockMode, Repository, RepositoryError};

/// Print a file of a snapshot, or a folder as an archive
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma dump latest /backup/current/backup.sql | less
  replicator-kuma dump latest / > all.tar
  replicator-kuma dump -a zip -t upload.zip latest:/backup/current upload")]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// The format for folders
    #[arg(short, long, value_name = "FORMAT", default_value = "tar")]
    archive: Format,

    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    target: Option<PathBuf>,

    /// `latest`, an ID or the beginning of one; a folder may follow after a colon
    #[arg(value_name = "SNAPSHOT[:FOLDER]")]
    snapshot: String,

    /// The file or folder in it; / for all
    #[arg(value_name = "PATH")]
    item: String,
}

/// Formats of archives.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// With owners, links and extended attributes
    Tar,
    /// Compressed
    Zip,
}

pub(super) async fn run(context: &Context, args: &DumpArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    context.locked(&repository, LockMode::Shared, dump(context, args, &repository)).await?;
    Ok(Outcome::Done)
}

async fn dump(context: &Context, args: &DumpArgs, repository: &Repository) -> Result<(), CliError> {
    let found = repository.find_snapshot(&args.snapshot, &args.filter.filter(context)).await?;
    let index = repository.load_index().await?;
    let root = repository.found_tree(&index, &found).await?;
    let source = Source { repository, index: &index, output: &context.output };
    let wanted = find(&source, root, &args.item).await?;
    // Only now, when there is something to write, a file that is there already is overwritten.
    let sink = match (&args.target, &wanted) {
        (Some(path), _) => Sink::create(path)?,
        (None, Wanted::Folder { .. }) if context.output.is_terminal() => {
            return Err(CliError::usage("an archive is not for a terminal: --target FILE, or redirect the output"));
        }
        (None, _) => Sink::Stdout(context.output.clone()),
    };
    let written = match wanted {
        Wanted::File(node) => source.write_file(&node, sink).await,
        Wanted::Folder { path, tree } => {
            let archive = match args.archive {
                Format::Tar => Archive::tar(sink),
                Format::Zip => Archive::zip(sink, context.zone.clone()),
            };
            source.write_archive(&path, tree, archive).await
        }
    };
    // A failure of the target file is not one of stdout.
    match (written, &args.target) {
        (Err(CliError::Output { source }), Some(path)) => Err(CliError::file("write", path, source)),
        (written, _) => written,
    }
}

/// What is to be dumped.
enum Wanted {
    File(Box<Node>),
    Folder { path: Vec<u8>, tree: TreeId },
}

/// Goes down to the path, part by part.
async fn find(source: &Source<'_>, root: TreeId, path: &str) -> Result<Wanted, CliError> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut folder = root;
    for (depth, part) in parts.iter().enumerate() {
        let so_far = || format!("/{}", parts.get(..=depth).unwrap_or_default().join("/"));
        let tree = source.repository.load_tree(source.index, folder).await?;
        let Some(node) = tree.nodes.into_iter().find(|node| node.name == part.as_bytes()) else {
            return Err(RepositoryError::SubfolderMissing { path: so_far() }.into());
        };
        let is_last = depth + 1 == parts.len();
        match (&node.node_type, node.subtree) {
            (NodeType::Dir, Some(subtree)) => folder = subtree,
            (NodeType::File, _) if is_last => return Ok(Wanted::File(Box::new(node))),
            (other, _) if is_last => {
                let text = format!("{} is a {}: only files and folders can be dumped", so_far(), other.as_str());
                return Err(CliError::usage(text));
            }
            _ => return Err(RepositoryError::NotAFolder { path: so_far() }.into()),
        }
    }
    Ok(Wanted::Folder { path: parts.join("/").into_bytes(), tree: folder })
}

/// Where content comes from.
struct Source<'a> {
    repository: &'a Repository,
    index: &'a Index,
    output: &'a Output,
}

impl Source<'_> {
    async fn write_file(&self, node: &Node, mut sink: Sink) -> Result<(), CliError> {
        self.copy(node, |bytes| Ok(sink.write_all(bytes)?)).await?;
        Ok(sink.flush()?)
    }

    /// Names that no file can have are told and left out: `..` in an archive is an attack on whoever unpacks it.
    async fn write_archive(&self, path: &[u8], tree: TreeId, mut archive: Archive<Sink>) -> Result<(), CliError> {
        let mut left_out = 0;
        let mut walk = Walk::begin(self.repository, self.index, path, tree).await?;
        while let Some(visit) = walk.next() {
            let Visit::Node { path, node } = visit else { continue };
            if !is_fit(&node.name) {
                self.output.error(&format!("leaving out {}: no file can have this name", quoted_name(&path)));
                left_out += 1;
                continue;
            }
            if !matches!(node.node_type, NodeType::File | NodeType::Dir | NodeType::Symlink) {
                continue;
            }
            let size_bytes = self.size(&node)?;
            archive.begin(path.strip_prefix(b"/").unwrap_or(&path), &node, size_bytes)?;
            self.copy(&node, |bytes| archive.content(bytes)).await?;
            archive.end(size_bytes)?;
            walk.enter(path, &node).await?;
        }
        archive.finish()?.flush()?;
        match left_out {
            0 => Ok(()),
            count => Err(CliError::Failed(format!("{count} entries were left out of the archive"))),
        }
    }

    /// The real length of a file: what its blobs add up to, whatever the tree says.
    fn size(&self, node: &Node) -> Result<u64, RepositoryError> {
        let blobs = node.content.iter().flatten().map(|id| BlobHandle { kind: BlobKind::Data, id: *id });
        blobs
            .map(|blob| match self.index.plaintext_bytes(&blob) {
                Some(bytes) => Ok(u64::from(bytes)),
                None => Err(RepositoryError::BlobUnknown { blob }),
            })
            .sum()
    }

    /// Hands over the content of a file piece by piece, some pieces read ahead.
    async fn copy(&self, node: &Node, mut take: impl FnMut(&[u8]) -> Result<(), CliError>) -> Result<(), CliError> {
        let ids: Vec<BlobId> = node.content.clone().unwrap_or_default();
        let load =
            |id| async move { self.repository.load_blob(self.index, &BlobHandle { kind: BlobKind::Data, id }).await };
        let mut blobs = stream::iter(ids).map(load).buffered(self.repository.backend().connections());
        while let Some(blob) = blobs.next().await {
            take(&blob?)?;
        }
        Ok(())
    }
}

/// Whether a file can have this name.
fn is_fit(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}

/// Where it goes.
enum Sink {
    Stdout(Output),
    File(BufWriter<File>),
}

impl Sink {
    fn create(path: &PathBuf) -> Result<Sink, CliError> {
        let file = File::create(path).map_err(|source| CliError::file("create", path, source))?;
        Ok(Sink::File(BufWriter::with_capacity(1 << 16, file)))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Stdout(output) => output.answer_bytes(bytes).map(|()| bytes.len()),
            Sink::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            // What the output still holds is handed over when the command ends.
            Sink::Stdout(_) => Ok(()),
            Sink::File(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_not_fit() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b"] {
            assert!(!is_fit(name), "{name:?}");
        }
        for name in [&b"..."[..], b"a b", b"\xff", b"-"] {
            assert!(is_fit(name), "{name:?}");
        }
    }
}
