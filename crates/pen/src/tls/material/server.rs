//! Settings and certificates made into what the workers use.

use std::sync::Arc;

use pen_core::ciphers::{Ciphers, Suite};
use pen_core::config::{ClientCertificates, Tls};
use pen_core::limits;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suites};
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::authorities::Authorities;
use super::names::Shelf;
use crate::tls::Terminator;

#[cfg(test)]
pub(super) mod tests;

/// What lets clients resume sessions; one for all workers of a service. It lives as long as what
/// clients must show stays the same: a session of before must not slip past a new demand.
#[derive(Clone, Debug)]
pub(super) struct Resumption {
    tickets: Option<Arc<dyn ProducesTickets>>,
    sessions: Arc<dyn StoresServerSessions>,
    kind: Kind,
}

/// What a resumption is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    tickets: bool,
    early_data: bool,
    clients: ClientCertificates,
}

impl Kind {
    fn of(tls: &Tls) -> Self {
        Self { tickets: tls.tickets, early_data: tls.early_data, clients: tls.clients }
    }
}

impl Resumption {
    /// Sessions can be resumed by tickets, whose keys are in the library's care. Early data needs
    /// sessions that the server keeps, because each may bring such data only once.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn new(tls: &Tls) -> Result<Self, String> {
        let kind = Kind::of(tls);
        let mut tickets = None;
        let mut sessions: Arc<dyn StoresServerSessions> = Arc::new(NoServerSessionStorage {});
        if tls.early_data {
            sessions = ServerSessionMemoryCache::new(limits::TLS_SESSIONS_MAX);
        } else if tls.tickets {
            let made = aws_lc_rs::Ticketer::new();
            tickets = Some(made.map_err(|e| format!("keys for tickets cannot be made: {e}"))?);
        }
        Ok(Self { tickets, sessions, kind })
    }

    /// Whether it still does with these settings.
    pub(super) fn fits(&self, tls: &Tls) -> bool {
        self.kind == Kind::of(tls)
    }
}

/// Makes the terminator of a service.
///
/// # Errors
/// A sentence for the operator: these settings leave nothing to speak, or nobody to trust.
pub(super) fn build(
    tls: &Tls,
    shelf: Shelf,
    authorities: &Authorities,
    resumption: &Resumption,
) -> Result<Terminator, String> {
    let chosen = tls.ciphers.as_ref().map_or(Ciphers::all(), |list| list.suites());
    let offered = |suite: &&Suite| match suite.is_tls13() {
        true => !tls.options.no_tls13,
        false => !tls.options.no_tls12,
    };
    let chosen: Vec<&Suite> = chosen.iter().filter(offered).collect();
    if chosen.is_empty() {
        return Err("ssl_ciphers and ssl_option together leave no cipher to offer".to_owned());
    }
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for (version, tls13) in [(&TLS13, true), (&TLS12, false)] {
        if chosen.iter().any(|s| s.is_tls13() == tls13) {
            versions.push(version);
        }
    }
    let provider = Arc::new(CryptoProvider {
        cipher_suites: chosen.into_iter().map(|s| of_the_library(*s)).collect(),
        ..aws_lc_rs::default_provider()
    });
    let verifier = authorities.verifier(tls.clients, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|e| format!("these settings cannot be had: {e}"))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(shelf));
    config.ignore_client_order = tls.options.server_preference;
    config.alpn_protocols = tls.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    config.session_storage = Arc::clone(&resumption.sessions);
    match &resumption.tickets {
        Some(tickets) => config.ticketer = Arc::clone(tickets),
        None if !tls.early_data => config.send_tls13_tickets = 0,
        None => config.max_early_data_size = limits::TLS_EARLY_DATA_MAX,
    }
    Ok(Terminator { config: Arc::new(config) })
}

/// OpenSSL's name of a suite.
pub(in crate::tls) fn name_of(suite: CipherSuite) -> &'static str {
    let found = Ciphers::all().iter().find(|s| of_the_library(**s).suite() == suite);
    found.map_or("unknown", |s| s.name())
}

fn of_the_library(suite: Suite) -> SupportedCipherSuite {
    match suite {
        Suite::Aes256GcmSha384 => suites::TLS13_AES_256_GCM_SHA384,
        Suite::Aes128GcmSha256 => suites::TLS13_AES_128_GCM_SHA256,
        Suite::Chacha20Poly1305Sha256 => suites::TLS13_CHACHA20_POLY1305_SHA256,
        Suite::EcdheEcdsaAes256GcmSha384 => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Suite::EcdheEcdsaAes128GcmSha256 => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Suite::EcdheEcdsaChacha20Poly1305 => suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Suite::EcdheRsaAes256GcmSha384 => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Suite::EcdheRsaAes128GcmSha256 => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Suite::EcdheRsaChacha20Poly1305 => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}
