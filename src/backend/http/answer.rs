//! What an answer that is no success means: by the server's error code (S3's XML) where it gives one, else by status.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::backend::error::{ErrorKind, Failure};

/// S3 refuses a request whose time differs from its own by more.
const CLOCK_TOLERANCE_SECONDS: i64 = 15 * 60;

/// How much of a server's words is passed on.
const MESSAGE_CHARACTERS: usize = 300;

/// An answer that is no success, in the server's words.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    code: String,
    message: String,
    hint: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status.as_u16())?;
        match (self.code.as_str(), self.status.canonical_reason()) {
            ("", Some(reason)) => write!(f, " {reason}")?,
            ("", None) => {}
            (code, _) => write!(f, " {code}")?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        self.hint.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

impl Error for Answer {}

/// Why the request failed, or none if it did not.
pub(super) fn failure(response: &http::Response<Bytes>) -> Option<Failure> {
    let status = response.status();
    if status.is_success() {
        return None;
    }
    let body = String::from_utf8_lossy(response.body().get(..64 * 1024).unwrap_or(response.body()));
    let code = element(&body, "Code").unwrap_or_default();
    let message = element(&body, "Message").unwrap_or_else(|| plain_text(response.headers(), &body));
    let region = element(&body, "Region").or_else(|| header(response.headers(), "x-amz-bucket-region"));
    let skew_seconds = skew_seconds(response.headers(), Timestamp::now());
    let kind = kind(status, &code, region.is_some(), skew_seconds);
    let hint = match kind {
        ErrorKind::WrongRegion => region.map(|region| format!("the bucket is in region {region}")),
        ErrorKind::Redirected => header(response.headers(), "location").map(|to| format!("to {to}")),
        ErrorKind::ClockSkew => skew_seconds.map(|skew| format!("by {} minutes", skew.abs() / 60)),
        _ => None,
    };
    Some(Failure::new(kind, Answer { status, code, message, hint }))
}

/// The same where answers carry no code and requests no time: only the status counts.
pub(in crate::backend) fn failure_by_status(response: &http::Response<Bytes>) -> Option<Failure> {
    let status = response.status();
    if status.is_success() {
        return None;
    }
    let body = String::from_utf8_lossy(response.body().get(..64 * 1024).unwrap_or(response.body()));
    let message = plain_text(response.headers(), &body);
    let message = if Some(message.as_str()) == status.canonical_reason() { String::new() } else { message };
    let hint = header(response.headers(), "location").map(|to| format!("to {to}"));
    Some(Failure::new(by_status(status), Answer { status, code: String::new(), message, hint }))
}

fn kind(status: StatusCode, code: &str, names_region: bool, skew_seconds: Option<i64>) -> ErrorKind {
    by_code(code).unwrap_or_else(|| match status.as_u16() {
        // HEAD is answered without a body, so without a code: these two are worth guessing.
        301 | 307 | 400 if names_region => ErrorKind::WrongRegion,
        400 | 401 | 403 if skew_seconds.is_some_and(|skew| skew.abs() > CLOCK_TOLERANCE_SECONDS) => {
            ErrorKind::ClockSkew
        }
        _ => by_status(status),
    })
}

fn by_status(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        300..=399 => ErrorKind::Redirected,
        401 | 407 => ErrorKind::CredentialsRejected,
        403 => ErrorKind::PermissionDenied,
        404 | 410 => ErrorKind::NotFound,
        412 => ErrorKind::AlreadyExists,
        416 => ErrorKind::TooShort,
        501 => ErrorKind::Unsupported,
        507 => ErrorKind::Full,
        408 | 409 | 425 | 429 | 499 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    }
}

/// AWS's list of error codes, with those of R2, MinIO, Ceph and SeaweedFS.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn by_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "NoSuchKey" => ErrorKind::NotFound,
        "NoSuchBucket" => ErrorKind::BucketMissing,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "MethodNotAllowed" => ErrorKind::PermissionDenied,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "InvalidSecurity"
        | "TokenRefreshRequired"
        | "Unauthorized"
        | "NotSignedUp"
        | "UnrecognizedClientException" => ErrorKind::CredentialsRejected,
        "RequestTimeTooSkewed" | "RequestExpired" => ErrorKind::ClockSkew,
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "InvalidRegionName"
        | "IllegalLocationConstraintException" => ErrorKind::WrongRegion,
        "InvalidBucketName" => ErrorKind::Setting,
        "PreconditionFailed" => ErrorKind::AlreadyExists,
        "InvalidRange" => ErrorKind::TooShort,
        "NotImplemented" => ErrorKind::Unsupported,
        "QuotaExceeded"
        | "InsufficientStorage"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "ServiceQuotaExceededException" => ErrorKind::Full,
        "SlowDown"
        | "ServiceUnavailable"
        | "InternalError"
        | "RequestTimeout"
        | "OperationAborted"
        | "TooManyRequests"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "ConditionalRequestConflict" => ErrorKind::Unavailable,
        _ => return None,
    })
}

