//! How to reach a store: variables, limits, timeouts. Nothing here is read from the process's own environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::retry::{RetryNotice, RetryOptions};

/// The variables a store may look at (`AWS_ACCESS_KEY_ID`, `HOME`, `HTTPS_PROXY`, …), handed in by the caller.
///
/// It holds secrets: it does not print, and only stores read it.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// No variables at all.
    #[must_use]
    pub fn empty() -> Environment {
        Environment { variables: BTreeMap::new() }
    }

    /// The value of a variable; an empty one counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of the first of these variables that has one.
    #[must_use]
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.variables.insert(name.into(), value.into());
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Environment {
        Environment { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

/// Everything about reaching a store that is not its location.
#[derive(Clone)]
pub struct BackendOptions {
    /// The variables the store may look at.
    pub environment: Environment,
    /// How many attempts run at the same time; none: 5, and 2 for a local folder, as restic.
    pub connections: Option<usize>,
    /// When a failed attempt is made again.
    pub retry: RetryOptions,
    /// Who is told of that.
    pub on_retry: Option<RetryNotice>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an attempt may go without a single byte moving in either direction. A request with a body may take
    /// longer, since the system's send buffer hides how fast its end leaves: see `http`.
    pub stall_timeout: Duration,
    /// PEM files with the only certificates to trust (`--cacert`); none: `SSL_CERT_FILE`, else the system's, else those
    /// compiled in.
    pub cacerts: Vec<PathBuf>,
    /// A PEM file with a certificate and its key, which the server is shown if it asks (`--tls-client-cert`).
    pub client_cert: Option<PathBuf>,
    /// Trust any server (`--insecure-tls`).
    pub insecure_tls: bool,
    /// What this program calls itself; none: its name and version.
    pub user_agent: Option<String>,
    /// What only S3 knows.
    pub s3: S3Options,
    /// Remember every attempt for [`super::Backend::calls`].
    pub record_calls: bool,
}

impl Default for BackendOptions {
    fn default() -> BackendOptions {
        BackendOptions {
            environment: Environment::empty(),
            connections: None,
            retry: RetryOptions::default(),
            on_retry: None,
            connect_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            cacerts: Vec::new(),
            client_cert: None,
            insecure_tls: false,
            user_agent: None,
            s3: S3Options::default(),
            record_calls: false,
        }
    }
}

/// What only S3 knows (restic's `-o s3.…`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Options {
    /// The region to sign for; none: `AWS_DEFAULT_REGION`, `AWS_REGION`, else by the host's name.
    pub region: Option<String>,
    /// Where the bucket's name goes.
    pub bucket_lookup: BucketLookup,
}

/// Where the bucket's name goes in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BucketLookup {
    /// Into the path, `https://host/bucket/…`: every server knows it.
    #[default]
    Path,
    /// Into the host's name, `https://bucket.host/…`: some services insist.
    Dns,
}
