//! A stream as the only file of a snapshot (`--stdin`).

use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::BackupError;
use super::files::FileJob;
use super::run::Run;
use super::targets::to_path;
use crate::blocking;
use crate::format::{Mode, Node, NodeType, Time, TreeId};
use crate::repository::lexical;

/// The absolute path of the file; `/` is none.
pub(super) fn file_path(path: &Path) -> Result<PathBuf, BackupError> {
    let cleaned = lexical::join(b"/", path.as_os_str().as_bytes());
    match cleaned.as_slice() {
        b"/" => Err(BackupError::Place { path: path.to_owned() }),
        _ => Ok(to_path(cleaned)),
    }
}

/// Stores the stream as the file `path`, and the folders that it needs, all with the same time.
pub(super) async fn save(
    run: &Arc<Run>,
    path: &Path,
    input: Box<dyn Read + Send>,
    time: Time,
) -> Result<TreeId, BackupError> {
    let item = path.as_os_str().as_bytes().to_vec();
    let name = lexical::base(&item).to_vec();
    let node = new_node(&name, NodeType::File, 0o100_644, time);
    let job = FileJob { path: path.to_owned(), item: item.clone(), name, previous: None, size: 0 };
    let mut below = run.save_stream(&job, node, input).await;
    if let Some(error) = run.take_fatal() {
        return Err(error);
    }
    let mut item = item;
    loop {
        let start = Instant::now();
        let saving = Arc::clone(run);
        let nodes = below.take().into_iter().collect();
        let (tree, stats) = blocking::run(move || saving.save_tree(nodes)).await?;
        item = lexical::parent(&item);
        if item == b"/" {
            run.count_root(stats);
            return Ok(tree);
        }
        let mut folder = new_node(lexical::base(&item), NodeType::Dir, 0o040_755, time);
        folder.subtree = Some(tree);
        run.done(item.clone(), None, &folder, stats, start);
        below = Some(folder);
    }
}

/// A node that belongs to this process's user.
fn new_node(name: &[u8], node_type: NodeType, st_mode: u32, time: Time) -> Node {
    let mut node = Node::new(name, node_type);
    node.mode = Mode::from_unix(st_mode);
    (node.mtime, node.atime, node.ctime) = (time, time, time);
    node.uid = rustix::process::getuid().as_raw();
    node.gid = rustix::process::getgid().as_raw();
    node
}
