//! The daemon under attack: ends in every order, resets with data before them, silent sides, urgent
//! data, many connections at random. Every byte arrives, every end arrives as what it was, and
//! everything is given back.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{SendFlags, connect_unspec, send};
use rustix::process::{Pid, Signal, getuid, kill_process};

const PATIENCE: Duration = Duration::from_secs(10);

/// A running daemon with one service.
struct Pen {
    child: Child,
    address: SocketAddr,
    control: PathBuf,
}

fn place(what: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("pen-{what}-{}-{n}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn free_address() -> SocketAddr {
    ([127, 0, 0, 1], pen_test::free_port()).into()
}

impl Pen {
    fn start(lines: &[&str], servers: &[String]) -> Self {
        let (address, control) = (free_address(), place("control"));
        Self::start_at(address, &address.to_string(), control, 1_000, lines, servers)
    }

    fn start_at(
        address: SocketAddr,
        listen: &str,
        control: PathBuf,
        descriptors: u32,
        lines: &[&str],
        servers: &[String],
    ) -> Self {
        let limited = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(limited).arg(env!("CARGO_BIN_EXE_pen"));
        command.arg("-f").arg("-C").arg(&control).args(["-O", "workers 2"]);
        if getuid().is_root() {
            command.args(["-u", "root"]);
        }
        for line in lines {
            command.args(["-O", line]);
        }
        command.arg(listen).args(servers).stdout(Stdio::null()).stderr(Stdio::null());
        let pen = Self { child: command.spawn().unwrap(), address, control };
        wait_until("the daemon answers", || pen.try_ask("status json").is_ok());
        // The socket of that answer is closed a moment later.
        thread::sleep(Duration::from_millis(50));
        pen
    }

    fn try_ask(&self, line: &str) -> io::Result<String> {
        let mut session = UnixStream::connect(&self.control)?;
        session.set_read_timeout(Some(PATIENCE))?;
        writeln!(session, "{line}")?;
        let mut answer = String::new();
        session.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn ask(&self, line: &str) -> String {
        self.try_ask(line).unwrap()
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Does something while the daemon sleeps, so that it sees all of it in one event.
    fn asleep<T>(&self, act: impl FnOnce() -> T) -> T {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let state = format!("/proc/{}/stat", self.child.id());
        wait_until("it sleeps", || std::fs::read_to_string(&state).unwrap().contains(") T "));
        let done = act();
        thread::sleep(Duration::from_millis(20));
        kill_process(self.pid(), Signal::CONT).unwrap();
        done
    }

    /// Sockets the daemon has open.
    fn sockets(&self) -> usize {
        let all = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        all.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .filter(|to| to.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// Waits until no connection is left.
    fn rests(&self, sockets: usize) {
        let words = ["\"connections\":[]", "\"conn_used\":0", "\"connections\":0,\"pending\":0"];
        wait_until("every count is zero", || {
            let status = self.ask("status json");
            words.iter().all(|word| status.contains(word))
        });
        wait_until("every socket is closed", || self.sockets() <= sockets);
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.control);
    }
}

fn wait_until(what: &str, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !probe() {
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A listening server.
struct Farm(TcpListener);

impl Farm {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn word(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    fn accept(&self) -> TcpStream {
        let (server, _) = self.0.accept().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        server
    }
}

/// A daemon in front of one server, and a connection through both.
fn line(lines: &[&str]) -> (Pen, usize, Farm, TcpStream, TcpStream) {
    let farm = Farm::new();
    let pen = Pen::start(lines, &[farm.word()]);
    let sockets = pen.sockets();
    let mut client = pen.connect();
    let mut server = farm.accept();
    client.write_all(b"?").unwrap();
    server.read_exact(&mut [0]).unwrap();
    server.write_all(b"!").unwrap();
    client.read_exact(&mut [0]).unwrap();
    (pen, sockets, farm, client, server)
}

/// Resets a connection at once.
fn abort(stream: &TcpStream) {
    connect_unspec(stream).unwrap();
}

/// What arrives until the end, and whether the end was a clean one.
fn read_all(mut stream: &TcpStream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (bytes, true),
        Err(e) if e.kind() == ErrorKind::ConnectionReset => (bytes, false),
        Err(e) => panic!("{e} after {} bytes", bytes.len()),
    }
}

#[test]
fn a_reset_that_comes_with_its_data_is_passed_on() {
    let (pen, sockets, _farm, mut client, server) = line(&[]);
    pen.asleep(|| {
        client.write_all(b"last words").unwrap();
        abort(&client);
    });
    assert_eq!(read_all(&server), (b"last words".to_vec(), false));
    drop(server);
    pen.rests(sockets);
}

#[test]
fn a_client_that_half_closed_and_died_is_told_to_a_silent_server() {
    let (pen, sockets, _farm, client, server) = line(&[]);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&server), (vec![], true));
    abort(&client);
    pen.rests(sockets);
    assert!((&server).write_all(b"x").is_err());
}

#[test]
fn a_server_that_half_closed_and_died_is_told_to_a_silent_client() {
    let (pen, sockets, _farm, client, server) = line(&[]);
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), (vec![], true));
    abort(&server);
    pen.rests(sockets);
    assert!((&client).write_all(b"x").is_err());
}

#[test]
fn two_dead_sides_leave_nothing_behind() {
    let (pen, sockets, _farm, mut client, server) = line(&[]);
    server.set_nonblocking(true).unwrap();
    let mut quiet = 0;
    while quiet < 10 {
        match (&server).write(&[7; 65_536]) {
            Ok(_) => quiet = 0,
            Err(_) => quiet += 1,
        }
        thread::sleep(Duration::from_millis(2));
    }
    abort(&server);
    thread::sleep(Duration::from_millis(50));
    client.write_all(b"anybody there?").unwrap();
    thread::sleep(Duration::from_millis(50));
    abort(&client);
    pen.rests(sockets);
}

#[test]
fn urgent_bytes_are_delivered_in_their_place() {
    let (pen, sockets, _farm, mut client, server) = line(&[]);
    pen.asleep(|| {
        client.write_all(b"before").unwrap();
        send(&client, b"!", SendFlags::OOB).unwrap();
        client.write_all(b"after").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    });
    assert_eq!(read_all(&server), (b"before!after".to_vec(), true));
    drop(server);
    assert_eq!(read_all(&client), (vec![], true));
    pen.rests(sockets);
}

#[test]
fn a_tunnel_that_is_never_answered_ends() {
    let (pen, sockets, _farm, mut client, server) = line(&["http"]);
    drop((client, server));
    pen.rests(sockets);
    // (The line's first bytes were no HTTP; this connection starts as it.)
    client = pen.connect();
    let server = _farm.accept();
    client.write_all(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut seen = [0; 20];
    (&server).read_exact(&mut seen).unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), (vec![], true));
    drop(client);
    assert!(read_all(&server).1);
    drop(server);
    pen.rests(sockets);

    let client = pen.connect();
    let server = _farm.accept();
    (&client).write_all(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    (&server).read_exact(&mut seen).unwrap();
    abort(&client);
    assert!(!read_all(&server).1);
    pen.rests(sockets);
}

#[test]
fn unix_sides_may_speak_and_leave_at_once() {
    let path = place("server");
    let listener = UnixListener::bind(&path).unwrap();
    let front = place("front");
    let pen = Pen::start_at(
        free_address(),
        front.to_str().unwrap(),
        place("control"),
        1_000,
        &[],
        &[path.to_str().unwrap().to_owned()],
    );
    let sockets = pen.sockets();
    for _ in 0..20 {
        // The server's word and close are there before the connect is looked at.
        let mut client = UnixStream::connect(&front).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        pen.asleep(|| {
            server.write_all(b"hello and good-bye").unwrap();
            drop(server);
        });
        let mut got = String::new();
        client.read_to_string(&mut got).unwrap();
        assert_eq!(got, "hello and good-bye");
    }
    for _ in 0..20 {
        // The client has said everything and is gone before a server is reached.
        pen.asleep(|| UnixStream::connect(&front).unwrap().write_all(b"fire and forget").unwrap());
        let (mut server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut got = String::new();
        server.read_to_string(&mut got).unwrap();
        assert_eq!(got, "fire and forget");
    }
    pen.rests(sockets);
    let _ = std::fs::remove_file(&path);
    let _ = std::fs::remove_file(&front);
}

#[test]
fn a_fast_close_lets_a_slow_reader_finish() {
    let (pen, sockets, _farm, client, mut server) = line(&["tcp_fastclose up"]);
    set_socket_recv_buffer_size(&client, 8_192).unwrap();
    let bytes = vec![b'z'; 200_000];
    let sent = bytes.clone();
    let serving = thread::spawn(move || server.write_all(&sent));
    thread::sleep(Duration::from_millis(200));
    // The client's own end while the last bytes are under way changes nothing.
    client.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 5_000];
    while let n @ 1.. = (&client).read(&mut buffer).unwrap() {
        got.extend_from_slice(&buffer[..n]);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(got == bytes, "{} bytes", got.len());
    serving.join().unwrap().unwrap();
    drop(client);
    pen.rests(sockets);
}

#[test]
fn services_share_the_descriptors_there_are() {
    let (farm, other, address) = (Farm::new(), free_address(), free_address());
    let port = farm.0.local_addr().unwrap().port();
    let listen = format!("listen {other}");
    let server = format!("server 0 address 127.0.0.1 port {port}");
    let lines = ["service other", &listen, &server];
    let words = [farm.word()];
    let pen = Pen::start_at(address, &address.to_string(), place("control"), 200, &lines, &words);
    let sockets = pen.sockets();
    thread::spawn(move || {
        while let Ok((stream, _)) = farm.0.accept() {
            thread::spawn(move || io::copy(&mut &stream, &mut &stream));
        }
    });
    let mut clients: Vec<TcpStream> = (0..200)
        .map(|n| TcpStream::connect(if n % 2 == 0 { address } else { other }).unwrap())
        .collect();
    for client in &mut clients {
        client.write_all(b"x").unwrap();
        client.set_nonblocking(true).unwrap();
    }
    // Those for whom there is no room wait; nobody is turned away, and control answers.
    wait_until("everybody was served", || {
        clients.retain_mut(|client| match client.read(&mut [0]) {
            Ok(n) => {
                assert_eq!(n, 1);
                false
            }
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::WouldBlock);
                true
            }
        });
        pen.ask("services");
        clients.is_empty()
    });
    pen.rests(sockets);
}

/// What one connection of the random test does, written by the client as its first bytes.
#[derive(Clone, Copy, Debug)]
struct Script {
    to_server: u32,
    to_client: u32,
    seed: u8,
    /// Bit 0: the client resets instead of ending; bit 1: the server does; bit 2: the client
    /// reads slowly; bit 3: the server does; bit 4: the client ends only when the server has;
    /// bit 5: the other way round.
    ways: u8,
}

impl Script {
    const BYTES: usize = 10;

    fn random(dice: &mut u64) -> Self {
        let mut roll = || {
            *dice =
                dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (*dice >> 33) as u32
        };
        let size = |r: u32| match r % 4 {
            0 => r / 4 % 3,
            1 => r / 4 % 3_000,
            2 => r / 4 % 200_000,
            _ => r / 4 % 3_000_000,
        };
        let (to_server, to_client, seed) = (size(roll()), size(roll()), roll() as u8);
        // Resets on one side at most, and not often; waiting for one another is no good.
        let resets = [0, 0, 0, 1, 2][roll() as usize % 5];
        let waits = if resets == 0 { [0, 0x10, 0x20][roll() as usize % 3] } else { 0 };
        Self { to_server, to_client, seed, ways: resets | waits | (roll() as u8 & 0x0c) }
    }

    fn bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.to_server.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.to_client.to_be_bytes());
        bytes[8..].copy_from_slice(&[self.seed, self.ways]);
        bytes
    }

    fn parse(bytes: [u8; Self::BYTES]) -> Self {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        Self { to_server: number(0), to_client: number(4), seed: bytes[8], ways: bytes[9] }
    }

    fn has(self, bit: u8) -> bool {
        self.ways >> bit & 1 == 1
    }
}

