//! `cat`: an object of the repository as it is.

use clap::{Args, ValueEnum};

use super::context::{Context, Outcome};
use super::error::CliError;
use crate::format::{BlobHandle, BlobId, BlobKind, FileHandle, FileType, Id, LockId, PackId};
use crate::repository::{LockMode, Repository, SnapshotFilter};

/// Print an object of the repository
///
/// Sealed objects are opened, packs are printed as they are stored.
#[derive(Args)]
#[command(after_help = "\
Examples:
  replicator-kuma cat config
  replicator-kuma cat snapshot 5d4b6f64
  replicator-kuma cat tree latest:/backup/current")]
pub(crate) struct CatArgs {
    /// What kind of object
    kind: Kind,

    /// Its ID; of snapshots also `latest` or the beginning of the ID, of trees SNAPSHOT[:FOLDER]
    #[arg(required_if_eq_any([("kind", "pack"), ("kind", "blob"), ("kind", "snapshot"), ("kind", "index"),
        ("kind", "key"), ("kind", "lock"), ("kind", "tree")]))]
    id: Option<String>,
}

/// What can be printed.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// What holds for the whole repository
    Config,
    /// A pack, as it is stored
    Pack,
    /// A blob, opened and unpacked
    Blob,
    /// A snapshot
    Snapshot,
    /// An index file
    Index,
    /// A key file
    Key,
    /// The key of everything: keep it secret
    Masterkey,
    /// A lock
    Lock,
    /// A folder of a snapshot
    Tree,
}

pub(super) async fn run(context: &Context, args: &CatArgs) -> Result<Outcome, CliError> {
    let spec = args.id.as_deref().unwrap_or_default();
    let id = match args.kind {
        Kind::Config | Kind::Masterkey | Kind::Snapshot | Kind::Tree => Id::ZERO,
        _ => spec.parse().map_err(|error| CliError::usage(format!("{error}")))?,
    };
    let repository = context.open().await?;
    let print = print(context, &repository, args.kind, id, spec);
    context.locked(&repository, LockMode::Shared, print).await?;
    Ok(Outcome::Done)
}

async fn print(context: &Context, repo: &Repository, kind: Kind, id: Id, spec: &str) -> Result<(), CliError> {
    let output = &context.output;
    let no_filter = SnapshotFilter::default();
    match kind {
        Kind::Config => output.answer(&indented(&encoded_config(repo)?)?)?,
        Kind::Masterkey => output.answer(&indented(&repo.master_key().to_json())?)?,
        Kind::Snapshot => {
            let found = repo.find_snapshot(spec, &no_filter).await?;
            let json = repo.load_unpacked(&FileHandle::from(found.id)).await?;
            output.answer(&indented(&json)?)?;
        }
        Kind::Lock => {
            let json = repo.load_unpacked(&FileHandle::from(LockId::from(id))).await?;
            output.answer(&indented(&json)?)?;
        }
        Kind::Key => {
            let json = repo.load_raw(&FileHandle { file_type: FileType::Key, id }).await?;
            output.answer(&indented(&json)?)?;
        }
        Kind::Index => {
            let json = repo.load_unpacked(&FileHandle { file_type: FileType::Index, id }).await?;
            output.answer(String::from_utf8_lossy(&json).trim_end())?;
        }
        Kind::Pack => output.answer_bytes(&pack(context, repo, id.into()).await?)?,
        Kind::Blob => output.answer_bytes(&blob(repo, id.into()).await?)?,
        Kind::Tree => {
            let found = repo.find_snapshot(spec, &no_filter).await?;
            let index = repo.load_index().await?;
            let tree = repo.found_tree(&index, &found).await?;
            output.answer_bytes(&repo.load_blob(&index, &BlobHandle::from(tree)).await?)?;
        }
    }
    Ok(())
}

/// A damaged pack is printed too, with a warning: it may be wanted for a rescue.
async fn pack(context: &Context, repo: &Repository, id: PackId) -> Result<Vec<u8>, CliError> {
    let bytes = repo.backend().read(&FileHandle::from(id)).await?;
    let actual = PackId::of(&bytes);
    if actual != id {
        context.output.error(&format!("Warning: the pack's content has the hash {actual}, not its name"));
    }
    Ok(bytes.to_vec())
}

/// A blob of either kind.
async fn blob(repo: &Repository, id: BlobId) -> Result<Vec<u8>, CliError> {
    let index = repo.load_index().await?;
    let kinds = [BlobKind::Data, BlobKind::Tree].map(|kind| BlobHandle { kind, id });
    match kinds.iter().find(|blob| index.contains(blob)) {
        Some(blob) => Ok(repo.load_blob(&index, blob).await?),
        None => Err(CliError::usage(format!("no index knows a blob {id}"))),
    }
}

fn encoded_config(repo: &Repository) -> Result<Vec<u8>, CliError> {
    repo.config().encode().map_err(|error| CliError::usage(error.to_string()))
}

/// A JSON text with line breaks, its fields and numbers as they are, and Go's escapes.
fn indented(json: &[u8]) -> Result<String, CliError> {
    let fault = |error: serde_json::Error| CliError::usage(format!("it is not JSON: {error}"));
    let value: serde_json::Value = serde_json::from_slice(json).map_err(fault)?;
    let text = serde_json::to_string_pretty(&value).map_err(fault)?;
    // Outside of strings JSON has none of these.
    Ok(['<', '>', '&', '\u{2028}', '\u{2029}']
        .iter()
        .fold(text, |text, character| text.replace(*character, &format!("\\u{:04x}", u32::from(*character)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_as_go_does() {
        let text = indented(br#"{"b":[1,"<&>"],"a":{},"c":[]}"#).unwrap();
        let expected = "{\n  \"b\": [\n    1,\n    \"\\u003c\\u0026\\u003e\"\n  ],\n  \"a\": {},\n  \"c\": []\n}";
        assert_eq!(text, expected);
        assert!(indented(b"{").is_err());
    }
}
