//! One Ethernet segment: a client, Pen, a second balancer's place, two servers.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use pen_test::{
    Host, Program, Scratch, Sig, deadline, dial_from, is_root, pen_program, penctl_program,
    run_here, until,
};

/// The service's addresses, as in docs/dsr.md.
pub const VIP: &str = "10.0.0.100";
/// The same for IPv6.
pub const VIP6: &str = "fd00::100";
/// What makes the switch of the segment, which is in the test's own namespace.
pub const SWITCH: &str = "ip link add br0 type bridge && ip link set br0 up";
/// Servers as Pen is told.
pub const SERVERS: [&str; 2] = ["10.0.0.11", "10.0.0.12"];

/// The machines of the segment. The test runs beside them, at the switch.
pub struct Segment {
    /// 10.0.0.2 to .9, fd00::2 to ::9.
    pub client: Host,
    /// 10.0.0.50.
    pub pen: Host,
    /// 10.0.0.11 and .12, fd00::11 and ::12, and the service's addresses.
    pub servers: Vec<Host>,
}

impl Segment {
    /// Everything plugged in; the servers are set up by the lines of docs/dsr.md.
    pub fn new() -> Self {
        let machine = |name, port| {
            let host = Host::new(name);
            plug(&host, port);
            host
        };
        let segment = Self {
            client: machine("the client", "port0"),
            pen: machine("Pen's machine", "port1"),
            servers: vec![machine("server 0", "port2"), machine("server 1", "port3")],
        };
        let mut addresses = String::new();
        for n in 2..10 {
            let net = if n == 2 { (24, 64) } else { (32, 128) };
            addresses += &format!("ip address add 10.0.0.{n}/{} dev eth0\n", net.0);
            addresses += &format!("ip -6 address add fd00::{n}/{} dev eth0 nodad\n", net.1);
        }
        segment.client.run(&addresses);
        segment.pen.run("ip address add 10.0.0.50/24 dev eth0");
        for (n, server) in segment.servers.iter().enumerate() {
            let n = n + 11;
            server.run(&format!("ip address add 10.0.0.{n}/24 dev eth0"));
            server.run(&format!("ip -6 address add fd00::{n}/64 dev eth0 nodad"));
            server.run(&documented("# on each server"));
        }
        segment
    }

    /// Servers that say who they are and whom they see, at `port` of the service's addresses.
    pub fn serve(&self, port: u16) {
        for (n, host) in self.servers.iter().enumerate() {
            host.inside(|| {
                for ip in [VIP, VIP6] {
                    let place: SocketAddr =
                        (ip.parse::<IpAddr>().expect("an address"), port).into();
                    let listener = until("an address", || TcpListener::bind(place).ok());
                    let socket = UdpSocket::bind(place).expect("the address is there");
                    std::thread::spawn(move || greet(n, &listener));
                    std::thread::spawn(move || reply(n, &socket));
                }
            });
        }
    }

    /// A running Pen at its place, with these words after `dsr_if eth0`.
    pub fn pen(&self, words: &[&str]) -> Balancer {
        self.pen.inside(|| Balancer::start(words))
    }

    /// What a client at `from` hears from the service by TCP: the server's number.
    pub fn ask(&self, from: &str, to: &str, port: u16) -> Option<usize> {
        self.client.inside(|| {
            let mut wire = connect(from, 0, to, port)?;
            let mut said = String::new();
            wire.read_to_string(&mut said).ok()?;
            let (server, seen) = said.split_once(' ')?;
            assert_eq!(
                seen.parse::<SocketAddr>().expect("an address").ip(),
                from.parse::<IpAddr>().expect("an address")
            );
            server.parse().ok()
        })
    }

    /// The same, as soon as somebody answers.
    pub fn ask_until(&self, from: &str, to: &str, port: u16) -> usize {
        until("an answer from the service", || self.ask(from, to, port))
    }
}

/// Plugs a machine into the switch.
pub fn plug(host: &Host, port: &str) {
    host.cable("eth0", port);
    run_here(&format!("ip link set {port} master br0"));
}

