//! Where a repository lies: restic's URL forms, read as restic reads them
//! (restic `internal/backend/location`, `internal/backend/s3/config.go`).

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

mod rest;

pub(super) use rest::{Login, RestPlace};

/// The kinds of repository that [`super::Backend::open`] can open.
const KNOWN: &[&str] = &["local", "r2", "rest", "s3"];

/// Those that restic knows besides.
const RESTIC_ONLY: &[&str] = &["azure", "b2", "gs", "rclone", "sftp", "swift"];

/// A repository's location. It prints without secrets, and in one form whatever form it was given in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub(super) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Local(PathBuf),
    Rest(RestPlace),
    S3(S3Place),
}

/// A bucket and a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Place {
    /// Scheme, host and port, with no slash at the end.
    pub(super) endpoint: String,
    /// The host alone.
    pub(super) host: String,
    pub(super) bucket: String,
    /// Without slashes at either end; may be empty.
    pub(super) prefix: String,
}

/// A location that cannot be understood; no part of a URL that may hold a secret is in its text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing was given, or nothing after the colon.
    #[error("the repository location is empty")]
    Empty,
    /// The text before the first colon is not one we know.
    #[error("unknown kind of repository{}; known are {}; a path that has a colon in it needs \"local:\" before it",
        .scheme.as_ref().map(|scheme| format!(" {scheme:?}")).unwrap_or_default(), known())]
    UnknownScheme {
        /// The text before the first colon, unless it may be a secret.
        scheme: Option<String>,
    },
    /// restic knows this kind of repository, this program does not.
    #[error("repositories of the kind \"{scheme}:\" are not supported; supported are {}", known())]
    UnsupportedScheme {
        /// Its scheme.
        scheme: &'static str,
    },
    /// It begins with `s3:`, and the rest is not what must follow.
    #[error(
        "not an S3 location: {problem}; it must look like s3:https://host/bucket/prefix or s3:host/bucket/prefix, \
         and credentials are given by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    S3 {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It begins with `rest:`, and the rest is not what must follow.
    #[error(
        "not a REST location: {problem}; it must look like rest:https://host:port/path/, and user and password are \
         given in the URL or by RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD"
    )]
    Rest {
        /// What is wrong with it.
        problem: &'static str,
    },
}

fn known() -> String {
    KNOWN.iter().map(|scheme| format!("{scheme}:")).collect::<Vec<_>>().join(", ")
}

impl Location {
    /// Reads a location: a path, `local:PATH`, `s3:https://host/bucket/prefix`, `s3:http://…`, `s3:host/bucket/prefix`,
    /// `s3://host/bucket/prefix`, `rest:https://host/path/`, `rest:http://…`, or
    /// `r2:ACCOUNT/bucket/prefix`, which stands for `s3:ACCOUNT.r2.cloudflarestorage.com/bucket/prefix`.
    pub fn parse(text: &str) -> Result<Location, LocationError> {
        let place = match text.split_once(':') {
            Some(("local", path)) => local(path)?,
            Some(("s3", rest)) => Place::S3(s3(rest)?),
            Some(("r2", rest)) => Place::S3(r2(rest)?),
            Some(("rest", rest)) => Place::Rest(RestPlace::parse(rest)?),
            _ if is_path(text) => local(text)?,
            None => local(text)?,
            Some((scheme, _)) => return Err(unknown(scheme)),
        };
        Ok(Location { place })
    }

    /// The scheme of its kind of repository: `local`, `rest` or `s3`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.place {
            Place::Local(_) => "local",
            Place::Rest(_) => "rest",
            Place::S3(_) => "s3",
        }
    }
}

fn local(path: &str) -> Result<Place, LocationError> {
    if path.is_empty() { Err(LocationError::Empty) } else { Ok(Place::Local(PathBuf::from(path))) }
}

