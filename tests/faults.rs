//! A bucket behind a bad line: connections cut, answers lost or short, servers that say 500, 503, 403 or
//! nothing. A passing fault costs a retry and nothing else; a lasting one is said at once and by name.

use std::time::{Duration, Instant};

use crate::support::kuma::Kuma;
use crate::support::proxy::{Harm, Proxy, Request, harm_first};
use crate::support::sample::noise;
use crate::support::{Client, Repo, Run, s3};

/// A passing fault, at its one place in time.
const PASSING: [Harm; 5] = [Harm::Cut, Harm::LostAnswer, Harm::Status(500), Harm::Status(503), Harm::Status(429)];

/// A repository in a bucket, with one snapshot of one file, and the file.
struct Bucket {
    server: &'static s3::S3,
    repo: Repo,
    folder: tempfile::TempDir,
}

impl Bucket {
    fn new() -> Option<Self> {
        let server = s3::seaweed()?;
        let bucket = Self { server, repo: server.repo(), folder: tempfile::tempdir().expect("a temporary folder") };
        Client::ours().run(&bucket.repo, ["init"]).ok();
        bucket.write(0);
        bucket.run(&bucket.repo, &["backup", "file"]).ok();
        Some(bucket)
    }

    fn write(&self, seed: u64) {
        std::fs::write(self.folder.path().join("file"), noise(seed, 100_000)).expect("a file");
    }

    fn run(&self, repo: &Repo, arguments: &[&str]) -> Run {
        Client::ours().run_in(self.folder.path(), repo, arguments)
    }

    /// Runs a command through a proxy that does harm; gives the requests that it made.
    fn through(
        &self,
        arguments: &[&str],
        harm: impl FnMut(&Request) -> Option<Harm> + Send + 'static,
    ) -> (Run, Vec<Request>) {
        let proxy = Proxy::start(self.server.port, harm);
        let run = self.run(&self.repo.through(proxy.port), arguments);
        (run, proxy.requests())
    }
}

fn count(requests: &[Request], operation: &str, class: &str) -> usize {
    requests.iter().filter(|request| request.operation == operation && request.class == class).count()
}

#[test]
fn a_backup_survives_a_fault_of_each_write_and_stores_nothing_twice() {
    let Some(bucket) = Bucket::new() else { return };
    let mut snapshots = 1;
    for class in ["locks", "data", "index", "snapshots"] {
        for harm in PASSING {
            snapshots += 1;
            bucket.write(snapshots);
            let (run, requests) = bucket.through(&["backup", "file"], harm_first(1, "PUT", class, harm));
            run.ok();
            let (_, clean) = bucket.through(&["backup", "file"], |_| None);
            snapshots += 1;
            let again = count(&requests, "PUT", class);
            assert!(again >= 2, "{class} {harm:?}: the write was not made again: {requests:?}");
            assert_eq!(count(&clean, "PUT", "locks"), 1, "{clean:?}");
        }
    }
    let listed = bucket.run(&bucket.repo, &["snapshots", "--json"]).ok().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(snapshots as usize));
    bucket.run(&bucket.repo, &["check", "--read-data"]).ok();
    if let Some(restic) = Client::restic("0.19") {
        restic.run(&bucket.repo, ["check", "--read-data"]).ok();
    }
}

#[test]
fn a_restore_survives_a_fault_of_each_read() {
    let Some(bucket) = Bucket::new() else { return };
    for class in ["config", "keys", "index", "snapshots", "data"] {
        for harm in PASSING.into_iter().chain([Harm::ShortAnswer(0), Harm::ShortAnswer(20)]) {
            let target = tempfile::tempdir().expect("a temporary folder");
            let target_text = target.path().to_str().expect("UTF-8");
            let command = ["restore", "latest", "--target", target_text];
            let (run, requests) = bucket.through(&command, harm_first(1, "GET", class, harm));
            run.ok();
            assert!(count(&requests, "GET", class) >= 2, "{class} {harm:?}: not read again: {requests:?}");
            let restored = std::fs::read(target.path().join("file")).expect("the file");
            assert_eq!(restored, noise(0, 100_000), "{class} {harm:?}");
        }
    }
}

#[test]
fn a_server_that_falls_silent_is_asked_again() {
    let Some(bucket) = Bucket::new() else { return };
    for (operation, class) in [("GET", "config"), ("LIST", "snapshots"), ("PUT", "locks")] {
        let silence = harm_first(1, operation, class, Harm::Silence);
        let (run, requests) = bucket.through(&["--stuck-request-timeout", "2s", "snapshots"], silence);
        run.ok();
        assert!(count(&requests, operation, class) >= 2, "{operation} {class}: {requests:?}");
    }
}

