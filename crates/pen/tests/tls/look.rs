//! What a client is shown: its certificate, what is stapled, what was agreed. It believes everything.

use std::io;
use std::sync::{Arc, Mutex};

use pen_test::{Identity, Pen};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme,
    StreamOwned,
};

use crate::hall::{NAME, read_line, socket};

/// What a client got to see.
#[derive(Debug)]
pub struct Shown {
    /// The certificate; an empty one in a session that was resumed.
    pub certificate: CertificateDer<'static>,
    /// The OCSP response; empty if there was none.
    pub ocsp: Vec<u8>,
    /// It went on where an earlier session ended.
    pub resumed: bool,
}

/// A client that looks.
pub struct Looker {
    config: ClientConfig,
    witness: Arc<Witness>,
}

impl Looker {
    /// One that speaks TLS 1.2 and 1.3, and resumes nothing.
    pub fn new() -> Self {
        let provider = aws_lc_rs::default_provider();
        let witness = Arc::new(Witness { provider, seen: Mutex::default() });
        let verifier = Arc::clone(&witness);
        let mut config = ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self { config, witness }
    }

    /// One that resumes sessions.
    pub fn that_returns() -> Self {
        let mut looker = Self::new();
        looker.config.resumption = Resumption::in_memory_sessions(8);
        looker
    }

    /// One that names no server.
    pub fn nameless() -> Self {
        let mut looker = Self::new();
        looker.config.enable_sni = false;
        looker
    }

    /// It shows a certificate when it is asked for one.
    pub fn showing(mut self, identity: &Identity) -> Self {
        self.config.client_auth_cert_resolver = Arc::new(credentials(identity));
        self
    }

    /// Asks `pen` for `name` and waits for a server's greeting.
    ///
    /// # Errors
    /// Pen refuses; the text holds the alert.
    pub fn look(&self, pen: &Pen, name: &str) -> io::Result<Shown> {
        *self.witness.seen.lock().expect("a witness") = None;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let session = ClientConnection::new(Arc::new(self.config.clone()), name);
        let mut client = StreamOwned::new(session.expect("a session"), socket(pen));
        let greeting = read_line(&mut client)?;
        assert!(greeting.starts_with("s0 "), "{greeting}");
        let seen = self.witness.seen.lock().expect("a witness").take();
        let (certificate, ocsp) = seen.unwrap_or((CertificateDer::from(Vec::new()), Vec::new()));
        Ok(Shown {
            certificate,
            ocsp,
            resumed: client.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    /// The same for the default certificate's name; why it is refused as a text.
    pub fn refusal(&self, pen: &Pen) -> String {
        self.look(pen, NAME).expect_err("it is let in").to_string()
    }
}

/// The certificate of `identity`.
pub fn der(identity: &Identity) -> CertificateDer<'static> {
    identity.der.clone().into()
}

/// What a client shows that is `identity`.
pub fn credentials(identity: &Identity) -> SingleCertAndKey {
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let provider = aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(vec![der(identity)], key, &provider);
    SingleCertAndKey::from(pair.expect("a pair"))
}

/// Takes note of what it is shown, and accepts it.
#[derive(Debug)]
struct Witness {
    provider: CryptoProvider,
    seen: Mutex<Option<(CertificateDer<'static>, Vec<u8>)>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = (certificate.clone().into_owned(), ocsp.to_vec());
        *self.seen.lock().expect("a witness") = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