/// A path whatever colons are in it, by restic's rule: `../…`, `/…`, and a drive letter of Windows.
fn is_path(text: &str) -> bool {
    let drive = matches!(text.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    drive || ["../", "..\\", "/", "\\"].iter().any(|start| text.starts_with(start))
}

fn unknown(scheme: &str) -> LocationError {
    if let Some(scheme) = RESTIC_ONLY.iter().find(|known| **known == scheme) {
        return LocationError::UnsupportedScheme { scheme };
    }
    // What stands before the first colon may be a user name or worse if it does not look like a scheme.
    let looks_like_one = (1..=12).contains(&scheme.len()) && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    LocationError::UnknownScheme { scheme: looks_like_one.then(|| format!("{scheme}:")) }
}

fn s3(rest: &str) -> Result<S3Place, LocationError> {
    let (scheme, rest, is_url) = match rest.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest, true),
        _ => ("https", rest.strip_prefix("//").unwrap_or(rest), false),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() {
        return Err(s3_error("no host"));
    }
    let url = Url::parse(&format!("{scheme}://{authority}"))
        .ok()
        .filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| s3_error("host or port cannot be read"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(s3_error("a user name or password in it"));
    }
    let host = url.host_str().ok_or_else(|| s3_error("no host"))?;
    // Only the URL form is percent-encoded, as in restic; in the other one every character stands for itself.
    let path = if is_url { decode(path)? } else { path.to_owned() };
    let (bucket, prefix) = path.split_once('/').unwrap_or((&path, ""));
    if bucket.is_empty() {
        return Err(s3_error("no bucket"));
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(S3Place {
        endpoint: format!("{scheme}://{host}{port}"),
        host: host.to_owned(),
        bucket: bucket.to_owned(),
        prefix: clean(prefix)?,
    })
}

fn decode(path: &str) -> Result<String, LocationError> {
    if path.contains(['?', '#']) {
        return Err(s3_error("a \"?\" or \"#\" in it"));
    }
    let path = percent_decode_str(path).decode_utf8().map_err(|_| s3_error("its path is not UTF-8"))?;
    Ok(path.into_owned())
}

/// Cloudflare R2. An account of a jurisdiction has its name after a dot: `0123abcd.eu`.
fn r2(rest: &str) -> Result<S3Place, LocationError> {
    let (account, path) = rest.split_once('/').unwrap_or((rest, ""));
    if account.is_empty() || !account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') {
        return Err(s3_error("what follows r2: is not ACCOUNT/bucket/prefix"));
    }
    s3(&format!("{account}.r2.cloudflarestorage.com/{path}"))
}

fn s3_error(problem: &'static str) -> LocationError {
    LocationError::S3 { problem }
}

