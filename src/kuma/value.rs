//! SQLite's five value types, kept exactly.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A value as SQLite stores it.
///
/// Text is bytes, because SQLite keeps whatever it was given: embedded NUL and invalid UTF-8 included. Two numbers are
/// equal when their bits are, so `-0.0` is not `0.0` and no rounding hides a change. `Debug` tells type and size only: a
/// value may be a password.
#[derive(Clone)]
pub enum Value {
    /// NULL, which is not the empty text.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float; never NaN, which SQLite stores as NULL.
    Real(f64),
    /// Text in the database's encoding (Kuma's is UTF-8), as bytes.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// The integer, if it is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is text in valid UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Whether it is NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Appends the value's canonical form, that digests are taken of: a type byte, then a fixed width or a length and the
    /// bytes, so that no two lists of values have the same form.
    pub(super) fn append_canonical(&self, out: &mut Vec<u8>) {
        let (kind, bytes) = match self {
            Value::Null => return out.push(b'n'),
            Value::Integer(number) => (b'i', &number.to_be_bytes()[..]),
            Value::Real(number) => (b'r', &number.to_bits().to_be_bytes()[..]),
            Value::Text(bytes) => (b't', bytes.as_slice()),
            Value::Blob(bytes) => (b'b', bytes.as_slice()),
        };
        out.push(kind);
        if matches!(self, Value::Text(_) | Value::Blob(_)) {
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        }
        out.extend_from_slice(bytes);
    }
}

impl From<rusqlite::types::ValueRef<'_>> for Value {
    fn from(value: rusqlite::types::ValueRef<'_>) -> Value {
        match value {
            rusqlite::types::ValueRef::Null => Value::Null,
            rusqlite::types::ValueRef::Integer(number) => Value::Integer(number),
            rusqlite::types::ValueRef::Real(number) => Value::Real(number),
            rusqlite::types::ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
            rusqlite::types::ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::ValueRef;
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(bytes) => ValueRef::Text(bytes),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Value::Null => {}
            Value::Integer(number) => number.hash(state),
            Value::Real(number) => number.to_bits().hash(state),
            Value::Text(bytes) | Value::Blob(bytes) => bytes.hash(state),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Integer(_) => f.write_str("Integer(…)"),
            Value::Real(_) => f.write_str("Real(…)"),
            Value::Text(bytes) => write!(f, "Text({} bytes)", bytes.len()),
            Value::Blob(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(values: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        values.iter().for_each(|value| value.append_canonical(&mut out));
        out
    }

    #[test]
    fn null_and_empty_text_differ() {
        assert_ne!(Value::Null, Value::Text(vec![]));
        assert_ne!(canonical(&[Value::Null]), canonical(&[Value::Text(vec![])]));
    }

    #[test]
    fn numbers_are_compared_by_type_and_bits() {
        assert_ne!(Value::Integer(48), Value::Real(48.0));
        assert_ne!(Value::Real(0.0), Value::Real(-0.0));
        assert_ne!(canonical(&[Value::Real(0.1 + 0.2)]), canonical(&[Value::Real(0.3)]));
    }

    #[test]
    fn a_list_of_values_has_one_canonical_form() {
        let text = |text: &str| Value::Text(text.into());
        assert_ne!(canonical(&[text("ab"), text("c")]), canonical(&[text("a"), text("bc")]));
        assert_ne!(canonical(&[text("a")]), canonical(&[Value::Blob(b"a".to_vec())]));
    }

    #[test]
    fn debug_does_not_show_the_value() {
        let shown = format!("{:?} {:?}", Value::Text("hunter2".into()), Value::Integer(4711));
        assert!(!shown.contains("hunter2") && !shown.contains("4711"), "{shown}");
    }
}
