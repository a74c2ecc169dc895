//! TLS to real servers: whom we trust, and whom we say we are.

use replicator_kuma::backend::{BackendOptions, ErrorKind};

use crate::backend::{hasty, open};
use crate::support::tls::Authority;
use crate::support::{Client, Repo, rest};

fn outcome(repo: &Repo, options: BackendOptions) -> Result<(), ErrorKind> {
    let backend = open(repo, options);
    let work = async {
        match backend.create().await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.kind()),
        }
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
}

/// The same place by TLS and by name.
fn by_tls(repo: &Repo, port: u16) -> Repo {
    let mut secure = repo.through(port);
    secure.location = secure.location.replace("http://127.0.0.1", "https://localhost");
    secure
}

#[test]
fn a_server_is_trusted_by_its_authority_or_not_at_all_or_whoever_it_is() {
    let Some(server) = rest::rest_server() else { return };
    let (authority, stranger) = (Authority::new(), Authority::new());
    let repo = by_tls(&server.repo(), authority.terminate(server.port, false));
    let trusting = |cacerts| BackendOptions { cacerts, ..hasty() };
    assert_eq!(outcome(&repo, trusting(vec![authority.cacert()])), Ok(()));
    assert_eq!(outcome(&repo, trusting(vec![stranger.cacert()])), Err(ErrorKind::Tls));
    assert_eq!(outcome(&repo, trusting(Vec::new())), Err(ErrorKind::Tls), "the system's");
    assert_eq!(outcome(&repo, BackendOptions { insecure_tls: true, ..hasty() }), Ok(()));
    let mut other_name = server.repo();
    other_name.location = repo.location.replace("localhost", "127.0.0.1");
    assert_eq!(outcome(&other_name, trusting(vec![authority.cacert()])), Err(ErrorKind::Tls), "another name");
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_gets_it() {
    let Some(server) = rest::rest_server() else { return };
    let authority = Authority::new();
    let repo = by_tls(&server.repo(), authority.terminate(server.port, true));
    let showing = |client_cert| BackendOptions { cacerts: vec![authority.cacert()], client_cert, ..hasty() };
    assert_eq!(outcome(&repo, showing(Some(authority.certificate("client")))), Ok(()));
    let refused = outcome(&repo, showing(None)).expect_err("no certificate");
    // The alert may be lost with the connection.
    assert!([ErrorKind::Tls, ErrorKind::Broken].contains(&refused), "{refused:?}");
}

#[test]
fn the_command_line_knows_the_options_of_tls() {
    let Some(server) = rest::rest_server() else { return };
    let authority = Authority::new();
    let (plain, strict) = (authority.terminate(server.port, false), authority.terminate(server.port, true));
    let ours = Client::ours();
    let repo = by_tls(&server.repo(), plain);
    ours.run(&repo, ["init"]).exits(1).says(&["--cacert"]);
    ours.run(&repo, ["init", "--insecure-tls"]).ok();
    let cacert = authority.cacert().to_str().expect("UTF-8").to_owned();
    ours.run(&repo, ["snapshots", "--cacert", &cacert]).ok();
    let certificate = authority.certificate("client").to_str().expect("UTF-8").to_owned();
    let repo = by_tls(&repo_of(&repo, server.port), strict);
    let repo = repo.with_env("RESTIC_CACERT", &cacert).with_env("RESTIC_TLS_CLIENT_CERT", &certificate);
    ours.run(&repo, ["snapshots"]).ok();
}

/// The same place without TLS.
fn repo_of(secure: &Repo, port: u16) -> Repo {
    let mut plain = secure.with_password("geheim");
    plain.location = plain.location.replace("https://localhost", "http://127.0.0.1");
    plain.through(port)
}
