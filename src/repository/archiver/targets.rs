//! Where the paths of a backup stand in its tree, by restic's rules (restic-format 7.5).
//!
//! `/a/b` stands as `a/b`, `b` as `b`, and `.` or `..` as all that is in it. Where two paths of different origin claim
//! a name at the root, the second one becomes `name-1`. A path and another one below it share their directories.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::repository::lexical;

/// A place in the tree that a backup makes, down to the paths that were named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// What stands below, by name.
    pub(super) below: BTreeMap<Vec<u8>, Target>,
    /// What is to be stored here with all that is in it; if something stands below, that is left to it.
    pub(super) path: Option<Vec<u8>>,
    /// Where the metadata of a directory comes from that was not named itself.
    pub(super) metadata_path: Vec<u8>,
    /// The path was named itself, and so is never left out.
    pub(super) is_explicit: bool,
    /// The directory that the name at the root lies in.
    origin: Vec<u8>,
}

/// The tree of these paths, relative ones taken from the working directory.
pub(super) fn resolve(paths: &[PathBuf]) -> Result<Target, BackupError> {
    let mut root = Target::default();
    let mut seen = HashSet::new();
    for path in paths {
        let path = lexical::clean(path.as_os_str().as_bytes());
        if !parts(&path).is_empty() {
            if seen.insert(path.clone()) {
                root.add_at_root(&path, true)?;
            }
            continue;
        }
        for name in names_in(&path)? {
            let entry = lexical::join(&path, &name);
            if seen.insert(entry.clone()) {
                root.add_at_root(&entry, false)?;
            }
        }
    }
    root.unroll()?;
    Ok(root)
}

/// An absolute path that means the same.
pub(super) fn absolute(path: &[u8]) -> Result<PathBuf, BackupError> {
    if path.starts_with(b"/") {
        return Ok(to_path(lexical::clean(path)));
    }
    let folder = std::env::current_dir().map_err(|source| BackupError::Source { path: ".".into(), source })?;
    Ok(to_path(lexical::join(folder.as_os_str().as_bytes(), path)))
}

/// A path of these bytes.
pub(super) fn to_path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

/// The parts of a path below the root, `..` taken back; none for `/`, `.` and `..`.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let rooted = lexical::join(b"/", path);
    rooted.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

/// The directory that the first of a path's parts lies in: `/`, `.`, or as many `..` as it begins with.
fn origin(path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return b"/".to_vec();
    }
    let steps_up = path.split(|&byte| byte == b'/').take_while(|&part| part == b"..").count();
    lexical::clean(&vec![&b".."[..]; steps_up].join(&b'/'))
}

