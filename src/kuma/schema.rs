//! What of Uptime Kuma's database is configuration: the table of tables, columns and setting keys, each with its reason.
//!
//! Facts were read in Kuma 1.23.17, 2.0.2 and 2.5.3, and seen on running servers. Three kinds of things stay with an
//! instance: its *history* (heartbeats and what is computed of them), its *schema's state* (migrations), and what
//! names or secures *this host* (session secret, tunnel, its own address).

/// How rows of a table are recognised in another database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// By `id`, which other rows, push URLs or API keys refer to: ids are kept.
    Id,
    /// By these columns; the `id` means nothing, since Kuma deletes and inserts such rows again on each save.
    Link(&'static [&'static str]),
    /// By `key`; the `id` differs between instances.
    SettingKey,
}

/// Since which major version of Kuma a table exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// In 1.23 and 2.x.
    V1,
    /// In 2.x only.
    V2,
}

/// A configuration table.
#[derive(Clone, Copy, Debug)]
pub struct TableSpec {
    /// Its name.
    pub name: &'static str,
    /// How its rows are recognised.
    pub identity: Identity,
    /// Since when Kuma has it.
    pub since: Since,
    /// Columns that a running Kuma rewrites by itself: they are not in a dump, and a replica keeps its own.
    pub volatile: &'static [&'static str],
    /// Why it is replicated, or only on demand.
    pub reason: &'static str,
}

/// The configuration tables, parents before the tables that refer to them.
pub const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "user",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &["twofa_last_token"],
        reason: "the login; a replica without one is open to whoever comes first",
    },
    TableSpec {
        name: "proxy",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &[],
        reason: "monitors refer to it",
    },
    TableSpec {
        name: "docker_host",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &[],
        reason: "monitors refer to it",
    },
    TableSpec {
        name: "remote_browser",
        identity: Identity::Id,
        since: Since::V2,
        volatile: &[],
        reason: "monitors refer to it",
    },
    TableSpec {
        name: "notification",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &[],
        reason: "whom to tell; its config holds secrets",
    },
    TableSpec { name: "tag", identity: Identity::Id, since: Since::V1, volatile: &[], reason: "monitors carry it" },
    TableSpec {
        name: "status_page",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &[],
        reason: "a public page; its icon may be a file in upload/",
    },
    TableSpec {
        name: "status_page_cname",
        identity: Identity::Link(&["domain"]),
        since: Since::V1,
        volatile: &[],
        reason: "under which host names a page answers; inserted again on each save of the page",
    },
    TableSpec {
        name: "group",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &[],
        reason: "a group on a status page",
    },
    TableSpec {
        name: "incident",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &[],
        reason: "what a status page announces",
    },
    TableSpec {
        name: "maintenance",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &["last_start_date"],
        reason: "when alerts are silent",
    },
    TableSpec {
        name: "api_key",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &[],
        reason: "a key is `uk<id>_…`, so its id must be kept",
    },
    TableSpec {
        name: "monitor",
        identity: Identity::Id,
        since: Since::V1,
        volatile: &["dns_last_result"],
        reason: "what is watched; history and push URLs refer to it",
    },
    TableSpec {
        name: "monitor_notification",
        identity: Identity::Link(&["monitor_id", "notification_id"]),
        since: Since::V1,
        volatile: &[],
        reason: "whom a monitor tells; inserted again on each edit of the monitor",
    },
    TableSpec {
        name: "monitor_tag",
        identity: Identity::Link(&["monitor_id", "tag_id"]),
        since: Since::V1,
        volatile: &[],
        reason: "tags of a monitor",
    },
    TableSpec {
        name: "monitor_group",
        identity: Identity::Link(&["group_id", "monitor_id"]),
        since: Since::V1,
        volatile: &[],
        reason: "monitors of a status page's group; inserted again on each save of the page",
    },
    TableSpec {
        name: "monitor_maintenance",
        identity: Identity::Link(&["maintenance_id", "monitor_id"]),
        since: Since::V1,
        volatile: &[],
        reason: "monitors of a maintenance; inserted again on each save",
    },
    TableSpec {
        name: "maintenance_status_page",
        identity: Identity::Link(&["maintenance_id", "status_page_id"]),
        since: Since::V1,
        volatile: &[],
        reason: "pages that show a maintenance; inserted again on each save",
    },
    TableSpec {
        name: "setting",
        identity: Identity::SettingKey,
        since: Since::V1,
        volatile: &[],
        reason: "of it only the keys of the table of settings",
    },
];

