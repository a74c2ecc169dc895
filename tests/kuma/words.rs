//! What an operator reads.

use replicator_kuma::kuma::{Changes, diff};

use super::dump::dump;
use crate::support::kuma::Kuma;

/// What differs between `name` before and after `edit`.
fn edited(name: &str, edit: &str) -> Changes {
    let kuma = Kuma::new(name);
    let before = dump(&kuma);
    kuma.run(edit);
    diff(&before, &dump(&kuma))
}

#[test]
fn every_edit_between_the_two_states_is_one_line() {
    let changes = diff(&dump(&Kuma::new("kuma-v2")), &dump(&Kuma::new("kuma-v2-state2")));
    let lines = changes.lines();
    assert_eq!(
        lines,
        [
            r#"proxy 2 "127.0.0.1" deleted"#,
            r#"notification 3 "Telegram 📣 канал": config changed (telegramBotToken, telegramSendSilently)"#,
            r#"notification 8 "Gotify" deleted"#,
            r##"tag 1 "prod": name "prod" → "production", color "#DC2626" → "#DC2627""##,
            r#"tag 6 "unused" deleted"#,
            r#"status page 1 "Example status 🟢": title "Example status 🟢" → "Example status 🔵", custom_css 108 bytes → 123 bytes"#,
            r#"status page 3 "007" deleted"#,
            r#"status page 1 "Example status 🔵": domain "status2.example.com" removed"#,
            r#"group 4 "It's "other" 🧩" added"#,
            r#"group 5 "Core; services" added"#,
            r#"group 1 "Core; services" deleted"#,
            r#"group 2 "It's "other" 🧩" deleted"#,
            r#"incident 1 "Degraded performance; 'EU'": pin 1 → 0, resolved"#,
            r#"incident 2 "1e5": content "007" → "edited;\n'content'", style "danger" → "info""#,
            r#"maintenance 3 "Weekly": title "Weekly" → "Weekly (moved)", weekdays "[1,4]" → "[2,5]", cron "0 2 * * 1,4" → "0 2 * * 2,5""#,
            r#"maintenance 6 "Cron 'nightly'": paused"#,
            r#"maintenance 4 "Monthly + last day" deleted"#,
            r#"API key 1 "grafana; 'ro'": disabled"#,
            r#"API key 3 "old" deleted"#,
            r#"monitor 4 "API — production (eu-west-1)": maxretries 2 → 5"#,
            r#"monitor 6 "🚀 Deploy ✅ 日本語 العربية \u{202e}rtl\u{202c} é vs é": description none → """#,
            r#"monitor 7 "007": name "007" → "007 renamed; 'x'""#,
            r#"monitor 21 "POST multi-line JSON": interval 20 → 25, body changed (hidden)"#,
            r#"monitor 30 "Keyword inverted": paused"#,
            r#"monitor 33 "TCP 18081": parent 2 → 1"#,
            r#"monitor 34 "TCP closed": resumed"#,
            r#"monitor 66 "New in state 2 🆕" added (type "keyword")"#,
            r#"monitor 9 "+1" deleted, and its history with it"#,
            r#"monitor 4 "API — production (eu-west-1)": notification 4 "Discord; DROP TABLE notification;--" added"#,
            r#"monitor 66 "New in state 2 🆕": notification 1 "Local webhook (default)" added"#,
            r#"monitor 66 "New in state 2 🆕": notification 3 "Telegram 📣 канал" added"#,
            r#"monitor 66 "New in state 2 🆕": notification 6 " ntfy with spaces " added"#,
            r#"monitor 4 "API — production (eu-west-1)": notification 2 "Mail: ops@example.com" removed"#,
            r#"monitor 4 "API — production (eu-west-1)": notification 5 "Slack" removed"#,
            r#"monitor 66 "New in state 2 🆕": tag 2 "staging" added (value "v2")"#,
            r#"monitor 4 "API — production (eu-west-1)": tag 1 "production" removed"#,
            r#"group 4 "It's "other" 🧩": monitor 36 "DNS A" added"#,
            r#"group 4 "It's "other" 🧩": monitor 31 "JSON query" added"#,
            r#"group 4 "It's "other" 🧩": monitor 66 "New in state 2 🆕" added"#,
            r#"group 5 "Core; services": monitor 29 "Keyword ✅" added"#,
            r#"group 5 "Core; services": monitor 4 "API — production (eu-west-1)" added"#,
            r#"group 1 "Core; services": monitor 4 "API — production (eu-west-1)" removed"#,
            r#"group 1 "Core; services": monitor 29 "Keyword ✅" removed"#,
            r#"group 1 "Core; services": monitor 33 "TCP 18081" removed"#,
            r#"group 2 "It's "other" 🧩": monitor 31 "JSON query" removed"#,
            r#"group 2 "It's "other" 🧩": monitor 36 "DNS A" removed"#,
            r#"maintenance 3 "Weekly (moved)": monitor 66 "New in state 2 🆕" added"#,
            r#"maintenance 4 "Monthly + last day": monitor 36 "DNS A" removed"#,
            r#"maintenance 4 "Monthly + last day": status page 2 "Internal; page" removed"#,
            r#"maintenance 5 "Every 3 days": status page 3 "007" removed"#,
            r#"setting keepDataPeriodDays: 90 → 30"#,
        ]
    );
}

