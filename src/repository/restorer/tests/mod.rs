//! Restores from repositories in memory into folders of their own.

mod hostile;
mod metadata;
mod options;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::*;
use crate::backend::Backend;
use crate::format::{BlobId, BlobKind, Id, Node, NodeType, ScryptParams, Time, Tree};
use crate::repository::{BlobWriter, Event, InitOptions, Interrupt, Interrupter, OpenOptions, Password, Progress};

/// A repository in memory that is being filled, and a target beside a place that nothing may touch.
struct World {
    repo: Repository,
    writer: BlobWriter,
    scene: Scene,
}

/// What is left when the repository is filled.
struct Scene {
    backend: Backend,
    folder: TempDir,
    events: Arc<Mutex<Vec<RestoreEvent>>>,
    interrupter: Interrupter,
}

/// A filled repository.
struct Stage {
    repo: Repository,
    index: Index,
    scene: Scene,
}

impl World {
    async fn new() -> World {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let (interrupter, interrupt) = Interrupt::pair();
        let progress = Progress::new(move |event| {
            if let Event::Restore(event) = event {
                heard.lock().unwrap().push(event);
            }
        });
        let open = OpenOptions { progress, interrupt, ..OpenOptions::default() };
        let init = InitOptions { scrypt: Some(ScryptParams::LEAST), open, ..InitOptions::default() };
        let backend = Backend::memory();
        let repo = Repository::init(backend.clone(), &Password::new("p"), init).await.unwrap();
        let writer = BlobWriter::new(&repo, Arc::new(Index::default()));
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("outside")).unwrap();
        std::fs::write(folder.path().join("outside/canary"), "sings").unwrap();
        World { repo, writer, scene: Scene { backend, folder, events, interrupter } }
    }

    async fn blob(&self, content: &[u8]) -> BlobId {
        self.writer.save(BlobKind::Data, content.to_vec()).await.unwrap().id
    }

    /// A file whose content is these blobs.
    async fn file(&self, name: &str, content: &[&[u8]]) -> Node {
        let mut blobs = Vec::new();
        for blob in content {
            blobs.push(self.blob(blob).await);
        }
        let mut node = Node::new(name, NodeType::File);
        node.size = content.iter().map(|blob| blob.len() as u64).sum();
        node.content = Some(blobs);
        usual(node)
    }

    async fn folder(&self, name: &str, nodes: &[Node]) -> Node {
        let mut node = Node::new(name, NodeType::Dir);
        node.subtree = Some(self.tree(nodes).await);
        node.mode.0 = 0o755;
        usual(node)
    }

    /// A tree of these nodes as they are, in this order: restic would not write many of them.
    async fn tree(&self, nodes: &[Node]) -> TreeId {
        let nodes: Vec<Vec<u8>> = nodes
            .iter()
            .cloned()
            .map(|mut node| {
                // The encoder refuses names that no writer should write.
                let name = std::mem::replace(&mut node.name, b"@".to_vec());
                let tree = Tree { nodes: vec![node] }.encode().unwrap();
                let node = tree.strip_prefix(b"{\"nodes\":[").unwrap().strip_suffix(b"]}\n").unwrap();
                let name = format!("{{\"name\":\"{}\"", String::from_utf8(name).unwrap().replace('\0', "\\\\x00"));
                [name.as_bytes(), node.strip_prefix(b"{\"name\":\"@\"").unwrap()].concat()
            })
            .collect();
        let blob = [b"{\"nodes\":[", &nodes.join(&b',')[..], b"]}\n"].concat();
        Id::from(self.writer.save(BlobKind::Tree, blob).await.unwrap().id).into()
    }

    async fn ready(self) -> Stage {
        self.writer.finish().await.unwrap();
        let index = self.repo.load_index().await.unwrap();
        self.scene.backend.forget_calls();
        Stage { repo: self.repo, index, scene: self.scene }
    }
}

impl Stage {
    fn target(&self) -> PathBuf {
        self.scene.folder.path().join("target")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.target().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| error.kind().to_string())
    }

    fn options(&self) -> RestoreOptions {
        RestoreOptions::to(self.target())
    }

    async fn restore(&self, tree: TreeId) -> RestoreCounts {
        self.restore_with(tree, self.options()).await
    }

    async fn restore_with(&self, tree: TreeId, options: RestoreOptions) -> RestoreCounts {
        self.try_restore(tree, options).await.unwrap().counts
    }

    async fn try_restore(&self, tree: TreeId, options: RestoreOptions) -> Result<Restored, RestoreError> {
        self.scene.events.lock().unwrap().clear();
        let restored = restore(&self.repo, &self.index, tree, options).await;
        assert_eq!(
            std::fs::read_to_string(self.scene.folder.path().join("outside/canary")).unwrap(),
            "sings",
            "something outside the target was touched"
        );
        assert_eq!(std::fs::read_dir(self.scene.folder.path().join("outside")).unwrap().count(), 1);
        restored
    }

    /// What failed, as "path: reason".
    fn failures(&self) -> Vec<String> {
        let events = self.scene.events.lock().unwrap();
        let failure = |event: &RestoreEvent| match event {
            RestoreEvent::Failed { path, reason } => Some(format!("{}: {reason}", path.display())),
            _ => None,
        };
        events.iter().filter_map(failure).collect()
    }

    /// What was done, as "Action path".
    fn done(&self) -> Vec<String> {
        let events = self.scene.events.lock().unwrap();
        let done = |event: &RestoreEvent| match event {
            RestoreEvent::Done { action, path, .. } => Some(format!("{action:?} {}", path.display())),
            _ => None,
        };
        let mut done: Vec<String> = events.iter().filter_map(done).collect();
        done.sort();
        done
    }
}

/// Owner, mode and times that anyone can restore.
fn usual(mut node: Node) -> Node {
    node.uid = rustix::process::geteuid().as_raw();
    node.gid = rustix::process::getegid().as_raw();
    node.mode.0 |= 0o600;
    node.mtime = Time::from_unix(1_000_000_000, 123_456_789, 0);
    node.atime = node.mtime;
    node
}

/// All paths below a folder, sorted.
fn paths(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
