//! A node's JSON, byte for byte as Go's `json.Marshal` writes restic's `Node`: the ids of trees depend on it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Node;
use crate::format::name::quote;

impl Node {
    /// Adds the node's JSON to `out`.
    pub(in crate::format) fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut object = Object { out, is_first: true };
        object.text("name", quote(&self.name).as_bytes());
        object.text("type", self.node_type.as_str().as_bytes());
        object.number_unless_zero("mode", self.mode.0.into());
        for (key, time) in [("mtime", &self.mtime), ("atime", &self.atime), ("ctime", &self.ctime)] {
            object.text(key, time.to_string().as_bytes());
        }
        object.number("uid", self.uid.into());
        object.number("gid", self.gid.into());
        object.text_unless_empty("user", self.user.as_bytes());
        object.text_unless_empty("group", self.group.as_bytes());
        object.number_unless_zero("inode", self.inode);
        object.number_unless_zero("device_id", self.device_id);
        object.number_unless_zero("size", self.size);
        object.number_unless_zero("links", self.links);
        object.text_unless_empty("linktarget", &self.linktarget);
        if str::from_utf8(&self.linktarget).is_err() {
            object.base64("linktarget_raw", &self.linktarget);
        }
        self.encode_attributes(&mut object);
        object.number_unless_zero("device", self.device);
        self.encode_content(&mut object);
        object.text_unless_empty("error", self.error.as_bytes());
        for (key, value) in &self.unknown_fields {
            compact(value, object.value(key));
        }
        out.push(b'}');
    }

    fn encode_attributes(&self, object: &mut Object<'_>) {
        for (index, attribute) in self.extended_attributes.iter().enumerate() {
            let opening: &[u8] = if index == 0 { b"[{" } else { b",{" };
            let out = if index == 0 { object.value("extended_attributes") } else { &mut *object.out };
            out.extend_from_slice(opening);
            let mut object = Object { out, is_first: true };
            object.text("name", &attribute.name);
            object.base64("value", &attribute.value);
            out.push(b'}');
        }
        if !self.extended_attributes.is_empty() {
            object.out.push(b']');
        }
        if !self.generic_attributes.is_empty() {
            let out = object.value("generic_attributes");
            out.push(b'{');
            let mut object = Object { out, is_first: true };
            for (key, value) in &self.generic_attributes {
                compact(value, object.value(key));
            }
            out.push(b'}');
        }
    }

    fn encode_content(&self, object: &mut Object<'_>) {
        let out = object.value("content");
        match &self.content {
            None => out.extend_from_slice(b"null"),
            Some(ids) => {
                out.push(b'[');
                for (index, id) in ids.iter().enumerate() {
                    out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
                    out.extend_from_slice(id.to_string().as_bytes());
                    out.push(b'"');
                }
                out.push(b']');
            }
        }
        if let Some(subtree) = &self.subtree {
            object.text("subtree", subtree.to_string().as_bytes());
        }
    }
}

/// Writes an object's fields one after the other; the braces are the caller's.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl Object<'_> {
    /// Writes the key; the value is to be written to what is returned.
    fn value(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
        write_string(key.as_bytes(), self.out);
        self.out.push(b':');
        self.out
    }

    fn number(&mut self, key: &str, number: u64) {
        self.value(key).extend_from_slice(number.to_string().as_bytes());
    }

    fn number_unless_zero(&mut self, key: &str, number: u64) {
        if number != 0 {
            self.number(key, number);
        }
    }

    fn text(&mut self, key: &str, text: &[u8]) {
        write_string(text, self.value(key));
    }

    fn text_unless_empty(&mut self, key: &str, text: &[u8]) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    fn base64(&mut self, key: &str, bytes: &[u8]) {
        self.text(key, STANDARD.encode(bytes).as_bytes());
    }
}

/// Writes a string as Go does since 1.22: as JSON asks, and what could mean something to HTML or JavaScript escaped.
fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\x08' => out.extend_from_slice(b"\\b"),
                '\x0c' => out.extend_from_slice(b"\\f"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
                }
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        chunk.invalid().iter().for_each(|_| out.extend_from_slice(b"\\ufffd"));
    }
    out.push(b'"');
}

/// Writes JSON that is kept as it is, as Go does: without blanks, and HTML escaped.
fn compact(json: &[u8], out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut is_escaped = false;
    let mut rest = json;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => {}
            b'<' | b'>' | b'&' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            0xe2 if after.starts_with(&[0x80, 0xa8]) || after.starts_with(&[0x80, 0xa9]) => {
                out.extend_from_slice(if after.starts_with(&[0x80, 0xa8]) { b"\\u2028" } else { b"\\u2029" });
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            _ => out.push(byte),
        }
        in_string ^= byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        rest = after;
    }
}
