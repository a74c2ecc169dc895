//! Reads a node as restic 0.19 reads it: keys in any case, of several the last counts, `null` leaves a field alone.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{ExtendedAttribute, Mode, Node, NodeType};
use crate::format::json_reader::{JsonError, Reader};
use crate::format::name::unquote;
use crate::format::{Id, Time};

type Result<T> = std::result::Result<T, JsonError>;

/// Go takes base64 whose last digit has bits to spare, but wants the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// What a node's JSON holds besides the node's own fields.
#[derive(Default)]
struct Raw {
    name: String,
    linktarget: Option<Vec<u8>>,
}

impl Node {
    /// Reads the node that comes next.
    pub(in crate::format) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let mut node = Self::new("", NodeType::Other(String::new()));
        let mut raw = Raw::default();
        if !reader.take_null()? {
            reader.object(|reader, key| node.decode_field(reader, key, &mut raw))?;
        }
        node.name = unquote(&raw.name).ok_or_else(|| reader.error("the node's name is not quoted as Go quotes"))?;
        if let Some(linktarget) = raw.linktarget {
            node.linktarget = linktarget;
        }
        Ok(node)
    }

    fn decode_field(&mut self, reader: &mut Reader<'_>, key: String, raw: &mut Raw) -> Result<()> {
        let folded = fold(&key);
        if KNOWN_FIELDS.contains(&folded.as_str()) && reader.peek() == Some(b'n') {
            match folded.as_str() {
                // Where Go has a pointer or a list, null empties it.
                "content" => self.content = None,
                "subtree" => self.subtree = None,
                "linktarget_raw" => raw.linktarget = None,
                "extended_attributes" => self.extended_attributes.clear(),
                "generic_attributes" => self.generic_attributes.clear(),
                _ => {}
            }
            return reader.take_null().map(drop);
        }
        match folded.as_str() {
            "name" => raw.name = reader.string()?,
            "type" => self.node_type = reader.string()?.into(),
            "mode" => self.mode = Mode(small(reader)?),
            "mtime" => self.mtime = time(reader)?,
            "atime" => self.atime = time(reader)?,
            "ctime" => self.ctime = time(reader)?,
            "uid" => self.uid = small(reader)?,
            "gid" => self.gid = small(reader)?,
            "user" => self.user = reader.string()?,
            "group" => self.group = reader.string()?,
            "inode" => self.inode = reader.unsigned()?,
            "device_id" => self.device_id = reader.unsigned()?,
            "size" => self.size = reader.unsigned()?,
            "links" => self.links = reader.unsigned()?,
            "linktarget" => self.linktarget = reader.string()?.into_bytes(),
            "linktarget_raw" => raw.linktarget = Some(base64(reader)?),
            "extended_attributes" => self.extended_attributes = extended_attributes(reader)?,
            "generic_attributes" => reader.object(|reader, key| {
                self.generic_attributes.insert(key, reader.raw_value()?.to_vec());
                Ok::<_, JsonError>(())
            })?,
            "device" => self.device = reader.unsigned()?,
            "content" => {
                let mut ids = Vec::new();
                reader.array(|reader| {
                    ids.push(id(reader)?.into());
                    Ok::<_, JsonError>(())
                })?;
                self.content = Some(ids);
            }
            "subtree" => self.subtree = Some(id(reader)?.into()),
            "error" => self.error = reader.string()?,
            _ => self.unknown_fields.push((key, reader.raw_value()?.to_vec())),
        }
        Ok(())
    }
}

const KNOWN_FIELDS: [&str; 22] = [
    "name",
    "type",
    "mode",
    "mtime",
    "atime",
    "ctime",
    "uid",
    "gid",
    "user",
    "group",
    "inode",
    "device_id",
    "size",
    "links",
    "linktarget",
    "linktarget_raw",
    "extended_attributes",
    "generic_attributes",
    "device",
    "content",
    "subtree",
    "error",
];

/// A key as Go compares it: without regard to case, two foreign letters included.
fn fold(key: &str) -> String {
    let fold = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => character.to_ascii_lowercase(),
    };
    key.chars().map(fold).collect()
}

fn small(reader: &mut Reader<'_>) -> Result<u32> {
    let number = reader.unsigned()?;
    u32::try_from(number).map_err(|_| reader.error("the number does not fit its field"))
}

fn time(reader: &mut Reader<'_>) -> Result<Time> {
    let text = reader.string()?;
    text.parse().map_err(|_| reader.error("a time in RFC 3339 is expected"))
}

fn base64(reader: &mut Reader<'_>) -> Result<Vec<u8>> {
    let mut text = reader.string()?;
    text.retain(|character| !matches!(character, '\r' | '\n'));
    BASE64.decode(text).map_err(|_| reader.error("base64 is expected"))
}

fn id(reader: &mut Reader<'_>) -> Result<Id> {
    let text = reader.string()?;
    text.parse().map_err(|_| reader.error("an id of 64 hex digits is expected"))
}

fn extended_attributes(reader: &mut Reader<'_>) -> Result<Vec<ExtendedAttribute>> {
    let mut attributes = Vec::new();
    reader.array(|reader| {
        let mut attribute = ExtendedAttribute { name: Vec::new(), value: Vec::new() };
        if !reader.take_null()? {
            reader.object(|reader, key| {
                match fold(&key).as_str() {
                    "name" | "value" if reader.take_null()? => {}
                    "name" => attribute.name = reader.string()?.into_bytes(),
                    "value" => attribute.value = base64(reader)?,
                    _ => drop(reader.raw_value()?),
                }
                Ok::<_, JsonError>(())
            })?;
        }
        attributes.push(attribute);
        Ok::<_, JsonError>(())
    })?;
    Ok(attributes)
}
