//! The server behind the balancers: one process, one thread, one port on many addresses.
//!
//! It checks every byte it gets and closes a connection at the first wrong one, so that the load
//! generator counts an error. It ends when its standard input does: nobody has to stop it.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use socket2::{Domain, Socket, Type};

use crate::protocol::{PIECE, Pattern, REQUEST, Request, Wish, answer};

const PARENT: u64 = u64::MAX;
const LISTENER_BIT: u64 = 1 << 63;
const EVENTS: usize = 512;
const BACKLOG: i32 = 4096;
/// Pieces written to one connection before the others get their turn.
const PIECES_PER_TURN: usize = 16;
/// Ports tried until one is free on all addresses.
const ATTEMPTS: usize = 20;

/// The address of the server in a slot of a balancer's table.
pub fn address(slot: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + slot / 250 * 256 + slot % 250)
}

struct Client {
    socket: OwnedFd,
    head: [u8; REQUEST],
    have: usize,
    work: Work,
    /// Answered and not yet taken by the kernel.
    unsent: Vec<u8>,
    close_when_sent: bool,
}

enum Work {
    Listening,
    Sending { at: u64, length: u64 },
    Receiving { at: u64, length: u64, id: u64 },
    AwaitingEnd { id: u64 },
}

/// What becomes of a connection.
#[derive(PartialEq, Eq)]
enum Fate {
    Keep,
    Again,
    Drop,
}

struct Server {
    epoll: OwnedFd,
    listeners: Vec<Socket>,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    again: Vec<usize>,
    pattern: Pattern,
    buffer: Vec<u8>,
}

/// Serves on so many addresses; prints the port; returns when standard input ends.
///
/// # Errors
/// No free port, no descriptors.
pub fn serve(addresses: u32) -> io::Result<()> {
    let (listeners, port) = listen(addresses)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, io::stdin(), EventData::new_u64(PARENT), EventFlags::IN)?;
    for (n, listener) in listeners.iter().enumerate() {
        let token = EventData::new_u64(LISTENER_BIT | n as u64);
        epoll::add(&epoll, listener, token, EventFlags::IN)?;
    }
    println!("{port}");
    io::stdout().flush()?;
    let mut server = Server {
        epoll,
        listeners,
        clients: Vec::new(),
        free: Vec::new(),
        again: Vec::new(),
        pattern: Pattern::new(),
        buffer: vec![0; PIECE],
    };
    server.run()
}

