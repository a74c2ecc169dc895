//! The protocol, held against a server that plays a script.

use super::*;
use crate::backend::scripted::{Act, Scripted};
use crate::backend::{Backend, BackendError, Location, RetryOptions};

fn backend(server: &Scripted, login: &str, variables: &[(&str, &str)]) -> Backend {
    let location = Location::parse(&format!("rest:http://{login}127.0.0.1:{}/repo", server.port)).expect("a location");
    let environment = variables.iter().copied().collect();
    let options = BackendOptions { environment, retry: RetryOptions::NEVER, ..BackendOptions::default() };
    Backend::open(&location, &options).expect("a backend")
}

fn plain(server: &Scripted) -> Backend {
    backend(server, "", &[])
}

fn answer(status: u16, kind: &str, body: impl Into<String>) -> Act {
    Act::Answer(status, vec![("Content-Type", kind.to_owned())], body.into())
}

fn key() -> FileHandle {
    FileHandle { file_type: FileType::Key, id: Id::of(b"a") }
}

fn words(error: &BackendError) -> String {
    format!("{error}: {}", std::error::Error::source(error).map(ToString::to_string).unwrap_or_default())
}

#[tokio::test]
async fn requests_are_those_of_the_protocol() {
    let server = Scripted::play([Act::ok(""), Act::ok("content"), Act::ok(""), Act::ok(""), Act::ok("")]).await;
    let backend = plain(&server);
    let pack = FileHandle { file_type: FileType::Pack, id: Id::of(b"a") };
    backend.create().await.expect("create");
    assert_eq!(backend.read_range(&pack, 2, 3).await.expect("a range"), "nte");
    backend.write(&pack, Bytes::from_static(b"a")).await.expect("write");
    backend.delete(&pack).await.expect("delete");
    let path = format!("/repo/data/{}", pack.id);
    let expected = ["POST /repo/?create=true".to_owned(), format!("GET {path}"), format!("POST {path}")];
    assert_eq!(server.lines()[..3], expected);
    assert_eq!(server.lines()[3], format!("DELETE {path}"));
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.header("accept") == Some(VERSION_2)));
    assert!(requests.iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(requests[1].header("range"), Some("bytes=2-4"));
    assert_eq!((requests[2].body.as_slice(), requests[2].header("content-length")), (b"a".as_slice(), Some("1")));
}

#[tokio::test]
async fn the_locations_user_goes_before_the_variables_and_neither_is_printed() {
    let variables = [("RESTIC_REST_USERNAME", "berta"), ("RESTIC_REST_PASSWORD", "geheim")];
    // "anna:streng" and "berta:geheim", as RFC 7617 has it.
    for (login, sent) in [("anna:streng@", "Basic YW5uYTpzdHJlbmc="), ("", "Basic YmVydGE6Z2VoZWlt")] {
        let server = Scripted::play([answer(401, "text/plain", "Unauthorized\n")]).await;
        let backend = backend(&server, login, &variables);
        let error = backend.read(&key()).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
        assert_eq!(server.requests()[0].header("authorization"), Some(sent));
        let text = format!("{error:?} {} {}", words(&error), backend.location());
        assert!(!text.contains("streng") && !text.contains("geheim") && !text.contains("YW5u"), "{text}");
        assert_eq!(server.lines()[0], format!("GET /repo/keys/{}", key().id));
    }
    let server = Scripted::play([answer(401, "text/plain", "Unauthorized\n")]).await;
    let error = plain(&server).read(&key()).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::CredentialsMissing, "nobody was named");
    assert!(words(&error).ends_with("HTTP 401 Unauthorized"), "{}", words(&error));
}

#[tokio::test]
async fn a_listing_has_sizes_in_version_2_and_asks_for_them_in_version_1() {
    let (a, b) = (Id::of(b"a"), Id::of(b"b"));
    let second = format!("[{{\"name\":\"{a}\",\"size\":7}},{{\"name\":\"tmp-file\",\"size\":1}}]");
    let server = Scripted::play([answer(200, VERSION_2, second)]).await;
    assert_eq!(plain(&server).list(FileType::Index).await.expect("a listing"), [(a, 7)]);
    assert_eq!(server.lines(), ["GET /repo/index/"]);

    let first = format!("[\"{a}\",\"{b}\",\"tmp-file\"]");
    let v1 = "application/vnd.x.restic.rest.v1";
    // Which of the two sizes is asked for first is the scheduler's business: both are the same.
    let server = Scripted::play([answer(200, v1, first.clone()), Act::ok("1234567"), Act::ok("1234567")]).await;
    let mut listing = plain(&server).list(FileType::Index).await.expect("a listing");
    listing.sort_unstable();
    let mut expected = [(a, 7), (b, 7)];
    expected.sort_unstable();
    assert_eq!(listing, expected);
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("HEAD /repo/index/")).count(), 2);

    let server = Scripted::play([answer(200, v1, first), Act::ok("1234567"), Act::error(500, "")]).await;
    assert_eq!(plain(&server).list(FileType::Index).await.expect_err("half").kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_listing_is_whole_or_an_error() {
    let entry = format!("[{{\"name\":\"{}\",\"size\":7}}]", Id::of(b"a"));
    for act in [
        answer(200, "text/html", "<html>Please log in</html>"),
        answer(200, VERSION_2, ""),
        answer(200, VERSION_2, "{}"),
        answer(200, VERSION_2, &entry[..entry.len() - 1]),
        answer(200, VERSION_2, entry.replace('7', "-1")),
        Act::CutOff(200, entry.clone(), 20),
        Act::error(503, ""),
    ] {
        let server = Scripted::play([act.clone()]).await;
        plain(&server).list(FileType::Key).await.expect_err(&format!("{act:?}"));
    }
    for empty in [answer(200, VERSION_2, "[]"), answer(200, VERSION_2, "null"), answer(404, "text/plain", "no")] {
        let server = Scripted::play([empty]).await;
        assert_eq!(plain(&server).list(FileType::Key).await.expect("a listing"), []);
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_overwrite_has_the_file_or_says_no() {
    let refused = || answer(403, "text/plain", "Forbidden\n");
    for (found, expected) in [
        (Act::ok("a"), Ok(())),
        (Act::ok("another"), Err(ErrorKind::AlreadyExists)),
        (answer(404, "text/plain", "Not Found\n"), Err(ErrorKind::PermissionDenied)),
    ] {
        let server = Scripted::play([refused(), found]).await;
        let write = plain(&server).write(&key(), Bytes::from_static(b"a")).await;
        assert_eq!(write.map_err(|error| error.kind()), expected);
        assert_eq!(server.lines()[1], format!("HEAD /repo/keys/{}", key().id));
    }
}

#[tokio::test]
async fn a_refused_deletion_says_why_it_may_be() {
    let server = Scripted::play([answer(403, "text/plain", "Forbidden\n")]).await;
    let error = plain(&server).delete(&key()).await.expect_err("refused");
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::PermissionDenied, 1));
    assert!(words(&error).contains("HTTP 403 Forbidden (an append-only server"), "{}", words(&error));
    let server = Scripted::play([answer(404, "text/plain", "Not Found\n")]).await;
    plain(&server).delete(&key()).await.expect("gone is gone");
}
