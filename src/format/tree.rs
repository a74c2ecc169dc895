//! Trees: the nodes of a directory, as the blob that holds them.

use super::json_reader::Reader;
use super::{FormatError, Node};

/// The entries of one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The entries as they stand in the blob. restic writes them in the order of their names' bytes, each name once;
    /// what is read need not be so.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Reads a tree's blob by the rules of restic 0.19.
    ///
    /// Fields beside the first `nodes` are skipped, and so is all that follows the closing brace.
    pub fn decode(blob: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(blob);
        let mut nodes = None;
        reader.object(|reader, key| {
            if key != "nodes" || nodes.is_some() {
                return reader.raw_value().map(drop);
            }
            let nodes = nodes.insert(Vec::new());
            reader.array(|reader| {
                nodes.push(Node::decode(reader)?);
                Ok(())
            })
        })?;
        let nodes = nodes.ok_or_else(|| reader.error("there are no nodes"))?;
        Ok(Self { nodes })
    }

    /// The tree's blob. The nodes must stand in the order of their names, each once.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let mut builder = TreeBuilder::new();
        self.nodes.iter().try_for_each(|node| builder.add(node))?;
        Ok(builder.finish())
    }
}

/// Writes a tree node by node.
pub struct TreeBuilder {
    blob: Vec<u8>,
    last_name: Vec<u8>,
}

impl TreeBuilder {
    /// A tree without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self { blob: b"{\"nodes\":[".to_vec(), last_name: Vec::new() }
    }

    /// Adds a node, whose name must be greater than the last one's.
    pub fn add(&mut self, node: &Node) -> Result<(), FormatError> {
        if node.name <= self.last_name {
            return Err(FormatError::NamesNotAscending {
                name: String::from_utf8_lossy(&node.name).into_owned(),
                previous: String::from_utf8_lossy(&self.last_name).into_owned(),
            });
        }
        if !self.last_name.is_empty() {
            self.blob.push(b',');
        }
        self.last_name.clone_from(&node.name);
        node.encode(&mut self.blob);
        Ok(())
    }

    /// The blob. Its last byte is a newline, which counts for the id.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.blob.extend_from_slice(b"]}\n");
        self.blob
    }
}

impl Default for TreeBuilder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
