//! The suites' own ground: the peers run, the servers answer.

use crate::support::proxy::{self, Harm, Proxy};
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

#[test]
fn the_proxy_counts_and_harms_and_restic_gets_by() {
    let (Some(restic), Some(seaweed)) = (Client::restic("0.19"), s3::seaweed()) else { return };
    let repo = seaweed.repo();
    restic.run(&repo, ["init"]).ok();
    for harm in [Harm::Cut, Harm::LostAnswer, Harm::Status(503), Harm::ShortAnswer(3)] {
        let proxy = Proxy::start(seaweed.port, proxy::harm_first(1, "LIST", "snapshots", harm));
        let through = repo.through(proxy.port);
        restic.run(&through, ["snapshots"]).ok();
        let requests = proxy.requests();
        let lists = requests.iter().filter(|request| request.operation == "LIST" && request.class == "snapshots");
        assert_eq!(lists.count(), 2, "{harm:?}: {requests:?}");
        assert!(requests.iter().any(|request| request.operation == "PUT" && request.class == "locks"));
    }
}
