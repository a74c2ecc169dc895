//! Which changes a running Kuma takes up by itself.

use replicator_kuma::kuma::{Database, Reload, Selection, diff};

use crate::support::kuma::Kuma;

/// What these edits of a primary make of a running replica.
fn after(edits: &str) -> Reload {
    let kuma = Kuma::new("kuma-v2");
    let dump = || Database::open(&kuma.database()).unwrap().dump(&Selection::default()).unwrap().1;
    let before = dump();
    kuma.run(edits);
    let changes = diff(&before, &dump());
    assert!(!changes.is_empty(), "{edits}");
    Reload::for_changes(&changes)
}

#[test]
fn what_kuma_reads_when_it_uses_it_needs_no_restart() {
    for edits in [
        "UPDATE notification SET name = 'x'; DELETE FROM monitor_notification WHERE monitor_id = 1",
        "UPDATE status_page SET title = 'x'; DELETE FROM monitor_group; UPDATE \"group\" SET name = 'x'",
        "UPDATE proxy SET host = 'x'; UPDATE docker_host SET name = 'x'; UPDATE tag SET name = 'x'",
        "UPDATE incident SET title = 'x'; UPDATE api_key SET name = 'x'; UPDATE user SET password = 'x'",
        "UPDATE setting SET value = '7' WHERE key = 'keepDataPeriodDays'",
        // Read anew when somebody resumes it.
        "UPDATE monitor SET name = 'x' WHERE active = 0",
    ] {
        assert_eq!(after(edits), Reload::Nothing, "{edits}");
    }
}

#[test]
fn what_kuma_holds_in_memory_needs_a_restart_with_its_reason() {
    for (edits, reason) in [
        ("UPDATE monitor SET interval = 30 WHERE id = 7", "running monitors"),
        ("UPDATE monitor SET active = 0 WHERE id = 7", "running monitors"),
        ("DELETE FROM monitor WHERE id = 7", "running monitors"),
        ("UPDATE maintenance SET title = 'x'", "maintenance windows"),
        ("DELETE FROM status_page_cname", "domains of status pages"),
        ("UPDATE setting SET value = '\"UTC+1\"' WHERE key = 'serverTimezone'", "setting serverTimezone"),
    ] {
        let Reload::Restart { reasons } = after(edits) else { panic!("{edits}") };
        assert!(reasons.len() == 1 && reasons[0].contains(reason), "{edits}: {reasons:?}");
    }
}
