//! Whom to trust: the files that were named, else the system's certificates where there are any, else those compiled in.
//!
//! A host without CA files (an empty container) is a normal one: nothing here fails because a file that nobody named is
//! missing.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::backend::error::{ErrorKind, Failure};
use crate::backend::options::Environment;

/// Where distributions keep their bundle: Debian, Fedora and its kin, openSUSE, Alpine.
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub(super) fn config(cacerts: &[PathBuf], environment: &Environment) -> Result<ClientConfig, Failure> {
    let variable = || environment.get("SSL_CERT_FILE").map(PathBuf::from).into_iter().collect();
    let named: Vec<PathBuf> = if cacerts.is_empty() { variable() } else { cacerts.to_vec() };
    let roots = if named.is_empty() {
        SYSTEM_BUNDLES.iter().find_map(|path| system_roots(path)).unwrap_or_else(compiled_in_roots)
    } else {
        named_roots(&named)?
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(ErrorKind::Tls, error))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn named_roots(paths: &[PathBuf]) -> Result<RootCertStore, Failure> {
    let mut all = RootCertStore::empty();
    for path in paths {
        let unusable = |problem: &str| Failure::new(ErrorKind::Setting, format!("{}: {problem}", path.display()));
        let pem = fs::read(path).map_err(|error| unusable(&error.to_string()))?;
        let roots = roots_of(&pem).ok_or_else(|| unusable("no certificate in it (PEM expected)"))?;
        all.extend(roots.roots);
    }
    Ok(all)
}

fn system_roots(path: &str) -> Option<RootCertStore> {
    roots_of(&fs::read(path).ok()?)
}

/// The certificates of a bundle, without those that cannot be used; none if there is not one.
fn roots_of(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
    (!roots.is_empty()).then_some(roots)
}

fn compiled_in_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_that_is_missing_or_no_certificate_is_a_clear_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        for content in [None, Some("not a certificate")] {
            if let Some(content) = content {
                fs::write(&path, content).expect("a file");
            }
            let failure = config(std::slice::from_ref(&path), &Environment::empty()).expect_err("unusable");
            assert_eq!(failure.kind, ErrorKind::Setting);
            assert!(failure.source.expect("a source").to_string().contains("ca.pem"));
        }
        let environment = [("SSL_CERT_FILE", "/nonexistent/ca.pem")].into_iter().collect();
        assert_eq!(config(&[], &environment).expect_err("unusable").kind, ErrorKind::Setting);
    }

    #[test]
    fn a_host_without_certificates_has_those_compiled_in() {
        assert!(compiled_in_roots().len() > 50);
        assert!(system_roots("/nonexistent").is_none());
        config(&[], &Environment::empty()).expect("whatever this host has");
    }
}
