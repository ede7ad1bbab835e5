//! Both directions of a connection as a worker drives them, between sockets whose far ends know every
//! byte: what may happen to a connection in which order, and what both sides must see of it.
//!
//! The far ends send, read, finish, reset; the near ends are pumped when they report something and when
//! they do not; timers end the connection; memory gets short; bytes are tapped. Each byte says what is
//! done. Here for tests and for the fuzzer `relay`, which has this file by its path.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use pen_core::config::{Engine, FastClose};
use pen_core::limits;
use pen_core::memory::{self, Allowance};
use pen_core::reasons::CloseReason;
use pen_core::relay::{Act, Outcome, Relay, Side};
use pen_sys::sockets;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, Shutdown, recv, shutdown, sockopt};

use crate::engine::{Flow, Pumped, Scratch, Tap};

const SIDES: [Side; 2] = [Side::Client, Side::Server];
/// Looks at bytes that the kernel holds back, 200 microseconds apart.
const PATIENCE: u32 = 10_000;
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The byte at `at` of what comes from `side`: a lost, doubled or moved one shows.
fn byte(side: Side, at: u64) -> u8 {
    let [low, high, ..] = (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).to_le_bytes();
    low ^ high ^ if side == Side::Client { 0x5a } else { 0 }
}

/// What may be taken of memory, which is short or not, of which so much is left.
fn allowance(short: bool, left: Option<u64>) -> Allowance {
    let stage = if short { memory::Stage::Tight } else { memory::Stage::Calm };
    let mut allowance = match left {
        None if short => Allowance::after_look(stage, 1, 1 << 40, 1),
        None => Allowance::BOUNDLESS,
        Some(_) => Allowance::after_look(stage, 1, 1, 1),
    };
    allowance.take(left.map_or(0, |left| limits::MEMORY_TRICKLE.saturating_sub(left)));
    allowance
}

fn place(side: Side) -> usize {
    usize::from(side == Side::Server)
}

/// The other end of a socket of Pen's: a client, or a server.
struct Far {
    side: Side,
    /// `None` once it has reset.
    socket: Option<TcpStream>,
    sent: u64,
    read: u64,
    finished: bool,
    /// What it saw at the end of what it read.
    saw: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Good,
    Reset,
}

impl Far {
    fn send(&mut self, count: usize) {
        let Some(socket) = self.socket.as_mut().filter(|_| !self.finished) else { return };
        let bytes: Vec<u8> = (self.sent..).map(|at| byte(self.side, at)).take(count).collect();
        match socket.write(&bytes) {
            Ok(n) => self.sent += n as u64,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            // The reset is told once, and this was it.
            Err(_) => self.saw = self.saw.or(Some(End::Reset)),
        }
    }

    /// Reads at most so many bytes; they are the next ones that the other side has sent.
    fn read(&mut self, count: usize) {
        let Some(socket) = self.socket.as_mut().filter(|_| self.saw.is_none()) else { return };
        let mut bytes = vec![0; count];
        match socket.read(&mut bytes) {
            Ok(0) => self.saw = Some(End::Good),
            Ok(n) => {
                for byte_read in bytes.iter().take(n) {
                    let due = byte(self.side.other(), self.read);
                    assert_eq!(*byte_read, due, "byte {} to {:?}", self.read, self.side);
                    self.read += 1;
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.saw = Some(End::Reset),
        }
    }

    fn finish(&mut self) {
        if let Some(socket) = &self.socket {
            self.finished = true;
            // It may have been reset.
            let _ = socket.shutdown(std::net::Shutdown::Write);
        }
    }

    fn reset(&mut self) {
        if let Some(socket) = self.socket.take() {
            sockets::reset(socket.into());
        }
    }
}

/// Passes everything on, and holds back what it is told to.
#[derive(Default)]
struct Sieve {
    holds: bool,
    paused: bool,
    resumed: bool,
    held: Vec<u8>,
}

impl Tap for Sieve {
    fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
        self.held.extend_from_slice(input);
        // The last byte may be the beginning of something.
        let keep = usize::from(self.holds && !input.is_empty());
        let rest = self.held.split_off(self.held.len() - keep.min(self.held.len()));
        out.append(&mut std::mem::replace(&mut self.held, rest));
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }

    fn paused(&self) -> bool {
        self.paused
    }

    fn resumed(&mut self) -> bool {
        std::mem::take(&mut self.resumed)
    }
}

/// How far the connection has come, as `worker::conn::Phase` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Flushing(Side, bool),
    Gone,
}

