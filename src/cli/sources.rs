//! What to back up: paths on the command line and in files.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::error::CliError;
use super::output::Output;
use super::textfile;
use crate::repository::{Case, Patterns};

/// Files that name what to back up.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FilesFromArgs {
    /// Read paths from this file (- for stdin), one a line; they may hold * and ?, and # begins a comment
    #[arg(long, value_name = "FILE")]
    files_from: Vec<PathBuf>,

    /// Read paths from this file (- for stdin), one a line, as they are
    #[arg(long, value_name = "FILE")]
    files_from_verbatim: Vec<PathBuf>,

    /// Read paths from this file (- for stdin), each ended by a zero byte
    #[arg(long, value_name = "FILE")]
    files_from_raw: Vec<PathBuf>,
}

impl FilesFromArgs {
    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.files_from.is_empty() && self.files_from_verbatim.is_empty() && self.files_from_raw.is_empty()
    }

    /// Whether one of them is stdin.
    pub(crate) fn read_stdin(&self) -> bool {
        let mut files = self.files_from.iter().chain(&self.files_from_verbatim).chain(&self.files_from_raw);
        files.any(|path| path.as_os_str() == "-")
    }

    /// The paths in the files and those given besides, in restic's order.
    pub(crate) fn paths(&self, given: &[PathBuf], output: &Output) -> Result<Vec<PathBuf>, CliError> {
        let mut paths = Vec::new();
        for file in &self.files_from {
            for line in textfile::lines(&read(file)?).map(textfile::trimmed) {
                if line.is_empty() || line.starts_with(b"#") {
                    continue;
                }
                let found = glob(line)?;
                if found.is_empty() {
                    let pattern = String::from_utf8_lossy(line);
                    output.error(&format!("pattern {pattern:?} does not match any files, skipping"));
                }
                paths.extend(found);
            }
        }
        for file in &self.files_from_verbatim {
            let content = read(file)?;
            paths.extend(textfile::lines(&content).filter(|line| !line.is_empty()).map(to_path));
        }
        for file in &self.files_from_raw {
            paths.extend(zero_ended(&read_raw(file)?)?);
        }
        paths.extend_from_slice(given);
        Ok(paths)
    }
}

/// The paths that are there; each other one is told. At least one must be.
pub(crate) fn existing(paths: Vec<PathBuf>, output: &Output) -> Result<(Vec<PathBuf>, bool), CliError> {
    let count = paths.len();
    let is_there = |path: &PathBuf| match path.symlink_metadata() {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            output.error(&format!("{} does not exist, skipping", path.display()));
            false
        }
        Err(_) => {
            output.error(&format!("{} cannot be accessed, skipping", path.display()));
            false
        }
    };
    let existing: Vec<PathBuf> = paths.into_iter().filter(is_there).collect();
    match existing.len() {
        0 => Err(CliError::Failed("all source directories/files do not exist".to_owned())),
        found => Ok((existing, found == count)),
    }
}

fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// A text file or stdin.
fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    if file.as_os_str() == "-" { stdin().map(Zeroizing::new) } else { textfile::read(file) }
}

/// The very bytes of a file or of stdin.
fn read_raw(file: &Path) -> Result<Vec<u8>, CliError> {
    if file.as_os_str() == "-" {
        return stdin();
    }
    std::fs::read(file).map_err(|source| CliError::file("read", file, source))
}

fn stdin() -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|source| CliError::Stdin { source })?;
    Ok(bytes)
}

fn zero_ended(bytes: &[u8]) -> Result<Vec<PathBuf>, CliError> {
    let Some(names) = bytes.strip_suffix(b"\0") else {
        return match bytes {
            [] => Ok(Vec::new()),
            _ => Err(CliError::usage("--files-from-raw: the last name is not ended by a zero byte")),
        };
    };
    let names: Vec<&[u8]> = names.split(|byte| *byte == 0).collect();
    if names.contains(&&b""[..]) {
        return Err(CliError::usage("--files-from-raw: there is an empty name"));
    }
    Ok(names.into_iter().map(to_path).collect())
}

