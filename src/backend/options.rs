//! How to reach a store: variables, limits, retries. Nothing here is read from the process's own environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

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

/// How long and how often a failed attempt is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryOptions {
    /// No new attempt begins when this much time has passed since the first (restic: 15 minutes).
    pub budget: Duration,
    /// The pause before the second attempt; it doubles each time, with some jitter.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// As long as no request of this store has ever succeeded, a refused connection or an unknown host is retried for
    /// this long only: it is most likely a typing mistake.
    pub first_contact_budget: Duration,
}

impl Default for RetryOptions {
    fn default() -> RetryOptions {
        RetryOptions {
            budget: Duration::from_secs(15 * 60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            first_contact_budget: Duration::from_secs(5),
        }
    }
}

/// Everything about reaching a store that is not its location.
#[derive(Clone)]
pub struct BackendOptions {
    /// The variables the store may look at.
    pub environment: Environment,
    /// How many operations run at the same time; none: 5, and 2 for a local folder, as restic.
    pub connections: Option<usize>,
    /// Retries of failed attempts.
    pub retry: RetryOptions,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an attempt may go without a single byte moving in either direction.
    pub stall_timeout: Duration,
    /// Certificates to trust instead of the system's (`--cacert`, else `SSL_CERT_FILE`): a PEM file.
    pub cacert: Option<PathBuf>,
    /// Remember every attempt for [`super::Backend::calls`].
    pub record_calls: bool,
}

impl Default for BackendOptions {
    fn default() -> BackendOptions {
        BackendOptions {
            environment: Environment::empty(),
            connections: None,
            retry: RetryOptions::default(),
            connect_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            cacert: None,
            record_calls: false,
        }
    }
}
