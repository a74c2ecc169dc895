//! HTTP for every store that speaks it: our transport under opendal.
//!
//! It is ours because a static binary on a bare host needs it so (no getaddrinfo, no panic without CA files, see
//! `resolve` and `tls`), because a stalled connection must be told from a slow one, and because only here the whole
//! answer is seen: opendal's errors keep neither the status nor the server's error code as values.

mod answer;
mod network;
mod proxy;
mod range;
mod resolve;
mod tls;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use opendal::{Buffer, HttpBody, HttpTransport, HttpTransporter};

use super::error::{ErrorKind, Failure};
use super::options::BackendOptions;
pub(super) use answer::failure_by_status;
use range::Range;

/// What is looked at in a whole answer before opendal sees it.
pub(super) type Check = fn(&[u8]) -> Result<(), String>;

const USER_AGENT: &str = concat!("replicator-kuma/", env!("CARGO_PKG_VERSION"));

/// How much of a request's body is handed to the connection at a time: what counts as progress.
const FRAME_BYTES: usize = 64 * 1024;
/// The system takes so much of a body into its send buffer at most (Linux: `net.ipv4.tcp_wmem`), and we do not see it
/// leave …
const SEND_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// … so it is given as long as it takes at this speed.
const SLOWEST_BYTES_PER_SECOND: usize = 16 * 1024;
/// An answer's claimed length is believed up to here when memory is set aside for it.
const BELIEVED_BYTES: u64 = 16 * 1024 * 1024;

/// Connections to one server.
pub(super) struct HttpClient {
    client: reqwest::Client,
    stall_timeout: Duration,
    reached: AtomicBool,
}

impl HttpClient {
    pub(super) fn new(options: &BackendOptions) -> Result<Arc<HttpClient>, Failure> {
        let mut builder = reqwest::Client::builder()
            .user_agent(options.user_agent.as_deref().unwrap_or(USER_AGENT))
            .tls_backend_preconfigured(tls::config(options)?)
            .dns_resolver(resolve::Resolver)
            // A redirect would have to be signed anew, and leads away from the repository's address.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .tcp_keepalive(Duration::from_secs(30))
            .no_proxy();
        for proxy in proxy::proxies(&options.environment)? {
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| Failure::new(ErrorKind::Setting, error))?;
        let stall_timeout = options.stall_timeout;
        let client = Arc::new(HttpClient { client, stall_timeout, reached: AtomicBool::new(false) });
        // Parts of opendal that are handed no transport take this one; none of those we use does today.
        HttpTransporter::install_default(Exchange::new(Arc::clone(&client), None));
        Ok(client)
    }

    /// Whether any server has ever answered anything.
    pub(super) fn reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// Sends a request and takes the whole answer, whatever its status.
    pub(super) async fn exchange(&self, request: http::Request<Buffer>) -> Result<http::Response<Bytes>, Failure> {
        let range = Range::of(request.headers());
        let mut response = self.send(request).await?;
        self.reached.store(true, Ordering::Relaxed);
        let length = response.content_length().unwrap_or_default().min(BELIEVED_BYTES);
        let mut body = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
        while let Some(chunk) = self.in_time(response.chunk()).await? {
            body.extend_from_slice(&chunk);
        }
        let mut body = body.freeze();
        if let Some(range) = range.filter(|_| response.status().is_success()) {
            body = range.take(response.status(), response.headers(), body)?;
        }
        let mut whole = http::Response::new(body);
        *whole.status_mut() = response.status();
        *whole.headers_mut() = std::mem::take(response.headers_mut());
        Ok(whole)
    }

