//! JSON as Go's `encoding/json` reads and writes it, byte for byte.
//!
//! The id of a tree is the digest of its JSON, so one escape written differently is another tree. Go escapes what
//! could end a script element (`<`, `>`, `&`) and the two line separators that JavaScript knows and JSON does not.
//! `\b` and `\f` are written short, as since Go 1.22.

use std::fmt;
use std::io;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::ser::Formatter;
use serde_json::value::RawValue;

use super::FormatError;

/// The JSON of `value` as Go's `json.Marshal` writes it: no blanks, no newline at the end.
///
/// Fails only for values that have no JSON: maps with keys that are not texts.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, GoFormatter))?;
    Ok(bytes)
}

/// The fields of a JSON object that nobody asked for, as they were written, in their order.
///
/// restic drops them when it rewrites a file; other programs' fields stay here.
#[derive(Clone, Debug, Default)]
pub struct Extra(Vec<(String, Box<RawValue>)>);

impl Extra {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names and values, as written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Extra) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Extra {}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The fields of a JSON object on their way into a value: those it knows are taken out, the others are [`Extra`].
///
/// Fields are found as Go finds them: letter case does not count, the last of several counts, and `null` is as good
/// as absent.
pub(super) struct Fields {
    what: &'static str,
    fields: Vec<(String, Box<RawValue>)>,
}

impl Fields {
    /// The fields of the object that `json` is, called `what` in errors.
    pub(super) fn of(what: &'static str, json: &[u8]) -> Result<Fields, FormatError> {
        let AllFields(fields) = serde_json::from_slice(json).map_err(FormatError::json(what))?;
        Ok(Fields { what, fields })
    }

    /// A field's value, if it is there.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, FormatError> {
        let mut found = None;
        self.fields.retain_mut(|(key, value)| {
            let is_it = key.eq_ignore_ascii_case(name);
            if is_it && value.get() != "null" {
                found = Some(std::mem::take(value));
            }
            !is_it
        });
        let Some(value) = found else { return Ok(None) };
        let error = |source| FormatError::JsonField { what: self.what, field: name, source };
        serde_json::from_str(value.get()).map(Some).map_err(error)
    }

    /// A field's value, or what Go leaves in a field that is absent.
    pub(super) fn take_or_default<T: DeserializeOwned + Default>(
        &mut self,
        name: &'static str,
    ) -> Result<T, FormatError> {
        Ok(self.take(name)?.unwrap_or_default())
    }

    /// A field's value, which must be there.
    pub(super) fn require<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, FormatError> {
        self.take(name)?.ok_or(FormatError::MissingField { what: self.what, field: name })
    }

    /// What nobody took.
    pub(super) fn rest(self) -> Extra {
        Extra(self.fields)
    }
}

/// All fields of an object, undecoded.
struct AllFields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for AllFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AllFields, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = AllFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AllFields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(AllFields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Whether a number is what Go's `omitempty` leaves out.
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// serde_json's own format, with Go's additional escapes.
struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let Some(character) = special.chars().next() else { break };
            write!(writer, "\\u{:04x}", u32::from(character))?;
            rest = special.get(character.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_go_does() {
        let text = "<a href=\"x\">&\u{2028}\u{2029}\u{8}\u{c}\n\r\t\u{1}\u{7f}\\/ü";
        let json = r#""\u003ca href=\"x\"\u003e\u0026\u2028\u2029\b\f\n\r\t\u0001"#.to_owned() + "\u{7f}\\\\/ü\"";
        assert_eq!(String::from_utf8(to_vec(text).unwrap()).unwrap(), json);
    }

    #[test]
    fn field_names_are_escaped_too() {
        let map = std::collections::BTreeMap::from([("a&b", 1)]);
        assert_eq!(to_vec(&map).unwrap(), br#"{"a\u0026b":1}"#);
    }

    #[test]
    fn fields_are_found_as_go_finds_them() {
        let mut fields = Fields::of("test", br#"{"Pid":1,"pid":2,"PID":null,"other": [1.50, 2] }"#).unwrap();
        assert_eq!(fields.take::<u32>("pid").unwrap(), Some(2));
        assert_eq!(fields.take::<u32>("uid").unwrap(), None);
        assert_eq!(fields.rest().iter().collect::<Vec<_>>(), [("other", "[1.50, 2]")]);
    }

    #[test]
    fn an_error_names_the_field() {
        let mut fields = Fields::of("lock", br#"{"pid":"seven"}"#).unwrap();
        assert_eq!(fields.take::<u32>("pid").unwrap_err().to_string(), "lock: `pid` is not what it should be");
        assert_eq!(fields.require::<u32>("uid").unwrap_err().to_string(), "lock has no `uid`");
        assert!(Fields::of("lock", b"[]").is_err());
        assert!(Fields::of("lock", b"{} {}").is_err());
    }
}
