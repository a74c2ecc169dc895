//! Real S3 servers on loopback, each started once a test process and gone with it: SeaweedFS, which
//! honours conditional writes, and rclone, which ignores them.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::child::Server;
use super::loopback::{free_ports, free_ports_with_twin, request, start_until_it_holds, wait_for};
use super::{Repo, peers};

/// The one account of both servers.
pub(crate) const ACCESS_KEY: &str = "testaccess";
/// Its secret.
pub(crate) const SECRET_KEY: &str = "testsecret1234567890";
/// The one bucket that exists on both servers: no client of ours makes buckets.
pub(crate) const BUCKET: &str = "replicator";

/// A running server.
pub(crate) struct S3 {
    /// "seaweed" or "rclone".
    pub(crate) name: &'static str,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    prefixes: AtomicU32,
    _server: Server,
}

impl S3 {
    fn running(name: &'static str, start: impl Fn(&Path) -> Result<(u16, Server), String>) -> S3 {
        let (port, _server) = start_until_it_holds(name, start);
        S3 { name, port, prefixes: AtomicU32::new(0), _server }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A place for a repository that no other test uses.
    pub(crate) fn repo(&self) -> Repo {
        let prefix = format!("{}-{}", std::process::id(), self.prefixes.fetch_add(1, Ordering::Relaxed));
        with_credentials(Repo::at(format!("s3:{}/{BUCKET}/{prefix}", self.endpoint())))
    }
}

/// The variables a client needs for either server.
pub(crate) fn with_credentials(repo: Repo) -> Repo {
    repo.with_env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .with_env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .with_env("AWS_REGION", "us-east-1")
}

/// SeaweedFS, or none with a word about it.
pub(crate) fn seaweed() -> Option<&'static S3> {
    static RUNNING: OnceLock<S3> = OnceLock::new();
    let [weed] = peers::find(["weed"])?;
    Some(RUNNING.get_or_init(|| S3::running("seaweed", |home| start_seaweed(&weed, home))))
}

/// `rclone serve s3`, or none with a word about it.
pub(crate) fn rclone() -> Option<&'static S3> {
    static RUNNING: OnceLock<S3> = OnceLock::new();
    let [rclone] = peers::find(["rclone"])?;
    Some(RUNNING.get_or_init(|| S3::running("rclone", |home| start_rclone(&rclone, home))))
}

fn start_rclone(rclone: &Path, home: &Path) -> Result<(u16, Server), String> {
    let port = free_ports(1);
    std::fs::create_dir_all(home.join("data").join(BUCKET)).expect("a folder");
    let arguments = [
        "serve".to_owned(),
        "s3".into(),
        format!("--addr=127.0.0.1:{port}"),
        format!("--auth-key={ACCESS_KEY},{SECRET_KEY}"),
        "--vfs-cache-mode=off".into(),
        home.join("data").to_str().expect("UTF-8").into(),
    ];
    let server = Server::start(home, "", rclone, &arguments);
    wait_for(&server, || request(port, "GET", "/").is_some())?;
    Ok((port, server))
}

/// All ports are named, or the defaults of two runs would meet; `weed` ends at once if one is taken.
/// `ready` is a bucket that needs no signature: a write there succeeds exactly when writes work, a moment
/// after the port opens. Real buckets are made through the filer, so that a missing one stays missing.
fn start_seaweed(weed: &Path, home: &Path) -> Result<(u16, Server), String> {
    let s3 = free_ports(10);
    let admin = free_ports_with_twin();
    let config = serde_json::json!({"identities": [
        {"name": "tests", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
         "actions": ["Admin", "Read", "List", "Tagging", "Write"]},
        {"name": "anonymous", "actions": ["Write:ready"]},
    ]});
    std::fs::write(home.join("s3.json"), config.to_string()).expect("a file");
    let home_text = home.to_str().expect("UTF-8");
    let filer = s3 + 2;
    let mut arguments: Vec<String> =
        ["-logtostderr=true", "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"].map(String::from).into();
    arguments.extend(["-webdav=false", "-admin.ui=false", "-master.telemetry=false"].map(String::from));
    arguments.extend(["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"].map(String::from));
    arguments.extend([
        format!("-dir={home_text}"),
        format!("-s3.config={home_text}/s3.json"),
        format!("-admin.port={admin}"),
    ]);
    for (offset, port) in [
        "s3.port",
        "s3.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
    ]
    .iter()
    .enumerate()
    {
        arguments.push(format!("-{port}={}", usize::from(s3) + offset));
    }
    let sockets: Vec<String> = (0..8).map(|offset| format!("/tmp/seaweedfs-*-{}.sock", s3 + offset)).collect();
    let cleanup = format!("rm -f {} /tmp/seaweedfs-*-{}.sock", sockets.join(" "), admin + 10_000);
    let server = Server::start(home, &cleanup, weed, &arguments);
    wait_for(&server, || {
        ["ready", BUCKET]
            .iter()
            .all(|bucket| matches!(request(filer, "POST", &format!("/buckets/{bucket}/")), Some(200..=299 | 409)))
            && request(s3, "PUT", "/ready/probe") == Some(200)
    })?;
    Ok((s3, server))
}