    async fn in_time<T>(&self, work: impl Future<Output = reqwest::Result<T>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.stall_timeout, work).await {
            Ok(result) => result.map_err(network::failure),
            Err(_) => Err(stalled(self.stall_timeout)),
        }
    }

    /// Sends a request and waits for the head of its answer, as long as anything moves.
    async fn send(&self, request: http::Request<Buffer>) -> Result<reqwest::Response, Failure> {
        let (parts, body) = request.into_parts();
        let body = body.to_bytes();
        let hidden_seconds = body.len().min(SEND_BUFFER_BYTES) / SLOWEST_BYTES_PER_SECOND;
        let patience = self.stall_timeout + Duration::from_secs(hidden_seconds as u64);
        let progress = Arc::new(AtomicUsize::new(0));
        let url =
            reqwest::Url::parse(&parts.uri.to_string()).map_err(|error| Failure::new(ErrorKind::Setting, error))?;
        let mut builder = self.client.request(parts.method, url).headers(parts.headers);
        if !body.is_empty() {
            builder = builder.body(reqwest::Body::wrap(Upload { body, progress: Arc::clone(&progress) }));
        }
        tokio::select! {
            response = builder.send() => response.map_err(network::failure),
            () = standstill(&progress, patience) => Err(stalled(patience)),
        }
    }
}

/// Returns when `progress` has not changed for about as long as `patience`.
async fn standstill(progress: &AtomicUsize, patience: Duration) {
    const LOOKS: u32 = 4;
    let (mut seen, mut still) = (progress.load(Ordering::Relaxed), 0);
    while still < LOOKS {
        tokio::time::sleep(patience / LOOKS).await;
        let now = progress.load(Ordering::Relaxed);
        still = if now == seen { still + 1 } else { 0 };
        seen = now;
    }
}

fn stalled(patience: Duration) -> Failure {
    Failure::new(ErrorKind::Timeout, format!("nothing moved on the connection for {} s", patience.as_secs_f64()))
}

/// A request's body that tells how far it has been taken.
struct Upload {
    body: Bytes,
    progress: Arc<AtomicUsize>,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if self.body.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.body.len().min(FRAME_BYTES);
        let frame = self.body.split_to(length);
        self.progress.fetch_add(length, Ordering::Relaxed);
        Poll::Ready(Some(Ok(http_body::Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.body.len() as u64)
    }
}

/// The transport of one attempt: it remembers why the last request failed, in our terms.
#[derive(Clone)]
pub(super) struct Exchange {
    client: Arc<HttpClient>,
    check: Option<Check>,
    failure: Arc<Mutex<Option<Failure>>>,
}

impl Exchange {
    pub(super) fn new(client: Arc<HttpClient>, check: Option<Check>) -> Exchange {
        Exchange { client, check, failure: Arc::default() }
    }

    /// Why the attempt failed, if a request did.
    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn remember(&self, failure: Option<Failure>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    fn judge(&self, response: &http::Response<Bytes>) -> Result<(), Failure> {
        let check = self.check.filter(|_| response.status().is_success());
        check
            .map_or(Ok(()), |check| check(response.body()))
            .map_err(|problem| Failure::new(ErrorKind::Unexpected, problem))
    }
}

impl HttpTransport for Exchange {
    async fn fetch(&self, request: http::Request<Buffer>) -> opendal::Result<http::Response<HttpBody>> {
        let uri = request.uri().clone();
        let result = self.client.exchange(request).await;
        let response = match result.and_then(|response| self.judge(&response).map(|()| response)) {
            Ok(response) => response,
            Err(failure) => {
                self.remember(Some(failure));
                return Err(opendal::Error::new(opendal::ErrorKind::Unexpected, "the request failed"));
            }
        };
        // What opendal takes for success (404 to a DELETE) stays one: nobody asks for the failure then.
        self.remember(answer::failure(&response));
        let mut response = response.map(|body| {
            let length = body.len() as u64;
            HttpBody::new(futures::stream::iter([Ok(Buffer::from(body))]), Some(length))
        });
        response.extensions_mut().insert(uri);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transfer_that_moves_slowly_is_no_standstill() {
        let progress = AtomicUsize::new(0);
        let moves = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                progress.fetch_add(1, Ordering::Relaxed);
            }
        };
        tokio::select! {
            () = standstill(&progress, Duration::from_millis(60)) => panic!("it moved"),
            () = moves => {}
        }
        standstill(&progress, Duration::from_millis(20)).await;
    }
}
