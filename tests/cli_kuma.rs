//! publish, plan and apply from outside: what they print, and how they end.

use serde_json::Value;

use crate::support::kuma::Kuma;
use crate::support::{Client, Repo};

fn data_dir(kuma: &Kuma) -> String {
    kuma.path().to_str().unwrap().to_owned()
}

#[test]
fn a_replica_follows_its_primary() {
    let ours = Client::ours();
    let repo = Repo::made();
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    let (at, here) = (data_dir(&primary), data_dir(&replica));
    ours.run(&repo, ["plan", "--data-dir", &here]).exits(1).says(&["publish"]);

    let published = ours.run(&repo, ["publish", "--data-dir", &at]).ok();
    assert!(published.text().contains("saved"), "{published}");
    let again = ours.run(&repo, ["publish", "--data-dir", &at]).ok();
    assert!(again.text().starts_with("nothing changed since snapshot "), "{again}");

    let plan = ours.run(&repo, ["plan", "--data-dir", &here]).exits(2);
    assert!(plan.text().contains("monitor 7 "), "{plan}");
    let json = ours.run(&repo, ["plan", "--json", "--data-dir", &here]).exits(2).json();
    let planned = json["changes"].as_array().unwrap().len();
    assert_eq!(plan.text().lines().count(), planned + 1, "a line each, and one that sums up");

    let applied = ours.run(&repo, ["apply", "--json", "--data-dir", &here]).ok().json();
    assert_eq!(applied["changes"].as_array().unwrap().len(), planned);
    let plan = ours.run(&repo, ["plan", "--data-dir", &here]).ok();
    assert!(plan.text().starts_with("nothing to do"), "{plan}");
    ours.run(&repo, ["apply", "--data-dir", &here]).ok();

    primary.run("UPDATE monitor SET name = 'api-eu' WHERE id = 7");
    let published = ours.run(&repo, ["publish", "--data-dir", &at]).ok();
    assert!(published.text().contains("api-eu") && published.text().contains("published 1 change:"), "{published}");
    let applied = ours.run(&repo, ["apply", "--data-dir", &here]).ok();
    assert!(applied.text().contains("applied 1 change of snapshot "), "{applied}");
    assert_eq!(replica.ask("SELECT name FROM monitor WHERE id = 7"), "\"api-eu\"");
}

#[test]
fn secrets_are_never_printed() {
    let ours = Client::ours();
    let repo = Repo::made();
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    primary.run("UPDATE notification SET config = '{\"token\":\"very-secret-token\"}' WHERE id = 3");
    ours.run(&repo, ["publish", "--data-dir", &data_dir(&primary)]).ok();
    for arguments in [&["plan", "-vv"][..], &["plan", "--json"]] {
        let run = ours.run(&repo, [arguments, &["--data-dir", &data_dir(&replica)]].concat()).exits(2);
        assert!(!run.text().contains("very-secret-token") && !run.stderr.contains("very-secret-token"), "{run}");
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let ours = Client::ours();
    let repo = Repo::made();
    let primary = Kuma::new("kuma-v2");
    let run = ours.run(&repo, ["publish", "-n", "--json", "--data-dir", &data_dir(&primary)]).ok().json();
    assert_eq!((&run["dry_run"], &run["snapshot_id"], &run["changed"]), (&true.into(), &Value::Null, &true.into()));
    assert_eq!(ours.run(&repo, ["list", "snapshots"]).ok().text(), "");
    assert_eq!(ours.run(&repo, ["list", "packs"]).ok().text(), "");
}

#[test]
fn a_kuma_that_cannot_be_used_is_named_with_the_way_out() {
    let ours = Client::ours();
    let repo = Repo::made();
    ours.run(&repo, ["publish", "--data-dir", "/nonexistent"]).exits(1).says(&["/nonexistent", "--data-dir"]);
    ours.run(&repo, ["publish", "--database", "/etc/passwd"]).exits(1).says(&["/etc/passwd", "not an SQLite"]);
    let named = Repo::at(repo.location.clone()).with_env("DATA_DIR", "/nonexistent");
    ours.run(&named, ["publish"]).exits(1).says(&["/nonexistent"]);
    let kuma = Kuma::new("kuma-v2");
    std::fs::write(kuma.path().join("db-config.json"), r#"{"type":"mariadb"}"#).unwrap();
    ours.run(&repo, ["publish", "--data-dir", &data_dir(&kuma)]).exits(1).says(&["mariadb"]);
    ours.run(&repo, ["publish", "--tables", "nosuch", "--data-dir", "/nonexistent"]).exits(1);
}
