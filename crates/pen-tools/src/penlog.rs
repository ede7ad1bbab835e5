//! `penlog`: each line of standard input becomes a datagram to penlogd, at once.
//!
//! Standard input is a web server's pipe, so it is never left unread: what cannot be sent is counted
//! and reported, and names are looked up again on a thread of their own. TERM sends what is already
//! there and ends; so does the end of the input.

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pen_core::cli::tools::penlog::{self, Launch};
use pen_core::limits;
use pen_sys::signals::{self, Signal, Signals};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::{ends, names};

const NAME: &str = "penlog";

/// Runs with these arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let launch = match penlog::parse(arguments) {
        Ok(launch) => launch,
        Err(stop) => return ends::stop(&stop),
    };
    let done = signals::open()
        .map_err(|e| format!("cannot handle signals: {e}"))
        .and_then(|signals| Ok((signals, Sender::open(launch)?)))
        .and_then(|(mut signals, mut sender)| {
            let result = pump(&mut signals, &mut sender);
            sender.report_last();
            result
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => ends::failure(NAME, &text),
    }
}

/// From standard input to the socket until the input ends or a signal says so.
fn pump(signals: &mut Signals, sender: &mut Sender) -> Result<(), String> {
    let mut lines = Lines::default();
    let mut leaving = false;
    loop {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&*signals, PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut fds, leaving.then_some(&now)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(format!("cannot wait for standard input: {e}")),
        }
        let readable = !fds[0].revents().is_empty();
        while let Some(signal) = signals.take().map_err(|e| format!("cannot read signals: {e}"))? {
            leaving |= !matches!(signal, Signal::Usr1 | Signal::Usr2);
        }
        if readable {
            match rustix::io::read(&stdin, lines.space()) {
                Ok(0) => break,
                Ok(n) => lines.take(n, sender),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(e) => return Err(format!("cannot read standard input: {e}")),
            }
        } else if leaving {
            break;
        }
    }
    lines.finish(sender);
    Ok(())
}

/// Cuts what is read into lines, each within the bound.
struct Lines {
    piece: Vec<u8>,
    /// The beginning of a line whose end is still to come.
    line: Vec<u8>,
    /// The rest of this line is left out.
    cut: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { piece: vec![0; limits::PENLOG_LINE_MAX], line: Vec::new(), cut: false }
    }
}

impl Lines {
    fn space(&mut self) -> &mut [u8] {
        &mut self.piece
    }

    fn take(&mut self, n: usize, sender: &mut Sender) {
        let piece = std::mem::take(&mut self.piece);
        for part in piece.get(..n).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
            let ended = part.last() == Some(&b'\n');
            // One byte is kept for the end.
            let room = (limits::PENLOG_LINE_MAX - 1).saturating_sub(self.line.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.cut |= text.len() > room;
            self.line.extend_from_slice(text.get(..room).unwrap_or(text));
            if ended {
                self.line.push(b'\n');
                self.send(sender);
            }
        }
        self.piece = piece;
    }

    /// The input has ended: what is left has no end of its own and gets none.
    fn finish(&mut self, sender: &mut Sender) {
        if !self.line.is_empty() {
            self.send(sender);
        }
    }

    fn send(&mut self, sender: &mut Sender) {
        sender.cut += u64::from(std::mem::take(&mut self.cut));
        sender.send(&self.line);
        self.line.clear();
    }
}

/// The way to penlogd.
struct Sender {
    launch: Launch,
    /// The addresses of the own address's name; none if the kernel chooses.
    own: Vec<IpAddr>,
    places: Vec<SocketAddr>,
    /// Which of the places the socket is connected to.
    at: usize,
    socket: UdpSocket,
    lost: u64,
    why: Option<io::Error>,
    cut: u64,
    said: Option<Instant>,
    looked_up: Instant,
    answer: Option<Receiver<Result<Vec<SocketAddr>, String>>>,
}

impl Sender {
    fn open(launch: Launch) -> Result<Self, String> {
        let own = launch.own.as_deref().map_or_else(|| Ok(Vec::new()), names::hosts)?;
        let places = look_up(&launch, &own)?;
        let (at, socket) = connect_any(&places, &own)?;
        Ok(Self {
            launch,
            own,
            places,
            at,
            socket,
            lost: 0,
            why: None,
            cut: 0,
            said: None,
            looked_up: Instant::now(),
            answer: None,
        })
    }

