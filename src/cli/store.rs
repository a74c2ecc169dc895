//! From options to an open store.

use std::time::Duration;

use super::error::{CliError, chain};
use super::output::Output;
use super::settings::{Settings, option_number};
use crate::backend::{Backend, BackendOptions, BucketLookup, Location, RetryNotice, RetryOptions};

/// A daemon's requests: what passes within seconds need not be told.
const DAEMON_RETRY: RetryOptions = RetryOptions {
    budget: Duration::from_secs(15),
    short_budget: Duration::from_secs(3),
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(5),
};

/// The kinds of store whose options restic knows; those of another kind than the repository's count for nothing.
const KINDS: &[&str] = &["azure", "b2", "gs", "local", "rclone", "rest", "s3", "sftp", "swift"];

/// Opens the store at `location`; makes no request yet.
pub(crate) fn open(location: &str, settings: &Settings, output: &Output) -> Result<Backend, CliError> {
    open_with(location, settings, Some(output))
}

/// The same for a daemon, which tells of trouble and tries again by its own rules: a request is given up soon, and silently.
pub(crate) fn open_for_daemon(location: &str, settings: &Settings) -> Result<Backend, CliError> {
    open_with(location, settings, None)
}

fn open_with(location: &str, settings: &Settings, output: Option<&Output>) -> Result<Backend, CliError> {
    let location = Location::parse(location)?;
    let options = options(location.scheme(), settings, output)?;
    Ok(Backend::open(&location, &options)?)
}

fn options(kind: &str, settings: &Settings, output: Option<&Output>) -> Result<BackendOptions, CliError> {
    refuse_what_is_not_supported(settings)?;
    let transport = &settings.transport;
    let mut options = BackendOptions { environment: settings.environment.clone(), ..BackendOptions::default() };
    options.cacerts = transport.cacerts.clone();
    options.client_cert = transport.client_cert.clone();
    options.insecure_tls = transport.insecure_tls;
    options.user_agent = transport.user_agent.clone();
    if let Some(timeout) = transport.stall_timeout {
        options.stall_timeout = timeout;
    }
    for (key, value) in &settings.options {
        apply(&mut options, kind, key, value)?;
    }
    match output.cloned() {
        Some(output) => {
            options.on_retry = Some(RetryNotice::new(move |error, pause| {
                output.error(&format!("{}, trying again in {:.1} s", chain(error), pause.as_secs_f64()));
            }));
        }
        None => options.retry = DAEMON_RETRY,
    }
    Ok(options)
}

/// An option that is not followed must not seem to be.
fn refuse_what_is_not_supported(settings: &Settings) -> Result<(), CliError> {
    let transport = &settings.transport;
    let refused = [
        (transport.limit_upload_kib > 0, "--limit-upload is not supported"),
        (transport.limit_download_kib > 0, "--limit-download is not supported"),
    ];
    match refused.into_iter().find(|(given, _)| *given) {
        Some((_, text)) => Err(CliError::usage(text)),
        None => Ok(()),
    }
}

/// Follows one option of a store of this kind.
fn apply(options: &mut BackendOptions, own_kind: &str, key: &str, value: &str) -> Result<(), CliError> {
    let fault = |what: &str| Err(CliError::usage(format!("-o {key}: {what}")));
    match key.split_once('.') {
        Some((kind, "connections")) if kind == own_kind => options.connections = Some(option_number(key, value)?),
        Some(("s3", "region")) if own_kind == "s3" => options.s3.region = Some(value.to_owned()),
        Some(("s3", "bucket-lookup")) if own_kind == "s3" => options.s3.bucket_lookup = bucket_lookup(value)?,
        Some((kind, _)) if kind == own_kind => return fault("this option is not known or not supported"),
        Some((kind, _)) if KINDS.contains(&kind) => {}
        Some(_) => return fault("there is no such kind of store"),
        None => return fault("an option begins with the kind of store, as in s3.region=eu-central-1"),
    }
    Ok(())
}

fn bucket_lookup(value: &str) -> Result<BucketLookup, CliError> {
    match value {
        "path" | "auto" => Ok(BucketLookup::Path),
        "dns" => Ok(BucketLookup::Dns),
        _ => Err(CliError::usage(format!("-o s3.bucket-lookup={value}: it is one of auto, dns, path"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(key: &str, value: &str) -> Result<BackendOptions, String> {
        let mut options = BackendOptions::default();
        apply(&mut options, "s3", key, value).map_err(|error| error.to_string())?;
        Ok(options)
    }

    #[test]
    fn options_reach_the_store() {
        assert_eq!(applied("s3.connections", "7").unwrap().connections, Some(7));
        assert_eq!(applied("s3.region", "eu").unwrap().s3.region.as_deref(), Some("eu"));
        assert_eq!(applied("s3.bucket-lookup", "dns").unwrap().s3.bucket_lookup, BucketLookup::Dns);
    }

    #[test]
    fn options_of_another_kind_of_store_count_for_nothing() {
        assert!(applied("sftp.command", "ssh").is_ok());
        assert_eq!(applied("local.connections", "7").unwrap().connections, None);
    }

    #[test]
    fn an_option_that_would_not_be_followed_is_refused() {
        let refused = [("region", "x"), ("s3.storage-class", "x"), ("foo.bar", "x"), ("s3.connections", "x")];
        for (key, value) in refused {
            assert!(applied(key, value).err().unwrap().contains(key), "{key}");
        }
    }
}
