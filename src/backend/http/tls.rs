//! Whom to trust: the files that were named, else the system's certificates where there are any, else those compiled in.
//!
//! A host without CA files (an empty container) is a normal one: nothing here fails because a file that nobody named is
//! missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use zeroize::Zeroizing;

use crate::backend::error::{ErrorKind, Failure};
use crate::backend::options::{BackendOptions, Environment};

/// Where distributions keep their bundle: Debian, Fedora and its kin, openSUSE, Alpine.
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub(super) fn config(options: &BackendOptions) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(ErrorKind::Tls, error))?;
    let builder = if options.insecure_tls {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
    } else {
        builder.with_root_certificates(roots(&options.cacerts, &options.environment)?)
    };
    let mut config = match &options.client_cert {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let (chain, key) = own_certificate(path)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(path, &error.to_string()))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(cacerts: &[PathBuf], environment: &Environment) -> Result<RootCertStore, Failure> {
    let variable = || environment.get("SSL_CERT_FILE").map(PathBuf::from).into_iter().collect();
    let named: Vec<PathBuf> = if cacerts.is_empty() { variable() } else { cacerts.to_vec() };
    if named.is_empty() {
        return Ok(SYSTEM_BUNDLES.iter().find_map(|path| system_roots(path)).unwrap_or_else(compiled_in_roots));
    }
    named_roots(&named)
}

fn unusable(path: &Path, problem: &str) -> Failure {
    Failure::new(ErrorKind::Setting, format!("{}: {problem}", path.display()))
}

/// A certificate, with those between it and a root, and its key: both in one file, as restic has it.
fn own_certificate(path: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
    let pem = Zeroizing::new(fs::read(path).map_err(|error| unusable(path, &error.to_string()))?);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).flatten().collect();
    if chain.is_empty() {
        return Err(unusable(path, "no certificate in it (PEM expected)"));
    }
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| unusable(path, "no key in it that is not encrypted"))?;
    Ok((chain, key))
}

/// Trusts every server that has the key of the certificate it shows.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn named_roots(paths: &[PathBuf]) -> Result<RootCertStore, Failure> {
    let mut all = RootCertStore::empty();
    for path in paths {
        let pem = fs::read(path).map_err(|error| unusable(path, &error.to_string()))?;
        let roots = roots_of(&pem).ok_or_else(|| unusable(path, "no certificate in it (PEM expected)"))?;
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
            let server = BackendOptions { cacerts: vec![path.clone()], ..BackendOptions::default() };
            let client = BackendOptions { client_cert: Some(path.clone()), ..BackendOptions::default() };
            for options in [server, client] {
                let failure = config(&options).expect_err("unusable");
                assert_eq!(failure.kind, ErrorKind::Setting);
                assert!(failure.source.expect("a source").to_string().contains("ca.pem"));
            }
        }
        let environment = [("SSL_CERT_FILE", "/nonexistent/ca.pem")].into_iter().collect();
        assert_eq!(roots(&[], &environment).expect_err("unusable").kind, ErrorKind::Setting);
    }

    #[test]
    fn a_host_without_certificates_has_those_compiled_in() {
        assert!(compiled_in_roots().len() > 50);
        assert!(system_roots("/nonexistent").is_none());
        config(&BackendOptions::default()).expect("whatever this host has");
    }
}
