//! Certificates, files and handshakes for the tests of this folder.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use pen_test::Scratch;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SerialNumber,
};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use x509_ocsp::CertStatus;

use super::certificate::Certificate;

/// A certificate authority.
pub(super) struct Authority {
    pub(super) issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(super) struct Made {
    pub(super) pem: String,
    pub(super) key: String,
    pub(super) der: CertificateDer<'static>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name), KeyPair::generate().unwrap());
        Self { issuer: issuer.unwrap() }
    }

    /// One that this one vouches for.
    pub(super) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(authority(name), key, &self.issuer);
        Self { issuer: issuer.unwrap() }
    }

    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names.
    pub(super) fn leaf(&self, names: &[&str]) -> Made {
        self.leaf_with(names, |_| {})
    }

    pub(super) fn leaf_with(
        &self,
        names: &[&str],
        change: impl Fn(&mut CertificateParams),
    ) -> Made {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, names.concat());
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Made { pem: made.pem(), key: key.serialize_pem(), der: made.der().clone() }
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(7));
    params
}

impl Made {
    /// Certificate and key in one text.
    pub(super) fn both(&self) -> String {
        format!("{}{}", self.key, self.pem)
    }
}

/// A moment at which what is made here holds.
pub(super) fn now_s() -> i64 {
    crate::clock::wall().0
}

/// Writes a file and answers its path.
pub(super) fn file(scratch: &Scratch, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = scratch.dir().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Runs openssl; `false`, with a line that says so, if it is not installed.
pub(super) fn openssl(at: &Path, line: &str) -> bool {
    let ran = Command::new("openssl").args(line.split(' ')).current_dir(at).output();
    match ran {
        Ok(out) => {
            assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
            true
        }
        Err(e) => {
            eprintln!("skipped: openssl {line}: {e}");
            false
        }
    }
}

/// What came of a handshake, as the client sees it.
#[derive(Debug)]
pub(super) struct Shaken {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) resumed: bool,
    pub(super) cipher: String,
    pub(super) alpn: Option<Vec<u8>>,
}

/// A client that trusts `authority`, and may show a certificate.
pub(super) fn client(authority: &Authority, shows: Option<&Made>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.issuer.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shows {
        None => builder.with_no_client_auth(),
        Some(made) => {
            use rustls::pki_types::pem::PemObject;
            let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![made.der.clone()], key).unwrap()
        }
    };
    config.resumption = Resumption::in_memory_sessions(16);
    config
}

/// Lets a client and a server shake hands in memory.
///
/// # Errors
/// What the server, or else the client, says.
pub(super) fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<Shaken, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server))?;
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |piece| server.read_tls(piece));
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |piece| client.read_tls(piece));
        client.process_new_packets()?;
        if !client.is_handshaking() && !server.is_handshaking() && !client.wants_write() {
            // Tickets come with the first bytes of TLS 1.3.
            server.writer().write_all(b"x").unwrap();
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            feed(&wire, |piece| client.read_tls(piece));
            client.process_new_packets()?;
            break;
        }
    }
    Ok(Shaken {
        certificate: client.peer_certificates().unwrap()[0].clone().into_owned(),
        resumed: client.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        cipher: format!("{:?}", client.negotiated_cipher_suite().unwrap().suite()),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
    })
}

fn feed(mut wire: &[u8], mut take: impl FnMut(&mut dyn Read) -> std::io::Result<usize>) {
    while !wire.is_empty() {
        take(&mut wire).unwrap();
    }
}

/// What an OCSP responder says of a certificate, from a second to a second.
pub(super) fn ocsp(
    leaf: &Certificate,
    issuer: &Certificate,
    status: CertStatus,
    time: (i64, Option<i64>),
) -> Vec<u8> {
    pen_test::ocsp_response(&leaf.der, &issuer.der, status, time)
}
