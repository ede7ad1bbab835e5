//! The control thread with real workers behind it, spoken to over its Unix socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use pen_core::addr::Place;
use pen_core::config::Config;

use super::*;
use crate::logs::Logs;
use crate::names::KnownNames;
use crate::shared::{Order, Pool};
use crate::{publish, worker};
use pen_test::free_port;

struct Pen {
    dir: PathBuf,
    control: Option<JoinHandle<ExitReason>>,
    workers: Vec<JoinHandle<()>>,
    pool: Arc<Pool>,
}

impl Pen {
    fn start(name: &str, file: Option<&str>) -> Self {
        let dir = std::env::temp_dir().join(format!("pen-control-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut config = Config::default();
        config.process.exit_enabled = true;
        let (logs, _) = Logs::start(false, 0).unwrap();
        let pool = Arc::new(Pool::new(2).unwrap());
        let workers = worker::start(&pool, &logs).unwrap();
        let names = KnownNames::new(Arc::default());
        let gates = publish::open(&config, 2, crate::listeners::handed::Pool::default()).unwrap();
        let served = Arc::clone(&pool);
        let start = Running::start(config, gates, pool, logs, 500, Arc::default(), &names);
        let (running, _) = start.unwrap();
        let door = ControlDoor::open(&Place::Unix(dir.join("ctl")), None, false).unwrap();
        let file = file.map(|f| dir.join(f).to_str().unwrap().to_owned());
        let (tell, started) = mpsc::channel();
        let control = std::thread::spawn(move || {
            let signals = pen_sys::signals::open().unwrap();
            let control = Control {
                running,
                origin: Origin { file, ..Origin::default() },
                door: Some(door),
                signals,
                services: Arc::default(),
                notify: Notify::default(),
                means: Means { launcher: Err("not here".to_owned()), pid_file: None },
                addresses: None,
            };
            tell.send(()).unwrap();
            run(control)
        });
        started.recv().unwrap();
        Self { dir, control: Some(control), workers, pool: served }
    }

    fn dial(&self) -> UnixStream {
        let socket = UnixStream::connect(self.dir.join("ctl")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    fn ask(&self, line: &str) -> String {
        let mut socket = self.dial();
        writeln!(socket, "{line}").unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        reply
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        assert_eq!(self.ask("exit"), "");
        let reason = self.control.take().unwrap().join().unwrap();
        assert_eq!(reason, ExitReason::Command);
        for mailbox in &self.pool.mailboxes {
            mailbox.post(Order::Stop);
        }
        for worker in self.workers.drain(..) {
            worker.join().unwrap();
        }
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

fn free_address() -> SocketAddr {
    ([127, 0, 0, 1], free_port()).into()
}

#[test]
fn lines_are_answered() {
    let pen = Pen::start("lines", None);
    let pid = std::process::id();
    let rows = [
        ("pid", format!("{pid}\n")),
        ("pid json", format!("{{\"pid\":{pid}}}\n")),
        ("blacklist 7", "7\n".to_owned()),
        ("blacklist", "7\n".to_owned()),
        ("# blacklist 8", String::new()),
        ("", String::new()),
        ("connection -1", "Connection -1 out of range\n".to_owned()),
        ("close 100000", "Connection 100000 out of range\n".to_owned()),
        ("close 3", "error: connection 3 is not in use\n".to_owned()),
        ("socket 9999", "Socket 9999 belongs to connection -1\n".to_owned()),
        ("recent", String::new()),
        ("conn_max", "187\n".to_owned()),
        ("conn_max 20", "187\n".to_owned()),
        ("clients_max 3000", "3000\n".to_owned()),
        ("idlers", "Idlers: 0/0\n".to_owned()),
        ("status", "Unable to create webstats\n".to_owned()),
        ("server 0 address 127.0.0.1 port 80", String::new()),
        (
            "servers",
            "0 addr 127.0.0.1 port 80 conn 0 max 0 hard 0 weight 0 prio 0 sx 0 rx 0\n".to_owned(),
        ),
        (
            "write",
            "error: write: there is no file to write to; name one, or start with -F\n".into(),
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(pen.ask(line), expected, "{line}");
    }
    let reply = pen.ask("blacklist soon");
    assert!(reply.starts_with("error: ") && reply.contains("soon"), "{reply}");
}

#[test]
fn listeners_move_or_stay() {
    let pen = Pen::start("listen", None);
    let (a, b) = (free_address(), free_address());
    assert_eq!(pen.ask(&format!("listen {a}")), format!("{a}\n"));
    assert!(std::net::TcpStream::connect(a).is_ok());
    assert_eq!(pen.ask(&format!("listen {b}")), format!("{b}\n"));
    assert!(std::net::TcpStream::connect(a).is_err());
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let reply = pen.ask(&format!("listen {}", busy.local_addr().unwrap()));
    assert!(reply.starts_with("error: cannot listen on "), "{reply}");
    assert_eq!(pen.ask("listen"), format!("{b}\n"));
    assert!(std::net::TcpStream::connect(b).is_ok());
}

#[test]
fn silent_clients_give_way_and_stop_nobody() {
    let pen = Pen::start("silent", None);
    let silent: Vec<UnixStream> = (0..limits::CONTROL_SESSIONS_MAX).map(|_| pen.dial()).collect();
    for _ in 0..3 {
        assert_eq!(pen.ask("blacklist"), "30\n");
    }
    // The one that was silent longest had to go; a later one is still welcome to speak.
    let mut text = String::new();
    assert_eq!((&silent[0]).read_to_string(&mut text).unwrap(), 0);
    let mut last = silent.last().unwrap();
    last.write_all(b"blacklist 5\n").unwrap();
    last.read_to_string(&mut text).unwrap();
    assert_eq!(text, "5\n");
}

#[test]
fn names_are_resolved_while_others_are_served() {
    let pen = Pen::start("names", None);
    assert_eq!(pen.ask("server 0 address localhost port 80"), "");
    assert!(pen.ask("servers").contains("port 80"));
    let before = pen.ask("servers");
    let mut waiting = pen.dial();
    waiting.write_all(b"server 0 address no-such-host.invalid port 1\n").unwrap();
    assert_eq!(pen.ask("blacklist"), "30\n");
    let mut reply = String::new();
    waiting.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("error: ") && reply.contains("no-such-host.invalid"), "{reply}");
    assert_eq!(pen.ask("servers"), before);
}

#[test]
fn files_are_written_and_included() {
    let pen = Pen::start("files", Some("own.cfg"));
    let page = pen.path("page.html");
    assert_eq!(pen.ask(&format!("web_stats {page}")), format!("{page}\n"));
    let status = pen.ask("status");
    assert!(status.starts_with("<html>"), "{status}");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), status);

    assert_eq!(pen.ask("write"), "");
    let written = std::fs::read_to_string(pen.path("own.cfg")).unwrap();
    assert!(written.starts_with("# Generated by pen ") && written.contains("\nblacklist 30\n"));
    assert!(pen.ask("write /no/such/dir/x").starts_with("error: cannot write /no/such/dir/x"));

    assert_eq!(pen.ask("blacklist 1"), "1\n");
    assert_eq!(pen.ask(&format!("include {}", pen.path("own.cfg"))), "");
    assert_eq!(pen.ask("blacklist"), "30\n");
    std::fs::write(pen.path("bad.cfg"), "blacklist 2\nhsah\n").unwrap();
    let reply = pen.ask(&format!("include {}", pen.path("bad.cfg")));
    assert!(reply.starts_with("error: ") && reply.contains("bad.cfg:2:1: "), "{reply}");
    assert_eq!(pen.ask("blacklist"), "30\n");
}

#[test]
fn services_come_and_go() {
    let pen = Pen::start("services", None);
    let address = free_address();
    assert_eq!(pen.ask("service web"), "");
    assert_eq!(pen.ask(&format!("service web listen {address}")), format!("{address}\n"));
    assert_eq!(pen.ask("service web blacklist 9"), "9\n");
    assert!(pen.ask("services").contains("web listen"), "{}", pen.ask("services"));
    assert_eq!(pen.ask("no service web"), "");
    assert!(!pen.ask("services").contains("web"));
    assert!(std::net::TcpStream::connect(address).is_err());
}
