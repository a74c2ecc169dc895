//! Finds the programs that the project is compared with. What is absent is said loudly, and is a
//! failure where `REPLICATOR_KUMA_REQUIRE_PEERS=1` (as in CI).

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The programs named, in `$REPLICATOR_KUMA_PEERS/bin` or else in `PATH`; none if one is missing.
///
/// Names in use: `restic-0.14`, `restic-0.18`, `restic-0.19`, `restic-rest-server`, `sqlite3`, `weed`,
/// `rclone`.
pub(crate) fn find<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| locate(name).is_none()).collect();
    if !missing.is_empty() {
        skip(&format!("{} not installed (tests/run installs what the tests need)", missing.join(", ")));
        return None;
    }
    Some(names.map(|name| locate(name).expect("found a moment ago")))
}

/// Says that the test that runs now is skipped, past libtest's capture; panics where skips are failures.
#[expect(clippy::disallowed_methods, reason = "the switch is the environment's")]
pub(crate) fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        std::env::var_os("REPLICATOR_KUMA_REQUIRE_PEERS").is_none_or(|value| value != "1"),
        "{test} needs what is not here: {why}"
    );
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("stderr is open");
}

#[expect(clippy::disallowed_methods, reason = "where programs are is the environment's to say")]
fn locate(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("REPLICATOR_KUMA_PEERS").map(|folder| Path::new(&folder).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    own.into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