#[test]
fn a_listing_that_ends_early_is_asked_for_again() {
    let Some(bucket) = Bucket::new() else { return };
    for class in ["keys", "locks", "index", "snapshots"] {
        for harm in [Harm::Cut, Harm::ShortAnswer(0), Harm::ShortAnswer(150), Harm::Status(500)] {
            let (run, requests) = bucket.through(&["check", "--json"], harm_first(1, "LIST", class, harm));
            run.ok();
            assert!(count(&requests, "LIST", class) >= 2, "{class} {harm:?}: {requests:?}");
        }
    }
}

#[test]
fn what_the_bucket_forbids_is_said_at_once() {
    let Some(bucket) = Bucket::new() else { return };
    let start = Instant::now();
    let (run, requests) = bucket.through(&["snapshots"], |_| Some(Harm::Status(403)));
    run.exits(1).says(&["127.0.0.1"]);
    assert!(requests.len() <= 2, "asked again though forbidden: {requests:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn wrong_and_missing_credentials_a_missing_bucket_and_an_absent_host_are_named() {
    let Some(bucket) = Bucket::new() else { return };
    let with = |repo: &Repo| repo.with_password("geheim");
    let wrong = with(&bucket.repo).with_env("AWS_SECRET_ACCESS_KEY", "another");
    bucket.run(&wrong, &["snapshots"]).exits(1);
    let missing = Repo::at(bucket.repo.location.clone());
    bucket.run(&missing, &["snapshots"]).exits(1).says(&["AWS_ACCESS_KEY_ID"]);
    let mut elsewhere = with(&bucket.repo);
    elsewhere.location = elsewhere.location.replace(s3::BUCKET, "no-such-bucket");
    bucket.run(&elsewhere, &["init"]).exits(1).says(&["no-such-bucket"]);
    // A repository is not missing because its bucket is.
    bucket.run(&elsewhere, &["snapshots"]).exits(1).says(&["no-such-bucket"]);
}

#[test]
fn reading_makes_no_write_but_its_lock() {
    let Some(bucket) = Bucket::new() else { return };
    let (run, requests) = bucket.through(&["snapshots"], |_| None);
    run.ok();
    let writes = requests.iter().filter(|request| request.operation == "PUT" && request.class != "locks");
    assert_eq!(writes.count(), 0, "{requests:?}");
    let (run, requests) = bucket.through(&["--no-lock", "snapshots"], |_| None);
    run.ok();
    assert!(
        requests
            .iter()
            .all(|request| request.operation == "GET" || request.operation == "LIST" || request.operation == "HEAD"),
        "{requests:?}"
    );
}

/// What a cycle asks of the bucket: class A is what S3 and R2 charge most for (PUT, LIST), class B the rest but DELETE.
fn cost(requests: &[Request]) -> (usize, usize) {
    let class_a =
        requests.iter().filter(|request| matches!(request.operation.as_str(), "PUT" | "POST" | "LIST")).count();
    let class_b = requests.iter().filter(|request| matches!(request.operation.as_str(), "GET" | "HEAD")).count();
    (class_a, class_b)
}

#[test]
fn a_cycle_asks_little_of_the_bucket() {
    let Some(server) = s3::seaweed() else { return };
    let (repo, ours) = (server.repo(), Client::ours());
    let (primary, replica) = (Kuma::new("kuma-v2"), Kuma::new("kuma-v2-fresh"));
    ours.run(&repo, ["init"]).ok();
    let ask = |arguments: &[&str], kuma: &Kuma, code| {
        let proxy = Proxy::start(server.port, |_| None);
        let data_dir = ["--data-dir", kuma.path().to_str().expect("UTF-8")];
        ours.run(&repo.through(proxy.port), arguments.iter().chain(&data_dir)).exits(code);
        cost(&proxy.requests())
    };
    assert_eq!(ask(&["publish"], &primary, 0), (10, 2), "the first snapshot");
    // The shell loop with restic 0.19.1 and a warm cache asked for (6, 4).
    assert_eq!(ask(&["publish"], &primary, 0), (2, 3), "nothing to publish");
    assert_eq!(ask(&["plan"], &replica, 2), (3, 8), "a plan");
    assert_eq!(ask(&["apply"], &replica, 0), (3, 8), "an apply");
    // The shell loop: (11, 7), and a lock, so write access, in each replica.
    assert_eq!(ask(&["apply"], &replica, 0), (3, 8), "nothing to apply");
    primary.run("UPDATE monitor SET name = 'renamed' WHERE id = 7");
    // The shell loop: (16, 7).
    assert_eq!(ask(&["publish"], &primary, 0), (10, 8), "one more snapshot");
    assert_eq!(ask(&["apply"], &replica, 0), (3, 10), "an apply of the second snapshot");
}