fn names_in(folder: &[u8]) -> Result<Vec<Vec<u8>>, BackupError> {
    let path = Path::new(OsStr::from_bytes(folder));
    let error = |source| BackupError::Source { path: path.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(error)? {
        names.push(entry.map_err(error)?.file_name().into_vec());
    }
    names.sort_unstable();
    Ok(names)
}

impl Target {
    fn add_at_root(&mut self, path: &[u8], is_explicit: bool) -> Result<(), BackupError> {
        let parts = parts(path);
        let Some((first, rest)) = parts.split_first() else {
            return Err(BackupError::Place { path: to_path(path.to_vec()) });
        };
        let origin = origin(path);
        let is_free = |name: &Vec<u8>| self.below.get(name).is_none_or(|target| target.origin == origin);
        let numbered = (1..).map(|number: u32| [first, format!("-{number}").as_bytes()].concat());
        let Some(name) = std::iter::once(first.clone()).chain(numbered).find(is_free) else { return Ok(()) };
        let metadata_path = lexical::join(&origin, first);
        let target = self.below.entry(name).or_default();
        target.origin = origin;
        if rest.is_empty() {
            // restic lets the last of several have the place; they are the same path.
            (target.path, target.is_explicit) = (Some(path.to_vec()), is_explicit);
            return Ok(());
        }
        target.metadata_path = metadata_path;
        target.add(path, rest, is_explicit)
    }

    fn add(&mut self, path: &[u8], parts: &[Vec<u8>], is_explicit: bool) -> Result<(), BackupError> {
        let Some((name, rest)) = parts.split_first() else { return Ok(()) };
        let metadata_path = lexical::join(&self.metadata_path, name);
        let target = self.below.entry(name.clone()).or_default();
        if !rest.is_empty() {
            target.metadata_path = metadata_path;
            return target.add(path, rest, is_explicit);
        }
        if target.path.is_some() {
            return Err(BackupError::Place { path: to_path(path.to_vec()) });
        }
        (target.path, target.is_explicit) = (Some(path.to_vec()), is_explicit);
        Ok(())
    }

    /// Puts what is in a path that was named beside what was named below it.
    fn unroll(&mut self) -> Result<(), BackupError> {
        if let Some(path) = self.path.take_if(|_| !self.below.is_empty()) {
            self.is_explicit = false;
            for name in names_in(&path)? {
                let entry = lexical::join(&path, &name);
                let target = self.below.entry(name).or_default();
                match &target.path {
                    None => target.path = Some(entry),
                    Some(named) if *named == entry => {}
                    Some(_) => return Err(BackupError::Place { path: to_path(entry) }),
                }
            }
        }
        self.below.values_mut().try_for_each(Self::unroll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as lines `place = path`, with `!` for explicit ones and `(metadata)` of directories in between.
    fn lines(target: &Target, place: &str, lines: &mut Vec<String>) {
        for (name, target) in &target.below {
            let place = format!("{place}/{}", String::from_utf8_lossy(name));
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            match &target.path {
                Some(path) => {
                    let mark = if target.is_explicit { "!" } else { "" };
                    lines.push(format!("{place} = {}{mark}", text(path)));
                }
                None => lines.push(format!("{place} ({})", text(&target.metadata_path))),
            }
            self::lines(target, &place, lines);
        }
    }

    fn tree(paths: &[&str]) -> Vec<String> {
        let paths = paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let mut found = Vec::new();
        lines(&resolve(&paths).unwrap(), "", &mut found);
        found
    }

    #[test]
    fn paths_stand_where_restic_puts_them() {
        assert_eq!(tree(&["foo"]), ["/foo = foo!"]);
        assert_eq!(tree(&["/a/b/"]), ["/a (/a)", "/a/b = /a/b!"]);
        assert_eq!(tree(&["foo/x", "foo/y"]), ["/foo (foo)", "/foo/x = foo/x!", "/foo/y = foo/y!"]);
        assert_eq!(tree(&["../x/y"]), ["/x (../x)", "/x/y = ../x/y!"]);
        assert_eq!(tree(&["./a", "a"]), ["/a = a!"]);
        assert_eq!(tree(&["x/../b"]), ["/b = b!"]);
    }

    #[test]
    fn names_of_different_origin_do_not_share_a_place() {
        assert_eq!(tree(&["foo", "../foo", "/foo"]), ["/foo = foo!", "/foo-1 = ../foo!", "/foo-2 = /foo!"]);
        assert_eq!(
            tree(&["foo/a", "../foo/a"]),
            ["/foo (foo)", "/foo/a = foo/a!", "/foo-1 (../foo)", "/foo-1/a = ../foo/a!"]
        );
    }

    #[test]
    fn what_is_named_twice_is_taken_apart() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let path = folder.path().to_str().unwrap();
        let below = format!("{path}/b");
        let found = tree(&[path, &below]);
        assert!(found.contains(&format!("{path} ({path})")), "{found:?}");
        assert!(found.contains(&format!("{path}/a = {path}/a")), "{found:?}");
        assert!(found.contains(&format!("{path}/b = {path}/b!")), "{found:?}");
    }

    #[test]
    fn the_working_directory_stands_as_what_is_in_it() {
        let found = tree(&["."]);
        assert!(found.contains(&"/Cargo.toml = Cargo.toml".to_owned()), "{found:?}");
    }
}
