//! Scenarios: a running Pen that asks a database for the countries of its clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mmdb;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mmdb::{Facts, database, is_in};
use pen_test::free_port;
use socket2::{Domain, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that says one letter to everybody.
fn server(letter: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            // A client that is gone does not matter.
            let _ = client.and_then(|mut c| c.write_all(&[letter]));
        }
    });
    port
}

struct Pen {
    child: Child,
    dir: PathBuf,
    port: u16,
}

impl Pen {
    /// Starts Pen with a file of `lines`, in which `@` stands for the directory of the test, and
    /// with these countries, if any.
    fn start(name: &str, lines: &str, countries: Option<&[u8]>) -> Self {
        let dir = std::env::temp_dir().join(format!("pen-geoip-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let port = free_port();
        let mut pen = Command::new(env!("CARGO_BIN_EXE_pen"));
        pen.args(["-f", "-F"]).arg(dir.join("conf")).arg("-C").arg(dir.join("ctl"));
        if rustix::process::geteuid().is_root() {
            pen.args(["-u", "root"]);
        }
        pen.arg(format!("127.0.0.1:{port}"));
        pen.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(dir.join("log")).unwrap());
        write_conf(&dir, lines);
        if let Some(countries) = countries {
            fs::write(dir.join("db"), countries).unwrap();
        }
        let pen = Self { child: pen.spawn().unwrap(), dir, port };
        until("Pen listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        pen
    }

    /// Writes the file anew and sends HUP.
    fn reload(&self, lines: &str) {
        write_conf(&self.dir, lines);
        self.hang_up();
    }

    fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    fn replace_countries(&self, countries: &[u8]) {
        let new = self.dir.join("db.new");
        fs::write(&new, countries).unwrap();
        fs::rename(new, self.dir.join("db")).unwrap();
    }

    /// Which server answers a client from 127.0.`net`.1, if any.
    fn served(&self, net: u8) -> Option<char> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, net, 1)), 0);
        socket.bind(&from.into()).unwrap();
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], self.port)).into()).ok()?;
        let mut client = TcpStream::from(socket);
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = [0];
        match client.read(&mut said) {
            Ok(1) => Some(char::from(said[0])),
            Ok(_) => None,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(e) => panic!("{e}"),
        }
    }

    fn ask(&self, line: &str) -> String {
        let mut socket = UnixStream::connect(self.dir.join("ctl")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        writeln!(socket, "{line}").unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        reply
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap()
    }

    fn says(&self, text: &str) {
        until(text, || self.log().contains(text));
    }

    fn db(&self) -> String {
        self.dir.join("db").to_str().unwrap().to_owned()
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        // It may have ended already, which the test has seen.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn write_conf(dir: &Path, lines: &str) {
    fs::write(dir.join("conf"), lines.replace('@', dir.to_str().unwrap())).unwrap();
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "this did not happen: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Networks 1 and 2 are in these countries, 3 is registered in Sweden only.
fn countries(one: &str, two: &str) -> Vec<u8> {
    let registered = Facts { country: None, registered: Some("SE") };
    database(&[
        ("127.0.1.0/24", is_in(one)),
        ("127.0.2.0/24", is_in(two)),
        ("127.0.3.0/24", registered),
        ("2001:db8::/32", is_in("DK")),
    ])
}

/// Servers A and B; A is preferred.
fn servers() -> String {
    let [a, b] = [server(b'A'), server(b'B')];
    format!(
        "prio\nforgetful\nserver 0 address 127.0.0.1 port {a} prio 1\n\
         server 1 address 127.0.0.1 port {b} prio 2\n"
    )
}

#[test]
fn countries_decide_who_comes_in_and_where_it_goes() {
    let lines = format!(
        "geoip_db @/db\n{}acl 1 permit country SE\nacl 1 permit country NO\nclient_acl 1\n\
         acl 2 deny country NO\nserver 0 acl 2\n",
        servers()
    );
    let pen = Pen::start("decide", &lines, Some(&countries("SE", "NO")));
    let told = [1, 2, 3, 4].map(|net| {
        let reply = pen.ask(&format!("explain 127.0.{net}.1"));
        reply.split(" gets ").nth(1).and_then(|gets| gets.get(..8)).map(str::to_owned)
    });
    let served = [1, 2, 3, 4].map(|net| pen.served(net));
    assert_eq!(served, [Some('A'), Some('B'), Some('A'), None]);
    assert_eq!(told, ["server 0", "server 1", "server 0", "no serve"].map(|t| Some(t.to_owned())));
    assert_eq!(pen.ask("geoip_db"), format!("{}\n", pen.db()));
    // Another file that cannot be had changes nothing.
    let reply = pen.ask("geoip_db /no/such/file");
    assert!(reply.starts_with("error: geoip_db /no/such/file: "), "{reply}");
    assert_eq!(pen.ask("geoip_db"), format!("{}\n", pen.db()));
    assert_eq!(pen.served(1), Some('A'));
    // Without one nobody has a country.
    assert_eq!(pen.ask("no geoip_db"), "");
    assert_eq!([1, 2, 3].map(|net| pen.served(net)), [None; 3]);
    pen.says("these entries match nobody");
    assert_eq!(pen.ask(&format!("geoip_db {}", pen.db())), format!("{}\n", pen.db()));
    assert_eq!(pen.served(2), Some('B'));
    assert_eq!(pen.ask(&format!("write {}/written", pen.dir.display())), "");
    let written = fs::read_to_string(pen.dir.join("written")).unwrap();
    assert!(written.contains(&format!("\ngeoip_db {}\n", pen.db())), "{written}");
}

#[test]
fn a_new_database_is_read_on_hup_and_a_broken_one_is_not_taken() {
    let lines = format!("geoip_db @/db\n{}acl 1 permit country SE\nclient_acl 1\n", servers());
    let pen = Pen::start("renew", &lines, Some(&countries("SE", "NO")));
    assert_eq!([1, 2].map(|net| pen.served(net)), [Some('A'), None]);
    pen.replace_countries(&countries("NO", "SE"));
    assert_eq!(pen.served(1), Some('A'), "nothing is read without HUP");
    pen.hang_up();
    until("the new countries", || pen.served(2) == Some('A'));
    assert_eq!(pen.served(1), None);

    pen.replace_countries(b"this is no database");
    pen.hang_up();
    pen.says(&format!("WARNING: geoip_db {}: it is no usable MMDB database", pen.db()));
    assert_eq!([1, 2].map(|net| pen.served(net)), [None, Some('A')]);

    pen.reload(&lines.replace("@/db", "@/none").replace("country SE", "country NO"));
    pen.says("nothing has changed");
    assert!(pen.log().contains(&format!("geoip_db {}/none: No such file", pen.dir.display())));
    assert_eq!(pen.ask("geoip_db"), format!("{}\n", pen.db()));
    assert_eq!([1, 2].map(|net| pen.served(net)), [None, Some('A')]);
}

#[test]
fn without_its_database_pen_starts_with_a_warning_and_takes_it_when_it_is_there() {
    let lines = format!("geoip_db @/db\n{}acl 1 permit country SE\nclient_acl 1\n", servers());
    let pen = Pen::start("missing", &lines, None);
    assert_eq!(pen.served(1), None);
    pen.says(&format!("WARNING: geoip_db {}: No such file", pen.db()));
    pen.says("these entries match nobody");
    // Other changes are not held up by it.
    assert_eq!(pen.ask("blacklist 7"), "7\n");
    pen.reload(&format!("{lines}blacklist 9\n"));
    pen.says("was read again");
    assert_eq!(pen.ask("blacklist"), "9\n");
    pen.says("there is still none");
    pen.replace_countries(&countries("SE", "NO"));
    pen.hang_up();
    until("the countries", || pen.served(1) == Some('A'));
    assert_eq!(pen.served(2), None);
}