/// The paths that a pattern of the file system matches, as Go's `filepath.Glob` finds them; what cannot be listed
/// matches nothing.
fn glob(pattern: &[u8]) -> Result<Vec<PathBuf>, CliError> {
    if !pattern.iter().any(|byte| b"*?[\\".contains(byte)) {
        let path = to_path(pattern);
        return Ok(if path.symlink_metadata().is_ok() { vec![path] } else { Vec::new() });
    }
    let start = if pattern.starts_with(b"/") { "/" } else { "" };
    let mut found = vec![PathBuf::from(start)];
    for part in pattern.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        found = below(&found, part)?;
    }
    Ok(found)
}

/// Everything in these folders that one part of a pattern matches.
fn below(folders: &[PathBuf], part: &[u8]) -> Result<Vec<PathBuf>, CliError> {
    // A leading exclamation mark takes back what patterns before it matched; here it is a character.
    let escaped = if part.starts_with(b"!") { [b"\\", part].concat() } else { part.to_vec() };
    let pattern =
        Patterns::new([escaped], Case::Sensitive).map_err(|fault| CliError::usage(format!("--files-from: {fault}")))?;
    let mut found = Vec::new();
    for folder in folders {
        let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(entries) = std::fs::read_dir(place) else { continue };
        let mut names: Vec<Vec<u8>> = entries.flatten().map(|entry| entry.file_name().into_vec()).collect();
        if matches!(part, b"." | b"..") {
            names = vec![part.to_vec()];
        }
        names.retain(|name| matches!(part, b"." | b"..") || pattern.matches(&to_path(name)).is_match);
        names.sort_unstable();
        found.extend(names.iter().map(|name| folder.join(to_path(name))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::output::Verbosity;
    use super::super::output::capture::captured;
    use super::*;

    #[test]
    fn names_are_taken_from_all_three_kinds_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        for name in ["a1", "a2", "b"] {
            file(name, b"");
        }
        let at = |name: &str| folder.path().join(name);
        let patterns = format!("# comment\n\n  {}  \n{}\n", at("a*").display(), at("c*").display());
        let args = FilesFromArgs {
            files_from: vec![file("patterns", patterns.as_bytes())],
            files_from_verbatim: vec![file("verbatim", b"/x y\n\n# no comment\n")],
            files_from_raw: vec![file("raw", b"/with\nnewline\0/\xff\0")],
        };
        let (output, _, stderr) = captured(Verbosity::Normal, false, false);
        let paths = args.paths(&["/given".into()], &output).unwrap();
        let expected = [
            at("a1"),
            at("a2"),
            "/x y".into(),
            "# no comment".into(),
            "/with\nnewline".into(),
            to_path(b"/\xff"),
            "/given".into(),
        ];
        assert_eq!(paths, expected);
        assert!(stderr.text().contains("does not match any files, skipping"));
    }

    #[test]
    fn zero_ended_names_are_whole_and_not_empty() {
        assert!(zero_ended(b"").unwrap().is_empty());
        assert!(zero_ended(b"a\0b").unwrap_err().to_string().contains("zero byte"));
        assert!(zero_ended(b"a\0\0").unwrap_err().to_string().contains("empty name"));
    }

    #[test]
    fn what_is_not_there_is_told_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (output, _, stderr) = captured(Verbosity::Normal, false, false);
        let (paths, whole) = existing(vec![folder.path().into(), "/nonexistent/x".into()], &output).unwrap();
        assert_eq!((paths, whole), (vec![folder.path().to_owned()], false));
        assert_eq!(stderr.text(), "/nonexistent/x does not exist, skipping\n");
        assert!(existing(vec!["/nonexistent/x".into()], &output).is_err());
    }

    #[test]
    fn patterns_match_in_every_part_of_a_path() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["x1/a.txt", "x2/b.txt", "y/c.txt", "x1/!d"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        let find = |pattern: &str| {
            let found = glob(format!("{}/{pattern}", folder.path().display()).as_bytes()).unwrap();
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(find("x*/*.txt"), ["x1/a.txt", "x2/b.txt"]);
        assert_eq!(find("[xy]?/../y/*"), ["x1/../y/c.txt", "x2/../y/c.txt"]);
        assert_eq!(find("x1/!*"), ["x1/!d"]);
        assert_eq!(find("none*"), [""; 0]);
        assert!(glob(b"/tmp/[").is_err());
    }
}
