//! A proxy between a client and an S3 server that counts requests and does harm on order.
//!
//! Heads are forwarded byte for byte, so that signatures stay valid; one request a connection upstream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request, as far as rules and counts need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// `PUT`, `GET`, `HEAD`, `DELETE`; a GET that lists is `LIST`.
    pub(crate) operation: String,
    /// `config`, `data`, `index`, `keys`, `locks`, `snapshots`, or `other`.
    pub(crate) class: &'static str,
    /// The request target.
    pub(crate) target: String,
}

/// The harm done to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// The connection is closed without an answer, and the server never hears of it.
    Cut,
    /// Done upstream, but the answer never arrives.
    LostAnswer,
    /// The answer's body ends after this many bytes.
    ShortAnswer(usize),
    /// The server's answer is this error.
    Status(u16),
    /// No answer for as long as the proxy lives.
    Silence,
    /// The server is not told that the client knows version 2 of restic's REST protocol.
    HideRestVersion2,
}

type Rule = Box<dyn FnMut(&Request) -> Option<Harm> + Send>;

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Dropped with the proxy: ends the silences.
    _alive: mpsc::Sender<()>,
    stop: TcpListener,
}

impl Proxy {
    /// A proxy to a server on loopback; `rule` decides on each request.
    pub(crate) fn start(upstream: u16, rule: impl FnMut(&Request) -> Option<Harm> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let stop = listener.try_clone().expect("a second handle");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(rule)));
        let (alive, ended) = mpsc::channel();
        let ended = Arc::new(Mutex::new(ended));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let (rule, log, ended) = (Arc::clone(&rule), Arc::clone(&log), Arc::clone(&ended));
                // A connection that breaks is what is tested here: nobody is told.
                std::thread::spawn(move || serve(client, upstream, &rule, &log, &ended));
            }
        });
        Self { port, requests, _alive: alive, stop }
    }

    /// The requests so far, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the log").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Wakes the accepting thread, which finds the listener gone.
        self.stop.set_nonblocking(true).expect("a socket option");
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// The first `times` requests of an operation and class meet with this harm.
pub(crate) fn harm_first(
    times: usize,
    operation: &'static str,
    class: &'static str,
    harm: Harm,
) -> impl FnMut(&Request) -> Option<Harm> + Send {
    let mut left = times;
    move |request| {
        let hit = left > 0 && request.operation == operation && (class == "any" || request.class == class);
        left -= usize::from(hit);
        hit.then_some(harm)
    }
}

fn serve(
    client: TcpStream,
    upstream: u16,
    rule: &Mutex<Rule>,
    log: &Mutex<Vec<Request>>,
    ended: &Mutex<Receiver<()>>,
) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut client = client;
    loop {
        let (head, length) = read_head(&mut reader)?;
        let request = describe(&head)?;
        let expects = head.to_ascii_lowercase().contains("expect: 100-continue");
        if expects {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        log.lock().ok()?.push(request.clone());
        let harm = (rule.lock().ok()?)(&request);
        match harm {
            Some(Harm::Cut) => return client.shutdown(Shutdown::Both).ok(),
            Some(Harm::Silence) => {
                let _ = ended.lock().ok()?.recv();
                return None;
            }
            Some(Harm::Status(status)) => {
                let body = format!(
                    "<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>ordered by a test</Message></Error>",
                    code(status)
                );
                let head = format!(
                    "HTTP/1.1 {status} Ordered\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                client.write_all(head.as_bytes()).ok()?;
                if request.operation != "HEAD" {
                    client.write_all(body.as_bytes()).ok()?;
                }
                continue;
            }
            None | Some(Harm::LostAnswer | Harm::ShortAnswer(_) | Harm::HideRestVersion2) => {}
        }
        let hides = harm == Some(Harm::HideRestVersion2);
        let head = if hides { head.replace("vnd.x.restic.rest.v2", "vnd.x.restic.rest.v1") } else { head };
        let answer = forward(upstream, &head, &body)?;
        match harm {
            Some(Harm::LostAnswer) => return client.shutdown(Shutdown::Both).ok(),
            Some(Harm::ShortAnswer(bytes)) => {
                let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
                client.write_all(&answer[..answer.len().min(end + bytes)]).ok()?;
                return client.shutdown(Shutdown::Both).ok();
            }
            _ => client.write_all(&answer).ok()?,
        }
        // The server was told to close: so do we, or a client could not tell where an answer ends.
        return client.shutdown(Shutdown::Both).ok();
    }
}

/// The head with its blank line, and the length of the body.
fn read_head(reader: &mut BufReader<TcpStream>) -> Option<(String, usize)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        let line = &head[start..];
        if line == "\r\n" {
            return Some((head, length));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
}

fn describe(head: &str) -> Option<Request> {
    let mut words = head.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let lists = method == "GET" && (target.contains("list-type=") || target.contains("prefix="));
    let operation = if lists { "LIST" } else { method };
    // A listing's folder stands in its query: `prefix=name%2Flocks%2F`.
    let plain = target.replace("%2F", "/");
    let classes = ["data", "index", "keys", "locks", "snapshots"];
    let class = classes
        .into_iter()
        .find(|class| plain.contains(&format!("/{class}/")) || plain.ends_with(&format!("/{class}")));
    let class = class.unwrap_or(if plain.ends_with("/config") { "config" } else { "other" });
    Some(Request { operation: operation.into(), class, target: target.into() })
}

/// The whole answer of the server, asked to close after it.
fn forward(upstream: u16, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).ok()?;
    server.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let lines = head.trim_end().split("\r\n").filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("connection:") && !line.starts_with("expect:")
    });
    let head = lines.collect::<Vec<_>>().join("\r\n") + "\r\nConnection: close\r\n\r\n";
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    Some(answer)
}

fn code(status: u16) -> &'static str {
    match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        429 => "TooManyRequests",
        503 => "SlowDown",
        _ => "InternalError",
    }
}
