//! Whether Kuma is up: `GET /api/entry-page`, and what it says it is.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(250);
/// One question may take so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The answer is a line of JSON; whoever sends more is somebody else.
const ANSWER_AT_MOST_BYTES: u64 = 64 << 10;

/// How Kuma is asked for its health.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// Where it listens.
    pub address: SocketAddr,
    /// It speaks TLS there: then it is up when it takes a connection.
    pub is_tls: bool,
    /// So long it may take to come up.
    pub within: Duration,
}

impl Health {
    /// Waits until Kuma is up; an error tells what it said last.
    pub(super) async fn wait(&self) -> Result<(), String> {
        let mut last = "it was not asked".to_owned();
        let asking = async {
            loop {
                match timeout(ANSWER_WITHIN, self.ask()).await {
                    Ok(Ok(())) => return,
                    Ok(Err(reason)) => last = reason,
                    Err(_) => last = "it does not answer".to_owned(),
                }
                sleep(PAUSE).await;
            }
        };
        let outcome = timeout(self.within, asking).await;
        outcome.map_err(|_| format!("after {} s: {last}", self.within.as_secs()))
    }

    async fn ask(&self) -> Result<(), String> {
        let mut stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
        if self.is_tls {
            return Ok(());
        }
        let request = format!("GET /api/entry-page HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        let mut answer = Vec::new();
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut limited = stream.take(ANSWER_AT_MOST_BYTES);
        limited.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
        judge(&String::from_utf8_lossy(&answer))
    }
}

/// What an answer says: 200 alone is not enough, since Kuma's setup page answers at the same address.
fn judge(answer: &str) -> Result<(), String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split_whitespace().nth(1).unwrap_or("nothing");
    if status != "200" {
        return Err(format!("it answers {status}"));
    }
    // Chunked or not: the object is one line between the outermost braces.
    let object = body.find('{').zip(body.rfind('}')).and_then(|(from, to)| body.get(from..=to));
    let object: Option<serde_json::Value> = object.and_then(|object| serde_json::from_str(object).ok());
    match object.as_ref().and_then(|object| object.get("type")?.as_str()) {
        Some("entryPage" | "statusPageMatchedDomain") => Ok(()),
        Some(kind) => Err(format!("it is not set up: {kind}")),
        None => Err("it answers something that is not Kuma's".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kuma_that_is_set_up_is_healthy() {
        let answer = |status: &str, body: &str| format!("HTTP/1.1 {status} x\r\nA: b\r\n\r\n{body}");
        assert_eq!(judge(&answer("200", r#"{"type":"entryPage","entryPage":null}"#)), Ok(()));
        let chunked = "29\r\n{\"type\":\"entryPage\",\"entryPage\":\"dashboard\"}\r\n0\r\n\r\n";
        assert_eq!(judge(&answer("200", chunked)), Ok(()));
        assert_eq!(judge(&answer("200", r#"{"type":"statusPageMatchedDomain"}"#)), Ok(()));
        assert!(judge(&answer("200", r#"{"type":"setup-database"}"#)).unwrap_err().contains("setup-database"));
        for bad in [answer("200", "<html>"), answer("404", "{}"), answer("503", ""), String::new()] {
            assert!(judge(&bad).is_err(), "{bad}");
        }
    }
}
