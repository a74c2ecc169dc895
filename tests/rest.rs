//! restic's REST protocol with real servers: restic's own rest-server, and rclone.

use bytes::Bytes;
use futures::future::try_join_all;
use replicator_kuma::backend::{Backend, BackendOptions, ErrorKind, Location, RetryOptions};
use replicator_kuma::format::{FileHandle, FileType, Id};

use crate::backend::{CONFIG, content, file, hasty, keeps_the_contract, kind, open};
use crate::support::proxy::{Harm, Proxy};
use crate::support::rest::{self, PASSWORD, Rest, USER};
use crate::support::{Client, Repo};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
}

fn servers() -> Vec<&'static Rest> {
    [rest::rest_server(), rest::rclone()].into_iter().flatten().collect()
}

/// A repository's folder is there as soon as it was created, and not before.
fn created(repo: &Repo, options: BackendOptions) -> Backend {
    let backend = open(repo, options);
    block_on(backend.create()).expect("create");
    backend
}

#[test]
fn rest_server_keeps_the_contract() {
    let Some(server) = rest::rest_server() else { return };
    block_on(keeps_the_contract(&open(&server.repo(), BackendOptions::default())));
}

#[test]
fn rclone_serving_restic_keeps_the_contract() {
    let Some(server) = rest::rclone() else { return };
    block_on(keeps_the_contract(&open(&server.repo(), BackendOptions::default())));
}

#[test]
fn a_server_of_version_1_keeps_the_contract() {
    // rclone knows only version 2.
    let Some(server) = rest::rest_server() else { return };
    let proxy = Proxy::start(server.port, |_| Some(Harm::HideRestVersion2));
    block_on(keeps_the_contract(&open(&server.repo().through(proxy.port), BackendOptions::default())));
    // A listing of version 1 is the reason for these, one a file.
    let heads = proxy.requests().iter().filter(|request| request.operation == "HEAD").count();
    assert!(heads > 20, "{heads}");
}

#[test]
fn a_listing_of_more_than_a_thousand_files_is_whole_in_both_versions() {
    for server in servers() {
        let repo = server.repo();
        let backend = created(&repo, BackendOptions { connections: Some(8), ..hasty() });
        let proxy = Proxy::start(server.port, |_| Some(Harm::HideRestVersion2));
        let first = open(&repo.through(proxy.port), hasty());
        block_on(async {
            let names: Vec<Bytes> = (0..1234).map(|seed| content(seed + 1000, 8)).collect();
            let write = async |bytes: &Bytes| backend.write(&file(FileType::Pack, bytes), bytes.clone()).await;
            try_join_all(names.iter().map(write)).await.expect("writes");
            let mut expected: Vec<(Id, u64)> = names.iter().map(|bytes| (Id::of(bytes), 8)).collect();
            expected.sort_unstable();
            let knows_version_1 = server.name == "rest-server";
            for backend in [Some(&backend), knows_version_1.then_some(&first)].into_iter().flatten() {
                let mut listing = backend.list(FileType::Pack).await.expect("a listing");
                listing.sort_unstable();
                assert!(listing == expected, "{}: {} of 1234", server.name, listing.len());
            }
        });
    }
}

#[test]
fn a_wrong_password_is_said_at_once_and_not_printed() {
    for server in servers() {
        let repo = server.repo();
        let location = repo.location.replace("http://", &format!("http://{USER}:falsch@"));
        let location = Location::parse(&location).expect("a location");
        let backend = Backend::open(&location, &hasty()).expect("a backend");
        block_on(async {
            let error = backend.list(FileType::Key).await.expect_err("a wrong password");
            assert_eq!((error.kind(), error.attempts()), (ErrorKind::CredentialsRejected, 1), "{}", server.name);
            assert!(!format!("{error} {error:?}").contains("falsch"), "{error:?}");
            assert!(error.to_string().contains("anna:***@"), "{error}");
            assert_eq!(kind(backend.exists(&CONFIG)).await, ErrorKind::CredentialsRejected);
            assert_eq!(kind(backend.create()).await, ErrorKind::CredentialsRejected);
        });
        let nobody = Location::parse(&repo.location).expect("a location");
        let nobody = Backend::open(&nobody, &hasty()).expect("a backend");
        assert_eq!(block_on(kind(nobody.exists(&CONFIG))), ErrorKind::CredentialsMissing, "{}", server.name);
    }
}

