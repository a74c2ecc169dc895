//! Changes in an operator's words.

use serde_json::{Value as Json, json};

use super::Value;
use super::changes::{FileChange, RowChange, TableChanges};
use super::dump::{Dump, Row};
use super::printable::{self, Show};

/// The most characters of a value that a line shows.
const CHARACTERS_AT_MOST: usize = 60;

/// What a change is about: `monitor 7 "api"`, and in a link table what the link is to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject {
    /// Before the colon.
    pub(super) of: String,
    /// After it, in link tables: `notification 3 "ntfy"`.
    pub(super) part: Option<String>,
    /// The bare name.
    pub(super) name: String,
}

/// Where names of rows are looked up.
pub(super) struct Names<'a> {
    pub(super) old: &'a Dump,
    pub(super) new: &'a Dump,
}

impl Names<'_> {
    /// Names what a row is about. A row that changes its name goes by the old one.
    pub(super) fn subject(&self, table: &TableChanges, old: Option<&Row>, new: Option<&Row>) -> Subject {
        let value = |name: &str| {
            let index = table.columns.iter().position(|column| column == name)?;
            old.or(new)?.get(index)
        };
        let link = |of: &str, column: &str, part: String| Subject {
            of: self.row(of, value(column)),
            part: Some(part),
            name: String::new(),
        };
        match table.spec.name {
            "setting" => {
                let key = value("key").and_then(Value::as_text).unwrap_or_default();
                Subject { of: format!("setting {}", clean(key)), part: None, name: key.to_owned() }
            }
            "monitor_notification" => link("monitor", "monitor_id", self.row("notification", value("notification_id"))),
            "monitor_tag" => link("monitor", "monitor_id", self.row("tag", value("tag_id"))),
            "monitor_group" => link("group", "group_id", self.row("monitor", value("monitor_id"))),
            "monitor_maintenance" => link("maintenance", "maintenance_id", self.row("monitor", value("monitor_id"))),
            "maintenance_status_page" => {
                link("maintenance", "maintenance_id", self.row("status_page", value("status_page_id")))
            }
            "status_page_cname" => link(
                "status_page",
                "status_page_id",
                format!("domain {}", value("domain").map_or(String::new(), shown)),
            ),
            name => {
                let id = value("id").map_or(String::new(), shown);
                let title = value(name_column(name)).and_then(Value::as_text).unwrap_or_default().to_owned();
                Subject { of: format!("{} {id} {}", noun(name), quoted(&title)), part: None, name: title }
            }
        }
    }

    /// Names another row: `monitor 7 "api"`.
    fn row(&self, table: &str, id: Option<&Value>) -> String {
        let named = [self.new, self.old].into_iter().find_map(|dump| {
            let table = dump.table(table)?;
            let row = table.rows.iter().find(|row| Some(table.value(row, "id")) == id)?;
            Some(quoted(table.value(row, name_column(table.spec.name)).as_text().unwrap_or_default()))
        });
        let id = id.map_or(String::new(), shown);
        format!("{} {id}{}", noun(table), named.map_or(String::new(), |name| format!(" {name}")))
    }
}

fn name_column(table: &str) -> &'static str {
    match table {
        "user" => "username",
        "status_page" | "incident" | "maintenance" => "title",
        "proxy" => "host",
        _ => "name",
    }
}

fn noun(table: &str) -> String {
    match table {
        "api_key" => "API key".to_owned(),
        _ => table.replace('_', " "),
    }
}

/// One line for a row.
pub(super) fn line(table: &TableChanges, row: &RowChange) -> String {
    let name = table.spec.name;
    let Subject { of, part, .. } = &row.subject;
    let part = part.as_ref().map_or(String::new(), |part| format!(": {part}"));
    match (&row.old, &row.new) {
        (None, Some(new)) => format!("{of}{part} added{}", more(table, new)),
        (Some(_), None) if name == "monitor" => format!("{of} deleted, and its history with it"),
        (Some(_), None) if row.subject.part.is_some() => format!("{of}{part} removed"),
        (Some(_), None) => format!("{of}{part} deleted"),
        _ => format!("{of}{part}: {}", differences(table, row).join(", ")),
    }
}

/// One line for a file.
pub(super) fn file_line(file: &FileChange) -> String {
    let FileChange { path, old_size_bytes, new_size_bytes } = file;
    match old_size_bytes {
        None => format!("file {} added ({new_size_bytes} bytes)", clean(path)),
        Some(old) => format!("file {} changed ({old} → {new_size_bytes} bytes)", clean(path)),
    }
}

/// What an added row is worth telling besides its name.
fn more(table: &TableChanges, row: &Row) -> String {
    let column = match table.spec.name {
        "monitor" => "type",
        "monitor_tag" => "value",
        "setting" => "value",
        _ => return String::new(),
    };
    let Some(index) = table.columns.iter().position(|name| name == column) else { return String::new() };
    match row.get(index).map(|value| visible(table, row, index, value)) {
        Some(Some(text)) if text != "\"\"" => format!(" ({column} {text})"),
        _ => String::new(),
    }
}

