//! What all servers on loopback need: a port, a folder, and to be waited for.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::child::Server;

const START: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A free port can be taken by another process before the server opens it: a failed start is tried again.
pub(super) fn start_until_it_holds(
    name: &str,
    start: impl Fn(&Path) -> Result<(u16, Server), String>,
) -> (u16, Server) {
    let mut story = String::new();
    for _ in 0..3 {
        let home = tempfile::Builder::new().prefix("replicator-server-").tempdir().expect("a temporary folder").keep();
        match start(&home) {
            Ok(running) => return running,
            Err(log) => story = log,
        }
    }
    panic!("{name} does not start:\n{story}");
}

/// Waits until it answers; its own words if it does not.
pub(super) fn wait_for(server: &Server, ready: impl Fn() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while start.elapsed() < START {
        if ready() {
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Err(server.log())
}

/// The status that an unsigned request without a body gets; none if nobody answers yet.
pub(super) fn request(port: u16, method: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

/// The first of `count` ports in a row that are free now.
pub(crate) fn free_ports(count: u16) -> u16 {
    free(|first| (0..count).collect::<Vec<_>>().into_iter().map(|offset| first + offset).collect())
}

/// A free port whose twin, 10000 higher, is free too.
pub(super) fn free_ports_with_twin() -> u16 {
    free(|first| vec![first, first + 10_000])
}

/// Below the range from which the system takes ports for outgoing connections (32768 and up), so that a
/// port found free is not given away before the server opens it.
fn free(ports_from: impl Fn(u16) -> Vec<u16>) -> u16 {
    for _ in 0..200 {
        let mut random = [0; 2];
        getrandom::fill(&mut random).expect("random bytes");
        let first = 10_000 + u16::from_le_bytes(random) % 12_000;
        let taken: Vec<_> =
            ports_from(first).into_iter().map_while(|port| TcpListener::bind(("127.0.0.1", port)).ok()).collect();
        if taken.len() == ports_from(first).len() {
            return first;
        }
    }
    panic!("no free ports on loopback");
}