fn listen(addresses: u32) -> io::Result<(Vec<Socket>, u16)> {
    let mut last = io::Error::other("no port is free on all addresses");
    for _ in 0..ATTEMPTS {
        let probe = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = probe.local_addr()?.port();
        let all = (0..addresses).map(|slot| listen_at(SocketAddrV4::new(address(slot), port)));
        match all.collect::<io::Result<Vec<_>>>() {
            Ok(listeners) => return Ok((listeners, port)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_at(address: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

impl Server {
    fn run(&mut self) -> io::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        loop {
            let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            let timeout = (!self.again.is_empty()).then_some(&at_once);
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let token = event.data.u64();
                if token == PARENT {
                    return Ok(());
                } else if token & LISTENER_BIT != 0 {
                    self.accept((token & !LISTENER_BIT) as usize);
                } else {
                    self.on_event(token as usize, event.flags);
                }
            }
            for key in std::mem::take(&mut self.again) {
                self.on_event(key, EventFlags::OUT);
            }
        }
    }

    fn accept(&mut self, listener: usize) {
        let Some(listener) = self.listeners.get(listener) else { return };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        while let Ok(socket) = accept_with(listener, flags) {
            let key = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let token = EventData::new_u64(key as u64);
            if epoll::add(&self.epoll, &socket, token, flags).is_err() {
                self.free.push(key);
                continue;
            }
            if let Some(place) = self.clients.get_mut(key) {
                *place = Some(Client::new(socket));
            }
        }
    }

    fn on_event(&mut self, key: usize, flags: EventFlags) {
        let Some(Some(client)) = self.clients.get_mut(key) else { return };
        let mut fate = Fate::Keep;
        if flags.contains(EventFlags::OUT) {
            fate = client.send_on(&self.pattern);
        }
        let readable = EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        if fate != Fate::Drop && flags.intersects(readable) {
            let to_the_end = flags.intersects(readable.difference(EventFlags::IN));
            match client.receive(&mut self.buffer, &self.pattern, to_the_end) {
                Fate::Keep => {}
                other => fate = other,
            }
        }
        match fate {
            Fate::Keep => {}
            Fate::Again => self.again.push(key),
            Fate::Drop => {
                if let Some(place) = self.clients.get_mut(key) {
                    *place = None;
                    self.free.push(key);
                }
            }
        }
    }
}

impl Client {
    fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            head: [0; REQUEST],
            have: 0,
            work: Work::Listening,
            unsent: Vec::new(),
            close_when_sent: false,
        }
    }

    fn receive(&mut self, buffer: &mut [u8], pattern: &Pattern, to_the_end: bool) -> Fate {
        let mut fate = Fate::Keep;
        loop {
            match recv(self.socket.as_fd(), &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return self.ended(),
                Ok((n, _)) => {
                    match self.take(buffer.get(..n).unwrap_or_default(), pattern) {
                        Fate::Drop => return Fate::Drop,
                        Fate::Again => fate = Fate::Again,
                        Fate::Keep => {}
                    }
                    if n < buffer.len() && !to_the_end {
                        return fate;
                    }
                }
                Err(Errno::AGAIN) => return fate,
                Err(Errno::INTR) => {}
                Err(_) => return Fate::Drop,
            }
        }
    }

    fn ended(&mut self) -> Fate {
        let Work::AwaitingEnd { id } = self.work else { return Fate::Drop };
        self.close_when_sent = true;
        self.answer(id)
    }

    fn take(&mut self, mut bytes: &[u8], pattern: &Pattern) -> Fate {
        while !bytes.is_empty() {
            match self.work {
                Work::Listening => {
                    let n = bytes.len().min(REQUEST - self.have);
                    let (now, later) = bytes.split_at(n);
                    if let Some(room) = self.head.get_mut(self.have..self.have + n) {
                        room.copy_from_slice(now);
                    }
                    self.have += n;
                    bytes = later;
                    if self.have == REQUEST {
                        self.have = 0;
                        let Some(request) = Request::parse(&self.head) else { return Fate::Drop };
                        match self.begin(request, pattern) {
                            Fate::Keep => {}
                            other => return other,
                        }
                    }
                }
                Work::Receiving { at, length, id } => {
                    let n = usize::try_from(length - at).unwrap_or(usize::MAX).min(bytes.len());
                    let (now, later) = bytes.split_at(n);
                    if !pattern.matches(at, now) {
                        return Fate::Drop;
                    }
                    bytes = later;
                    self.work = Work::Receiving { at: at + n as u64, length, id };
                    if at + n as u64 == length {
                        self.work = Work::Listening;
                        if self.answer(id) == Fate::Drop {
                            return Fate::Drop;
                        }
                    }
                }
                // Nobody speaks while being answered.
                Work::Sending { .. } | Work::AwaitingEnd { .. } => return Fate::Drop,
            }
        }
        Fate::Keep
    }

    fn begin(&mut self, request: Request, pattern: &Pattern) -> Fate {
        let Request { wish, id, length } = request;
        match wish {
            Wish::Answer => self.answer(id),
            Wish::AnswerAndClose => {
                self.close_when_sent = true;
                self.answer(id)
            }
            Wish::AnswerAtEnd => {
                self.work = Work::AwaitingEnd { id };
                Fate::Keep
            }
            Wish::Send => {
                self.work = Work::Sending { at: 0, length };
                self.send_on(pattern)
            }
            Wish::Receive => {
                self.work = Work::Receiving { at: 0, length, id };
                Fate::Keep
            }
        }
    }

    fn answer(&mut self, id: u64) -> Fate {
        let bytes = answer(id);
        match send(self.socket.as_fd(), &bytes, SendFlags::NOSIGNAL) {
            Ok(n) => self.unsent.extend_from_slice(bytes.get(n..).unwrap_or_default()),
            Err(Errno::AGAIN) => self.unsent.extend_from_slice(&bytes),
            Err(_) => return Fate::Drop,
        }
        if self.close_when_sent && self.unsent.is_empty() { Fate::Drop } else { Fate::Keep }
    }

    fn send_on(&mut self, pattern: &Pattern) -> Fate {
        if !self.unsent.is_empty() {
            match send(self.socket.as_fd(), &self.unsent, SendFlags::NOSIGNAL) {
                Ok(n) => drop(self.unsent.drain(..n)),
                Err(Errno::AGAIN) => return Fate::Keep,
                Err(_) => return Fate::Drop,
            }
            if self.close_when_sent && self.unsent.is_empty() {
                return Fate::Drop;
            }
        }
        for _ in 0..PIECES_PER_TURN {
            let Work::Sending { at, length } = self.work else { return Fate::Keep };
            let piece = pattern.piece(at, length - at);
            match send(self.socket.as_fd(), piece, SendFlags::NOSIGNAL) {
                Ok(n) if at + n as u64 == length => self.work = Work::Listening,
                Ok(n) => self.work = Work::Sending { at: at + n as u64, length },
                Err(Errno::AGAIN | Errno::INTR) => return Fate::Keep,
                Err(_) => return Fate::Drop,
            }
        }
        Fate::Again
    }
}