fn pattern(seed: u8, length: u32) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect()
}

/// Plays one side: writes `mine`, ends as told, and checks what comes. `resets`: this side does;
/// `suffers`: the other side does.
fn play(mut stream: TcpStream, mine: &[u8], theirs: &[u8], how: [bool; 4]) {
    let [resets, suffers, slow, waits] = how;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    thread::scope(|scope| {
        let writer = &stream;
        let write = move || {
            for piece in mine.chunks(50_000) {
                if let Err(e) = (&mut &*writer).write_all(piece) {
                    assert!(suffers || resets, "writing: {e}");
                    return true;
                }
            }
            if resets {
                thread::sleep(Duration::from_millis(u64::from(slow)));
                abort(writer);
            } else {
                let ended = writer.shutdown(Shutdown::Write);
                assert!(ended.is_ok() || suffers, "{ended:?}");
            }
            false
        };
        let writing = (!waits).then(|| scope.spawn(write));
        let mut got = Vec::new();
        let mut buffer = vec![0; 30_000];
        let end = loop {
            match (&stream).read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => got.extend_from_slice(&buffer[..n]),
                Err(e) => break Err(e),
            }
            if slow {
                thread::sleep(Duration::from_micros(300));
            }
        };
        // An error is told once: if the writer got it, the reader sees an end.
        let told = writing.map_or_else(write, |writing| writing.join().unwrap());
        assert_eq!(got, theirs[..got.len()], "bytes differ");
        match end {
            _ if resets => {}
            Ok(()) => {
                assert!(!suffers || told, "a reset looked like an end");
                assert!(got.len() == theirs.len() || told, "cut short");
            }
            Err(e) => assert!(suffers, "an end looked like {e} after {} bytes", got.len()),
        }
    });
    let _ = stream.flush();
}

