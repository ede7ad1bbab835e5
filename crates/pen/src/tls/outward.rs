//! TLS towards servers: what settings and files come to, ready to be published.
//!
//! Made on the control thread, as a whole or not at all. What has not changed is kept, so that
//! sessions can be resumed over any change of settings; files are read when they are named for the
//! first time and on [`Outward::renewed`]. Deliberately not here: when a server is spoken to
//! (`worker`), and certificates that Pen shows to clients.

mod files;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pen_core::addr::Host;
use pen_core::config::{Config, Protocol, ServerConfig, ServiceConfig, Trust};
use pen_core::limits;
use pen_core::servers::ServerRef;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{self, CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::{Dialers, Told};
use files::{Authorities, Identity};

/// How one server is spoken to in TLS.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// Roots, versions, ciphers, sessions to resume.
    pub config: Arc<ClientConfig>,
    /// The name its certificate must have, sent as SNI.
    pub name: ServerName<'static>,
}

/// How all servers are spoken to in TLS.
#[derive(Clone, Debug)]
pub struct Outward {
    provider: Arc<CryptoProvider>,
    authorities: BTreeMap<Source, Arc<Trusted>>,
    identities: BTreeMap<(String, String), Arc<Identity>>,
    /// By service, and by the server's number.
    dialers: BTreeMap<String, BTreeMap<i64, Made>>,
}

/// Where authorities come from: a file, or the system.
type Source = Option<String>;

/// Authorities, and what checks certificates against them.
#[derive(Debug)]
struct Trusted {
    authorities: Authorities,
    verifier: Arc<WebPkiServerVerifier>,
}

/// A dialer and what it was made of.
#[derive(Clone, Debug)]
struct Made {
    name: ServerName<'static>,
    /// `None` trusts anybody.
    trusted: Option<Arc<Trusted>>,
    identity: Option<Arc<Identity>>,
    dialer: Arc<Dialer>,
}

impl Default for Outward {
    fn default() -> Self {
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            authorities: BTreeMap::new(),
            identities: BTreeMap::new(),
            dialers: BTreeMap::new(),
        }
    }
}

impl Outward {
    /// What `config` asks for. Files that are known already are not looked at.
    ///
    /// # Errors
    /// A sentence for the operator about the first server that cannot be had so.
    pub fn load(&self, config: &Config) -> Result<Self, String> {
        let mut next = Self { provider: Arc::clone(&self.provider), ..Self::default() };
        for service in &config.services {
            let mut made = BTreeMap::new();
            for (which, server) in spoken_to(service) {
                let dialer = next
                    .make(self, service, which, server)
                    .map_err(|why| format!("service {}: server {which}: {why}", service.name))?;
                made.insert(which.number(), dialer);
            }
            if !made.is_empty() {
                next.dialers.insert(service.name.clone(), made);
            }
        }
        Ok(next)
    }

    /// The same with all files read again; `config` is what it was loaded for. What cannot be read, or
    /// has not changed, stays as it is.
    #[must_use]
    pub fn renewed(&self, config: &Config) -> (Self, Told) {
        let mut fresh = Self { provider: Arc::clone(&self.provider), ..Self::default() };
        let mut told = Told::default();
        for (source, old) in &self.authorities {
            let new = match fresh.trust(source) {
                Ok(new) if new.authorities != old.authorities => {
                    told.news.push(format!("{}: read again", shown(source)));
                    new
                }
                Ok(_) => Arc::clone(old),
                Err(why) => {
                    told.warnings.push(format!("{why}; the authorities there are stay"));
                    Arc::clone(old)
                }
            };
            fresh.authorities.insert(source.clone(), new);
        }
        for (paths, old) in &self.identities {
            let new = match Identity::read(&paths.0, &paths.1, &self.provider) {
                Ok(new) if new != **old => {
                    told.news.push(format!("cert {}: read again", paths.0));
                    Arc::new(new)
                }
                Ok(_) => Arc::clone(old),
                Err(why) => {
                    told.warnings.push(format!("{why}; the certificate there is stays"));
                    Arc::clone(old)
                }
            };
            fresh.identities.insert(paths.clone(), new);
        }
        fresh.dialers.clone_from(&self.dialers);
        match fresh.load(config) {
            Ok(next) => (next, told),
            Err(why) => {
                told.warnings.push(format!("{why}; servers are spoken to as before"));
                (self.clone(), told)
            }
        }
    }

    /// The dialers of a service, if it has any.
    #[must_use]
    pub fn dialers(&self, service: &str) -> Option<Arc<Dialers>> {
        let mut dialers = Dialers::default();
        for (number, made) in self.dialers.get(service)? {
            let dialer = Some(Arc::clone(&made.dialer));
            match usize::try_from(*number) {
                Ok(n) => {
                    if dialers.servers.len() <= n {
                        dialers.servers.resize(n + 1, None);
                    }
                    if let Some(place) = dialers.servers.get_mut(n) {
                        *place = dialer;
                    }
                }
                Err(_) if *number == ServerRef::Emergency.number() => dialers.emergency = dialer,
                Err(_) => dialers.abuse = dialer,
            }
        }
        Some(Arc::new(dialers))
    }

    /// Whether the dialers of a service are the same as in `other`.
    #[must_use]
    pub fn same(&self, other: &Self, service: &str) -> bool {
        let none = BTreeMap::new();
        let (a, b) = (self.dialers.get(service), other.dialers.get(service));
        let (a, b) = (a.unwrap_or(&none), b.unwrap_or(&none));
        let same = |(x, y): (&Made, &Made)| Arc::ptr_eq(&x.dialer, &y.dialer);
        a.keys().eq(b.keys()) && a.values().zip(b.values()).all(same)
    }

