//! The TLS settings of a service. It speaks TLS with its clients when it has a certificate.
//!
//! Files are named here, never read: loading them is the daemon's.

use crate::ciphers::Ciphers;
use crate::limits;

/// TLS towards the clients of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificate and chain, perhaps the key too (`-E`). Without it the service is plain.
    pub certificate: Option<String>,
    /// The key, if it is in a file of its own (`-K`).
    pub key: Option<String>,
    /// Certificate authorities (`-G`): they verify clients and complete chains.
    pub ca_file: Option<String>,
    /// A directory of them (`-A`).
    pub ca_dir: Option<String>,
    /// Revoked client certificates.
    pub crl: Option<String>,
    /// Whether clients must show a certificate (`-R`).
    pub clients: ClientCertificates,
    /// Ciphers; `None` is all there are.
    pub ciphers: Option<Ciphers>,
    /// Versions switched off, whose order of ciphers counts.
    pub options: TlsOptions,
    /// The directory of certificates by server name.
    pub sni_path: Option<String>,
    /// Clients that name no server, or an unknown one, are refused.
    pub sni_strict: bool,
    /// The OCSP response of the certificate.
    pub ocsp_response: Option<String>,
    /// Protocols offered, the preferred one first; none = ALPN is not answered.
    pub alpn: Vec<String>,
    /// Clients that come back may send data with their first packet, which others can replay.
    pub early_data: bool,
    /// Clients may resume a session by a ticket.
    pub tickets: bool,
    /// Seconds a handshake may take, at least 1.
    pub handshake_timeout_s: u32,
    /// Unfinished handshakes of the process at which the oldest makes room, at least 1.
    pub handshakes_max: u32,
    /// Unfinished handshakes from one client address, at least 1.
    pub handshakes_per_client: u32,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            ca_file: None,
            ca_dir: None,
            crl: None,
            clients: ClientCertificates::Off,
            ciphers: None,
            options: TlsOptions::default(),
            sni_path: None,
            sni_strict: false,
            ocsp_response: None,
            alpn: Vec::new(),
            early_data: false,
            tickets: true,
            handshake_timeout_s: limits::TLS_HANDSHAKE_TIMEOUT_DEFAULT_S,
            handshakes_max: limits::TLS_HANDSHAKES_DEFAULT,
            handshakes_per_client: limits::TLS_HANDSHAKES_PER_CLIENT_DEFAULT,
        }
    }
}

impl Tls {
    /// Whether the service speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.certificate.is_some()
    }

    /// The settings that are there to protect something and do not, because the service has no
    /// certificate: their commands.
    #[must_use]
    pub fn idle_words(&self) -> Vec<&'static str> {
        if self.is_on() {
            return Vec::new();
        }
        [
            (self.key.is_some(), "ssl_key"),
            (self.clients != ClientCertificates::Off, "ssl_client_certificate"),
            (self.sni_path.is_some(), "ssl_sni_path"),
            (self.sni_strict, "ssl_sni_strict"),
        ]
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, word)| *word)
        .collect()
    }
}

/// `ssl_client_certificate`: what is asked of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// Not asked for.
    #[default]
    Off,
    /// Asked for; one that is shown must be good.
    Optional,
    /// Nobody without a good one gets in.
    Required,
}

impl ClientCertificates {
    /// Every one, with its word.
    pub const WORDS: [(&'static str, Self); 3] =
        [("off", Self::Off), ("optional", Self::Optional), ("required", Self::Required)];

    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// What `ssl_option` switches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// `no_tlsv1.2`
    pub no_tls12: bool,
    /// `no_tlsv1.3`
    pub no_tls13: bool,
    /// `cipher_server_preference`
    pub server_preference: bool,
}

/// One word of `ssl_option` that does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsOption {
    /// TLS 1.2 is not offered.
    NoTls12,
    /// TLS 1.3 is not offered.
    NoTls13,
    /// The order of `ssl_ciphers` counts, not the client's.
    ServerPreference,
}

impl TlsOption {
    /// Every one, with its word.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("no_tlsv1.2", Self::NoTls12),
        ("no_tlsv1.3", Self::NoTls13),
        ("cipher_server_preference", Self::ServerPreference),
    ];
}

impl TlsOptions {
    /// Where an option lives.
    pub fn of(&mut self, option: TlsOption) -> &mut bool {
        match option {
            TlsOption::NoTls12 => &mut self.no_tls12,
            TlsOption::NoTls13 => &mut self.no_tls13,
            TlsOption::ServerPreference => &mut self.server_preference,
        }
    }
}
