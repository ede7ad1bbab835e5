//! Servers that are processes of their own, so that they can be killed and stopped as real ones are.
//!
//! Each greets with `NAME ACCEPTED OPEN PEAK` on a line (clients so far, clients now, most at once)
//! and echoes what follows. One thread serves all, so that a pace of thousands a second is no burden.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitCode, Stdio};

use pen_test::{Place, Sig};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// The first word of a command line that plays a server.
pub const WORD: &str = "serve";
/// Connections that wait to be accepted, unless said.
const BACKLOG: i32 = 4_096;
const PARENT: u64 = 0;
const LISTENER: u64 = 1;
const EVENTS: usize = 256;

/// A server in a process of its own. It is killed when this goes.
pub struct Served {
    /// What it is called.
    pub name: String,
    /// Where it listens.
    pub at: SocketAddr,
    backlog: i32,
    process: Option<Child>,
}

impl Served {
    /// The server `s{n}` at an address of its own, 127.1.0.(n+1), and a port that is free there.
    pub fn number(n: u8) -> Self {
        Self::with_backlog(n, BACKLOG)
    }

    /// The same with room for so many connections that wait to be accepted.
    ///
    /// # Panics
    /// It does not start: nothing can be tried then.
    pub fn with_backlog(n: u8, backlog: i32) -> Self {
        let at = SocketAddr::from((Ipv4Addr::new(127, 1, 0, n.saturating_add(1)), 0));
        let mut served = Self { name: format!("s{n}"), at, backlog, process: None };
        served.start();
        served
    }

    /// The way balancers write it.
    pub fn word(&self) -> String {
        self.at.to_string()
    }

    /// The same as a place.
    pub fn place(&self) -> Place {
        Place::Tcp(self.at)
    }

    /// Starts it (again, where it was).
    ///
    /// # Panics
    /// It does not start.
    pub fn start(&mut self) {
        let this = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new(this);
        command.args([WORD, &self.name, &self.at.to_string(), &self.backlog.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a server starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("its output is a pipe");
        BufReader::new(out).read_line(&mut line).expect("a server says where it is");
        self.at = line.trim().parse().expect("a server says its address");
        self.process = Some(process);
    }

    /// Kills it and waits for its end: connects are refused from then on.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Sig) {
        if let Some(process) = &self.process {
            signal.send(process.id());
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Plays the server that the words describe until it is killed or its parent ends.
pub fn play(words: &[String]) -> ExitCode {
    let [name, at, backlog] = words else { return ExitCode::from(2) };
    let (Ok(at), Ok(backlog)) = (at.parse(), backlog.parse()) else { return ExitCode::from(2) };
    match serve(name, at, backlog) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve {name} {at}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(name: &str, at: SocketAddr, backlog: i32) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM.nonblocking().cloexec(), None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(backlog)?;
    let listener: TcpListener = socket.into();
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, io::stdin(), EventData::new_u64(PARENT), EventFlags::IN)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let name = name.to_owned();
    let mut room = Room { name, epoll, clients: HashMap::new(), accepted: 0, peak: 0 };
    loop {
        let turn = room.turn(None)?;
        if turn.orphaned {
            return Ok(());
        }
        if turn.knocked {
            let fresh = room.accept(&listener);
            // Who has left already does not count as being there.
            room.turn(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
            room.peak = room.peak.max(room.clients.len());
            fresh.into_iter().for_each(|key| room.greet(key));
        }
    }
}

/// A server's clients.
struct Room {
    name: String,
    epoll: OwnedFd,
    clients: HashMap<u64, TcpStream>,
    accepted: u64,
    peak: usize,
}

#[derive(Default)]
struct Turn {
    orphaned: bool,
    knocked: bool,
}

impl Room {
    /// Waits, and hears all who have something to say.
    fn turn(&mut self, patience: Option<&Timespec>) -> io::Result<Turn> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), patience) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut turn = Turn::default();
        for event in events {
            match event.data.u64() {
                PARENT => turn.orphaned = true,
                LISTENER => turn.knocked = true,
                key => self.hear(key),
            }
        }
        Ok(turn)
    }

    fn accept(&mut self, listener: &TcpListener) -> Vec<u64> {
        let mut fresh = Vec::new();
        while let Ok((client, _)) = listener.accept() {
            self.accepted += 1;
            let key = LISTENER + self.accepted;
            let watched = client.set_nonblocking(true).is_ok()
                && epoll::add(&self.epoll, &client, EventData::new_u64(key), EventFlags::IN)
                    .is_ok();
            if watched {
                self.clients.insert(key, client);
                fresh.push(key);
            }
        }
        fresh
    }

    fn greet(&mut self, key: u64) {
        let line =
            format!("{} {} {} {}\n", self.name, self.accepted, self.clients.len(), self.peak);
        self.say(key, line.as_bytes());
    }

    fn hear(&mut self, key: u64) {
        let mut chunk = [0; 4_096];
        let Some(client) = self.clients.get_mut(&key) else { return };
        match client.read(&mut chunk) {
            Ok(n) if n > 0 => self.say(key, chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => drop(self.clients.remove(&key)),
        }
    }

    /// Clients ask for little, so it fits or they are gone.
    fn say(&mut self, key: u64, bytes: &[u8]) {
        let said = self.clients.get_mut(&key).is_some_and(|client| client.write_all(bytes).is_ok());
        if !said {
            self.clients.remove(&key);
        }
    }
}