    /// Warnings about servers that nobody is kept from playing, as far as they are not as in
    /// `before`.
    #[must_use]
    pub fn cautions(&self, before: &Self) -> Vec<String> {
        let mut said = Vec::new();
        for (service, made) in &self.dialers {
            let old = before.dialers.get(service);
            for (number, _) in made.iter().filter(|(_, m)| m.trusted.is_none()) {
                let known = old.and_then(|o| o.get(number)).is_some_and(|m| m.trusted.is_none());
                if !known {
                    said.push(format!(
                        "service {service}: server {number}: tls insecure: its certificate is not \
                         looked at, anybody on the way can read and change everything"
                    ));
                }
            }
        }
        said
    }

    fn make(
        &mut self,
        old: &Self,
        service: &ServiceConfig,
        which: ServerRef,
        server: &ServerConfig,
    ) -> Result<Made, String> {
        if service.protocol == Protocol::Udp {
            return Err("the service speaks UDP, TLS is for TCP".to_owned());
        }
        let name = name_of(server)?;
        let trusted = match server.tls.trust {
            Trust::Verify => Some(self.trusted(old, &server.tls.ca)?),
            Trust::Insecure | Trust::Off => None,
        };
        let identity = match (&server.tls.cert, &server.tls.key) {
            (None, None) => None,
            (None, Some(_)) => return Err("it has a key and no cert".to_owned()),
            (Some(cert), key) => Some(self.identity(old, cert, key.as_ref().unwrap_or(cert))?),
        };
        let before = old.dialers.get(&service.name).and_then(|d| d.get(&which.number()));
        if let Some(before) = before.filter(|m| m.is_of(&name, trusted.as_ref(), identity.as_ref()))
        {
            return Ok(before.clone());
        }
        let verifier: Arc<dyn ServerCertVerifier> = match &trusted {
            Some(trusted) => Arc::clone(&trusted.verifier) as _,
            None => Arc::new(Anybody(Arc::clone(&self.provider))),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &identity {
            Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(limits::TLS_SERVER_TICKETS);
        let dialer = Arc::new(Dialer { config: Arc::new(config), name: name.clone() });
        Ok(Made { name, trusted, identity, dialer })
    }

    fn trusted(&mut self, old: &Self, source: &Source) -> Result<Arc<Trusted>, String> {
        let known = self.authorities.get(source).or_else(|| old.authorities.get(source));
        let trusted = known.map_or_else(|| self.trust(source), |known| Ok(Arc::clone(known)))?;
        self.authorities.insert(source.clone(), Arc::clone(&trusted));
        Ok(trusted)
    }

    fn trust(&self, source: &Source) -> Result<Arc<Trusted>, String> {
        let authorities = match source {
            Some(path) => Authorities::read(path)?,
            None => Authorities::of_system()?,
        };
        let (roots, provider) = (authorities.store(), Arc::clone(&self.provider));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|e| format!("{}: {e}", shown(source)))?;
        Ok(Arc::new(Trusted { authorities, verifier }))
    }

    fn identity(&mut self, old: &Self, cert: &str, key: &str) -> Result<Arc<Identity>, String> {
        let paths = (cert.to_owned(), key.to_owned());
        let known = self.identities.get(&paths).or_else(|| old.identities.get(&paths));
        let identity = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(Identity::read(cert, key, &self.provider)?),
        };
        self.identities.insert(paths, Arc::clone(&identity));
        Ok(identity)
    }
}

impl Made {
    fn is_of(
        &self,
        name: &ServerName<'_>,
        trusted: Option<&Arc<Trusted>>,
        identity: Option<&Arc<Identity>>,
    ) -> bool {
        fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
            a.map(Arc::as_ptr) == b.map(Arc::as_ptr)
        }
        self.name == *name
            && same(self.trusted.as_ref(), trusted)
            && same(self.identity.as_ref(), identity)
    }
}

/// The servers of a service that TLS is spoken to.
fn spoken_to(service: &ServiceConfig) -> impl Iterator<Item = (ServerRef, &ServerConfig)> {
    let table = service.servers.iter().zip(0_u32..).map(|(s, n)| (ServerRef::Regular(n), s));
    let outside = [
        (ServerRef::Emergency, service.emergency.as_ref()),
        (ServerRef::Abuse, service.abuse.as_ref()),
    ];
    let outside = outside.into_iter().filter_map(|(which, s)| s.map(|s| (which, s)));
    let is_one = |s: &ServerConfig| s.tls.trust != Trust::Off && s.host != Host::Unset;
    table.chain(outside).filter(move |(_, s)| is_one(s))
}

/// The name that the server's certificate must have.
fn name_of(server: &ServerConfig) -> Result<ServerName<'static>, String> {
    let text = match (&server.tls.sni, &server.host) {
        (Some(sni), _) => sni,
        (None, Host::Name { name, .. }) => name.trim_end_matches('.'),
        (None, Host::Ip(ip)) => return Ok(ServerName::IpAddress((*ip).into())),
        (None, Host::Unix(_) | Host::Unset) if server.tls.trust == Trust::Verify => {
            return Err("a Unix socket has no name that a certificate could be for; set sni".into());
        }
        // No name is sent, and none is looked for.
        (None, Host::Unix(_) | Host::Unset) => {
            return Ok(ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into()));
        }
    };
    ServerName::try_from(text.to_owned())
        .map_err(|_| format!("{text} is no name that a certificate could be for; set sni"))
}

fn shown(source: &Source) -> String {
    match source {
        Some(path) => format!("ca {path}"),
        None => "the system's certificate authorities".to_owned(),
    }
}

/// Takes any certificate for good. That the server has its key is looked at nevertheless.
struct Anybody(Arc<CryptoProvider>);

impl fmt::Debug for Anybody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anybody")
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