/// Tables that are never replicated, with the reason.
pub const LOCAL_TABLES: &[(&str, &str)] = &[
    ("heartbeat", "this instance's own history"),
    ("stat_minutely", "this instance's own history"),
    ("stat_hourly", "this instance's own history"),
    ("stat_daily", "this instance's own history"),
    ("monitor_tls_info", "learned again at the next check"),
    ("notification_sent_history", "which expiry messages this instance has sent"),
    ("domain_expiry", "a cache of this instance"),
    ("knex_migrations", "the state of this database's schema"),
    ("knex_migrations_lock", "the state of this database's schema"),
    ("sqlite_sequence", "SQLite's own; it rises by itself"),
];

/// Tables whose rows belong to a monitor through `monitor_id`, and go when it is deleted.
pub const HISTORY_TABLES: &[&str] =
    &["heartbeat", "stat_minutely", "stat_hourly", "stat_daily", "monitor_tls_info", "notification_sent_history"];

/// What is done with a key of table `setting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingRole {
    /// Replicated.
    Shared,
    /// Kept by each instance, unless asked for with `--settings +KEY`.
    Local,
    /// Never replicated, not even when asked for.
    Never,
}

/// A key of table `setting` that this program knows.
#[derive(Clone, Copy, Debug)]
pub struct SettingSpec {
    /// The key.
    pub key: &'static str,
    /// What is done with it.
    pub role: SettingRole,
    /// Why.
    pub reason: &'static str,
}

const fn shared(key: &'static str, reason: &'static str) -> SettingSpec {
    SettingSpec { key, role: SettingRole::Shared, reason }
}

const fn local(key: &'static str, reason: &'static str) -> SettingSpec {
    SettingSpec { key, role: SettingRole::Local, reason }
}

const fn never(key: &'static str, reason: &'static str) -> SettingSpec {
    SettingSpec { key, role: SettingRole::Never, reason }
}

/// The keys of table `setting`. A key that is not here stays local until it is asked for.
pub const SETTINGS: &[SettingSpec] = &[
    shared("serverTimezone", "maintenance windows and day boundaries follow it"),
    shared("keepDataPeriodDays", "how long history is kept"),
    shared("entryPage", "what visitors see first"),
    shared("searchEngineIndex", "whether search engines may index"),
    shared("tlsExpiryNotifyDays", "when certificates are warned about"),
    shared("domainExpiryNotifyDays", "when domains are warned about"),
    shared("steamAPIKey", "monitors of game servers need it"),
    shared("globalpingApiToken", "monitors through Globalping need it"),
    shared("checkUpdate", "whether new versions are looked for"),
    shared("checkBeta", "whether new beta versions are looked for"),
    shared("apiKeysEnabled", "without it the API keys of table api_key are ignored"),
    shared("webpushPublicVapidKey", "browsers subscribed with it; notifications of type webpush need it"),
    shared("webpushPrivateVapidKey", "browsers subscribed with it; notifications of type webpush need it"),
    local("primaryBaseURL", "this instance's own address"),
    local("trustProxy", "true only behind this host's own reverse proxy"),
    local("disableAuth", "an open primary must not open its replicas"),
    local("jwtSecret", "a new one logs everybody out of this instance"),
    never("nscd", "a daemon of this host"),
    never("chromeExecutable", "a path on this host, which Kuma runs"),
    never("cloudflaredTunnelToken", "a tunnel belongs to one host"),
    never("database_version", "the state of this database's schema"),
    never("databasePatchedFiles", "the state of this database's schema"),
    never("migrateAggregateTableState", "the state of this database's schema"),
    never("initServerTimezone", "whether this instance has set its time zone once"),
    never("rdapDnsData", "a cache of this instance"),
];

/// The configuration table of this name.
#[must_use]
pub fn table(name: &str) -> Option<&'static TableSpec> {
    TABLES.iter().find(|table| table.name == name)
}

/// The setting of this key, if it is known.
#[must_use]
pub fn setting(key: &str) -> Option<&'static SettingSpec> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_16_tables_of_the_old_system_and_the_two_it_forgot_are_replicated() {
        for name in [
            "group",
            "user",
            "tag",
            "notification",
            "status_page",
            "proxy",
            "remote_browser",
            "incident",
            "api_key",
            "maintenance",
            "monitor",
            "monitor_notification",
            "monitor_group",
            "monitor_tag",
            "monitor_maintenance",
            "maintenance_status_page",
            "docker_host",
            "status_page_cname",
        ] {
            assert!(table(name).is_some(), "{name}");
        }
    }

    #[test]
    fn no_table_and_no_key_stands_twice() {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).chain(LOCAL_TABLES.iter().map(|t| t.0)).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert_eq!(SETTINGS.iter().map(|s| s.key).collect::<HashSet<_>>().len(), SETTINGS.len());
    }

    #[test]
    fn whatever_secures_or_names_a_host_stays_there() {
        for key in ["jwtSecret", "disableAuth", "trustProxy", "primaryBaseURL", "cloudflaredTunnelToken"] {
            assert_ne!(setting(key).map(|setting| setting.role), Some(SettingRole::Shared), "{key}");
        }
    }
}
