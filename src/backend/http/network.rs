//! What a request that got no answer means: the chain of errors below reqwest's, read for what a person can act upon.

use std::error::Error;
use std::io;

use super::resolve::ResolveError;
use crate::backend::error::{ErrorKind, Failure};

/// The failure, with the innermost error's words: those above it only say that a request failed.
pub(super) fn failure(error: reqwest::Error) -> Failure {
    // The URL is in the caller's error already, by the name of the file.
    let error = error.without_url();
    let connecting = error.is_connect();
    let kind = chain(&error).find_map(|cause| kind_of(cause, connecting)).unwrap_or(if connecting {
        ErrorKind::Unreachable
    } else {
        ErrorKind::Broken
    });
    let words = chain(&error).last().map_or_else(|| error.to_string(), ToString::to_string);
    Failure::new(kind, words)
}

/// The error and all below it; what an [`io::Error`] wraps counts too, which its `source` leaves out.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| below(error))
}

fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
}

fn kind_of(error: &(dyn Error + 'static), connecting: bool) -> Option<ErrorKind> {
    if let Some(error) = error.downcast_ref::<ResolveError>() {
        return Some(error.kind());
    }
    if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref()
        && format!("{alert:?}").contains("Certificate")
    {
        // A server that wants another certificate of ours, or any, says so only after TLS 1.3 stands.
        return Some(ErrorKind::Tls);
    }
    if error.is::<rustls::Error>() {
        // Once it stands, a TLS connection fails only because something on the way damages it.
        return Some(if connecting { ErrorKind::Tls } else { ErrorKind::Broken });
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => Some(ErrorKind::Refused),
        // Wraps the error of another layer, which says more.
        io::ErrorKind::InvalidData | io::ErrorKind::Other => None,
        _ if connecting => Some(ErrorKind::Unreachable),
        _ => Some(ErrorKind::Broken),
    }
}
