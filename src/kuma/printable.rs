//! Which values may be shown to people and written to logs: only what stands here. A column that a later Kuma adds is
//! hidden until somebody has looked at it.

use std::borrow::Cow;

/// How a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// As it is, shortened.
    Plain,
    /// As an address without user, password, path and query, all of which may hold a secret.
    Address,
    /// The names of its JSON object's members, not their values.
    Members,
    /// Its size.
    Size,
    /// Not at all.
    Hidden,
}

const MONITOR: &str = "id name active user_id interval url type weight hostname port created_date keyword maxretries \
    ignore_tls upside_down maxredirects accepted_statuscodes_json dns_resolve_type dns_resolve_server retry_interval \
    method docker_host docker_container proxy_id expiry_notification mqtt_topic mqtt_success_message mqtt_check_type \
    auth_method grpc_url grpc_method grpc_service_name grpc_enable_tls resend_interval packet_size game \
    http_body_encoding description parent invert_keyword json_path json_path_operator expected_value \
    kafka_producer_topic kafka_producer_ssl kafka_producer_allow_auto_topic_creation oauth_token_url oauth_auth_method \
    timeout gamedig_given_port_only remote_browser snmp_oid snmp_version cache_bust conditions smtp_security \
    ws_ignore_sec_websocket_accept_header ws_subprotocol ping_count ping_numeric ping_per_request_timeout ip_family \
    manual_status domain_expiry_notification save_response save_error_response response_max_length \
    system_service_name subtype location protocol expected_tls_alert retry_only_on_status_code_failure \
    screenshot_delay ntp_stratum_threshold ntp_time_offset_threshold ntp_root_dispersion_threshold";

/// Per table the columns that may be shown.
const COLUMNS: &[(&str, &str)] = &[
    ("user", "id username active timezone twofa_status"),
    ("proxy", "id user_id protocol host port auth active default created_date"),
    ("docker_host", "id user_id docker_daemon docker_type name"),
    ("remote_browser", "id name url user_id"),
    ("notification", "id name active user_id is_default config"),
    ("tag", "id name color created_date"),
    (
        "status_page",
        "id slug title description icon theme published search_engine_index show_tags created_date modified_date \
         footer_text custom_css show_powered_by show_certificate_expiry auto_refresh_interval show_only_last_heartbeat rss_title \
         analytics_type",
    ),
    ("status_page_cname", "id status_page_id domain"),
    ("group", "id name created_date public active weight status_page_id"),
    ("incident", "id title content style created_date last_updated_date pin active status_page_id"),
    (
        "maintenance",
        "id title description user_id active strategy start_date end_date start_time end_time weekdays days_of_month \
         interval_day cron timezone duration",
    ),
    ("api_key", "id name user_id created_date active expires"),
    ("monitor", MONITOR),
    ("monitor_notification", "id monitor_id notification_id"),
    ("monitor_tag", "id monitor_id tag_id value"),
    ("monitor_group", "id monitor_id group_id weight send_url custom_url"),
    ("monitor_maintenance", "id monitor_id maintenance_id"),
    ("maintenance_status_page", "id status_page_id maintenance_id"),
    ("setting", "id key type"),
];

/// Columns above that hold an address.
const ADDRESSES: &[&str] = &["url", "grpc_url", "oauth_token_url", "docker_daemon", "custom_url", "primaryBaseURL"];

/// Settings whose value may be shown.
const SETTINGS: &str = "serverTimezone keepDataPeriodDays entryPage searchEngineIndex tlsExpiryNotifyDays \
    domainExpiryNotifyDays checkUpdate checkBeta apiKeysEnabled primaryBaseURL trustProxy disableAuth";

