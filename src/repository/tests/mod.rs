//! The layer as its users see it, on a store in memory that records every request.

mod checking;
mod keys;
mod locks;
mod opening;
mod reading;
mod snapshots;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::backend::{Backend, Call, Operation};
use crate::format::{BlobHandle, BlobKind, FileType, Node, NodeType, ScryptParams, Snapshot, Time, Tree, TreeId};

/// Costs nothing: passwords are not guessed here.
const CHEAP: ScryptParams = ScryptParams { n: 2, r: 1, p: 1 };

fn password() -> Password {
    Password::new("secret")
}

fn identity() -> Identity {
    Identity { hostname: "here".to_owned(), username: "ada".to_owned(), uid: 7, gid: 8, pid: std::process::id() }
}

/// Locks that do not wait: nobody else is there, or stands there before we look.
fn options() -> OpenOptions {
    let lock_timing = LockTiming {
        settle: Duration::ZERO,
        unreadable_retries: Vec::new(),
        tick: Duration::from_millis(1),
        first_retry: Duration::from_millis(1),
        longest_retry: Duration::from_millis(1),
        ..LockTiming::default()
    };
    OpenOptions { identity: identity(), lock_timing, ..OpenOptions::default() }
}

fn init_options() -> InitOptions {
    InitOptions { scrypt: Some(CHEAP), open: options(), ..InitOptions::default() }
}

async fn repository() -> Repository {
    Repository::init(Backend::memory(), &password(), init_options()).await.unwrap()
}

/// The same repository, opened anew as another process would.
async fn reopened(repo: &Repository, options: OpenOptions) -> Repository {
    Repository::open(repo.backend().clone(), &password(), options).await.unwrap()
}

/// The requests made so far, as `read keys`, `write data`…, and from now on new ones.
fn take_calls(repo: &Repository) -> Vec<String> {
    let calls = repo.backend().calls();
    repo.backend().forget_calls();
    calls.iter().map(describe).collect()
}

fn describe(call: &Call) -> String {
    let kind = call.path.split('/').next().unwrap_or_default();
    format!("{} {kind}", call.operation)
}

/// Stores one file of `content` in a folder, and a snapshot of it.
async fn store(repo: &Repository, content: &[u8]) -> crate::format::SnapshotId {
    let index = Arc::new(repo.load_index().await.unwrap());
    let writer = BlobWriter::new(repo, index);
    let mut file = Node::new("file", NodeType::File);
    file.content = Some(vec![writer.save(BlobKind::Data, content.to_vec()).await.unwrap().id]);
    let mut folder = Node::new("folder", NodeType::Dir);
    folder.subtree = Some(save_tree(&writer, vec![file]).await);
    let tree = save_tree(&writer, vec![folder]).await;
    writer.finish().await.unwrap();
    repo.save_snapshot(&Snapshot::new(Time::from_unix(1_700_000_000, 0, 0), tree, vec!["/".to_owned()])).await.unwrap()
}

async fn save_tree(writer: &BlobWriter, nodes: Vec<Node>) -> TreeId {
    let content = Tree { nodes }.encode().unwrap();
    let saved = writer.save(BlobKind::Tree, content).await.unwrap();
    TreeId::from_bytes(*saved.id.as_bytes())
}

/// Bytes that do not compress, other ones for each seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let digests = (0..length.div_ceil(32) as u64).map(|number| {
        let name = [seed.to_le_bytes(), number.to_le_bytes()].concat();
        *crate::format::Id::of(&name).as_bytes()
    });
    let mut bytes = digests.collect::<Vec<_>>().concat();
    bytes.truncate(length);
    bytes
}
