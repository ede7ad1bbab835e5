//! Pen and its servers during the soak.

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pen_test::acts::{self, Act};
use pen_test::{Place, Program, Scratch, Sig, TestServer, Vitals, is_root, tls_identity, until};

use crate::exchange::{Book, serving};

/// Servers of the plain service.
const PLAIN: usize = 4;
/// Flows of datagrams at once. A crowd fills that, so that tables are as large from the beginning as they ever get.
const FLOWS: usize = 1_500;

/// Where everything is: what traffic needs.
#[derive(Clone)]
pub struct Map {
    /// Exchanges, plain.
    pub plain: Place,
    /// Exchanges, clients in TLS.
    pub tls: Place,
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
    /// What servers of exchanges have seen.
    pub book: Arc<Book>,
}

/// Pen, its servers and its files. All of it ends when this goes.
pub struct Town {
    map: Map,
    /// Those of the plain service, by number.
    pub servers: Vec<TestServer>,
    _others: Vec<TestServer>,
    pen: Program,
    scratch: Scratch,
    file: String,
}

impl Town {
    /// Builds everything and starts Pen.
    ///
    /// # Errors
    /// Pen does not start; with what it said.
    pub fn new(pen: &Path) -> Result<Self, String> {
        let (scratch, book) = (Scratch::new(), Arc::new(Book::default()));
        let map = Map {
            plain: Place::free(),
            tls: Place::free(),
            unix: Place::free(),
            http: Place::free(),
            udp: SocketAddr::from(([127, 0, 0, 1], pen_test::free_port())),
            metrics: Place::free(),
            control: scratch.path("ctl"),
            book: Arc::clone(&book),
        };
        let exchanging = |n| TestServer::start(&format!("p{n}"), serving(&book, false));
        let servers: Vec<_> = (0..PLAIN).map(exchanging).collect();
        let start = |name: &str, act: Act| TestServer::start(name, act);
        let clean =
            |name: &str| TestServer::start_unix(name, &scratch.path(name), serving(&book, true));
        let others = vec![
            start("t0", serving(&book, false)),
            start("t1", serving(&book, false)),
            clean("u0"),
            clean("u1"),
            start("h0", http()),
            start("h1", http()),
        ];
        let identity = scratch.write("identity.pem", tls_identity());
        let file = settings(&map, &servers, &others, &identity, [echo()?, echo()?]);
        let path = scratch.write("pen.cfg", &file);
        let mut command = Command::new(pen);
        command.arg("-f").arg("-C").arg(&map.control).arg("-F").arg(path);
        if is_root() {
            command.args(["-u", "root"]);
        }
        let pen = Program::start(command, &scratch);
        let mut town = Self { map, servers, _others: others, pen, scratch, file };
        let ready = until("Pen or its end", || {
            let ended = town.pen.ended().is_some();
            (ended || town.control("pid").is_some()).then_some(!ended)
        });
        if ready { Ok(town) } else { Err(town.said_last()) }
    }

    /// Where everything is.
    pub fn map(&self) -> Map {
        self.map.clone()
    }

    /// Pen's process.
    pub fn pid(&self) -> u32 {
        self.pen.pid()
    }

    /// Whether Pen lives.
    pub fn lives(&mut self) -> bool {
        self.pen.ended().is_none()
    }

    /// Sends Pen a signal.
    pub fn signal(&self, signal: Sig) {
        signal.send(self.pid());
    }

    /// Changes Pen's file: `broken` or as it was.
    pub fn write_file(&self, broken: bool) {
        let rest = if broken { "\nserver 0 weight very\n" } else { "" };
        self.scratch.write("pen.cfg", &format!("{}{rest}", self.file));
    }

    /// A server of the plain service, dead or alive, becomes alive at its place.
    pub fn revive(&mut self, number: usize) {
        let Some(server) = self.servers.get_mut(number) else { return };
        let (name, place) = (server.name().to_owned(), server.place().clone());
        server.die();
        *server = TestServer::start_at(&name, &place, serving(&self.map.book, false));
    }

    /// What Pen answers to a control line.
    pub fn control(&self, line: &str) -> Option<String> {
        ask(&self.map.control, line)
    }

    /// Pen's memory and descriptors.
    pub fn vitals(&self) -> Option<Vitals> {
        Vitals::of(self.pid())
    }

    /// Waits until no client is connected.
    pub fn wait_idle(&self) -> bool {
        let idle = || {
            let overview = self.overview()?;
            let services = overview.get("services")?.as_array()?;
            let open = |service: &serde_json::Value| {
                let number = |name| service.get(name).and_then(serde_json::Value::as_u64);
                number("conn_used").unwrap_or(0) + number("flows").unwrap_or(0)
            };
            Some(services.iter().map(open).sum::<u64>())
        };
        let end = std::time::Instant::now() + pen_test::deadline();
        while idle() != Some(0) {
            if std::time::Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    fn overview(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.control("overview json")?).ok()
    }

    /// The end of what Pen said.
    pub fn said_last(&self) -> String {
        let said = self.pen.stderr();
        let lines: Vec<&str> = said.lines().rev().take(3).collect();
        lines.join(" | ")
    }

    /// What Pen found wrong with itself.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let overview = self.overview();
        if overview.is_none() {
            wrong.push("Pen does not answer".into());
        }
        let services = overview.as_ref().and_then(|o| o.get("services")?.as_array());
        for service in services.into_iter().flatten() {
            let defects = service.pointer("/totals/closed/defect").and_then(|n| n.as_u64());
            if let Some(count @ 1..) = defects {
                wrong.push(format!("{count} defects in service {:?}", service.get("service")));
            }
        }
        if self.pen.stderr().contains("panicked") {
            wrong.push(format!("a panic: {}", self.said_last()));
        }
        wrong
    }
}

fn settings(
    map: &Map,
    plain: &[TestServer],
    others: &[TestServer],
    identity: &Path,
    echoes: [SocketAddr; 2],
) -> String {
    let server = |(n, server): (usize, &TestServer)| match server.place() {
        Place::Tcp(address) => {
            format!("server {n} address {} port {}\n", address.ip(), address.port())
        }
        Place::Unix(path) => format!("server {n} address {}\n", path.display()),
    };
    let list = |servers: &[TestServer]| servers.iter().enumerate().map(server).collect::<String>();
    let [tls, unix, http] = [0..2, 2..4, 4..6].map(|r| list(others.get(r).unwrap_or_default()));
    let udp: String = echoes
        .iter()
        .enumerate()
        .map(|(n, a)| format!("server {n} address {} port {}\n", a.ip(), a.port()))
        .collect();
    // Where packets are lost resets are: who has lost one would never learn that the other is gone.
    let common = "roundrobin\nblacklist 2\ntimeout 2\nidle_timeout 20\nhalf_close_timeout 20\n";
    format!(
        "workers 2\nmetrics {}\nlisten {}\n{common}{}\
         service tls\nlisten {}\nssl_certificate {}\nssl_handshake_timeout 5\n{common}{tls}\
         service unix\nlisten {}\n{common}{unix}\
         service http\nlisten {}\nhttp\n{common}{http}\
         service dns\nlisten {}\nprotocol udp\nudp_timeout 2\nconn_max {FLOWS}\nroundrobin\nblacklist 2\n{udp}",
        map.metrics.word(),
        map.plain.word(),
        list(plain),
        map.tls.word(),
        identity.display(),
        map.unix.word(),
        map.http.word(),
        map.udp
    )
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
