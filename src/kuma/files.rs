//! Files that are configuration too: logos in `upload/`, keys in `docker-tls/`.

/// Whether a file of a snapshot may be written below a data directory: nothing but `upload/NAME` and
/// `docker-tls/HOST/NAME`, so that no path can lead anywhere else.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let plain = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains('\0');
    let known = matches!(parts.as_slice(), ["upload", _] | ["docker-tls", _, _]);
    if known && parts.iter().all(plain) { Ok(()) } else { Err("no file of Kuma's configuration has such a path") }
}