struct Stage {
    far: [Far; 2],
    near: [Option<TcpStream>; 2],
    flows: [Flow; 2],
    sieves: [Option<Sieve>; 2],
    relay: Relay,
    fast: FastClose,
    scratch: Scratch,
    phase: Phase,
    reason: Option<CloseReason>,
    /// Pen itself ended it.
    cut: bool,
    /// Bytes of the client that were read before there was a server.
    early: u64,
}

fn pair(listener: &TcpListener, small: bool) -> std::io::Result<(TcpStream, TcpStream)> {
    let far = TcpStream::connect(listener.local_addr()?)?;
    let (near, _) = listener.accept()?;
    for socket in [&far, &near] {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        if small {
            sockopt::set_socket_send_buffer_size(socket, 4_096)?;
            // A window below a segment of loopback would be waited for.
            sockopt::set_socket_recv_buffer_size(socket, 65_536)?;
        }
    }
    Ok((far, near))
}

impl Stage {
    fn new(listener: &TcpListener, bits: u8) -> std::io::Result<Self> {
        let (client, down) = pair(listener, bits & 1 != 0)?;
        let (server, up) = pair(listener, bits & 2 != 0)?;
        let far = |side, socket| Far {
            side,
            socket: Some(socket),
            sent: 0,
            read: 0,
            finished: false,
            saw: None,
        };
        let fast = match bits >> 2 & 7 {
            1 => FastClose::Up,
            2 => FastClose::Down,
            3 => FastClose::Both,
            _ => FastClose::Off,
        };
        let engine = match bits >> 5 & 3 {
            1 => Engine::Copy,
            2 => Engine::Splice,
            _ => Engine::Auto,
        };
        let mut flows = [Flow::default(), Flow::default()];
        flows.iter_mut().for_each(|flow| flow.choose(engine));
        Ok(Self {
            far: [far(Side::Client, client), far(Side::Server, server)],
            near: [Some(down), Some(up)],
            flows,
            sieves: [None, None],
            relay: Relay::new(),
            fast,
            scratch: Scratch::new(),
            phase: Phase::Open,
            reason: None,
            cut: false,
            early: 0,
        })
    }

    fn far(&mut self, side: Side) -> &mut Far {
        &mut self.far[place(side)]
    }

    /// What was said before there was a server, read by somebody else.
    fn early(&mut self, count: usize) {
        self.far(Side::Client).send(count);
        let Some(down) = &self.near[0] else { return };
        let mut bytes = vec![0; count];
        let read = recv(down, &mut bytes[..], RecvFlags::empty()).map_or(0, |(_, n)| n);
        bytes.truncate(read);
        self.early = read as u64;
        self.flows[0].begin_with(bytes);
    }