    fn send(&mut self, line: &[u8]) {
        match self.socket.send(line) {
            Ok(_) => return,
            // It is the answer to the datagram before, which nobody took; this one was not sent.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                self.lose(e);
                self.try_another_place();
                match self.socket.send(line) {
                    Ok(_) => {}
                    Err(e) => self.lose(e),
                }
            }
            Err(e) => {
                self.lose(e);
                self.try_another_place();
            }
        }
        self.report();
    }

    fn lose(&mut self, why: io::Error) {
        self.lost = self.lost.saturating_add(1);
        self.why = Some(why);
    }

    /// The next address of the host; and its addresses are looked up again from time to time.
    fn try_another_place(&mut self) {
        match self.answer.as_ref().map(|answer| answer.try_recv()) {
            Some(Ok(found)) => {
                self.answer = None;
                if let Some(places) = found.ok().filter(|places| *places != self.places) {
                    (self.places, self.at) = (places, 0);
                    self.connect();
                }
                return;
            }
            Some(Err(_)) => {}
            None if self.looked_up.elapsed() >= Duration::from_secs(limits::PENLOG_TROUBLE_S) => {
                self.looked_up = Instant::now();
                let (tell, answer) = channel();
                let (launch, own) = (self.launch.clone(), self.own.clone());
                // Without a thread the addresses stay what they are.
                let started = std::thread::Builder::new()
                    .spawn(move || drop(tell.send(look_up(&launch, &own))));
                self.answer = started.ok().map(|_| answer);
            }
            None => {}
        }
        if self.places.len() > 1 {
            self.at = (self.at + 1) % self.places.len();
            self.connect();
        }
    }

    /// On an error the old socket stays.
    fn connect(&mut self) {
        let Some(place) = self.places.get(self.at) else { return };
        match connect(*place, &self.own) {
            Ok(socket) => self.socket = socket,
            Err(e) => self.why = Some(e),
        }
    }

    fn report(&mut self) {
        let pause = Duration::from_secs(limits::PENLOG_TROUBLE_S);
        if self.said.is_none_or(|said| said.elapsed() >= pause) {
            self.said = Some(Instant::now());
            self.report_last();
        }
    }

    /// What was lost so far, if anything.
    fn report_last(&self) {
        let (lost, cut, host, port) = (self.lost, self.cut, &self.launch.host, &self.launch.port);
        if lost > 0 {
            let why = self.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            ends::complain(NAME, &format!("{lost} lines are lost so far, {host} {port}{why}"));
        }
        if cut > 0 {
            let most = limits::PENLOG_LINE_MAX;
            ends::complain(NAME, &format!("{cut} lines were longer than {most} bytes and are cut"));
        }
    }
}

/// Where penlogd may be: of the same family as the own address.
fn look_up(launch: &Launch, own: &[IpAddr]) -> Result<Vec<SocketAddr>, String> {
    let mut places = names::places(&launch.host, &launch.port)?;
    if !own.is_empty() {
        places.retain(|place| own.iter().any(|ip| ip.is_ipv6() == place.is_ipv6()));
    }
    if places.is_empty() {
        let own = launch.own.as_deref().unwrap_or_default();
        return Err(format!("{own} and {} are of different kinds", launch.host));
    }
    Ok(places)
}

/// The first place that can be connected to, which says nothing of who listens.
fn connect_any(places: &[SocketAddr], own: &[IpAddr]) -> Result<(usize, UdpSocket), String> {
    let mut why = String::new();
    for (n, place) in places.iter().enumerate() {
        match connect(*place, own) {
            Ok(socket) => return Ok((n, socket)),
            Err(e) => why = format!("cannot send to {place}: {e}"),
        }
    }
    Err(why)
}

fn connect(place: SocketAddr, own: &[IpAddr]) -> io::Result<UdpSocket> {
    let any: IpAddr =
        if place.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = own.iter().copied().find(|ip| ip.is_ipv4() == place.is_ipv4()).unwrap_or(any);
    let socket = UdpSocket::bind((from, 0))
        .map_err(|e| io::Error::new(e.kind(), format!("own address {from}: {e}")))?;
    socket.connect(place)?;
    Ok(socket)
}
