//! How clients are told to speak TLS.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{CipherSuite, ClientConfig, version};

use super::{Certificates, Variant, Version};

/// The only ciphers that are offered: the one of TLS 1.3 and those of 1.2 by kind of key.
const CIPHERS: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];
/// Sessions a client remembers: its own latest.
const REMEMBERED: usize = 1;

/// The clients of one run of the load generator.
#[derive(Clone, Debug)]
pub struct Clients {
    configs: Vec<Arc<ClientConfig>>,
    resumed: bool,
}

impl Clients {
    /// So many connections at once. Each remembers its own session where sessions are resumed:
    /// tickets are used once, and none is missing.
    ///
    /// # Errors
    /// The library refuses what is asked.
    pub fn new(
        certificates: &Certificates,
        variant: Variant,
        connections: usize,
    ) -> Result<Self, String> {
        let count = if variant.resumed { connections.max(1) } else { 1 };
        let configs = (0..count).map(|_| config(certificates, variant).map(Arc::new));
        Ok(Self { configs: configs.collect::<Result<_, _>>()?, resumed: variant.resumed })
    }

    /// How the connection with this number, in this slot, speaks; and whether it has a session to
    /// resume. The first connection of a slot has none.
    pub fn of(&self, slot: usize, number: u64) -> Option<(Arc<ClientConfig>, bool)> {
        let count = self.configs.len();
        let config = self.configs.get(slot % count.max(1))?;
        Some((Arc::clone(config), self.resumed && number >= count as u64))
    }
}

fn config(certificates: &Certificates, variant: Variant) -> Result<ClientConfig, String> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|c| CIPHERS.contains(&c.suite()));
    // TLS 1.2 knows by the groups whether it may show a certificate with P-256.
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
    let version = match variant.version {
        Version::V12 => &version::TLS12,
        Version::V13 => &version::TLS13,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .map_err(|e| e.to_string())?
        .with_root_certificates(certificates.roots.clone())
        .with_no_client_auth();
    config.resumption = match variant.resumed {
        true => Resumption::in_memory_sessions(REMEMBERED),
        false => Resumption::disabled(),
    };
    Ok(config)
}