    /// An event of a near end, if it has one to report.
    fn event(&mut self, side: Side) {
        let Some(near) = &self.near[place(side)] else { return };
        let asked = PollFlags::IN | PollFlags::RDHUP | PollFlags::OUT | PollFlags::PRI;
        let mut fds = [PollFd::from_borrowed_fd(near.as_fd(), asked)];
        if poll(&mut fds, Some(&NOW)).is_err() {
            return;
        }
        let flags = fds[0].revents();
        if self.phase != Phase::Open {
            return self.look_at_flushing(flags.contains(PollFlags::ERR), side);
        }
        let flow = &mut self.flows[place(side)];
        if flags.intersects(PollFlags::ERR | PollFlags::PRI) {
            flow.read_to_the_last();
        }
        let readable = PollFlags::IN | PollFlags::RDHUP | PollFlags::ERR | PollFlags::HUP;
        if flags.intersects(readable) {
            flow.source_ready(flags.contains(PollFlags::RDHUP));
        }
        if flags.intersects(!PollFlags::OUT) {
            self.pump(side);
        }
        if flags.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::OUT) {
            self.pump(side.other());
        }
        if flags.contains(PollFlags::ERR) {
            self.act(side.other(), Outcome::SinkReset);
        }
    }

    fn pump(&mut self, source: Side) {
        if self.phase != Phase::Open || !self.relay.flows(source) {
            return;
        }
        let Self { near: [Some(down), Some(up)], flows, sieves, scratch, .. } = self else {
            return;
        };
        let (from, to) = match source {
            Side::Client => (down, up),
            Side::Server => (up, down),
        };
        let flow = &mut flows[place(source)];
        let tap = sieves[place(source)].as_mut().map(|s| s as &mut dyn Tap);
        match flow.pump(from.as_fd(), to.as_fd(), scratch, tap) {
            Pumped::Drained
            | Pumped::Paused
            | Pumped::Withheld
            | Pumped::Blocked
            | Pumped::More => {}
            Pumped::Over(outcome) => self.act(source, outcome),
            Pumped::Refused(reason) => panic!("nobody refuses: {reason:?}"),
        }
    }

    fn act(&mut self, source: Side, outcome: Outcome) {
        if self.phase != Phase::Open {
            return;
        }
        match self.relay.came_to(source, outcome, self.fast) {
            Act::Nothing => {}
            Act::ShutdownWrite(side) => {
                if let Some(near) = &self.near[place(side)] {
                    // It may have been reset a moment ago; an event will say so.
                    let _ = shutdown(near, Shutdown::Write);
                }
            }
            Act::Close(reason) => self.end(false, reason),
            Act::CloseFlushed(reason) => {
                self.flows[place(source.other())].source_ready(false);
                self.pump(source.other());
                self.close_flushed(reason);
            }
            Act::Reset(side, reason) => self.flush_then(side, true, reason),
        }
        if outcome == Outcome::SinkReset {
            let flow = &mut self.flows[place(source.other())];
            flow.read_to_the_last();
            flow.source_ready(false);
            self.pump(source.other());
        }
    }

    fn close_flushed(&mut self, reason: CloseReason) {
        if self.phase != Phase::Open {
            return;
        }
        let side = if self.relay.flows(Side::Client) { Side::Client } else { Side::Server };
        if let Some(near) = &self.near[place(side)] {
            let _ = shutdown(near, Shutdown::Write);
        }
        self.flush_then(side, false, reason);
    }

    fn flush_then(&mut self, side: Side, reset: bool, reason: CloseReason) {
        assert_eq!(self.reason.replace(reason), None, "two ends");
        self.near[place(side.other())] = None;
        self.phase = Phase::Flushing(side, reset);
        self.look_at_flushing(false, side);
    }

    fn look_at_flushing(&mut self, broken: bool, at: Side) {
        let Phase::Flushing(side, reset) = self.phase else { return };
        let Some(near) = &self.near[place(side)] else { return };
        let unacknowledged = sockets::unacknowledged(near).unwrap_or(0);
        let dead = broken && at == side || rustix::net::getpeername(near).is_err();
        if unacknowledged > 0 && !dead {
            return;
        }
        let mut waste = [0; 4096];
        while !reset && matches!(recv(near, &mut waste, RecvFlags::empty()), Ok((_, 1..))) {}
        self.close_both(reset || dead);
    }

    fn end(&mut self, reset: bool, reason: CloseReason) {
        if self.phase == Phase::Gone || self.reason.is_some() && !self.cut && !reset {
            return;
        }
        if self.phase == Phase::Open {
            assert_eq!(self.reason.replace(reason), None, "two ends");
        }
        self.close_both(reset);
    }

    fn close_both(&mut self, reset: bool) {
        self.phase = Phase::Gone;
        for near in self.near.iter_mut().filter_map(Option::take) {
            match reset {
                true => sockets::reset(near.into()),
                false => drop(near),
            }
        }
        self.flows.iter_mut().for_each(|flow| flow.end(&mut self.scratch));
    }

    fn step(&mut self, step: u8, amount: u8) {
        let side = if step & 1 == 0 { Side::Client } else { Side::Server };
        let count = (usize::from(amount) + 1) << (step >> 5);
        match step >> 1 & 15 {
            0 | 1 => self.far(side).send(count * 4),
            2 | 3 => self.far(side).read(count * 4),
            4..=6 => self.event(side),
            7 => self.pump(side),
            8 => self.far(side).finish(),
            9 if amount < 64 => self.far(side).reset(),
            10 => self.scratch.allowance = allowance(amount & 1 != 0, None),
            11 => self.scratch.allowance = allowance(true, Some(u64::from(amount) << 8)),
            12 if amount < 16 => {
                // A timer, a drain, an operator: Pen resets both.
                self.cut = true;
                self.end(true, CloseReason::IdleTimeout);
            }
            13 if self.sieves[place(side)].is_none() => {
                self.sieves[place(side)] =
                    Some(Sieve { holds: amount & 1 != 0, ..Sieve::default() });
            }
            14 => {
                if let Some(sieve) = &mut self.sieves[place(side)] {
                    sieve.resumed = sieve.paused;
                    sieve.paused = !sieve.paused;
                }
            }
            _ => self.check(),
        }
        self.check();
    }

    /// What holds at every moment.
    fn check(&self) {
        for side in SIDES {
            let (from, to) = (&self.far[place(side)], &self.far[place(side.other())]);
            let flow = &self.flows[place(side)];
            assert!(
                to.read <= flow.written,
                "{side:?}: read {}, written {}",
                to.read,
                flow.written
            );
            assert!(
                flow.written <= flow.read && flow.read <= from.sent,
                "{side:?}: {}, {}",
                flow.written,
                flow.read
            );
            let sieve = self.sieves[place(side)].as_ref().map_or(0, |s| s.held.len() as u64);
            if self.phase == Phase::Open && self.relay.flows(side) {
                // Early bytes count as read when they are passed on.
                let early = if side == Side::Client { self.early } else { 0 };
                let (moving, held) = (flow.read - flow.written, flow.unsent() + sieve);
                assert!(moving <= held && held <= moving + early, "{side:?}: {moving}, {held}");
            }
            if to.saw == Some(End::Good) {
                let whole = from.finished && to.read == from.sent;
                assert!(
                    whole || self.closes_fast(),
                    "{side:?}: a cut stream looks complete: {self}"
                );
            }
            let ended = self.reason.is_some();
            assert!(
                to.saw != Some(End::Reset) || ended,
                "{side:?}: a reset that nobody decided: {self}"
            );
        }
    }

    fn closes_fast(&self) -> bool {
        self.reason == Some(CloseReason::FastClose)
    }

    /// Everybody reads and everything is reported until nothing moves any more.
    fn settle(&mut self) {
        for sieve in self.sieves.iter_mut().flatten() {
            (sieve.resumed, sieve.paused, sieve.holds) = (true, false, false);
        }
        self.scratch.allowance = Allowance::BOUNDLESS;
        let (mut quiet, mut patience) = (0, PATIENCE);
        while quiet < 3 {
            let before = self.traces();
            for side in SIDES {
                self.event(side);
                self.pump(side);
                self.far(side).read(1 << 16);
                self.check();
            }
            if self.traces() != before {
                quiet = 0;
            } else if self.is_on_the_way() && patience > 0 {
                patience -= 1;
                std::thread::sleep(Duration::from_micros(200));
            } else {
                quiet += 1;
            }
        }
    }

    /// Whether the kernel has bytes for a far end that it will still deliver, or an end behind them.
    /// Those for a near end that nobody reads any more would be waited for in vain.
    fn is_on_the_way(&self) -> bool {
        let is_sent = |socket: &TcpStream| {
            rustix::net::getpeername(socket).is_ok()
                && sockets::unacknowledged(socket).is_ok_and(|n| n > 0)
        };
        let owed = self.far.iter().any(|f| f.socket.is_some() && f.saw.is_none());
        let read = |far: &&Far| self.phase == Phase::Open && self.relay.flows(far.side);
        let mut heard = self.far.iter().filter(read).filter_map(|f| f.socket.as_ref());
        self.phase == Phase::Gone && owed
            || self.near.iter().flatten().any(is_sent)
            || heard.any(is_sent)
    }

    fn traces(&self) -> impl PartialEq + use<> {
        let far = [0, 1].map(|n| (self.far[n].read, self.far[n].saw));
        (far, self.flows.each_ref().map(|f| (f.read, f.written)), self.phase)
    }

    /// What must hold when nothing moves any more.
    fn check_end(&self) {
        let resets = self.far.iter().any(|f| f.socket.is_none());
        for side in SIDES {
            let (from, to) = (&self.far[place(side)], &self.far[place(side.other())]);
            if !resets && !self.cut && !self.closes_fast() {
                assert_eq!(to.read, from.sent, "{side:?}: not all bytes arrived: {self}");
                let end = from.finished.then_some(End::Good);
                assert_eq!(to.saw, end, "{side:?}: the end of stream: {self}");
            }
            let cut = from.socket.is_none() && !from.finished && !self.closes_fast();
            if cut && to.socket.is_some() {
                assert_ne!(to.saw, Some(End::Good), "{side:?}: a reset became an end: {self}");
            }
        }
        let finished = self.far.iter().all(|f| f.finished);
        if !resets && !self.cut && finished {
            assert_eq!(self.phase, Phase::Gone, "both have finished: {self}");
        }
        if let Some(reason) = self.reason {
            self.check_reason(reason);
        }
    }

    fn check_reason(&self, reason: CloseReason) {
        let reset = |side: Side| self.far[place(side)].socket.is_none();
        let holds = match reason {
            CloseReason::ClientFinished | CloseReason::ServerFinished => {
                self.far.iter().all(|f| f.finished)
            }
            CloseReason::ClientReset => reset(Side::Client),
            CloseReason::ServerReset => reset(Side::Server),
            CloseReason::FastClose => self.fast != FastClose::Off,
            CloseReason::IdleTimeout => self.cut,
            _ => false,
        };
        assert!(holds, "a reason for which there is none: {self}");
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for far in &self.far {
            let Far { side, socket, sent, read, finished, saw } = far;
            let there = socket.is_some();
            write!(
                f,
                "{side:?} (there {there}) sent {sent} read {read} finished {finished} saw {saw:?}; "
            )?;
        }
        write!(f, "{:?} {:?} {:?}", self.phase, self.reason, self.relay)
    }
}