/// A connection from an address; `None` if nobody takes it within a second.
pub fn connect(from: &str, port: u16, to: &str, at: u16) -> Option<TcpStream> {
    let from: SocketAddr = (from.parse::<IpAddr>().expect("an address"), port).into();
    let to: SocketAddr = (to.parse::<IpAddr>().expect("an address"), at).into();
    let wire = dial_from(from, to, Duration::from_millis(1_500)).ok()?;
    wire.set_read_timeout(Some(deadline())).expect("it is longer than 0");
    wire.set_write_timeout(Some(deadline())).expect("it is longer than 0");
    Some(wire)
}

/// Says who it is and whom it sees. Who sends before is heard to the end: the answer is then the
/// number of bytes.
fn greet(n: usize, listener: &TcpListener) {
    while let Ok((mut wire, client)) = listener.accept() {
        std::thread::spawn(move || {
            if client.port() < 10_000 {
                // Counts what comes.
                let mut buffer = vec![0; 1 << 16];
                let mut sum = 0_u64;
                while let Ok(length @ 1..) = wire.read(&mut buffer) {
                    sum += length as u64;
                }
                drop(write!(wire, "{n} {sum}"));
                return;
            }
            drop(write!(wire, "{n} {client}"));
        });
    }
}

fn reply(n: usize, socket: &UdpSocket) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        drop(socket.send_to(format!("{n} {length}").as_bytes(), client));
    }
}

/// The lines of docs/dsr.md behind the comment `title`.
fn documented(title: &str) -> String {
    let page = include_str!("../../../../docs/dsr.md");
    let lines: Vec<&str> = page
        .lines()
        .map(str::trim_start)
        .skip_while(|line| *line != title)
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    assert!(!lines.is_empty(), "the page has no lines for {title}");
    lines.join("\n")
}

/// A running Pen.
pub struct Balancer {
    program: Program,
    scratch: Scratch,
}

impl Balancer {
    /// Starts it where the thread is.
    pub fn start(words: &[&str]) -> Self {
        Self::start_with(words, &[])
    }

    /// The same with these variables of the environment.
    pub fn start_with(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new();
        let mut command = Command::new(pen_program());
        command.envs(variables.iter().copied());
        command.arg("-f").arg("-C").arg(scratch.path("control"));
        if is_root() {
            command.args(["-u", "root"]);
        }
        command.args(["-O", "dsr_if eth0"]).args(words);
        let program = Program::start(command, &scratch);
        let pen = Self { program, scratch };
        until("the control socket", || pen.scratch.path("control").exists().then_some(()));
        pen
    }

    /// The reply to a control command.
    pub fn ctl(&self, line: &str) -> String {
        let mut command = Command::new(penctl_program());
        let output =
            command.arg(self.scratch.path("control")).arg(line).output().expect("penctl is built");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until `dsr` shows `text`.
    pub fn shows(&self, text: &str) {
        until(&format!("dsr to show {text}"), || self.ctl("dsr").contains(text).then_some(()));
    }

    /// Waits until it has found these many servers.
    pub fn finds(&self, servers: usize) {
        until("the servers' hardware addresses", || {
            let shown = self.ctl("dsr");
            let found = |line: &&str| line.starts_with("server ") && !line.contains("unknown");
            (shown.lines().filter(found).count() == servers).then_some(())
        });
    }

    /// Waits until it has said `text`.
    pub fn says(&self, text: &str) {
        until(&format!("{text:?} to be said"), || {
            let said = self.program.stderr() + &self.program.stdout();
            said.contains(text).then_some(())
        });
    }

    /// Waits until it ends: its status, `None` after a signal, and what it said.
    pub fn ended(self) -> (Option<i32>, String) {
        let Self { program, scratch } = self;
        let finished = program.finished();
        drop(scratch);
        (finished.code, finished.stderr + &finished.stdout)
    }

    /// Ends it at once, as a machine that loses its power.
    pub fn kill(self) {
        drop(self);
    }

    /// Ends it in good order and answers its status.
    pub fn stop(self) -> Option<i32> {
        Sig::Term.send(self.program.pid());
        let Self { program, .. } = self;
        program.finished().code
    }

    /// Reads its file again.
    pub fn reload(&self) {
        Sig::Hup.send(self.program.pid());
    }
}
