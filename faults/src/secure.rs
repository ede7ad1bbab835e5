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
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

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
        let file = authority.sign(&[NAME]).write(&scratch, "default.pem");
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("ours");
        roots.add(root).expect("an authority");
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self { file, config: Arc::new(config), authority, scratch }
    }

    /// A client's first message, in its record.
    pub fn hello(&self) -> Vec<u8> {
        let mut session = session(&self.config, NAME);
        let mut bytes = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut bytes).expect("memory takes it");
        }
        bytes
    }

    /// A visit over TLS: until the server's line is there.
    ///
    /// # Errors
    /// What went wrong.
    pub fn visit(&self, place: &Place, patience: Duration) -> Result<(Duration, String), Wrong> {
        visit(&self.config, place, NAME, patience).map(|(time, line, _)| (time, line))
    }
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
