//! Holds the sources against the map and the invariants of `src/lib.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::source::{Source, heads, names_crate, root, walk};

/// Above this a file is thought about again.
const LINES_AT_MOST: usize = 400;

#[test]
fn the_map_names_every_module_and_no_other() {
    let lib = read("src/lib.rs");
    let declared: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let mut mapped: Vec<String> = map().into_keys().collect();
    mapped.retain(|module| !declared.contains(&module.as_str()));
    assert!(mapped.is_empty(), "in the map, not in the crate: {mapped:?}");
    let unmapped: Vec<_> = declared.iter().filter(|module| !map().contains_key(**module)).collect();
    assert!(unmapped.is_empty(), "in the crate, not in the map: {unmapped:?}");
}

#[test]
fn a_module_uses_only_what_the_map_allows_it() {
    let map = map();
    let mut faults = Vec::new();
    for source in module_sources() {
        let own = source.module();
        for used in heads(&source.code, "crate::").into_iter().filter(|used| *used != own) {
            if map.contains_key(&used) && !map[&own].contains(&used) {
                faults.push(format!("{}: `{own}` may not use `{used}`", source.path.display()));
            } else if !map.contains_key(&used) && !source.code.contains(&format!("crate::{used}!")) {
                faults.push(format!("{}: crate::{used} is no module of the map", source.path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_path_climbs_to_the_root_by_super() {
    for source in module_sources() {
        // A unit test module inside the file is one floor further down.
        let (product, tests) = source.code.split_at(source.product().len().min(source.code.len()));
        let (tests, floors) = if product.is_empty() { (&*source.code, 0) } else { (tests, 1) };
        for (code, depth) in [(product, source.depth()), (tests, source.depth() + floors)] {
            let climb = "super::".repeat(depth);
            assert!(!code.contains(&climb), "{}: write crate::… for what {climb} reaches", source.path.display());
        }
    }
}

#[test]
fn a_crate_of_the_table_is_used_only_by_its_module() {
    let table = table("| crate | only in |");
    assert!(!table.is_empty(), "the table of crates is gone");
    for row in table {
        for name in ticked(&row[0]) {
            let alone = ticked(&row[1]);
            for source in Source::all("src").iter().filter(|source| names_crate(&source.code, &name)) {
                assert!(
                    alone.contains(&source.module()),
                    "{}: `{name}` is used only in {alone:?}",
                    source.path.display()
                );
            }
        }
    }
}

#[test]
fn every_dependency_is_used() {
    let manifest = read("Cargo.toml");
    let mut sources = Source::all("src");
    sources.extend(Source::all("tests"));
    sources.extend(Source::all("benches"));
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if let (true, Some((name, _))) = (in_dependencies, line.split_once(" = ")) {
            let used = sources.iter().any(|source| names_crate(&source.code, &name.replace('-', "_")));
            assert!(used || line.starts_with('#'), "nothing uses the dependency {name}");
        }
    }
}

#[test]
fn main_only_starts_the_command_line() {
    let main = read("src/main.rs");
    assert!(main.lines().count() <= 60, "main.rs has more than 60 lines");
    let sources = Source::all("src");
    let main = sources.iter().find(|source| source.path == Path::new("src/main.rs")).expect("main.rs");
    assert!(heads(&main.code, "replicator_kuma::").iter().all(|head| head == "cli"), "main uses only cli");
}

#[test]
fn only_cli_prints_and_reads_the_environment() {
    let words = ["println!", "print!", "stdout()", "stderr()", "stdin()", "std::env::", "use std::env", "ExitCode"];
    for source in module_sources().filter(|source| source.module() != "cli") {
        for word in words {
            // What the compiler was told is no environment, and neither is where a relative path starts.
            let product = source.product().replace("std::env::consts", "").replace("std::env::current_dir", "");
            assert!(!product.contains(word), "{}: {word} belongs to cli", source.path.display());
        }
    }
}

#[test]
fn format_does_no_input_output_and_reads_no_clock() {
    let words = ["std::fs", "std::net", "std::process", "SystemTime", "Instant", "Timestamp::now", "tokio", "async "];
    for source in module_sources().filter(|source| source.module() == "format") {
        for word in words {
            assert!(!source.product().contains(word), "{}: format has no {word}", source.path.display());
        }
    }
}

#[test]
fn kuma_and_the_repository_do_not_know_each_other() {
    for source in module_sources() {
        let stranger = match source.module().as_str() {
            "kuma" => "restic",
            "format" | "backend" | "repository" | "blocking" => "kuma",
            _ => continue,
        };
        let text = source.text[..source.product().len()]
            .to_lowercase()
            .replace("replicator kuma", "")
            .replace("replicator-kuma", "");
        let text = text.replace("replicator_kuma", "");
        assert!(!text.contains(stranger), "{}: speaks of {stranger}", source.path.display());
    }
}

#[test]
fn nothing_asks_the_hosts_name_services() {
    // A static glibc binary that loads the host's NSS modules dies by a signal.
    for source in Source::all("src") {
        for word in ["ToSocketAddrs", "to_socket_addrs", "lookup_host", "home_dir", "getpwuid", "getaddrinfo"] {
            assert!(!source.product().contains(word), "{}: {word} asks NSS", source.path.display());
        }
    }
}

#[test]
fn a_file_has_one_subject() {
    let long = |source: &Source| {
        let lines = source.product().lines().filter(|line| !line.trim().is_empty()).count();
        (lines > LINES_AT_MOST).then(|| format!("{}: {lines} lines of code", source.path.display()))
    };
    let long: Vec<String> = Source::all("src").iter().filter_map(long).collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_test_file_is_run() {
    let main = read("tests/main.rs");
    for entry in std::fs::read_dir(root().join("tests")).expect("tests/") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("UTF-8");
        let is_source = path.extension().is_some_and(|extension| extension == "rs") || path.join("mod.rs").is_file();
        if is_source && name != "main" {
            assert!(main.contains(&format!("mod {name};")), "tests/{name} is no module of tests/main.rs");
        }
    }
    let manifest = read("Cargo.toml");
    for source in Source::all("benches") {
        let name = source.path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "benches/{name}.rs is not in Cargo.toml");
    }
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    // Spelt in parts, or this file would be the first to be found.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/opt/", "peers"),
        concat!("crates", ".io"),
        concat!("py", "pi.org"),
        concat!("python", "hosted"),
        concat!("debian", ".org"),
        concat!("npm", "js."),
    ];
    let mut faults = Vec::new();
    let mut visit = |path: &Path| {
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let found = words.iter().filter(|word| text.contains(**word));
        faults.extend(found.map(|word| format!("{}: {word}", path.display())));
    };
    for entry in std::fs::read_dir(root()).expect("the project") {
        let path = entry.expect("an entry").path();
        match path.file_name().and_then(|name| name.to_str()) {
            // git's own, cargo's own, a lock file that names where crates come from by its nature, and other
            // people's folders as restic saw them.
            Some(".git" | "target" | "Cargo.lock" | "fixtures") => {}
            _ if path.is_dir() => walk(&path, &mut visit),
            _ => visit(&path),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn module_sources() -> impl Iterator<Item = Source> {
    let files = Source::all("src").into_iter();
    files.filter(|source| !["src/lib.rs", "src/main.rs"].iter().any(|own| source.path == Path::new(own)))
}

/// Which modules each module may use: the first table of `src/lib.rs`.
fn map() -> BTreeMap<String, Vec<String>> {
    let rows = table("| module | holds | may use |");
    assert!(!rows.is_empty(), "the map is gone");
    rows.iter().map(|row| (ticked(&row[0]).remove(0), ticked(&row[2]))).collect()
}

/// The cells of each row of the table with this heading in `src/lib.rs`.
fn table(heading: &str) -> Vec<Vec<String>> {
    let lib = read("src/lib.rs");
    let lines = lib.lines().map(|line| line.trim_start_matches("//!").trim());
    let rows = lines.skip_while(|line| *line != heading).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The words in backticks.
fn ticked(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