/// How a column's value may be shown; `key` is the row's key if the table is `setting`.
pub(super) fn column(table: &str, column: &str, key: Option<&str>) -> Show {
    let (list, name) = match (table, column, key) {
        ("setting", "value", Some(key)) => (SETTINGS, key),
        _ => (COLUMNS.iter().find(|(name, _)| *name == table).map_or("", |(_, columns)| columns), column),
    };
    if !list.split_ascii_whitespace().any(|listed| listed == name) {
        Show::Hidden
    } else if ADDRESSES.contains(&name) {
        Show::Address
    } else if (table, column) == ("notification", "config") {
        Show::Members
    } else if (table, column) == ("status_page", "custom_css") {
        Show::Size
    } else {
        Show::Plain
    }
}

/// The scheme, host and port of an address; `…` for whatever else is there. None if it has another form.
pub(super) fn address(text: &str) -> Option<String> {
    if text.starts_with('/') {
        return Some(text.to_owned());
    }
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, more) = rest.split_at_checked(end)?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_alphanumeric() || more.contains(c));
    // A backslash or a blank means that somebody else may see another host than we do: show nothing.
    if !plain(scheme, "+-.") || !plain(host, ".-_:[]%") {
        return None;
    }
    Some(format!("{scheme}://{host}{}", if more.is_empty() || more == "/" { more } else { "/…" }))
}

/// The text with `…` for the user and password of every URL in it: a host name or a description may be one, too.
pub(super) fn without_logins(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || "/?#".contains(c)).unwrap_or(after.len());
        // A password may hold anything: what stands before the last `@` of the authority is not shown.
        let host = after.get(..end).and_then(|authority| authority.rfind('@'));
        shown.push_str(before);
        shown.push_str(if host.is_some() { "://…" } else { "://" });
        rest = host.and_then(|at| after.get(at..)).unwrap_or(after);
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_unknown_columns_are_hidden() {
        for (table, name) in [
            ("monitor", "basic_auth_pass"),
            ("monitor", "headers"),
            ("monitor", "body"),
            ("monitor", "push_token"),
            ("monitor", "database_connection_string"),
            ("monitor", "radius_password"),
            ("monitor", "bearer_token"),
            ("monitor", "tls_key"),
            ("monitor", "a_column_of_tomorrow"),
            ("user", "password"),
            ("user", "twofa_secret"),
            ("api_key", "key"),
            ("proxy", "password"),
            ("status_page", "password"),
            ("no_such_table", "name"),
        ] {
            assert_eq!(column(table, name, None), Show::Hidden, "{table}.{name}");
        }
        assert_eq!(column("setting", "value", Some("steamAPIKey")), Show::Hidden);
        assert_eq!(column("setting", "value", Some("tomorrow")), Show::Hidden);
        assert_eq!(column("setting", "value", Some("keepDataPeriodDays")), Show::Plain);
        assert_eq!(column("notification", "config", None), Show::Members);
        assert_eq!(column("monitor", "url", None), Show::Address);
    }

    #[test]
    fn a_login_in_any_text_is_hidden() {
        for (text, shown) in [
            ("mqtt://user:p@ss@broker:1883", "mqtt://…@broker:1883"),
            ("see https://a:b@c/x and ftp://d@e, mail f@g", "see https://…@c/x and ftp://…@e, mail f@g"),
            ("https://example.com/@user", "https://example.com/@user"),
            ("://", "://"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_logins(text), shown);
        }
    }

    #[test]
    fn an_address_shows_no_user_no_path_and_no_query() {
        let shown = |text: &str| address(text).unwrap_or_default();
        assert_eq!(shown("https://user:pa@ss@example.com:8443/hook/T0KEN?x=y"), "https://example.com:8443/…");
        assert_eq!(shown("ws://127.0.0.1:13000/?token=a;b'c"), "ws://127.0.0.1:13000/…");
        assert_eq!(shown("https://example.com/"), "https://example.com/");
        assert_eq!(shown("https://example.com?token=x"), "https://example.com/…");
        assert_eq!(shown("/var/run/docker.sock"), "/var/run/docker.sock");
        assert_eq!(address("https://a b@c\\d/"), None);
        assert_eq!(address("T0KEN"), None);
    }
}
