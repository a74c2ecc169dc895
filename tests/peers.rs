//! The suites' own ground: the peers run, the servers answer.

use crate::support::{Client, Repo, s3};

#[test]
fn every_version_of_restic_opens_what_it_made_on_disk_and_on_both_servers() {
    for version in ["0.14", "0.18", "0.19"] {
        let Some(restic) = Client::restic(version) else { return };
        let (Some(seaweed), Some(rclone)) = (s3::seaweed(), s3::rclone()) else { return };
        for repo in [Repo::local(), seaweed.repo(), rclone.repo()] {
            restic.run(&repo, ["init"]).ok();
            assert_eq!(restic.run(&repo, ["snapshots", "--json"]).ok().json(), serde_json::json!([]));
        }
    }
}
