//! No fixture without its story, and none that nobody tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::fixtures;
use crate::support::source::{Source, walk};

#[test]
fn every_fixture_has_its_story_and_every_story_its_fixture() {
    let told = stories();
    for file in files() {
        let known = told.iter().any(|(folder, names)| {
            let below = file.strip_prefix(folder).ok().and_then(Path::to_str);
            below.is_some_and(|below| names.iter().any(|name| name == below))
        });
        assert!(known, "fixtures/README.md does not tell of {} below the heading of its folder", file.display());
    }
    for (folder, names) in told {
        for name in names {
            assert!(
                fixtures::path(&folder).join(&name).is_file(),
                "fixtures/README.md tells of {folder}{name}, which is gone"
            );
        }
    }
}

#[test]
fn every_fixture_is_used_by_a_test() {
    let sources: Vec<Source> = ["src", "tests", "benches"].iter().flat_map(|folder| Source::all(folder)).collect();
    for file in files() {
        let name = file.file_name().expect("a name").to_str().expect("UTF-8");
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let mentions = |source: &Source| source.text.contains(name) || source.text.contains(&format!("\"{stem}\""));
        assert!(sources.iter().any(mentions), "no test uses fixtures/{}", file.display());
    }
}

/// Every file below fixtures/, but the one that tells of them.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(&fixtures::path(""), &mut |path| {
        files.push(path.strip_prefix(fixtures::path("")).expect("below fixtures/").to_owned());
    });
    files.retain(|file| file != Path::new("README.md"));
    files
}

/// The file names in the first column of each section's table, by the section's folder.
fn stories() -> BTreeMap<String, Vec<String>> {
    let readme = std::fs::read_to_string(fixtures::path("README.md")).expect("fixtures/README.md");
    let (mut told, mut folder) = (BTreeMap::<String, Vec<String>>::new(), String::new());
    for line in readme.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut folder);
        } else if let Some(row) = line.strip_prefix("| `") {
            let cell = row.split(" |").next().unwrap_or(row);
            let names = cell.split('`').step_by(2).filter(|name| !name.is_empty());
            told.entry(folder.clone()).or_default().extend(names.map(str::to_owned));
        }
    }
    told
}
