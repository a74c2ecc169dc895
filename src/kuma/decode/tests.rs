//! What was encoded is decoded to the same, and nothing that is read makes a decoder fall.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::kuma::facts::{Column, Facts, SchemaVersion};
use crate::kuma::{Value, encode};

fn facts() -> Facts {
    let column =
        |name: &str| Column { name: name.to_owned(), declared: String::new(), default_sql: None, required: false };
    Facts {
        version: SchemaVersion::default(),
        tables: BTreeMap::from([("tag".to_owned(), ["id", "name", "color"].map(column).to_vec())]),
        create: BTreeMap::from([("tag".to_owned(), "CREATE TABLE tag (id, name, color)".to_owned())]),
        instance: None,
        users: BTreeSet::new(),
    }
}

fn encoded(rows: Vec<Vec<Value>>) -> (Dump, Vec<SnapshotFile>) {
    let spec = schema::table("tag").unwrap();
    let columns = ["id", "name", "color"].map(str::to_owned).to_vec();
    let dump = Dump { tables: vec![Table { spec, columns, rows }], settings: BTreeSet::new() };
    let files = encode(&facts(), &dump, Vec::new(), None);
    (dump, files)
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("SQLite has no NaN", |number| !number.is_nan()).prop_map(Value::Real),
        "[ -~\n\r\t';é\u{2028}\u{feff}\0-]{0,20}".prop_map(|text| Value::Text(text.into_bytes())),
        any::<Vec<u8>>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Blob),
    ]
}

proptest! {
    #[test]
    fn any_rows_come_back_the_same(values in prop::collection::vec((any_value(), any_value()), 0..20)) {
        let rows = (1..).zip(values).map(|(id, (name, color))| vec![Value::Integer(id), name, color]).collect();
        let (dump, files) = encoded(rows);
        let decoded = decode(&files).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(decoded.dump == dump);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(sql: Vec<u8>, manifest: Vec<u8>) {
        let file = |path: &str, bytes: &[u8]| SnapshotFile { path: path.to_owned(), bytes: bytes.to_vec() };
        let _ = decode(&[file(BACKUP_SQL, &sql), file(MANIFEST_JSON, &manifest)]);
        let _ = decode(&[file(BACKUP_SQL, &sql)]);
        let _ = decode(&[file("sql_statements/replicatorkuma_truncates.sql", &sql), file("sql_statements/tag.sql", &manifest)]);
    }

    #[test]
    fn a_changed_byte_is_noticed_or_means_the_same(at: prop::sample::Index, byte: u8) {
        let (dump, mut files) = encoded(vec![vec![Value::Integer(1), Value::Text("prod".into()), Value::Text("x".into())]]);
        let file = &mut files[0].bytes;
        let at = at.index(file.len());
        file[at] = byte;
        if let Ok(decoded) = decode(&files) {
            prop_assert!(decoded.dump == dump);
        }
    }
}
