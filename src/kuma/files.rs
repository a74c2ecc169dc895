//! Files that are configuration too: logos in `upload/`, keys in `docker-tls/`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::changes::FileChange;
use super::datadir::DataDir;
use super::decode::Decoded;
use super::dump::Dump;
use super::{KumaError, SnapshotFile, Value};

/// A larger file is not taken into a snapshot.
const FILE_AT_MOST_BYTES: u64 = 32 << 20;

/// Whether a file of a snapshot may be written below a data directory: nothing but `upload/NAME` and
/// `docker-tls/HOST/NAME`, so that no path can lead anywhere else.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let plain = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains('\0');
    let known = matches!(parts.as_slice(), ["upload", _] | ["docker-tls", _, _]);
    if known && parts.iter().all(plain) { Ok(()) } else { Err("no file of Kuma's configuration has such a path") }
}

/// Reads the files that the configuration refers to. What cannot be taken is told in words: a page without its logo is
/// better than no replica.
pub fn collect(data: &DataDir, dump: &Dump) -> Result<(Vec<SnapshotFile>, Vec<String>), KumaError> {
    let (mut files, mut warnings) = (Vec::new(), Vec::new());
    let uploads = uploads(dump).into_iter().map(|path| (path, true));
    let keys = docker_hosts(dump)
        .into_iter()
        .flat_map(|host| ["ca.pem", "cert.pem", "key.pem"].map(|name| (format!("docker-tls/{host}/{name}"), false)));
    for (path, expected) in uploads.chain(keys) {
        let full = data.path().join(&path);
        match fs::symlink_metadata(&full) {
            Ok(metadata) if !metadata.is_file() => warnings.push(format!("{path} is left out: it is no regular file")),
            Ok(metadata) if metadata.len() > FILE_AT_MOST_BYTES => {
                warnings.push(format!("{path} is left out: it is larger than {} MiB", FILE_AT_MOST_BYTES >> 20));
            }
            Ok(_) => files.push(SnapshotFile { bytes: read(&full)?, path }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                warnings.extend(expected.then(|| format!("{path} is missing, although a status page refers to it")));
            }
            Err(source) => return Err(KumaError::File { action: "look at", path: full, source }),
        }
    }
    Ok((files, warnings))
}

fn read(path: &Path) -> Result<Vec<u8>, KumaError> {
    fs::read(path).map_err(|source| KumaError::File { action: "read", path: path.to_owned(), source })
}

/// The files of `upload/` that status pages name: in their icon, or in their style sheet and texts.
fn uploads(dump: &Dump) -> BTreeSet<String> {
    let Some(pages) = dump.table("status_page") else { return BTreeSet::new() };
    let texts = pages.rows.iter().flatten().filter_map(Value::as_text);
    let name = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(rest.len());
        format!("upload/{}", rest.get(..end).unwrap_or_default())
    };
    let named = texts.flat_map(|text| text.split("/upload/").skip(1).map(name));
    named.filter(|path| check_path(path).is_ok()).collect()
}

/// The host names under which Kuma looks for keys: those of Docker hosts that it reaches over TCP.
fn docker_hosts(dump: &Dump) -> BTreeSet<String> {
    let Some(table) = dump.table("docker_host") else { return BTreeSet::new() };
    let tcp = table.rows.iter().filter(|row| table.value(row, "docker_type").as_text() == Some("tcp"));
    let hosts = tcp.filter_map(|row| host_name(table.value(row, "docker_daemon").as_text()?));
    hosts.filter(|host| check_path(&format!("docker-tls/{host}/ca.pem")).is_ok()).collect()
}

/// The host of an address as `new URL(address).hostname` gives it, for addresses that have a port, a user or a path.
fn host_name(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.find(']') {
        Some(end) => host.get(..=end)?,
        None => host.split(':').next()?,
    };
    Some(host.to_ascii_lowercase())
}

/// Of the snapshot's files those whose table takes part.
pub(super) fn selected<'a>(wanted: &'a Decoded, dump: &Dump) -> Vec<&'a SnapshotFile> {
    let owner = |path: &str| if path.starts_with("upload/") { "status_page" } else { "docker_host" };
    wanted.files.iter().filter(|file| dump.table(owner(&file.path)).is_some()).collect()
}

/// Which of `files` are not in the data directory with the same content.
pub(super) fn differences(data: &Path, files: &[&SnapshotFile]) -> Result<Vec<FileChange>, KumaError> {
    let mut changes = Vec::new();
    for file in files {
        let present = match fs::read(data.join(&file.path)) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(KumaError::File { action: "read", path: data.join(&file.path), source }),
        };
        if present.as_ref() != Some(&file.bytes) {
            changes.push(FileChange {
                path: file.path.clone(),
                old_size_bytes: present.map(|bytes| bytes.len() as u64),
                new_size_bytes: file.bytes.len() as u64,
            });
        }
    }
    Ok(changes)
}

