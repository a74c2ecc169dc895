//! Patterns for paths: `--exclude`, `--include` and their kin.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use crate::backend::Environment;
use crate::repository::{Case, Patterns, patterns_of_file};

/// What to leave out.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ExcludeArgs {
    /// Leave out what this pattern matches; several times
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) exclude: Vec<OsString>,

    /// The same, whatever the case of letters
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    iexclude: Vec<OsString>,

    /// Leave out what the patterns in this file match, one a line; several times
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,

    /// The same, whatever the case of letters
    #[arg(long, value_name = "FILE")]
    iexclude_file: Vec<PathBuf>,
}

/// What to take in.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct IncludeArgs {
    /// Take in only what this pattern matches; several times
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    include: Vec<OsString>,

    /// The same, whatever the case of letters
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    iinclude: Vec<OsString>,

    /// Take in only what the patterns in this file match, one a line; several times
    #[arg(long, value_name = "FILE")]
    include_file: Vec<PathBuf>,

    /// The same, whatever the case of letters
    #[arg(long, value_name = "FILE")]
    iinclude_file: Vec<PathBuf>,
}

impl ExcludeArgs {
    /// The lists of patterns, files read and variables in them put in their places.
    pub(crate) fn lists(&self, environment: &Environment) -> Result<Vec<Patterns>, CliError> {
        lists(
            (&self.exclude, &self.exclude_file, "--exclude"),
            (&self.iexclude, &self.iexclude_file, "--iexclude"),
            environment,
        )
    }
}

impl IncludeArgs {
    /// The lists of patterns, files read and variables in them put in their places.
    pub(crate) fn lists(&self, environment: &Environment) -> Result<Vec<Patterns>, CliError> {
        lists(
            (&self.include, &self.include_file, "--include"),
            (&self.iinclude, &self.iinclude_file, "--iinclude"),
            environment,
        )
    }
}

/// Patterns, files of them, and the option's name.
type Given<'a> = (&'a [OsString], &'a [PathBuf], &'a str);

fn lists(exact: Given<'_>, folded: Given<'_>, environment: &Environment) -> Result<Vec<Patterns>, CliError> {
    let mut lists = Vec::new();
    for ((patterns, files, option), case) in [(exact, Case::Sensitive), (folded, Case::Insensitive)] {
        let mut texts: Vec<Vec<u8>> = patterns.iter().map(|pattern| pattern.as_bytes().to_vec()).collect();
        for path in files {
            let content = std::fs::read(path).map_err(|source| CliError::file("read", path, source))?;
            texts.extend(patterns_of_file(&content, |name| environment.get(name).map(str::to_owned)));
        }
        let list = Patterns::new(texts, case).map_err(|fault| CliError::usage(format!("{option}: {fault}")))?;
        if !list.is_empty() {
            lists.push(list);
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn patterns_come_from_options_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("patterns");
        std::fs::write(&file, "# comment\n$WHAT/x\n").unwrap();
        let args = ExcludeArgs { exclude: vec!["*.o".into()], iexclude_file: vec![file], ..ExcludeArgs::default() };
        let environment = [("WHAT", "/A")].into_iter().collect();
        let lists = args.lists(&environment).unwrap();
        let matches = |path: &str| lists.iter().any(|list| list.matches(Path::new(path)).is_match);
        assert_eq!(["/a.o", "/b", "/a/X"].map(matches), [true, false, true]);
    }

    #[test]
    fn a_pattern_that_means_nothing_is_named_with_its_option() {
        let args = IncludeArgs { iinclude: vec!["[".into()], ..IncludeArgs::default() };
        let text = args.lists(&Environment::empty()).unwrap_err().to_string();
        assert!(text.contains("--iinclude") && text.contains('['), "{text}");
    }
}