#[test]
fn an_append_only_server_takes_files_and_deletes_nothing_but_locks() {
    let Some(server) = rest::append_only() else { return };
    let backend = created(&server.repo(), BackendOptions { retry: RetryOptions::NEVER, ..BackendOptions::default() });
    block_on(async {
        let bytes = content(9, 100);
        for file_type in [FileType::Lock, FileType::Snapshot] {
            backend.write(&file(file_type, &bytes), bytes.clone()).await.expect("write");
            backend.write(&file(file_type, &bytes), bytes.clone()).await.expect("the same again");
        }
        backend.delete(&file(FileType::Lock, &bytes)).await.expect("a lock");
        let error = backend.delete(&file(FileType::Snapshot, &bytes)).await.expect_err("a snapshot");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let source = std::error::Error::source(&error).expect("the server's words").to_string();
        assert!(source.contains("append-only"), "{source}");
        assert_eq!(backend.read(&file(FileType::Snapshot, &bytes)).await.expect("still there"), bytes);
    });
}

#[test]
fn a_server_refuses_what_is_not_the_names_content() {
    let Some(server) = rest::rest_server() else { return };
    let backend = created(&server.repo(), hasty());
    let handle = FileHandle { file_type: FileType::Pack, id: Id::of(b"one content") };
    let error = block_on(backend.write(&handle, Bytes::from_static(b"another content"))).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unexpected, "{error:?}");
    assert!(!block_on(backend.exists(&handle)).expect("looked"));
}

#[test]
fn restic_and_we_work_on_one_repository() {
    let Some(restic) = Client::restic("0.19") else { return };
    let ours = Client::ours();
    for server in servers() {
        // restic 0.19 takes the variables as we do; the URL goes before them.
        for (maker, guest) in [(&ours, &restic), (&restic, &ours)] {
            let mut repo = server.repo();
            if maker.name == ours.name {
                let login = format!("http://{USER}:{}@", PASSWORD.replace('@', "%40"));
                repo = Repo::at(repo.location.replace("http://", &login));
            }
            maker.run(&repo, ["init"]).ok();
            for (client, path) in [(maker, "/usr/share/doc/base-files"), (guest, "/usr/share/doc/base-files")] {
                let backup = client.run(&repo, ["backup", path]).ok();
                assert!(!format!("{}{}", backup.text(), backup.stderr).contains("streng"), "{backup}");
            }
            let restic_sees = restic.run(&repo, ["snapshots", "--json"]).ok().json();
            let we_see = ours.run(&repo, ["snapshots", "--json"]).ok().json();
            assert_eq!(restic_sees.as_array().map(Vec::len), Some(2), "{}", server.name);
            assert_eq!(restic_sees[0]["tree"], restic_sees[1]["tree"], "{}", server.name);
            assert_eq!(restic_sees[0]["tree"], we_see[0]["tree"], "{}", server.name);
            restic.run(&repo, ["check", "--read-data"]).ok();
            ours.run(&repo, ["check", "--read-data"]).ok();
            maker.run(&repo, ["init"]).exits(1);
        }
    }
}

#[test]
fn the_command_line_says_how_a_user_is_named() {
    let Some(server) = rest::rest_server() else { return };
    let nobody = Repo::at(server.repo().location);
    Client::ours().run(&nobody, ["snapshots"]).exits(1).says(&["HTTP 401", "RESTIC_REST_USERNAME"]);
    let refused = Client::ours().run(&nobody.with_env("RESTIC_REST_PASSWORD", "falsch"), ["snapshots"]).exits(1);
    assert!(!refused.says(&["not accepted", "RESTIC_REST_USERNAME"]).stderr.contains("falsch"));
    let repo = server.repo();
    Client::ours().run(&repo, ["snapshots"]).exits(10);
}
