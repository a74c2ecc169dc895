//! TLS before any server on loopback, by a certificate authority that lives as long as the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// An authority with its files in a folder.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("a file");
        Self { folder, root: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// The file for `--cacert`.
    pub(crate) fn cacert(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for `name` and its key in one file, as for `--tls-client-cert`.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = self.folder.path().join(format!("{name}.pem"));
        std::fs::write(&path, certificate.pem() + &key.serialize_pem()).expect("a file");
        path
    }

    /// TLS before the server at `upstream`, on the port returned; it runs until the process ends. It goes by the name
    /// `localhost`, and wants a certificate of this authority from its clients if told so.
    pub(crate) fn terminate(&self, upstream: u16, wants_certificate: bool) -> u16 {
        let acceptor = TlsAcceptor::from(Arc::new(self.server(&self.certificate("localhost"), wants_certificate)));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        listener.set_nonblocking(true).expect("a socket option");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((client, _)) = listener.accept().await {
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        // A client that goes away, or is sent away, is what some tests are about.
                        let mut client = acceptor.accept(client).await.ok()?;
                        let mut server = tokio::net::TcpStream::connect(("127.0.0.1", upstream)).await.ok()?;
                        tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
                    });
                }
            });
        });
        port
    }

    fn server(&self, certificate: &Path, wants_certificate: bool) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if wants_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let pem = std::fs::read(certificate).expect("a file");
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(&pem).expect("a key");
        builder.with_single_cert(chain, key).expect("a server")
    }
}
