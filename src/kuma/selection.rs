//! Which tables and setting keys take part: the defaults of [`schema`](super::schema), narrowed or widened by text.

use std::collections::BTreeSet;

use super::schema::{LOCAL_TABLES, SETTINGS, SettingRole, TABLES, setting, table};

/// The tables and setting keys that are published, compared and applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    tables: BTreeSet<String>,
    settings: BTreeSet<String>,
}

/// A `--tables` or `--settings` text that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No such table in Kuma.
    #[error("{name:?} is no configuration table of Uptime Kuma; known: {known}")]
    UnknownTable {
        /// What was asked for.
        name: String,
        /// The tables there are.
        known: String,
    },
    /// A table that each instance keeps for itself.
    #[error("table {name} is not replicated: {reason}")]
    LocalTable {
        /// The table.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A setting that each instance keeps for itself, always.
    #[error("setting {key} is never replicated: {reason}")]
    NeverSetting {
        /// The key.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// Nothing was selected.
    #[error("no table is left to replicate")]
    Nothing,
}

impl Default for Selection {
    fn default() -> Selection {
        let shared = SETTINGS.iter().filter(|setting| setting.role == SettingRole::Shared);
        Selection {
            tables: TABLES.iter().map(|table| table.name.to_owned()).collect(),
            settings: shared.map(|setting| setting.key.to_owned()).collect(),
        }
    }
}

impl Selection {
    /// Reads the texts of `--tables` and `--settings`: comma lists of names. `+NAME` and `-NAME` add to and remove from
    /// the defaults; a name without a sign begins from nothing, so that `monitor,tag` is these two and no more.
    /// `--settings none` (or a list of tables without `setting`) leaves every setting local.
    pub fn parse(tables: Option<&str>, settings: Option<&str>) -> Result<Selection, SelectionError> {
        let mut selection = Selection::default();
        if let Some(text) = tables {
            selection.tables = edit(&selection.tables, text, known_table)?;
        }
        if let Some(text) = settings {
            selection.settings = edit(&selection.settings, text, allowed_setting)?;
        }
        if selection.settings.is_empty() {
            selection.tables.remove("setting");
        }
        if selection.tables.is_empty() { Err(SelectionError::Nothing) } else { Ok(selection) }
    }

    /// The same without these tables.
    pub fn without(mut self, tables: &[String]) -> Result<Selection, SelectionError> {
        self.tables.retain(|name| !tables.contains(name));
        if self.tables.is_empty() { Err(SelectionError::Nothing) } else { Ok(self) }
    }

    /// Whether this table takes part.
    #[must_use]
    pub fn has_table(&self, name: &str) -> bool {
        self.tables.contains(name)
    }

    /// Whether this key of table `setting` takes part.
    #[must_use]
    pub fn has_setting(&self, key: &str) -> bool {
        self.tables.contains("setting") && self.settings.contains(key)
    }

    /// The setting keys that take part, sorted.
    pub fn settings(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().filter(|_| self.tables.contains("setting")).map(String::as_str)
    }

    /// What takes part in this selection and in a dump that carries `tables` and `settings`.
    #[must_use]
    pub fn within<'a>(
        &self,
        tables: impl IntoIterator<Item = &'a str>,
        settings: impl IntoIterator<Item = &'a str>,
    ) -> Selection {
        Selection {
            tables: tables.into_iter().filter(|name| self.tables.contains(*name)).map(str::to_owned).collect(),
            settings: settings.into_iter().filter(|key| self.settings.contains(*key)).map(str::to_owned).collect(),
        }
    }
}

fn edit(
    defaults: &BTreeSet<String>,
    text: &str,
    check: impl Fn(&str) -> Result<(), SelectionError>,
) -> Result<BTreeSet<String>, SelectionError> {
    let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    let signed = items.iter().all(|item| item.starts_with(['+', '-']));
    let mut names = if signed { defaults.clone() } else { BTreeSet::new() };
    for item in items.into_iter().filter(|item| *item != "none") {
        let name = item.trim_start_matches(['+', '-']).trim();
        check(name)?;
        if item.starts_with('-') {
            names.remove(name);
        } else {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn known_table(name: &str) -> Result<(), SelectionError> {
    if table(name).is_some() {
        return Ok(());
    }
    if let Some((_, reason)) = LOCAL_TABLES.iter().find(|(local, _)| *local == name) {
        return Err(SelectionError::LocalTable { name: name.to_owned(), reason });
    }
    let known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    Err(SelectionError::UnknownTable { name: name.to_owned(), known: known.join(", ") })
}

fn allowed_setting(key: &str) -> Result<(), SelectionError> {
    match setting(key) {
        Some(setting) if setting.role == SettingRole::Never => {
            Err(SelectionError::NeverSetting { key: key.to_owned(), reason: setting.reason })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_narrow_and_widen_the_defaults() {
        let selection = Selection::parse(Some("-user"), Some("+jwtSecret,-checkUpdate")).unwrap();
        assert!(!selection.has_table("user") && selection.has_table("monitor"));
        assert!(selection.has_setting("jwtSecret") && !selection.has_setting("checkUpdate"));
        assert!(selection.has_setting("serverTimezone"));
    }

    #[test]
    fn a_list_without_signs_is_the_whole_list() {
        let selection = Selection::parse(Some("monitor, tag"), None).unwrap();
        assert!(selection.has_table("tag") && !selection.has_table("user"));
        assert!(!selection.has_setting("serverTimezone"), "table setting was not named");
    }

    #[test]
    fn none_leaves_every_setting_local() {
        let selection = Selection::parse(None, Some("none")).unwrap();
        assert!(!selection.has_table("setting") && selection.settings().next().is_none());
    }

    #[test]
    fn what_is_never_shared_is_refused_with_its_reason() {
        let error = Selection::parse(Some("+heartbeat"), None).unwrap_err();
        assert_eq!(error.to_string(), "table heartbeat is not replicated: this instance's own history");
        let error = Selection::parse(None, Some("+cloudflaredTunnelToken")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "setting cloudflaredTunnelToken is never replicated: a tunnel belongs to one host"
        );
        assert!(matches!(Selection::parse(Some("monitors"), None), Err(SelectionError::UnknownTable { .. })));
        assert_eq!(Selection::parse(Some(""), None), Ok(Selection::default()));
        assert_eq!(Selection::parse(Some("none"), None), Err(SelectionError::Nothing));
    }
}
