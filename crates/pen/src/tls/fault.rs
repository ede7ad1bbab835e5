//! What went wrong in a session: a closed reason to count, and words for the operator.

use pen_core::near::shown;
use pen_core::reasons::TlsFault;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::Trouble;

impl Trouble {
    /// Nonsense from somebody who never spoke TLS is not malformed TLS. `first` says what the first
    /// bytes looked like.
    pub(super) fn or_not_tls(self, first: Option<TlsFault>) -> Self {
        match (self.fault, first) {
            (TlsFault::Malformed, Some(fault)) => Self { fault, ..self },
            _ => self,
        }
    }

    /// Where there is no certificate, the operator wants to know for whom.
    pub(super) fn of_name(self, name: Option<&str>) -> Self {
        let detail = match (self.fault, name) {
            (TlsFault::NoCertificateForName, Some(name)) => {
                format!("no certificate is for {}", shown(name))
            }
            (TlsFault::NoCertificateForName, None) => "it asks for no name".to_owned(),
            _ => return self,
        };
        Self { detail, ..self }
    }
}

/// What somebody speaks whose first bytes are no TLS record.
pub(super) fn not_tls(first: &[u8]) -> Option<TlsFault> {
    const HANDSHAKE: u8 = 22;
    const METHODS: [&[u8]; 8] =
        [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"CONN", b"PRI "];
    match first {
        [] | [HANDSHAKE, ..] => None,
        _ if METHODS.iter().any(|m| first.starts_with(m)) => Some(TlsFault::PlainHttp),
        _ => Some(TlsFault::NotTls),
    }
}

/// Sorts an error of rustls.
pub(super) fn fault_of(error: &Error) -> Trouble {
    use PeerIncompatible as P;
    let fault = match error {
        Error::PeerIncompatible(
            P::NoCipherSuitesInCommon
            | P::NoKxGroupsInCommon
            | P::NoSignatureSchemesInCommon
            | P::NoCertificateRequestSignatureSchemesInCommon
            | P::NoEcPointFormatsInCommon,
        ) => TlsFault::NothingInCommon,
        Error::PeerIncompatible(
            P::SupportedVersionsExtensionRequired
            | P::ServerDoesNotSupportTls12Or13
            | P::ServerTlsVersionIsDisabledByOurConfig
            // What is older than TLS 1.2 does not know it.
            | P::SignatureAlgorithmsExtensionRequired
            | P::Tls12NotOffered
            | P::Tls12NotOfferedOrEnabled,
        ) => TlsFault::NoCommonVersion,
        Error::PeerIncompatible(_) => TlsFault::NothingInCommon,
        Error::NoApplicationProtocol => TlsFault::NoCommonProtocol,
        Error::NoCertificatesPresented => TlsFault::CertificateMissing,
        Error::InvalidCertificate(_) | Error::InvalidCertRevocationList(_) => {
            TlsFault::CertificateRefused
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsFault::NoCommonVersion,
        Error::AlertReceived(_) => TlsFault::AlertReceived,
        Error::General(why) if why.contains("certificate") => TlsFault::NoCertificateForName,
        Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => TlsFault::Malformed,
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord
        | Error::DecryptError => TlsFault::Malformed,
        _ => TlsFault::Broken,
    };
    let reason = match error {
        Error::InvalidCertificate(why) => reason(why).map(str::to_owned),
        _ => None,
    };
    Trouble { fault, detail: reason.unwrap_or_else(|| error.to_string()) }
}

/// Why a certificate is refused, where the library has one word only.
fn reason(why: &CertificateError) -> Option<&'static str> {
    Some(match why {
        CertificateError::UnknownIssuer => {
            "unknown issuer: none of the authorities that are trusted here vouches for the certificate"
        }
        CertificateError::BadSignature => "the certificate is not signed by the issuer it names",
        CertificateError::Revoked => "the certificate is revoked",
        CertificateError::UnknownRevocationStatus => {
            "no revocation list speaks of the certificate and of all above it"
        }
        CertificateError::BadEncoding => "the certificate cannot be read",
        CertificateError::UnhandledCriticalExtension => {
            "the certificate has a critical extension that is not understood"
        }
        CertificateError::Other(why) if why.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate is an authority's own (CA:TRUE); a server or client shows one of its own, \
             made with basicConstraints=CA:FALSE"
        }
        _ => return None,
    })
}
