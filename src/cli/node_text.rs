//! Entries of a snapshot as text and as JSON, as restic prints them.

use serde::Serialize;

use super::number;
use super::text;
use super::units;
use super::when::Zone;
use crate::format::{Mode, Node, NodeType, Time};

/// An entry as `ls --json` has it.
#[derive(Serialize)]
pub(crate) struct NodeEntry<'a> {
    name: String,
    #[serde(rename = "type")]
    node_type: &'a str,
    path: String,
    uid: u32,
    gid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    mode: u32,
    permissions: String,
    mtime: Time,
    atime: Time,
    ctime: Time,
    #[serde(skip_serializing_if = "number::is_zero")]
    inode: u64,
    message_type: &'static str,
    struct_type: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl<'a> NodeEntry<'a> {
    pub(crate) fn new(path: &[u8], node: &'a Node) -> NodeEntry<'a> {
        NodeEntry {
            name: lossy(&node.name),
            node_type: node.node_type.as_str(),
            path: lossy(path),
            uid: node.uid,
            gid: node.gid,
            size: (node.node_type == NodeType::File).then_some(node.size),
            mode: node.mode.0,
            permissions: node.mode.to_string(),
            mtime: node.mtime,
            atime: node.atime,
            ctime: node.ctime,
            inode: node.inode,
            message_type: "node",
            struct_type: "node",
        }
    }
}

/// An entry as `ls --ncdu` has it (<https://dev.yorhel.nl/ncdu/jsonfmt>).
#[derive(Serialize)]
pub(crate) struct NcduEntry {
    name: String,
    asize: u64,
    dsize: u64,
    dev: u64,
    ino: u64,
    nlink: u64,
    notreg: bool,
    uid: u32,
    gid: u32,
    mode: u32,
    mtime: i64,
}

impl NcduEntry {
    pub(crate) fn new(node: &Node) -> NcduEntry {
        NcduEntry {
            name: lossy(&node.name),
            asize: node.size,
            dsize: node.size.checked_next_multiple_of(512).unwrap_or(node.size),
            dev: node.device_id,
            ino: node.inode,
            nlink: node.links,
            notreg: !matches!(node.node_type, NodeType::Dir | NodeType::File),
            uid: node.uid,
            gid: node.gid,
            mode: node.mode.unix_permissions(),
            // ncdu knows no time before 1970.
            mtime: node.mtime.unix_seconds().max(0),
        }
    }
}

/// How `ls` prints an entry for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// With mode, owner, size and time.
    pub(crate) long: bool,
    /// Sizes with units.
    pub(crate) human_readable: bool,
    /// Names that a terminal would obey are quoted.
    pub(crate) for_terminal: bool,
}

impl Style {
    /// An entry's line, without its end; names are the very bytes unless a terminal is to show them.
    pub(crate) fn line(self, path: &[u8], node: &Node, zone: &Zone) -> Vec<u8> {
        let mut line = Vec::new();
        if self.long {
            let mode = Mode(node.mode.0 | type_bits(&node.node_type));
            let size = if self.human_readable { units::format_bytes(node.size) } else { format!("{:6}", node.size) };
            let time = zone.format(&node.mtime);
            line.extend_from_slice(format!("{mode} {:5} {:5} {size} {time} ", node.uid, node.gid).as_bytes());
        }
        self.push_name(&mut line, path);
        if self.long && node.node_type == NodeType::Symlink {
            line.extend_from_slice(b" -> ");
            self.push_name(&mut line, &node.linktarget);
        }
        line
    }

    fn push_name(self, line: &mut Vec<u8>, name: &[u8]) {
        if self.for_terminal {
            line.extend_from_slice(text::quoted_name(name).as_bytes());
        } else {
            line.extend_from_slice(name);
        }
    }
}

/// Go's bits for a type, for nodes whose mode lacks them.
fn type_bits(node_type: &NodeType) -> u32 {
    match node_type {
        NodeType::Dir => Mode::DIR,
        NodeType::Symlink => Mode::SYMLINK,
        NodeType::Dev => Mode::DEVICE,
        NodeType::CharDev => Mode::DEVICE | Mode::CHAR_DEVICE,
        NodeType::Fifo => Mode::NAMED_PIPE,
        NodeType::Socket => Mode::SOCKET,
        _ => 0,
    }
}

/// Bytes as text; each byte that is no UTF-8 becomes a replacement character, as Go does it.
fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(std::iter::repeat_n('\u{fffd}', chunk.invalid().len()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &[u8], node_type: NodeType) -> Node {
        let mut node = Node::new(name, node_type);
        node.mtime = "2026-11-23T12:52:39.489994529Z".parse().unwrap();
        (node.atime, node.ctime) = (node.mtime, node.mtime);
        node.mode = Mode(0o644);
        node
    }

    fn line(style: Style, path: &str, node: &Node) -> String {
        String::from_utf8(style.line(path.as_bytes(), node, &Zone::utc())).unwrap()
    }

    const LONG: Style = Style { long: true, human_readable: false, for_terminal: false };

    #[test]
    fn a_long_line_is_that_of_restic() {
        let mut file = node(b"a", NodeType::File);
        file.size = 3;
        assert_eq!(line(LONG, "/src/a", &file), "-rw-r--r--     0     0      3 2026-11-23 12:52:39 /src/a");
        let mut link = node(b"l", NodeType::Symlink);
        (link.mode, link.linktarget) = (Mode(0o777), b"a".to_vec());
        assert_eq!(line(LONG, "/l", &link), "Lrwxrwxrwx     0     0      0 2026-11-23 12:52:39 /l -> a");
        file.size = 2048;
        let human = Style { human_readable: true, ..LONG };
        assert_eq!(line(human, "/a", &file), "-rw-r--r--     0     0 2.000 KiB 2026-11-23 12:52:39 /a");
    }

    #[test]
    fn names_are_bytes_in_a_pipe_and_quoted_on_a_terminal() {
        let evil = node(b"\x1b[31m\xff", NodeType::File);
        let style = Style { long: false, human_readable: false, for_terminal: false };
        assert_eq!(style.line(&evil.name, &evil, &Zone::utc()), evil.name);
        let style = Style { for_terminal: true, ..style };
        assert_eq!(style.line(&evil.name, &evil, &Zone::utc()), br#""\x1b[31m\xff""#);
    }

    #[test]
    fn json_has_the_fields_of_restic_in_its_order() {
        let mut file = node(b"a\xff\xfe", NodeType::File);
        file.inode = 7;
        let json = String::from_utf8(crate::format::to_json(&NodeEntry::new(b"/a\xff\xfe", &file)).unwrap()).unwrap();
        let time = "2026-11-23T12:52:39.489994529Z";
        let expected = format!(
            "{{\"name\":\"a\u{fffd}\u{fffd}\",\"type\":\"file\",\"path\":\"/a\u{fffd}\u{fffd}\",\"uid\":0,\"gid\":0,\"size\":0,\
             \"mode\":420,\"permissions\":\"-rw-r--r--\",\"mtime\":\"{time}\",\"atime\":\"{time}\",\"ctime\":\"{time}\",\
             \"inode\":7,\"message_type\":\"node\",\"struct_type\":\"node\"}}"
        );
        assert_eq!(json, expected);
        let dir = node(b"d", NodeType::Dir);
        assert!(
            !String::from_utf8(crate::format::to_json(&NodeEntry::new(b"/d", &dir)).unwrap()).unwrap().contains("size")
        );
    }
}
