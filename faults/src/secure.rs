//! TLS clients of the cases, and the certificate that the balancers show them.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pen_test::{Authority, Place, Scratch, dial_from};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::load::Wrong;

/// The name in the certificate.
pub const NAME: &str = "default.example";

/// A client's end.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// An authority, and a certificate with its key in a file.
pub struct Secure {
    /// For [`crate::setup::Setup::tls`].
    pub file: PathBuf,
    /// What clients want: TLS 1.2 or 1.3, the certificate verified, nothing resumed.
    pub config: Arc<ClientConfig>,
    /// The authority.
    pub authority: Authority,
    /// Where the files are.
    pub scratch: Scratch,
}

impl Secure {
    /// A new one.
    pub fn new() -> Self {
        let (authority, scratch) = (Authority::new("test authority"), Scratch::new());
        let file = authority.sign(&[NAME, "*.many.example"]).write(&scratch, "default.pem");
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("ours");
        roots.add(root).expect("an authority");
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self { file, config: Arc::new(config), authority, scratch }
    }

    /// What clients of these versions want; they resume sessions.
    pub fn config_of(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).expect("ours");
        roots.add(root).expect("an authority");
        let config = ClientConfig::builder_with_protocol_versions(versions);
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }

    /// A client's first message, in its record.
    pub fn hello(&self) -> Vec<u8> {
        hello(&self.config)
    }

    /// The same of a client of one version.
    pub fn hello_of(&self, version: &'static SupportedProtocolVersion) -> Vec<u8> {
        hello(&self.config_of(&[version]))
    }

    /// A visit over TLS: until the server's line is there.
    ///
    /// # Errors
    /// What went wrong.
    pub fn visit(&self, place: &Place, patience: Duration) -> Result<(Duration, String), Wrong> {
        visit(&self.config, place, NAME, patience).map(|(time, line, _)| (time, line))
    }
}

fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut session = session(config, NAME);
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes).expect("memory takes it");
    }
    bytes
}

/// A hello with another name in it; every length around it is made right.
///
/// # Panics
/// When `old` is not in it, or it is no hello in one record.
pub fn renamed(hello: &[u8], old: &str, new: &[u8]) -> Vec<u8> {
    let at = hello.windows(old.len()).position(|w| w == old.as_bytes()).expect("the name");
    let session = 5 + 4 + 2 + 32;
    let ciphers = session + 1 + usize::from(hello[session]);
    let methods =
        ciphers + 2 + usize::from(u16::from_be_bytes([hello[ciphers], hello[ciphers + 1]]));
    let extensions = methods + 1 + usize::from(hello[methods]);
    let mut bytes = hello.to_vec();
    // Record, message, all extensions, this one, its list, the name.
    for place in [3, 7, extensions, at - 7, at - 5, at - 2] {
        let was = u16::from_be_bytes([hello[place], hello[place + 1]]);
        let is = usize::from(was) + new.len() - old.len();
        let is = u16::try_from(is).expect("less than 64 KiB");
        bytes[place..place + 2].copy_from_slice(&is.to_be_bytes());
    }
    bytes.splice(at..at + old.len(), new.iter().copied());
    bytes
}

/// A session that asks for `name`.
pub fn session(config: &Arc<ClientConfig>, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    ClientConnection::new(Arc::clone(config), name).expect("a session")
}

/// A visit with these settings, the time it took, the first word, and the session as it was then.
///
/// # Errors
/// What went wrong.
pub fn visit(
    config: &Arc<ClientConfig>,
    place: &Place,
    name: &str,
    patience: Duration,
) -> Result<(Duration, String, Stream), Wrong> {
    let begun = Instant::now();
    let socket = dial(place, IpAddr::from([127, 0, 0, 1]), patience);
    let mut stream =
        StreamOwned::new(session(config, name), socket.map_err(|_| Wrong::NotConnected)?);
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        match stream.read(&mut byte) {
            Ok(1) => line.extend(byte),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(Wrong::Silence);
            }
            Ok(_) | Err(_) => return Err(Wrong::Ended),
        }
    }
    let line = String::from_utf8_lossy(&line);
    let word = line.split_whitespace().next().unwrap_or_default().to_owned();
    Ok((begun.elapsed(), word, stream))
}

/// A plain connection from an address, with this patience for everything.
///
/// # Errors
/// Those of connect(2).
pub fn dial(place: &Place, source: IpAddr, patience: Duration) -> io::Result<TcpStream> {
    let Place::Tcp(to) = place else { return Err(io::ErrorKind::Unsupported.into()) };
    let source = if to.is_ipv4() == source.is_ipv4() { source } else { to.ip() };
    let socket = dial_from(SocketAddr::new(source, 0), *to, patience)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    Ok(socket)
}
