//! Kuma's data directory: where the database is, and whether it is the one in use.

use std::path::{Path, PathBuf};

use super::KumaError;

/// Where a Kuma keeps what it knows: `kuma.db`, `db-config.json`, `upload/`, `docker-tls/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    path: PathBuf,
    database: PathBuf,
}

impl DataDir {
    /// Finds the data directory as Kuma's own `DATA_DIR` does: the one given; else, of a database given, its directory;
    /// else `/app/data` where it exists, else `./data`.
    ///
    /// Fails when `db-config.json` there names a database server: a `kuma.db` may lie beside it, unused since long.
    pub fn find(data_dir: Option<&Path>, database: Option<&Path>) -> Result<DataDir, KumaError> {
        let path = match (data_dir, database.and_then(Path::parent)) {
            (Some(given), _) => given.to_owned(),
            (None, Some(parent)) if parent.as_os_str().is_empty() => PathBuf::from("."),
            (None, Some(parent)) => parent.to_owned(),
            (None, None) if Path::new("/app/data").is_dir() => PathBuf::from("/app/data"),
            (None, None) => PathBuf::from("data"),
        };
        let database = database.map_or_else(|| path.join("kuma.db"), Path::to_owned);
        check_db_config(&path.join("db-config.json"))?;
        Ok(DataDir { path, database })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Kuma's version, where the data directory lies in Kuma's own folder, as in its container image.
    #[must_use]
    pub fn kuma_version(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.path.join("..").join("package.json")).ok()?;
        let package: serde_json::Value = serde_json::from_str(&text).ok()?;
        (package.get("name")? == "uptime-kuma").then(|| Some(package.get("version")?.as_str()?.to_owned()))?
    }
}

/// Kuma 1.x has no such file; 2.x writes one, and goes by it even if a `kuma.db` lies there.
fn check_db_config(path: &Path) -> Result<(), KumaError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(()),
        Err(source) => return Err(KumaError::File { action: "read", path: path.to_owned(), source }),
    };
    let bad = |reason: String| KumaError::DbConfig { path: path.to_owned(), reason };
    let config: serde_json::Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    match config.get("type").and_then(serde_json::Value::as_str) {
        Some("sqlite") => Ok(()),
        Some(kind) => Err(KumaError::NotSqliteBackend { path: path.to_owned(), kind: kind.to_owned() }),
        None => Err(bad("it has no \"type\"".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_config(config: &str) -> Result<DataDir, KumaError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("db-config.json"), config).unwrap();
        DataDir::find(Some(dir.path()), None)
    }

    #[test]
    fn a_database_given_by_name_brings_its_directory() {
        let found = DataDir::find(None, Some(Path::new("/nowhere/x.db"))).unwrap();
        assert_eq!((found.path(), found.database()), (Path::new("/nowhere"), Path::new("/nowhere/x.db")));
        let found = DataDir::find(None, Some(Path::new("x.db"))).unwrap();
        assert_eq!((found.path(), found.database()), (Path::new("."), Path::new("x.db")));
    }

    #[test]
    fn mariadb_is_refused_even_beside_a_kuma_db() {
        assert!(with_config(r#"{"type":"sqlite"}"#).is_ok());
        for kind in ["mariadb", "embedded-mariadb"] {
            let error = with_config(&format!(r#"{{"type":"{kind}"}}"#)).unwrap_err();
            assert!(matches!(error, KumaError::NotSqliteBackend { kind: ref named, .. } if named == kind), "{error}");
        }
        assert!(matches!(with_config("{}"), Err(KumaError::DbConfig { .. })));
        assert!(matches!(with_config("not json"), Err(KumaError::DbConfig { .. })));
    }

    #[test]
    fn the_version_is_read_from_kumas_own_package() {
        let app = tempfile::tempdir().unwrap();
        std::fs::write(app.path().join("package.json"), r#"{"name":"uptime-kuma","version":"2.5.3"}"#).unwrap();
        let data = app.path().join("data");
        std::fs::create_dir(&data).unwrap();
        assert_eq!(DataDir::find(Some(&data), None).unwrap().kuma_version().as_deref(), Some("2.5.3"));
        std::fs::write(app.path().join("package.json"), r#"{"name":"other","version":"1"}"#).unwrap();
        assert_eq!(DataDir::find(Some(&data), None).unwrap().kuma_version(), None);
    }
}
