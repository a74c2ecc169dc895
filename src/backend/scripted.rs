//! For tests: an HTTP server that plays a script, one act a request, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to one request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// It is answered.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// It is answered, and the connection ends after so many bytes of the body.
    CutOff(u16, String, usize),
    /// It arrives whole, and the connection ends.
    LoseAnswer,
    /// It arrives, and nothing more happens.
    Stall,
}

impl Act {
    pub(super) fn ok(body: impl Into<String>) -> Act {
        Act::Answer(200, Vec::new(), body.into())
    }

    pub(super) fn error(status: u16, code: &str) -> Act {
        Act::Answer(status, Vec::new(), format!("<Error><Code>{code}</Code><Message>by script</Message></Error>"))
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Method and target: `GET /bucket/config`.
    pub(super) line: String,
    /// Names in small letters.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A server on loopback; it ends with the runtime of the test.
pub(super) struct Scripted {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    /// Plays `acts` in order; what comes after the last is answered 500.
    pub(super) async fn play(acts: impl IntoIterator<Item = Act>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let acts: Arc<Mutex<VecDeque<Act>>> = Arc::new(Mutex::new(acts.into_iter().collect()));
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acts, seen) = (Arc::clone(&acts), Arc::clone(&seen));
                tokio::spawn(serve(stream, acts, seen));
            }
        });
        Scripted { port, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// Method and target of all requests.
    pub(super) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

async fn serve(mut stream: TcpStream, acts: Arc<Mutex<VecDeque<Act>>>, seen: Arc<Mutex<Vec<Request>>>) {
    let Some(request) = read(&mut stream).await else { return };
    let is_head = request.line.starts_with("HEAD");
    seen.lock().expect("no panic").push(request);
    let act = acts.lock().expect("no panic").pop_front().unwrap_or_else(|| Act::error(500, "EndOfScript"));
    let (status, headers, body, sent) = match act {
        Act::Answer(status, headers, body) => (status, headers, body, usize::MAX),
        Act::CutOff(status, body, sent) => (status, Vec::new(), body, sent),
        Act::LoseAnswer => return,
        Act::Stall => return std::future::pending().await,
    };
    let mut head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    let body = if is_head { "" } else { body.get(..sent).unwrap_or(&body) };
    // The client may have gone away: that is its business.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes.drain(..end + 4).collect()).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut request = Request { line, headers, body: bytes };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}