/// Which of `new` are not in `old` with the same content.
#[must_use]
pub fn compare(old: &[SnapshotFile], new: &[SnapshotFile]) -> Vec<FileChange> {
    let before = |file: &SnapshotFile| old.iter().find(|old| old.path == file.path);
    let changed = new.iter().filter(|file| before(file) != Some(file));
    let change = |file: &SnapshotFile| FileChange {
        path: file.path.clone(),
        old_size_bytes: before(file).map(|old| old.bytes.len() as u64),
        new_size_bytes: file.bytes.len() as u64,
    };
    changed.map(change).collect()
}

/// New files, written and synced beside their places; dropped, they are removed again.
pub(super) struct StagedFiles {
    files: Vec<(NamedTempFile, PathBuf)>,
}

impl StagedFiles {
    /// Writes those of `files` that `changes` names.
    pub(super) fn write(
        data: &DataDir,
        files: &[&SnapshotFile],
        changes: &[FileChange],
    ) -> Result<StagedFiles, KumaError> {
        let mut staged = StagedFiles { files: Vec::new() };
        let owner = Owner::of(data.database());
        for file in files.iter().filter(|file| changes.iter().any(|change| change.path == file.path)) {
            // The path was checked when the snapshot was read; it is once more where it does harm.
            check_path(&file.path).map_err(|reason| super::decode::bad(&file.path, reason))?;
            let target = data.path().join(&file.path);
            let secret = file.path.starts_with("docker-tls/");
            let written = write_beside(&target, &file.bytes, secret, &owner);
            staged.files.push((written.map_err(|source| failed("write", &target, source))?, target));
        }
        Ok(staged)
    }

    /// Renames the files to their places, which cannot fail for lack of space.
    pub(super) fn put_in_place(self) -> Result<(), KumaError> {
        for (file, target) in self.files {
            file.persist(&target).map_err(|error| failed("put in place", &target, error.error))?;
            let folder = target.parent().and_then(|folder| fs::File::open(folder).ok());
            folder.map_or(Ok(()), |folder| folder.sync_all()).map_err(|source| failed("sync", &target, source))?;
        }
        Ok(())
    }
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> KumaError {
    match source.kind() {
        std::io::ErrorKind::StorageFull => KumaError::Full { path: path.to_owned() },
        _ => KumaError::File { action, path: path.to_owned(), source },
    }
}

fn write_beside(target: &Path, bytes: &[u8], secret: bool, owner: &Owner) -> std::io::Result<NamedTempFile> {
    let folder = target.parent().unwrap_or(Path::new("."));
    create_folders(folder, owner)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    let mode = if secret { 0o600 } else { 0o644 };
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    owner.give(file.path())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn create_folders(folder: &Path, owner: &Owner) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent, owner)?;
    }
    fs::create_dir(folder)?;
    owner.give(folder)
}

/// Whose Kuma it is: files must be his, even if root applies.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn of(database: &Path) -> Owner {
        let root = rustix::process::geteuid().is_root();
        let owner = fs::metadata(database).ok().map(|metadata| (metadata.uid(), metadata.gid()));
        Owner(owner.filter(|_| root))
    }

    fn give(&self, path: &Path) -> std::io::Result<()> {
        self.0.map_or(Ok(()), |(uid, gid)| std::os::unix::fs::chown(path, Some(uid), Some(gid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_kinds_of_paths_may_be_written() {
        for good in ["upload/logo1.png", "docker-tls/host/ca.pem", "upload/..logo"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "upload",
            "upload/",
            "upload/..",
            "upload/.",
            "../kuma.db",
            "upload/../kuma.db",
            "/etc/passwd",
            "kuma.db",
            "upload/a/b",
            "docker-tls/ca.pem",
            "docker-tls/../ca.pem",
            "docker-tls//ca.pem",
            "docker-tls/h/..",
            "upload/a\0b",
            "db-config.json",
        ] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_docker_hosts_name_is_that_of_its_url() {
        let name = |address: &str| host_name(address).unwrap_or_default();
        assert_eq!(name("https://Example.com:2376"), "example.com");
        assert_eq!(name("tcp://user@10.0.0.1:2376/x"), "10.0.0.1");
        assert_eq!(name("http://[::1]:2375"), "[::1]");
        assert_eq!(host_name("/var/run/docker.sock"), None);
    }
}