fn differences(table: &TableChanges, row: &RowChange) -> Vec<String> {
    let mut differing = row.differing(table.spec, &table.columns);
    let stamp = |index: &usize| {
        matches!(table.columns.get(*index).map(String::as_str), Some("modified_date" | "last_updated_date"))
    };
    // The time of a change is worth a word only if nothing else tells of it.
    if !differing.iter().all(stamp) {
        differing.retain(|index| !stamp(index));
    }
    differing.into_iter().map(|index| difference(table, row, index)).collect()
}

fn difference(table: &TableChanges, row: &RowChange, index: usize) -> String {
    let column = table.columns.get(index).map_or("", String::as_str);
    let (Some(old), Some(new)) = (&row.old, &row.new) else { return String::new() };
    let (Some(from), Some(to)) = (old.get(index), new.get(index)) else { return String::new() };
    if let Some(word) = switch(table.spec.name, column, from, to) {
        return word.to_owned();
    }
    let column = if table.spec.name == "setting" && column == "value" { String::new() } else { format!("{column} ") };
    if show_of(table, old, index) == Show::Members {
        return format!("{column}changed{}", members(from, to));
    }
    match (visible(table, old, index, from), visible(table, new, index, to)) {
        (Some(from), Some(to)) if from != to => format!("{column}{from} → {to}"),
        (Some(shown), Some(_)) => format!("{column}changed (still {shown})"),
        _ => format!("{column}changed (hidden)"),
    }
}

/// The word for turning something on or off.
fn switch(table: &str, column: &str, from: &Value, to: &Value) -> Option<&'static str> {
    let words = match table {
        "monitor" | "maintenance" => ["paused", "resumed"],
        "incident" => ["resolved", "opened again"],
        _ => ["disabled", "enabled"],
    };
    match (column, from.as_integer()?, to.as_integer()?) {
        ("active", 1, 0) => Some(words[0]),
        ("active", 0, 1) => Some(words[1]),
        _ => None,
    }
}

fn show_of(table: &TableChanges, row: &Row, index: usize) -> Show {
    let key = table.columns.iter().position(|name| name == "key").and_then(|key| row.get(key)?.as_text());
    printable::column(table.spec.name, table.columns.get(index).map_or("", String::as_str), key)
}

/// The value as it may be shown; none if it must not be.
fn visible(table: &TableChanges, row: &Row, index: usize, value: &Value) -> Option<String> {
    match (show_of(table, row, index), value) {
        (Show::Plain, Value::Text(_)) if table.spec.name == "setting" => {
            value.as_text().map(|text| shortened(&clean(&printable::without_logins(text))))
        }
        (Show::Plain, _) | (Show::Address, Value::Null | Value::Integer(_)) => Some(shown(value)),
        (Show::Address, _) => match value.as_text()? {
            "" => Some("\"\"".to_owned()),
            text => printable::address(text.trim_matches('"')),
        },
        (Show::Size, Value::Text(bytes)) => Some(format!("{} bytes", bytes.len())),
        (Show::Size, _) => Some(shown(value)),
        (Show::Members | Show::Hidden, _) => None,
    }
}

/// The names of the members of two JSON objects that differ.
fn members(old: &Value, new: &Value) -> String {
    let object =
        |value: &Value| -> Option<serde_json::Map<String, Json>> { serde_json::from_str(value.as_text()?).ok() };
    let (Some(old), Some(new)) = (object(old), object(new)) else { return " (hidden)".to_owned() };
    let mut names: Vec<String> =
        old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).map(|key| clean(key)).collect();
    names.sort();
    names.dedup();
    format!(" ({})", shortened(&names.join(", ")))
}

/// A value for people: NULL is "none", text is quoted and shortened, control characters are escaped.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(bytes) => quoted(&String::from_utf8_lossy(bytes)),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(&clean(&printable::without_logins(text))))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS_AT_MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Text that does nothing to a terminal.
fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if harmful(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A column's difference as JSON.
pub(super) fn column_json(table: &TableChanges, row: &RowChange, index: usize) -> Json {
    let side = |row: &Option<Row>| {
        let row = row.as_ref()?;
        let value = row.get(index)?;
        match show_of(table, row, index) {
            Show::Plain => Some(plain_json(value)),
            Show::Address | Show::Size => Some(visible(table, row, index, value).map_or(Json::Null, Json::String)),
            Show::Members | Show::Hidden => None,
        }
    };
    match (side(&row.old), side(&row.new)) {
        (Some(old), Some(new)) => json!({ "old": old, "new": new }),
        _ => json!({ "hidden": true }),
    }
}

/// A value that may be shown, as JSON.
pub(super) fn plain_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(bytes) => json!(printable::without_logins(&String::from_utf8_lossy(bytes))),
        Value::Blob(bytes) => json!({ "blob_bytes": bytes.len() }),
    }
}
