//! What all stores share, on a store in memory with faults and on an S3 server that plays a script.

use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use super::scripted::{Act, Scripted};
use super::*;

/// Attempts and pauses so short that a test waits for no one.
fn hasty() -> BackendOptions {
    BackendOptions {
        environment: [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "geheim")].into_iter().collect(),
        retry: RetryOptions {
            budget: Duration::from_secs(5),
            short_budget: Duration::from_millis(50),
            first_pause: Duration::from_millis(5),
            longest_pause: Duration::from_millis(20),
        },
        record_calls: true,
        ..BackendOptions::default()
    }
}

fn s3_with(server: &Scripted, options: &BackendOptions) -> Backend {
    let location = format!("s3:http://127.0.0.1:{}/bucket/prefix", server.port);
    Backend::open(&Location::parse(&location).expect("a location"), options).expect("a backend")
}

fn s3(server: &Scripted) -> Backend {
    s3_with(server, &hasty())
}

fn file(file_type: FileType, content: &[u8]) -> FileHandle {
    FileHandle { file_type, id: Id::of(content) }
}

fn fault(operation: Operation, skip: usize, effect: Effect) -> Fault {
    Fault { operation: Some(operation), file_type: None, skip, times: 1, effect }
}

/// The words of the errors below an error.
fn below(error: &BackendError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

fn page(ids: &[Id], next: Option<&str>) -> String {
    let entries: String = ids
        .iter()
        .map(|id| {
            format!(
                "<Contents><Key>prefix/keys/{id}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
                 <ETag>\"x\"</ETag><Size>7</Size></Contents>"
            )
        })
        .collect();
    let next = next.map(|token| format!("<NextContinuationToken>{token}</NextContinuationToken>"));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><IsTruncated>{}</IsTruncated>{}{entries}\
         </ListBucketResult>",
        next.is_some(),
        next.unwrap_or_default()
    )
}

#[tokio::test]
async fn a_passing_trouble_is_tried_again_and_recorded_each_time() {
    let backend = Backend::memory_with(&hasty());
    let key = file(FileType::Key, b"a");
    backend.inject(Fault { times: 2, ..fault(Operation::Write, 0, Effect::Fail(ErrorKind::Unavailable)) });
    backend.write(&key, Bytes::from_static(b"a")).await.expect("the third attempt");
    let call = Call { operation: Operation::Write, path: key.path() };
    assert_eq!(backend.calls(), [call.clone(), call.clone(), call]);
    backend.forget_calls();
    assert_eq!(backend.calls(), []);
}

#[tokio::test]
async fn a_lost_answer_to_a_write_does_no_harm() {
    let backend = Backend::memory_with(&hasty());
    let key = file(FileType::Key, b"a");
    backend.inject(fault(Operation::Write, 0, Effect::LoseAnswer(ErrorKind::Broken)));
    backend.write(&key, Bytes::from_static(b"a")).await.expect("the second attempt");
    assert_eq!(backend.list(FileType::Key).await.expect("a listing"), [(key.id, 1)]);
}

#[tokio::test]
async fn faults_wait_for_their_turn() {
    let backend = Backend::memory();
    let key = file(FileType::Key, b"abc");
    backend.inject(fault(Operation::Read, 1, Effect::Truncate(2)));
    backend.inject(fault(Operation::List, 0, Effect::Omit(1)));
    backend.write(&key, Bytes::from_static(b"abc")).await.expect("write");
    assert_eq!(backend.read(&key).await.expect("read"), "abc");
    assert_eq!(backend.read(&key).await.expect("read"), "ab");
    assert_eq!(backend.read(&key).await.expect("read"), "abc");
    assert_eq!(backend.list(FileType::Key).await.expect("a listing"), []);
    assert_eq!(backend.list(FileType::Key).await.expect("a listing").len(), 1);
}