#[test]
fn link_rows_that_only_got_new_ids_are_no_change() {
    let churn = "UPDATE monitor_notification SET id = id + 500; UPDATE monitor_tag SET id = 1000 - id;
                 UPDATE status_page_cname SET id = id + 10; UPDATE monitor_group SET id = id + 77";
    assert!(edited("kuma-v2", churn).is_empty());
}

#[test]
fn a_changed_link_is_a_change_of_its_value() {
    let lines = edited(
        "kuma-v2",
        "UPDATE monitor_tag SET value = 'eu' WHERE id = 2; UPDATE monitor_group SET weight = 9 WHERE id = 1",
    )
    .lines();
    assert_eq!(
        lines,
        [
            r#"monitor 29 "Keyword ✅": tag 1 "prod": value "eu-west" → "eu""#,
            r#"group 1 "Core; services": monitor 4 "API — production (eu-west-1)": weight 1 → 9"#
        ]
    );
}

#[test]
fn the_same_tag_may_stand_twice_on_a_monitor() {
    let twice = "INSERT INTO monitor_tag (monitor_id, tag_id, value) VALUES (29, 1, 'b'), (29, 1, 'eu-west')";
    assert_eq!(edited("kuma-v2", twice).count(), 2);
}

#[test]
fn no_secret_is_ever_told() {
    let kuma = Kuma::new("kuma-v2");
    let before = dump(&kuma);
    let columns = |table: &str| {
        kuma.rows(&format!(
            "SELECT name FROM pragma_table_info('{table}') WHERE type LIKE '%TEXT%' OR type LIKE '%CHAR%'"
        ))
        .concat()
    };
    let told = [
        (
            "monitor",
            "name type hostname keyword dns_resolve_type dns_resolve_server method docker_container description \
                     mqtt_topic mqtt_success_message mqtt_check_type auth_method grpc_method grpc_service_name game \
                     http_body_encoding json_path json_path_operator expected_value kafka_producer_topic \
                     accepted_statuscodes_json oauth_auth_method snmp_oid snmp_version conditions smtp_security \
                     ws_subprotocol ip_family system_service_name subtype location protocol expected_tls_alert",
        ),
        ("proxy", "protocol host"),
        ("docker_host", "docker_type name"),
        ("remote_browser", "name"),
        ("user", "username timezone"),
        ("notification", "name config"),
        ("status_page", "slug title description icon theme footer_text rss_title analytics_type"),
        ("api_key", "name"),
    ];
    for (table, told) in told {
        for column in columns(table) {
            let column = column.trim_matches('"');
            if !told.split_ascii_whitespace().any(|name| name == column) && column != "snmp_version" {
                kuma.run(&format!("UPDATE \"{table}\" SET \"{column}\" = 'https://a:HUNTER2@h/HUNTER2?HUNTER2' || id"));
            }
        }
    }
    kuma.run("UPDATE notification SET config = json_set(config, '$.secret', 'HUNTER2') WHERE id > 1");
    kuma.run("UPDATE setting SET value = '\"HUNTER2\"' WHERE key IN ('steamAPIKey')");
    let changes = diff(&before, &dump(&kuma));
    assert!(changes.count() > 80, "{}", changes.count());
    let shown = format!("{:#?} {} {changes:?}", changes.lines(), changes.to_json());
    assert!(!shown.contains("HUNTER2"), "{shown}");
    assert!(shown.contains("basic_auth_pass changed (hidden)") && shown.contains("https://h/…"), "{shown}");
}

#[test]
fn values_do_nothing_to_a_terminal() {
    let lines =
        edited("kuma-v2", "UPDATE monitor SET name = char(27) || '[31m' || char(10) || char(8238) WHERE id = 7")
            .lines();
    assert_eq!(lines, [r#"monitor 7 "007": name "007" → "\u{1b}[31m\n\u{202e}""#]);
}

#[test]
fn json_tells_the_same_for_programs() {
    let json = edited("kuma-v2", "UPDATE monitor SET interval = 30, basic_auth_pass = 'x' WHERE id = 7").to_json();
    assert_eq!(
        json,
        serde_json::json!([{
            "change": "changed",
            "table": "monitor",
            "key": { "id": 7 },
            "name": "007",
            "columns": { "interval": { "old": 60, "new": 30 }, "basic_auth_pass": { "hidden": true } },
            "line": "monitor 7 \"007\": interval 60 → 30, basic_auth_pass changed (hidden)",
        }])
    );
}
