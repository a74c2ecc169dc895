//! Fitting a snapshot's configuration to the database that is to take it: selection, schema, users.

use std::collections::BTreeSet;

use super::decode::Decoded;
use super::dump::{Dump, Table};
use super::facts::{Column, Facts, SchemaVersion};
use super::manifest::Manifest;
use super::schema::Identity;
use super::{KumaError, Selection, Value};

/// What the database should become.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    /// The configuration, in tables and columns that the database has.
    pub(super) dump: Dump,
    /// What was passed over or mapped, in words.
    pub(super) warnings: Vec<String>,
}

/// Fits what the snapshot says to a database of these facts. A difference of schemas is refused, unless
/// `allow_schema_mismatch`: then tables and columns that the database lacks are left out, and what the snapshot does not
/// know stays as it is.
pub(super) fn fit(
    facts: &Facts,
    decoded: &Decoded,
    selection: &Selection,
    allow_schema_mismatch: bool,
) -> Result<Fitted, KumaError> {
    let mut dump = select(&decoded.dump, selection);
    let differences = differences(facts, &dump, decoded.manifest.as_ref());
    if !differences.is_empty() && !allow_schema_mismatch {
        return Err(KumaError::SchemaMismatch { differences });
    }
    let mut warnings = differences;
    common_part(facts, &mut dump)?;
    check_users(facts, &dump, decoded)?;
    warnings.extend(map_users(facts, &mut dump));
    Ok(Fitted { dump, warnings })
}

fn select(dump: &Dump, selection: &Selection) -> Dump {
    let mut tables: Vec<Table> =
        dump.tables.iter().filter(|table| selection.has_table(table.spec.name)).cloned().collect();
    for table in tables.iter_mut().filter(|table| table.spec.identity == Identity::SettingKey) {
        let Some(key) = table.column("key") else { continue };
        table.rows.retain(|row| row.get(key).and_then(Value::as_text).is_some_and(|key| selection.has_setting(key)));
    }
    Dump { tables, settings: dump.settings.iter().filter(|key| selection.has_setting(key)).cloned().collect() }
}

/// Every difference between the snapshot's schema and the database's that a row could notice, in words.
fn differences(facts: &Facts, dump: &Dump, manifest: Option<&Manifest>) -> Vec<String> {
    let mut found = manifest.map_or(Vec::new(), |manifest| version_differences(&manifest.schema, &facts.version));
    for table in &dump.tables {
        let name = table.spec.name;
        let Some(columns) = facts.tables.get(name) else {
            found.push(format!("table {name} is only in the snapshot ({} rows)", table.rows.len()));
            continue;
        };
        let missing = table.columns.iter().filter(|column| !columns.iter().any(|here| here.name == **column));
        found.extend(missing.map(|column| only_there(table, column, manifest)));
        let expected = table.spec.carried(columns.iter().map(|column| column.name.clone()));
        let unknown = expected.into_iter().filter(|column| table.column(column).is_none());
        // The old layouts leave out columns that are NULL everywhere.
        found.extend(
            unknown.filter(|_| manifest.is_some()).map(|column| format!("column {name}.{column} is only here")),
        );
    }
    found
}

fn only_there(table: &Table, column: &str, manifest: Option<&Manifest>) -> String {
    let stated = manifest.and_then(|manifest| manifest.tables.iter().find(|stated| stated.name == table.spec.name));
    let default = stated.map_or(Some(Value::Null), |stated| stated.default_value(column));
    let used = table.rows.iter().filter(|row| Some(table.value(row, column)) != default.as_ref()).count();
    let loss = match used {
        0 => "every row has its default there".to_owned(),
        1 => "1 row would lose its value".to_owned(),
        rows => format!("{rows} rows would lose their value"),
    };
    format!("column {}.{column} is only in the snapshot: {loss}", table.spec.name)
}

