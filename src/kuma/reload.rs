//! What a running Kuma must do to take up changed rows: nothing where it reads them when it uses them, else a restart.
//!
//! Read in the sources of 1.23.16 and 2.5.3, and seen on running servers. What is not known to be read at use counts as
//! held in memory: a restart too many costs a minute, a monitor that goes by its old configuration costs trust.

use std::collections::BTreeSet;

use super::changes::{Changes, RowChange, TableChanges};
use super::value::Value;

/// Tables whose rows Kuma reads when it uses them.
const READ_AT_USE: &[&str] = &[
    "notification",
    "monitor_notification",
    "proxy",
    "docker_host",
    "remote_browser",
    "tag",
    "monitor_tag",
    "status_page",
    "group",
    "monitor_group",
    "incident",
    "api_key",
    "user",
    "monitor_maintenance",
];

/// Setting keys that Kuma reads when it uses them, through a cache of at most two minutes.
const SETTINGS_READ_AT_USE: &[&str] = &[
    "keepDataPeriodDays",
    "searchEngineIndex",
    "tlsExpiryNotifyDays",
    "domainExpiryNotifyDays",
    "steamAPIKey",
    "globalpingApiToken",
    "checkUpdate",
    "checkBeta",
    "primaryBaseURL",
    "apiKeysEnabled",
];

/// What makes Kuma take up changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It does so by itself.
    Nothing,
    /// Only a restart does.
    Restart {
        /// Why, in words.
        reasons: Vec<String>,
    },
}

impl Reload {
    /// The gentlest way that suffices for these changes.
    #[must_use]
    pub fn for_changes(changes: &Changes) -> Reload {
        let reasons: BTreeSet<String> = changes.tables.iter().flat_map(reasons).collect();
        if reasons.is_empty() { Reload::Nothing } else { Reload::Restart { reasons: reasons.into_iter().collect() } }
    }
}

fn reasons(table: &TableChanges) -> Vec<String> {
    let held = |what: &str| vec![what.to_owned()];
    match table.spec.name {
        name if READ_AT_USE.contains(&name) => Vec::new(),
        "monitor" if table.rows.iter().any(|row| runs(table, row)) => held("running monitors are held in memory"),
        "monitor" => Vec::new(),
        "maintenance" | "maintenance_status_page" => held("maintenance windows are held in memory"),
        "status_page_cname" => held("the domains of status pages are held in memory"),
        "setting" => {
            let keys = table.rows.iter().map(|row| text(table, row, "key"));
            let held = keys.filter(|key| !SETTINGS_READ_AT_USE.contains(&key.as_str()));
            held.map(|key| format!("setting {key} is read at the start")).collect()
        }
        name => vec![format!("table {name} may be held in memory")],
    }
}

/// Whether the monitor of this row runs before or after the change: a paused one is read anew when it is resumed.
fn runs(table: &TableChanges, row: &RowChange) -> bool {
    let Some(active) = table.columns.iter().position(|name| name == "active") else { return true };
    let is_active = |row: &Vec<Value>| row.get(active) != Some(&Value::Integer(0));
    row.old.iter().chain(&row.new).any(is_active)
}

fn text(table: &TableChanges, row: &RowChange, column: &str) -> String {
    let index = table.columns.iter().position(|name| name == column);
    let value = index.and_then(|index| row.new.as_ref().or(row.old.as_ref())?.get(index));
    value.and_then(Value::as_text).unwrap_or_default().to_owned()
}
