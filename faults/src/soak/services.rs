//! The services of the soak: where they are, who serves, and what Pen's file says of them.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pen_test::acts::{self, Act};
use pen_test::{Place, Scratch, TestServer};
use rustls::ClientConfig;

use crate::exchange::plan::Plan;
use crate::exchange::{Book, serving};

/// Flows of datagrams at once. A crowd fills that, so that tables are as large from the beginning as they ever get.
const FLOWS: usize = 1_500;
/// Servers of the plain service.
const PLAIN: usize = 4;
// Where packets are lost resets are: who has lost one would never learn that the other is gone.
const COMMON: &str = "roundrobin\nblacklist 2\ntimeout 2\nidle_timeout 20\nhalf_close_timeout 20\n";

/// Where everything is: what traffic needs.
#[derive(Clone)]
pub struct Map {
    /// Exchanges, plain.
    pub plain: Place,
    /// The same servers, clients by IPv6.
    pub six: Place,
    /// Exchanges of megabytes, plain.
    pub bulk: Place,
    /// Exchanges, clients in TLS.
    pub tls: Place,
    /// Greetings in TLS, with a certificate that changes.
    pub shown: Place,
    /// Exchanges without aborts, servers on Unix sockets.
    pub unix: Place,
    /// HTTP with the client's address put in.
    pub http: Place,
    /// Echoed datagrams.
    pub udp: SocketAddr,
    /// Metrics by HTTP.
    pub metrics: Place,
    /// The control socket.
    pub control: PathBuf,
    /// What clients of `shown` trust.
    pub trust: Arc<ClientConfig>,
    /// What servers of exchanges have seen.
    pub book: Arc<Book>,
}

impl Map {
    /// Free places, and a control socket in `scratch`.
    pub fn new(scratch: &Scratch, trust: &Arc<ClientConfig>) -> Self {
        let plain = Place::free();
        Self {
            six: Place::Tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, plain.port()))),
            plain,
            bulk: Place::free(),
            tls: Place::free(),
            shown: Place::free(),
            unix: Place::free(),
            http: Place::free(),
            udp: SocketAddr::from(([127, 0, 0, 1], pen_test::free_port())),
            metrics: Place::free(),
            control: scratch.path("ctl"),
            trust: Arc::clone(trust),
            book: Arc::default(),
        }
    }
}

/// The servers of all services but the one for datagrams.
pub struct Servers {
    /// Those of the plain service, by number.
    pub plain: Vec<TestServer>,
    bulk: Vec<TestServer>,
    tls: Vec<TestServer>,
    shown: Vec<TestServer>,
    unix: Vec<TestServer>,
    http: Vec<TestServer>,
}

impl Servers {
    /// Starts them; those on Unix sockets in `scratch`.
    pub fn start(book: &Arc<Book>, scratch: &Scratch) -> Self {
        let some = |letter: &str, count: usize, act: Act| {
            let one = |n| TestServer::start(&format!("{letter}{n}"), Arc::clone(&act));
            (0..count).map(one).collect()
        };
        let unix = |n| {
            let name = format!("u{n}");
            TestServer::start_unix(&name, &scratch.path(&name), serving(book, Plan::clean))
        };
        Self {
            plain: some("p", PLAIN, serving(book, Plan::of)),
            bulk: some("b", 2, serving(book, Plan::bulky)),
            tls: some("t", 2, serving(book, Plan::of)),
            shown: some("c", 2, acts::banner()),
            unix: (0..2).map(unix).collect(),
            http: some("h", 2, http()),
        }
    }
}

/// Pen's file. The certificates are one that stays and one that changes.
///
/// # Errors
/// No socket for datagrams.
pub fn settings(map: &Map, servers: &Servers, certificates: [&Path; 2]) -> Result<String, String> {
    let [stays, changes] = certificates.map(Path::display);
    let mut text = format!("workers 2\nmetrics {}\n", map.metrics.word());
    let both = format!("{} {}", map.plain.word(), map.six.word());
    let tls = format!("ssl_certificate {stays}\nssl_handshake_timeout 5\n");
    let shown = format!("ssl_certificate {changes}\nssl_handshake_timeout 5\n");
    let services = [
        ("default", both, "", &servers.plain),
        ("bulk", map.bulk.word(), "", &servers.bulk),
        ("tls", map.tls.word(), tls.as_str(), &servers.tls),
        ("shown", map.shown.word(), shown.as_str(), &servers.shown),
        ("unix", map.unix.word(), "", &servers.unix),
        ("http", map.http.word(), "http\n", &servers.http),
    ];
    for (name, listen, further, servers) in services {
        let _ = write!(text, "service {name}\nlisten {listen}\n{further}{COMMON}");
        servers.iter().enumerate().for_each(|(n, s)| server(&mut text, n, s.place()));
    }
    let udp = format!("protocol udp\nudp_timeout 2\nconn_max {FLOWS}\nroundrobin\nblacklist 2\n");
    let _ = write!(text, "service dns\nlisten {}\n{udp}", map.udp);
    for n in 0..2 {
        server(&mut text, n, &Place::Tcp(echo()?));
    }
    // Where commands of a control session belong that name no service.
    Ok(text + "service default\n")
}

fn server(text: &mut String, number: usize, place: &Place) {
    let _ = match place {
        Place::Tcp(address) => {
            let (ip, port) = (address.ip(), address.port());
            writeln!(text, "server {number} address {ip} port {port}")
        }
        Place::Unix(path) => writeln!(text, "server {number} address {}", path.display()),
    };
}

/// Answers requests with their own path and whom Pen has named as the client.
fn http() -> Act {
    Arc::new(|s| {
        while let Some(head) = acts::read_head(&s) {
            let client = acts::field(&head, "x-forwarded-for").unwrap_or_default();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let body = format!("{path} {client}");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if s.send(answer).is_err() {
                return;
            }
        }
    })
}

/// A server of datagrams that sends each back; it lives as long as the process.
fn echo() -> Result<SocketAddr, String> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    let address = socket.local_addr().map_err(|e| e.to_string())?;
    std::thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        loop {
            // Errors are those of clients that have left.
            if let Ok((n, from)) = socket.recv_from(&mut bytes) {
                let _ = socket.send_to(bytes.get(..n).unwrap_or_default(), from);
            }
        }
    });
    Ok(address)
}

/// One line to a control socket, and the whole answer.
pub fn ask(path: &Path, line: &str) -> Option<String> {
    let mut session = UnixStream::connect(path).ok()?;
    session.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    session.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
    writeln!(session, "{line}").ok()?;
    let mut answer = String::new();
    session.read_to_string(&mut answer).ok()?;
    Some(answer)
}