/// Go's `path.Clean`, by which restic makes the prefix; what would name another key there than here is refused.
fn clean(prefix: &str) -> Result<String, LocationError> {
    if prefix.starts_with('/') {
        return Err(s3_error("two slashes after the bucket"));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| s3_error("\"..\" leads out of the bucket"))?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Local(path) => write!(f, "{}", path.display()),
            Place::Rest(place) => place.fmt(f),
            Place::S3(S3Place { endpoint, bucket, prefix, .. }) if prefix.is_empty() => {
                write!(f, "s3:{endpoint}/{bucket}")
            }
            Place::S3(S3Place { endpoint, bucket, prefix, .. }) => write!(f, "s3:{endpoint}/{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3_place(text: &str) -> S3Place {
        match Location::parse(text).expect(text).place {
            Place::S3(place) => place,
            other => panic!("{text} became {other:?}"),
        }
    }

    #[test]
    fn paths_are_local_with_and_without_a_prefix() {
        for (text, path) in [
            ("/srv/repo", "/srv/repo"),
            ("repo", "repo"),
            ("./a", "./a"),
            ("local:repo", "repo"),
            ("local:/a:b", "/a:b"),
            ("local:rest:x", "rest:x"),
            ("/with:colon", "/with:colon"),
            ("../with:colon", "../with:colon"),
            ("s3", "s3"),
        ] {
            assert_eq!(Location::parse(text).expect(text).place, Place::Local(PathBuf::from(path)), "{text}");
        }
    }

    #[test]
    fn all_forms_of_an_s3_location_mean_the_same_place() {
        for text in [
            "s3:https://minio.example:9000/bucket/a/b",
            "s3:minio.example:9000/bucket/a/b",
            "s3://minio.example:9000/bucket/a/b",
            "s3:https://minio.example:9000/bucket/a//x/../b/",
        ] {
            let place = s3_place(text);
            assert_eq!(place.endpoint, "https://minio.example:9000", "{text}");
            assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("bucket", "a/b"), "{text}");
            assert_eq!(Location::parse(text).expect(text).to_string(), "s3:https://minio.example:9000/bucket/a/b");
        }
        assert_eq!(s3_place("s3:http://[::1]:8333/b").endpoint, "http://[::1]:8333");
        assert_eq!(s3_place("s3:s3.amazonaws.com/b/").prefix, "");
        assert_eq!(s3_place("s3:https://h:443/b").endpoint, "https://h");
    }

    #[test]
    fn r2_is_short_for_the_account_s_endpoint() {
        let place = Location::parse("r2:0123abcd/bucket/a/b").expect("a location");
        assert_eq!(place.to_string(), "s3:https://0123abcd.r2.cloudflarestorage.com/bucket/a/b");
        assert_eq!(place, Location::parse("s3:0123abcd.r2.cloudflarestorage.com/bucket/a/b").expect("a location"));
        assert_eq!(s3_place("r2:0123abcd.eu/bucket").host, "0123abcd.eu.r2.cloudflarestorage.com");
        for text in ["r2:", "r2:0123abcd", "r2:https://x/bucket", "r2:geheim@x/bucket"] {
            Location::parse(text).expect_err(text);
        }
    }

    #[test]
    fn only_the_url_form_is_percent_encoded() {
        assert_eq!(s3_place("s3:https://h/bucket/a%20b").prefix, "a b");
        assert_eq!(s3_place("s3:h/bucket/a%20b").prefix, "a%20b");
        assert_eq!(s3_place("s3:h/bucket/what?#").prefix, "what?#");
    }

    #[test]
    fn an_unknown_scheme_lists_the_known_ones() {
        let error = Location::parse("ftp://host/repo").expect_err("unknown").to_string();
        assert!(error.contains("\"ftp:\"") && error.contains("local:, r2:, rest:, s3:"), "{error}");
        let error = Location::parse("sftp:host:/repo").expect_err("unsupported").to_string();
        assert!(error.contains("\"sftp:\"") && error.contains("local:, r2:, rest:, s3:"), "{error}");
    }

    #[test]
    fn what_may_be_a_secret_is_in_no_error() {
        for text in ["s3:https://user:geheim@host/bucket", "s3:geheim:geheim@host/b", "geheim geheim:x", "ge.heim:x"] {
            let error = Location::parse(text).expect_err(text);
            assert!(!error.to_string().contains("heim"), "{error}");
            assert!(!format!("{error:?}").contains("heim"), "{error:?}");
        }
    }

    #[test]
    fn half_a_location_says_what_is_missing() {
        for (text, problem) in [
            ("s3:https://host", "no bucket"),
            ("s3:https://host/", "no bucket"),
            ("s3:host", "no bucket"),
            ("s3:", "no host"),
            ("s3:https:///bucket", "no host"),
            ("s3:https://host:port/b", "host or port"),
            ("s3:https://host/b?x", "\"?\""),
            ("s3:https://host/b//c", "two slashes"),
            ("s3:host/b/../c", "\"..\""),
        ] {
            let error = Location::parse(text).expect_err(text).to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
        assert_eq!(Location::parse(""), Err(LocationError::Empty));
        assert_eq!(Location::parse("local:"), Err(LocationError::Empty));
    }
}