thread_local! {
    static LISTENER: TcpListener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
}

/// Does what `data` says.
pub fn run(data: &[u8]) {
    let [bits, early, steps @ ..] = data else { return };
    let stage = LISTENER.with(|listener| Stage::new(listener, *bits));
    // Without descriptors or ports there is nothing to say of it.
    let Ok(mut stage) = stage else { return };
    if *early > 0 {
        stage.early(usize::from(*early) * 16);
    }
    for step in steps.chunks_exact(2).take(300) {
        stage.step(step[0], step[1]);
    }
    stage.settle();
    stage.check_end();
    // So that no port waits for stragglers.
    stage.far.iter_mut().for_each(Far::reset);
    stage.close_both(true);
}

/// Bytes that connections of every kind are made of, with names.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const SEND: u8 = 0;
    const READ: u8 = 4;
    const EVENT: u8 = 8;
    const FINISH: u8 = 16;
    const RESET: u8 = 18;
    let turn = [[SEND, 40], [EVENT, 0], [READ | 1, 60], [SEND | 1, 40], [EVENT | 1, 0], [READ, 60]];
    let bulk = [[SEND | 0xe0, 255], [EVENT, 0], [READ | 0xe1, 255], [EVENT | 1, 0]].repeat(20);
    let fills = [[SEND | 0xe0, 255], [EVENT, 0]].repeat(9);
    let slow = [[READ | 0x81, 40], [EVENT | 1, 0], [READ | 0xa1, 99], [EVENT, 0]].repeat(60);
    let steps = |bits: u8, early: u8, steps: &[&[[u8; 2]]]| {
        [&[bits, early][..], steps.concat().as_flattened()].concat()
    };
    let ends = [[FINISH, 0], [EVENT, 0], [SEND | 1, 9], [FINISH | 1, 0], [EVENT | 1, 0]];
    vec![
        ("a-turn-and-the-ends", steps(0, 0, &[&turn, &ends])),
        ("half-closed-and-answered", steps(0, 3, &[&[[FINISH, 0], [EVENT, 0]], &turn])),
        ("bulk-copied", steps(0x23, 0, &[&bulk, &ends])),
        ("bulk-spliced", steps(0x43, 0, &[&bulk, &ends])),
        ("a-slow-reader", steps(0x23, 0, &[&fills, &slow, &ends])),
        ("a-slow-reader-spliced", steps(0x43, 0, &[&fills, &slow, &ends])),
        ("bulk-then-a-reset", steps(0x03, 0, &[&bulk, &[[RESET, 0], [EVENT, 0]]])),
        ("reset-with-bytes-on-the-way", steps(0, 0, &[&turn, &[[SEND, 99], [RESET, 0]], &turn])),
        ("both-reset", steps(0, 0, &[&turn, &[[RESET, 0], [RESET | 1, 0]], &turn])),
        ("finished-then-reset", steps(0, 0, &[&turn, &[[FINISH, 0], [RESET, 0]], &turn])),
        ("fast-close", steps(0x0c, 0, &[&bulk, &[[FINISH, 0], [EVENT, 0]], &turn])),
        ("timed-out", steps(0, 0, &[&turn, &[[24, 0]], &turn])),
        (
            "tapped-and-paused",
            steps(0, 0, &[&[[26, 1], [27, 0], [28, 0]], &turn, &bulk, &[[28, 0]], &ends]),
        ),
        ("memory-is-short", steps(3, 0, &[&[[20, 1]], &bulk, &[[20, 0], [22, 0]], &bulk, &ends])),
    ]
}
