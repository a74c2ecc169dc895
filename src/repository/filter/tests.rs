use serde_json::Value;

use super::*;

fn table() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/vectors/filter.json")).unwrap()
}

fn matches_one(pattern: &str, path: &str) -> Match {
    Patterns::new([pattern], Case::Sensitive).unwrap().matches(Path::new(path))
}

#[test]
fn patterns_match_as_in_restic() {
    for row in table()["match"].as_array().unwrap() {
        let (pattern, path) = (row["pattern"].as_str().unwrap(), row["path"].as_str().unwrap());
        // The empty pattern, which restic's single match takes for "everything", never gets into a list.
        if !pattern.is_empty() {
            assert_eq!(matches_one(pattern, path).is_match, row["match"], "{row}");
        }
    }
}

#[test]
fn folders_that_may_hold_a_match_are_told_as_in_restic() {
    for row in table()["child_match"].as_array().unwrap() {
        let (pattern, path) = (row["pattern"].as_str().unwrap(), row["path"].as_str().unwrap());
        if !pattern.is_empty() {
            assert_eq!(matches_one(pattern, path).may_hold_match, row["match"], "{row}");
        }
    }
}

#[test]
fn lists_of_patterns_match_as_in_restic() {
    for row in table()["list"].as_array().unwrap() {
        let patterns = row["patterns"].as_array().unwrap().iter().map(|pattern| pattern.as_str().unwrap());
        let found = Patterns::new(patterns, Case::Sensitive).unwrap().matches(Path::new(row["path"].as_str().unwrap()));
        assert_eq!(found.is_match, row["match"], "{row}");
        assert_eq!(found.may_hold_match, row["child_may_match"], "{row}");
    }
}

#[test]
fn invalid_patterns_are_all_named() {
    let error = Patterns::new(["ok", "test/[", "a/**/[x-]", ""], Case::Sensitive).unwrap_err();
    assert_eq!(error.patterns, ["test/[", "a/**/[x-]"]);
}

#[test]
fn letters_of_another_case_count_only_if_asked_for() {
    let path = Path::new("/Home/ÄRGER.Txt");
    for (case, is_match) in [(Case::Sensitive, false), (Case::Insensitive, true)] {
        let patterns = Patterns::new(["/home/ä*.TXT"], case).unwrap();
        assert_eq!(patterns.matches(path), Match { is_match, may_hold_match: is_match });
    }
}

#[test]
fn names_may_be_any_bytes() {
    use std::ffi::OsStr;

    let path = Path::new(OsStr::from_bytes(b"/a/\xff\xfe.tmp"));
    assert!(Patterns::new([b"*.tmp"], Case::Sensitive).unwrap().matches(path).is_match);
    assert!(Patterns::new([b"/a/\xff?.tmp"], Case::Sensitive).unwrap().matches(path).is_match);
}