/// The text of the first element of this name.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character));
    Some(printable(&text)).filter(|text| !text.is_empty())
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(printable).filter(|text| !text.is_empty())
}

/// A server that speaks plain words is quoted; pages for browsers are not.
fn plain_text(headers: &HeaderMap, body: &str) -> String {
    let is_plain = header(headers, "content-type").is_none_or(|kind| kind.starts_with("text/plain"));
    if is_plain && !body.trim_start().starts_with(['<', '{']) { printable(body) } else { String::new() }
}

/// Words from outside must not steer a terminal.
fn printable(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARACTERS).collect()
}

/// How far the server's clock is ahead of ours.
fn skew_seconds(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(headers.get("date")?.to_str().ok()?).ok()?;
    Some(date.as_second() - now.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
        let mut builder = http::Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        failure(&builder.body(Bytes::from(body.to_owned())).expect("a response")).expect("a failure")
    }

    fn xml(code: &str, message: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
    }

    fn text(failure: &Failure) -> String {
        failure.source.as_ref().expect("a source").to_string()
    }

    #[test]
    fn the_servers_code_says_more_than_the_status() {
        for (status, code, kind) in [
            (404, "NoSuchKey", ErrorKind::NotFound),
            (404, "NoSuchBucket", ErrorKind::BucketMissing),
            (403, "AccessDenied", ErrorKind::PermissionDenied),
            (403, "SignatureDoesNotMatch", ErrorKind::CredentialsRejected),
            (403, "InvalidAccessKeyId", ErrorKind::CredentialsRejected),
            (403, "RequestTimeTooSkewed", ErrorKind::ClockSkew),
            (400, "AuthorizationHeaderMalformed", ErrorKind::WrongRegion),
            (400, "RequestTimeout", ErrorKind::Unavailable),
            (400, "ExpiredToken", ErrorKind::CredentialsRejected),
            (503, "SlowDown", ErrorKind::Unavailable),
            (409, "ConditionalRequestConflict", ErrorKind::Unavailable),
            (501, "NotImplemented", ErrorKind::Unsupported),
            (403, "QuotaExceeded", ErrorKind::Full),
        ] {
            assert_eq!(answer(status, &[], &xml(code, "x")).kind, kind, "{status} {code}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_judged_by_its_status() {
        for (status, kind) in [
            (404, ErrorKind::NotFound),
            (403, ErrorKind::PermissionDenied),
            (401, ErrorKind::CredentialsRejected),
            (302, ErrorKind::Redirected),
            (429, ErrorKind::Unavailable),
            (500, ErrorKind::Unavailable),
            (507, ErrorKind::Full),
            (416, ErrorKind::TooShort),
            (400, ErrorKind::Unexpected),
            (418, ErrorKind::Unexpected),
        ] {
            assert_eq!(answer(status, &[], "").kind, kind, "{status}");
        }
    }

    #[test]
    fn a_wrong_region_names_the_right_one() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; \
                    expecting 'eu-central-1'</Message><Region>eu-central-1</Region></Error>";
        let failure = answer(400, &[], body);
        assert_eq!(failure.kind, ErrorKind::WrongRegion);
        assert!(text(&failure).ends_with("(the bucket is in region eu-central-1)"), "{}", text(&failure));
        let head = answer(301, &[("x-amz-bucket-region", "eu-west-1")], "");
        assert_eq!(head.kind, ErrorKind::WrongRegion);
        assert!(text(&head).contains("eu-west-1"));
    }

    #[test]
    fn a_refusal_without_a_body_from_a_server_of_another_time_is_a_clock_skew() {
        let skewed = answer(403, &[("date", "Sun, 06 Nov 1994 08:49:37 GMT")], "");
        assert_eq!(skewed.kind, ErrorKind::ClockSkew);
        let now = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert_eq!(answer(403, &[("date", &now)], "").kind, ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_servers_words_are_quoted_but_cannot_steer_the_terminal() {
        let failure = answer(403, &[], &xml("AccessDenied", "no &lt;you&gt; \u{1b}[2J don't"));
        assert_eq!(text(&failure), "HTTP 403 AccessDenied: no <you>  [2J don't");
        let page = answer(502, &[("content-type", "text/html")], "<html><body>Bad gateway</body></html>");
        assert_eq!(text(&page), "HTTP 502 Bad Gateway");
        let plain = answer(400, &[("content-type", "text/plain; charset=utf-8")], "Client sent HTTP to HTTPS\n");
        assert_eq!(text(&plain), "HTTP 400 Bad Request: Client sent HTTP to HTTPS");
        assert_eq!(text(&answer(400, &[], "as Go says it\n")), "HTTP 400 Bad Request: as Go says it");
    }

    #[test]
    fn a_redirect_says_where_to() {
        let failure = answer(301, &[("location", "https://elsewhere.example/")], "");
        assert_eq!(failure.kind, ErrorKind::Redirected);
        assert!(text(&failure).ends_with("(to https://elsewhere.example/)"));
    }
}