fn version_differences(there: &SchemaVersion, here: &SchemaVersion) -> Vec<String> {
    let mut found = Vec::new();
    if there.migrations.is_empty() != here.migrations.is_empty() {
        let kuma = |version: &SchemaVersion| if version.migrations.is_empty() { "1.x" } else { "2.x" };
        found.push(format!("the snapshot is of Kuma {}, this database of Kuma {}", kuma(there), kuma(here)));
    } else {
        found.extend(only("migration", &there.migrations, &here.migrations));
    }
    found.extend(only("patch", &there.patches, &here.patches));
    if there.database_version != here.database_version {
        let version = |version: &SchemaVersion| version.database_version.clone().unwrap_or_else(|| "none".to_owned());
        found.push(format!("database_version is {} in the snapshot, {} here", version(there), version(here)));
    }
    found
}

fn only(what: &str, there: &BTreeSet<String>, here: &BTreeSet<String>) -> Vec<String> {
    let line = |name: &String, place: &str| format!("{what} {name} is only {place}");
    let in_snapshot = there.difference(here).map(|name| line(name, "in the snapshot"));
    in_snapshot.chain(here.difference(there).map(|name| line(name, "here"))).collect()
}

/// Leaves out tables and columns that the database lacks.
fn common_part(facts: &Facts, dump: &mut Dump) -> Result<(), KumaError> {
    dump.tables.retain(|table| facts.tables.contains_key(table.spec.name));
    let mut reasons = Vec::new();
    for table in &mut dump.tables {
        let columns: &[Column] = facts.tables.get(table.spec.name).map(Vec::as_slice).unwrap_or_default();
        for column in table.columns.clone().iter().filter(|name| !columns.iter().any(|here| here.name == **name)) {
            drop_column(table, column);
        }
        let needed = columns.iter().filter(|column| column.required && table.column(&column.name).is_none());
        let needed = needed.filter(|_| !table.rows.is_empty());
        reasons.extend(needed.map(|it| format!("column {}.{} needs a value, and has none", table.spec.name, it.name)));
    }
    if reasons.is_empty() { Ok(()) } else { Err(KumaError::NotRepresentable { reasons }) }
}

fn drop_column(table: &mut Table, column: &str) {
    let Some(index) = table.column(column) else { return };
    table.columns.remove(index);
    for row in table.rows.iter_mut().filter(|row| index < row.len()) {
        row.remove(index);
    }
}

/// A Kuma without a user offers whoever opens it first to become its administrator.
fn check_users(facts: &Facts, dump: &Dump, decoded: &Decoded) -> Result<(), KumaError> {
    let has_rows = |dump: &Dump| dump.table("user").is_some_and(|table| !table.rows.is_empty());
    let refuse = |reason, hint| Err(KumaError::NeedsUser { reason, hint });
    if facts.users.is_empty() && !has_rows(dump) {
        return match has_rows(&decoded.dump) {
            true => refuse(
                "this Kuma has no user yet, and table user is left out",
                "create its user, or replicate users too",
            ),
            false => {
                refuse("neither this Kuma nor the snapshot has a user", "create the user first, here or on the primary")
            }
        };
    }
    if dump.table("user").is_some() && !has_rows(dump) {
        return refuse(
            "the snapshot has no user, and this Kuma would lose its own",
            "create the primary's user, or leave users alone with --tables -user",
        );
    }
    Ok(())
}

/// Gives rows of a user that will not be here to the first user that will: a monitor without a user is seen by nobody.
fn map_users(facts: &Facts, dump: &mut Dump) -> Vec<String> {
    let ids: BTreeSet<i64> = match dump.table("user") {
        Some(users) => users.rows.iter().filter_map(|row| users.value(row, "id").as_integer()).collect(),
        None => facts.users.clone(),
    };
    let Some(first) = ids.first().copied() else { return Vec::new() };
    let mut warnings = Vec::new();
    for table in &mut dump.tables {
        let Some(index) = table.column("user_id") else { continue };
        let mut mapped: BTreeSet<i64> = BTreeSet::new();
        for value in table.rows.iter_mut().filter_map(|row| row.get_mut(index)) {
            if let Some(id) = value.as_integer().filter(|id| !ids.contains(id)) {
                mapped.insert(id);
                *value = Value::Integer(first);
            }
        }
        let name = table.spec.name;
        warnings.extend(
            mapped.into_iter().map(|id| format!("user {id} is not here: its rows of {name} go to user {first}")),
        );
    }
    warnings
}
