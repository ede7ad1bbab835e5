//! A pen that ends TLS, and clients that speak it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use pen_test::{Authority, Farm, Pen, PenBuilder, Place, Scratch, deadline};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, DEFAULT_VERSIONS, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

/// The name in the default certificate.
pub const NAME: &str = "default.example";

/// A TLS client's end.
pub type Client = StreamOwned<ClientConnection, TcpStream>;

/// An authority and where certificates lie.
pub struct Hall {
    /// It signs what servers show.
    pub authority: Authority,
    /// For files.
    pub scratch: Scratch,
    /// The default certificate with its key.
    pub certificate: PathBuf,
}

impl Hall {
    /// With a certificate for [`NAME`].
    pub fn new() -> Self {
        let (authority, scratch) = (Authority::new("test authority"), Scratch::new());
        let certificate = authority.sign(&[NAME]).write(&scratch, "default.pem");
        Self { authority, scratch, certificate }
    }

    /// A pen over `farm` that shows the certificate.
    pub fn pen(&self, farm: &Farm) -> PenBuilder {
        Pen::over(farm).args(["-E".to_owned(), self.certificate.display().to_string()])
    }

    /// The certificate for [`NAME`].
    pub fn default_der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).expect("ours")
    }

    /// The same behind a route, in a service of its own; `line` is for both services.
    pub fn routed(&self, farm: &Farm, line: &str) -> PenBuilder {
        Pen::bare().file(&format!(
            "{line}\nroute default service ends\nservice ends\n{line}\nssl_certificate {}\n\
             server 0 address 127.0.0.1 port {}\n",
            self.certificate.display(),
            farm[0].place().port()
        ))
    }

    /// Where the certificate lies.
    pub fn certificate(&self) -> String {
        self.certificate.display().to_string()
    }

    /// What honest clients want: TLS 1.2 or 1.3, and the certificate verified.
    pub fn config(&self) -> ClientConfig {
        self.config_of(DEFAULT_VERSIONS)
    }

    /// The same with these versions only.
    pub fn config_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).expect("ours");
        roots.add(root).expect("an authority");
        let config =
            ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.resumption = Resumption::disabled();
        config
    }

    /// An honest client; the handshake comes with the first bytes.
    pub fn client(&self, pen: &Pen) -> Client {
        StreamOwned::new(session(self.config()), socket(pen))
    }

    /// Whether an honest client is greeted by the server.
    pub fn is_served(&self, pen: &Pen) -> bool {
        let mut client = self.client(pen);
        read_line(&mut client).is_ok_and(|line| line.starts_with("s0 "))
    }
}

/// A client's session that asks for [`NAME`].
pub fn session(config: ClientConfig) -> ClientConnection {
    let name = ServerName::try_from(NAME).expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a session")
}

/// A connection to `pen` with the stage's patience.
pub fn socket(pen: &Pen) -> TcpStream {
    let Place::Tcp(address) = pen.place() else { panic!("pen listens to TCP here") };
    let socket = TcpStream::connect(address).expect("pen accepts");
    socket.set_read_timeout(Some(deadline())).expect("above zero");
    socket.set_write_timeout(Some(deadline())).expect("above zero");
    socket
}

/// A line without its end.
///
/// # Errors
/// The stream ended or the handshake failed.
pub fn read_line(client: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        client.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            other => line.push(other),
        }
    }
}

/// Sends a line and reads what an echoing server makes of it.
///
/// # Errors
/// As [`read_line`].
pub fn echo(client: &mut (impl Read + Write), line: &str) -> io::Result<String> {
    client.write_all(format!("{line}\n").as_bytes())?;
    client.flush()?;
    read_line(client)
}
