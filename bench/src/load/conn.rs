//! One connection of the load generator and the operation on it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use super::wire::Wire;
use super::{Kind, Plan};
use crate::protocol::{ANSWER, PIECE, Pattern, REQUEST, Request, answer};
use crate::tls::Session;

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing that ends the operation.
    Going,
    /// The operation ended well; whether the connection can take another.
    Done { stays: bool },
    /// The stream ended, or was reset, too early.
    Lost,
    /// A byte was not what it had to be.
    Wrong,
    /// The connect failed.
    Refused,
}

/// A connection.
pub struct Conn {
    wire: Wire,
    /// Tells it from others that had its place.
    pub serial: u64,
    /// When its operation should have begun.
    pub due: u64,
    kind: Kind,
    busy: bool,
    connected: bool,
    request: [u8; REQUEST],
    sent: usize,
    expected: [u8; ANSWER],
    /// Bytes of the answer, or bulk bytes received.
    got: u64,
    /// Bulk bytes sent.
    up: u64,
    moved: u64,
}

impl Conn {
    /// Begins to connect. `number` chooses target and source.
    pub fn open(
        epoll: &OwnedFd,
        plan: &Plan,
        slot: usize,
        serial: u64,
        number: u64,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
        if let Some(sources) = plan.sources {
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::from((sources.address(number), 0)).into())?;
        }
        let turn = usize::try_from(number).unwrap_or(0) % plan.targets.len().max(1);
        let target = plan.targets.get(turn).ok_or_else(|| io::Error::other("no target"))?;
        // Over TLS the request follows the end of the handshake, as browsers send it.
        if matches!(plan.kind, Kind::Up(_)) || plan.tls.is_some() {
            socket.set_tcp_nodelay(true)?;
        }
        // A failure is an event as well.
        let _ = socket.connect(&(*target).into());
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let token = EventData::new_u64(serial << 32 | slot as u64);
        epoll::add(epoll, &socket, token, flags)?;
        let session = plan.tls.as_ref().and_then(|clients| clients.of(slot, number));
        let session = session.map(|(config, must_resume)| Session::new(config, must_resume));
        Ok(Self {
            wire: Wire::new(socket, session.transpose()?),
            serial,
            due: 0,
            kind: plan.kind,
            busy: false,
            connected: false,
            request: [0; REQUEST],
            sent: REQUEST,
            expected: [0; ANSWER],
            got: 0,
            up: 0,
            moved: 0,
        })
    }

    /// Whether an operation is under way.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// The operation is over.
    pub fn rest(&mut self) {
        self.busy = false;
    }

    /// Bulk bytes since the last call.
    pub fn take_moved(&mut self) -> u64 {
        std::mem::take(&mut self.moved)
    }

    /// Begins an operation.
    pub fn start(&mut self, plan: &Plan, id: u64, due: u64, pattern: &Pattern) -> Progress {
        let request = Request { wish: plan.kind.wish(), id, length: plan.kind.length() };
        self.request = request.bytes();
        self.expected = answer(id);
        self.due = due;
        self.busy = true;
        (self.sent, self.got, self.up) = (0, 0, 0);
        self.send(pattern)
    }

    /// Something happened at the socket.
    pub fn on_event(
        &mut self,
        flags: EventFlags,
        buffer: &mut [u8],
        pattern: &Pattern,
    ) -> Progress {
        if flags.contains(EventFlags::OUT) {
            self.wire.flush();
            let progress = self.send(pattern);
            if progress != Progress::Going {
                return progress;
            }
        }
        let readable = EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        if !flags.intersects(readable) {
            return Progress::Going;
        }
        if flags.intersects(EventFlags::ERR | EventFlags::HUP) && !self.connected {
            return Progress::Refused;
        }
        let was_handshaking = self.wire.is_handshaking();
        let to_the_end = flags.intersects(readable.difference(EventFlags::IN));
        match self.receive(buffer, pattern, to_the_end) {
            Progress::Going if was_handshaking && !self.wire.is_handshaking() => self.send(pattern),
            progress => progress,
        }
    }

    fn send(&mut self, pattern: &Pattern) -> Progress {
        while self.sent < REQUEST {
            let rest = self.request.get(self.sent..).unwrap_or_default();
            match self.wire.send(rest) {
                Ok(n) => self.sent += n,
                // Not yet, or it failed: an event says which.
                Err(_) => return Progress::Going,
            }
            self.connected = true;
            if self.sent == REQUEST && self.kind == Kind::HalfClose {
                self.wire.finish();
            }
        }
        let Kind::Up(length) = self.kind else { return Progress::Going };
        while self.up < length {
            match self.wire.send(pattern.piece(self.up, length - self.up)) {
                Ok(0) | Err(_) => return Progress::Going,
                Ok(n) => {
                    self.up += n as u64;
                    self.moved += n as u64;
                }
            }
        }
        Progress::Going
    }

    fn receive(&mut self, buffer: &mut [u8], pattern: &Pattern, to_the_end: bool) -> Progress {
        let want = buffer.len().min(PIECE);
        loop {
            let room = buffer.get_mut(..want).unwrap_or_default();
            let bytes = match self.wire.recv(room) {
                Ok([]) => return self.ended(),
                Ok(bytes) => bytes,
                Err(Errno::AGAIN) => return Progress::Going,
                Err(_) => return Progress::Lost,
            };
            let emptied = self.wire.is_empty_after(bytes.len(), want);
            let progress = self.take(bytes, pattern);
            if progress != Progress::Going || (emptied && !to_the_end) {
                return progress;
            }
        }
    }

    fn ended(&self) -> Progress {
        let ends = matches!(self.kind, Kind::ShortServer | Kind::HalfClose);
        if ends && self.got == ANSWER as u64 {
            Progress::Done { stays: false }
        } else {
            Progress::Lost
        }
    }

    fn take(&mut self, bytes: &[u8], pattern: &Pattern) -> Progress {
        if !self.busy || !self.wire.is_as_wanted() {
            return Progress::Wrong;
        }
        let at = self.got;
        self.got += bytes.len() as u64;
        if let Kind::Down(length) = self.kind {
            self.moved += bytes.len() as u64;
            return match pattern.matches(at, bytes) {
                true if self.got < length => Progress::Going,
                true if self.got == length => Progress::Done { stays: true },
                _ => Progress::Wrong,
            };
        }
        let from = usize::try_from(at).unwrap_or(ANSWER);
        if self.expected.get(from..from + bytes.len()) != Some(bytes) {
            return Progress::Wrong;
        }
        if self.got < ANSWER as u64 {
            return Progress::Going;
        }
        match self.kind {
            Kind::ShortServer | Kind::HalfClose => Progress::Going,
            Kind::ShortClient => Progress::Done { stays: false },
            _ => Progress::Done { stays: true },
        }
    }
}
