//! Real servers of restic's REST protocol on loopback, each started once a test process and gone with it: restic's own
//! rest-server, which refuses to replace a file, and `rclone serve restic`, which replaces it.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::child::Server;
use super::loopback::{free_ports, request, start_until_it_holds, wait_for};
use super::{Repo, peers};

/// The one user of all servers.
pub(crate) const USER: &str = "anna";
/// Her password.
pub(crate) const PASSWORD: &str = "streng@geheim";
/// What rest-server reads: her name, and the SHA-1 of her password in base64, as htpasswd writes it with -s.
const HTPASSWD: &str = "anna:{SHA}1FxFMJpZ2qHXSQaRyTu8Fjh0Xsw=\n";

/// A running server.
pub(crate) struct Rest {
    /// "rest-server" or "rclone".
    pub(crate) name: &'static str,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    paths: AtomicU32,
    _server: Server,
}

impl Rest {
    fn running(name: &'static str, start: impl Fn(&Path) -> Result<(u16, Server), String>) -> Rest {
        let (port, _server) = start_until_it_holds(name, start);
        Rest { name, port, paths: AtomicU32::new(0), _server }
    }

    /// A place for a repository that no other test uses; user and password are variables.
    pub(crate) fn repo(&self) -> Repo {
        let path = format!("{}-{}", std::process::id(), self.paths.fetch_add(1, Ordering::Relaxed));
        Repo::at(format!("rest:http://127.0.0.1:{}/{path}/", self.port))
            .with_env("RESTIC_REST_USERNAME", USER)
            .with_env("RESTIC_REST_PASSWORD", PASSWORD)
    }
}

/// restic's rest-server, or none with a word about it.
pub(crate) fn rest_server() -> Option<&'static Rest> {
    static RUNNING: OnceLock<Rest> = OnceLock::new();
    let [program] = peers::find(["restic-rest-server"])?;
    Some(RUNNING.get_or_init(|| Rest::running("rest-server", |home| start_rest_server(&program, home, &[]))))
}

/// The same, which lets nothing but locks be deleted.
pub(crate) fn append_only() -> Option<&'static Rest> {
    static RUNNING: OnceLock<Rest> = OnceLock::new();
    let [program] = peers::find(["restic-rest-server"])?;
    let start = |home: &Path| start_rest_server(&program, home, &["--append-only".to_owned()]);
    Some(RUNNING.get_or_init(|| Rest::running("rest-server", start)))
}

/// `rclone serve restic`, or none with a word about it.
pub(crate) fn rclone() -> Option<&'static Rest> {
    static RUNNING: OnceLock<Rest> = OnceLock::new();
    let [rclone] = peers::find(["rclone"])?;
    Some(RUNNING.get_or_init(|| Rest::running("rclone", |home| start_rclone(&rclone, home))))
}

fn start_rest_server(program: &Path, home: &Path, further: &[String]) -> Result<(u16, Server), String> {
    let port = free_ports(1);
    let home_text = home.to_str().expect("UTF-8");
    std::fs::write(home.join("htpasswd"), HTPASSWD).expect("a file");
    let mut arguments = vec![
        format!("--listen=127.0.0.1:{port}"),
        format!("--path={home_text}/data"),
        format!("--htpasswd-file={home_text}/htpasswd"),
    ];
    arguments.extend_from_slice(further);
    let server = Server::start(home, "", program, &arguments);
    wait_for(&server, || request(port, "GET", "/").is_some())?;
    Ok((port, server))
}

fn start_rclone(rclone: &Path, home: &Path) -> Result<(u16, Server), String> {
    let port = free_ports(1);
    std::fs::create_dir_all(home.join("data")).expect("a folder");
    let arguments = [
        "serve".to_owned(),
        "restic".into(),
        format!("--addr=127.0.0.1:{port}"),
        format!("--user={USER}"),
        format!("--pass={PASSWORD}"),
        home.join("data").to_str().expect("UTF-8").into(),
    ];
    let server = Server::start(home, "", rclone, &arguments);
    wait_for(&server, || request(port, "GET", "/").is_some())?;
    Ok((port, server))
}