fn serve(stream: TcpStream) {
    let mut bytes = [0; Script::BYTES];
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // An idler says nothing.
    if (&stream).read_exact(&mut bytes).is_err() {
        return;
    }
    let script = Script::parse(bytes);
    let (mine, theirs) =
        (pattern(!script.seed, script.to_client), pattern(script.seed, script.to_server));
    play(stream, &mine, &theirs, [script.has(1), script.has(0), script.has(3), script.has(5)]);
}

/// Runs random connections, `at_once` at a time, while `meanwhile` may disturb the daemon.
fn storm(lines: &[&str], seed: u64, each: u32, at_once: u64, meanwhile: impl Fn(&Pen)) {
    let farms = [Farm::new(), Farm::new()];
    let pen = Pen::start(lines, &[farms[0].word(), farms[1].word()]);
    let sockets = pen.sockets();
    for farm in farms {
        thread::spawn(move || {
            while let Ok((s, _)) = farm.0.accept() {
                thread::spawn(move || serve(s));
            }
        });
    }
    thread::scope(|scope| {
        let pen = &pen;
        let clients: Vec<_> = (0..at_once)
            .map(|n| {
                scope.spawn(move || {
                    let mut dice = seed.wrapping_add(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    for _ in 0..each {
                        let script = Script::random(&mut dice);
                        let client = pen.connect();
                        (&client).write_all(&script.bytes()).unwrap();
                        let mine = pattern(script.seed, script.to_server);
                        let theirs = pattern(!script.seed, script.to_client);
                        let how = [script.has(0), script.has(1), script.has(2), script.has(4)];
                        play(client, &mine, &theirs, how);
                    }
                })
            })
            .collect();
        while !clients.iter().all(thread::ScopedJoinHandle::is_finished) {
            meanwhile(pen);
            thread::sleep(Duration::from_millis(20));
        }
    });
    pen.ask("idlers 0");
    pen.rests(sockets);
}

#[test]
fn random_connections() {
    storm(&[], 1, 12, 12, |_| ());
}

#[test]
fn random_connections_with_little_room() {
    storm(&["peek", "pending_max 1", "conn_max 5", "idle_timeout 5"], 2, 6, 12, |_| ());
}

#[test]
fn random_connections_while_everything_changes() {
    let log = place("log");
    let log_on = format!("log {}", log.display());
    let turn = AtomicU32::new(0);
    storm(&["http"], 3, 10, 12, |pen| {
        let lines = [
            log_on.as_str(),
            "idlers 3",
            "no log",
            "http",
            "roundrobin",
            "no http",
            "idlers 1",
            "status json",
            "peek",
            "idle_timeout 5",
            "no peek",
            "no idle_timeout",
            "debug 3",
            "debug 0",
        ];
        pen.ask(lines[turn.fetch_add(1, Ordering::Relaxed) as usize % lines.len()]);
        kill_process(pen.pid(), Signal::HUP).unwrap();
    });
    let _ = std::fs::remove_file(log);
}