#[tokio::test]
async fn every_new_attempt_is_told_with_its_reason() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let notice = RetryNotice::new(move |error, _pause| listener.lock().expect("no panic").push(error.to_string()));
    let backend = Backend::memory_with(&BackendOptions { on_retry: Some(notice), ..hasty() });
    backend.inject(Fault { times: 2, ..fault(Operation::List, 0, Effect::Fail(ErrorKind::Broken)) });
    backend.list(FileType::Lock).await.expect("the third attempt");
    let told = told.lock().expect("no panic").clone();
    assert_eq!(told[0], "cannot list lock files in memory: the connection broke");
    assert_eq!(told[1], "cannot list lock files in memory: the connection broke (tried 2 times)");
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn no_more_attempts_run_at_a_time_than_connections() {
    let server = Scripted::play(vec![Act::Stall; 10]).await;
    let options = BackendOptions { connections: Some(3), ..hasty() };
    let backend = s3_with(&server, &options);
    let key = file(FileType::Key, b"a");
    let reads = futures::future::join_all((0..10).map(|_| backend.read(&key)));
    let waiting = tokio::time::timeout(Duration::from_millis(300), reads).await;
    assert!(waiting.is_err(), "all stall");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_read_is_one_plain_request() {
    let server = Scripted::play([Act::ok("content"), Act::Answer(206, vec![], "te".into())]).await;
    let backend = s3(&server);
    let pack = file(FileType::Pack, b"a");
    assert_eq!(backend.read(&pack).await.expect("read"), "content");
    assert_eq!(backend.read_range(&pack, 3, 2).await.expect("a range"), "te");
    let line = format!("GET /bucket/prefix/{}", pack.path());
    assert_eq!(server.lines(), [line.clone(), line]);
    assert_eq!(server.requests()[1].header("range"), Some("bytes=3-4"));
}

#[tokio::test]
async fn a_write_is_one_put_without_checksums_chunks_or_waiting() {
    let server = Scripted::play([Act::ok("")]).await;
    let content = vec![7; 9 * 1024 * 1024];
    let pack = file(FileType::Pack, &content);
    s3(&server).write(&pack, Bytes::from(content.clone())).await.expect("write");
    let requests = server.requests();
    assert_eq!(server.lines(), [format!("PUT /bucket/prefix/{}", pack.path())]);
    assert_eq!(requests[0].body, content);
    assert_eq!(requests[0].header("content-length"), Some("9437184"));
    assert_eq!(requests[0].header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
    let names: Vec<&str> = requests[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    for unwanted in ["expect", "transfer-encoding", "content-encoding", "content-md5", "x-amz-acl", "if-none-match"] {
        assert!(!names.contains(&unwanted), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("checksum")), "{names:?}");
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again() {
    for trouble in [
        Act::error(500, "InternalError"),
        Act::error(503, "SlowDown"),
        Act::error(429, "TooManyRequests"),
        Act::error(400, "RequestTimeout"),
        Act::Answer(502, vec![("Content-Type", "text/html".into())], "<html>Bad gateway</html>".into()),
        Act::CutOff(200, "content".into(), 3),
        Act::LoseAnswer,
    ] {
        let server = Scripted::play([trouble.clone(), trouble.clone(), Act::ok("content")]).await;
        let read = s3(&server).read(&file(FileType::Pack, b"a")).await;
        assert_eq!(read.unwrap_or_else(|error| panic!("{trouble:?}: {error:?}")), "content");
        assert_eq!(server.requests().len(), 3, "{trouble:?}");
    }
}

#[tokio::test]
async fn what_somebody_must_mend_is_not_tried_again() {
    for (trouble, kind) in [
        (Act::error(404, "NoSuchKey"), ErrorKind::NotFound),
        (Act::error(404, "NoSuchBucket"), ErrorKind::BucketMissing),
        (Act::error(403, "AccessDenied"), ErrorKind::PermissionDenied),
        (Act::error(403, "SignatureDoesNotMatch"), ErrorKind::CredentialsRejected),
        (Act::error(403, "RequestTimeTooSkewed"), ErrorKind::ClockSkew),
        (Act::error(400, "AuthorizationHeaderMalformed"), ErrorKind::WrongRegion),
        (Act::Answer(301, vec![("Location", "http://127.0.0.1:1/".into())], String::new()), ErrorKind::Redirected),
    ] {
        let server = Scripted::play([trouble]).await;
        let error = s3(&server).read(&file(FileType::Pack, b"a")).await.expect_err("an error");
        assert_eq!((error.kind(), error.attempts()), (kind, 1), "{error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time_and_asked_again() {
    let server = Scripted::play([Act::Stall, Act::ok("content")]).await;
    let backend = s3_with(&server, &BackendOptions { stall_timeout: Duration::from_millis(80), ..hasty() });
    assert_eq!(backend.read(&file(FileType::Pack, b"a")).await.expect("the second attempt"), "content");
    let server = Scripted::play([Act::Stall]).await;
    let options = BackendOptions { stall_timeout: Duration::from_millis(80), retry: RetryOptions::NEVER, ..hasty() };
    let error = s3_with(&server, &options).read(&file(FileType::Pack, b"a")).await.expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_host_are_given_up_soon() {
    let port = Scripted::play([]).await.port;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    assert_ne!(port, free);
    for (host, kind) in
        [(format!("127.0.0.1:{free}"), ErrorKind::Refused), ("no.such.host.invalid".to_owned(), ErrorKind::UnknownHost)]
    {
        let location = Location::parse(&format!("s3:http://{host}/bucket")).expect("a location");
        let options =
            BackendOptions { retry: RetryOptions { budget: Duration::from_secs(600), ..hasty().retry }, ..hasty() };
        let backend = Backend::open(&location, &options).expect("a backend");
        let error = backend.exists(&FileHandle::CONFIG).await.expect_err("nobody there");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!((2..20).contains(&error.attempts()), "{error:?}");
        assert!(error.to_string().contains(&host), "{error}");
    }
}

#[tokio::test]
async fn a_listing_goes_through_all_pages_or_begins_anew() {
    let ids: Vec<Id> = (0..4u8).map(|number| Id::of(&[number])).collect();
    let first = Act::ok(page(&ids[..2], Some("next=1")));
    let last = Act::ok(page(&ids[2..], None));
    let server = Scripted::play([first.clone(), Act::error(500, "InternalError"), first, last]).await;
    let listing = s3(&server).list(FileType::Key).await.expect("a listing");
    assert_eq!(listing.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    assert!(listing.iter().all(|(_, size)| *size == 7));
    assert_eq!(server.lines()[0], "GET /bucket?list-type=2&prefix=prefix/keys/&delimiter=/");
    assert!(server.lines()[3].contains("continuation-token=next%3D1"), "{:?}", server.lines());
}

#[tokio::test]
async fn what_is_not_a_whole_listing_is_an_error_and_not_an_empty_one() {
    let cut = page(&[Id::of(b"a")], None);
    for document in [
        "<html><body>Welcome to our hotel</body></html>".to_owned(),
        String::new(),
        cut[..cut.len() - 30].to_owned(),
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>".to_owned(),
    ] {
        let server = Scripted::play(vec![Act::ok(document.clone()); 30]).await;
        let error = s3(&server).list(FileType::Key).await.expect_err(&document);
        assert_eq!(error.kind(), ErrorKind::Unexpected, "{document}");
        assert!(below(&error).contains("listing"), "{error:?}");
    }
}

#[tokio::test]
async fn config_is_looked_for_and_then_written_under_a_condition() {
    let server = Scripted::play([Act::error(404, "NoSuchKey"), Act::ok("")]).await;
    s3(&server).write(&FileHandle::CONFIG, Bytes::from_static(b"ours")).await.expect("write");
    assert_eq!(server.lines(), ["GET /bucket/prefix/config", "PUT /bucket/prefix/config"]);
    assert_eq!(server.requests()[1].header("if-none-match"), Some("*"));
}

#[tokio::test]
async fn a_config_of_ours_whose_answer_was_lost_is_known_again() {
    let script = [Act::error(404, "NoSuchKey"), Act::LoseAnswer, Act::ok("ours")];
    let server = Scripted::play(script).await;
    s3(&server).write(&FileHandle::CONFIG, Bytes::from_static(b"ours")).await.expect("found again");
    let script = [Act::error(404, "NoSuchKey"), Act::error(412, "PreconditionFailed"), Act::ok("ours")];
    let server = Scripted::play(script).await;
    s3(&server).write(&FileHandle::CONFIG, Bytes::from_static(b"ours")).await.expect("found again");
}

#[tokio::test]
async fn a_lost_race_for_config_is_an_error() {
    let script = [Act::error(404, "NoSuchKey"), Act::error(412, "PreconditionFailed"), Act::ok("theirs")];
    let server = Scripted::play(script).await;
    let error = s3(&server).write(&FileHandle::CONFIG, Bytes::from_static(b"ours")).await.expect_err("theirs");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_server_without_conditions_still_gets_its_config() {
    let server = Scripted::play([Act::error(404, "NoSuchKey"), Act::error(501, "NotImplemented"), Act::ok("")]).await;
    s3(&server).write(&FileHandle::CONFIG, Bytes::from_static(b"ours")).await.expect("write");
    assert_eq!(server.requests()[2].header("if-none-match"), None);
}

#[tokio::test]
async fn deleting_what_is_gone_is_no_error_but_a_missing_right_is() {
    let server = Scripted::play([Act::error(404, "NoSuchKey"), Act::error(403, "AccessDenied")]).await;
    let backend = s3(&server);
    backend.delete(&file(FileType::Lock, b"a")).await.expect("gone");
    let error = backend.delete(&file(FileType::Lock, b"a")).await.expect_err("no right");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(below(&error), "HTTP 403 AccessDenied: by script");
}

#[tokio::test]
async fn requests_go_through_the_proxy_that_was_named_but_never_to_loopback() {
    let proxy = Scripted::play([Act::ok("through the proxy")]).await;
    let mut options = hasty();
    options.environment.set("http_proxy", format!("127.0.0.1:{}", proxy.port));
    let location = Location::parse("s3:http://s3.example.invalid/bucket").expect("a location");
    let backend = Backend::open(&location, &options).expect("a backend");
    assert_eq!(backend.read(&FileHandle::CONFIG).await.expect("read"), "through the proxy");
    assert_eq!(proxy.lines(), ["GET http://s3.example.invalid/bucket/config"]);
    let server = Scripted::play([Act::ok("directly")]).await;
    assert_eq!(s3_with(&server, &options).read(&FileHandle::CONFIG).await.expect("read"), "directly");
}

#[test]
fn missing_credentials_are_said_when_opening() {
    let location = Location::parse("s3:https://host/bucket").expect("a location");
    let error = Backend::open(&location, &BackendOptions::default()).map(|_| ()).expect_err("no credentials");
    assert_eq!(error.kind(), ErrorKind::CredentialsMissing);
    assert_eq!(error.to_string(), "cannot open s3:https://host/bucket: credentials are missing");
}
