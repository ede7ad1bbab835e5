//! The local ports towards servers, of all services of a worker.
//!
//! Two flows at one server need two ports: nothing else tells their answers apart. Flows at
//! different servers share one. So a port is a socket that is connected to nobody; an answer is
//! matched by the port it came to and the address it came from, and whatever matches no flow is
//! somebody's forgery or comes too late.
//!
//! When a flow ends and nothing of it can still be under way, its port is at once free for another
//! flow at the same server. Otherwise the port takes no further flows and is closed with its last
//! one, so that a late answer never reaches another client.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use pen_core::flow::FlowId;
use pen_core::limits;
use pen_sys::datagrams::{self, Origin};
use rustix::event::epoll;

use super::PORT_BIT;
use crate::shared::Pool;

/// Whose an answer is: station and flow.
pub type Owner = (u32, FlowId);

/// The ports.
#[derive(Default)]
pub struct Ports {
    /// The number that was given last; numbers are never re-used.
    last: u64,
    all: HashMap<u64, Port>,
    owners: HashMap<(u64, SocketAddr), Owner>,
    docks: HashMap<Origin, Dock>,
    /// Ports without a flow.
    spare: usize,
}

struct Port {
    socket: Rc<OwnedFd>,
    origin: Origin,
    flows: u32,
    uses: u32,
    /// Who used it last.
    station: u32,
}

/// The ports with one origin that take further flows.
#[derive(Default)]
struct Dock {
    open: BTreeSet<u64>,
    servers: HashMap<SocketAddr, Berths>,
}

/// Where a server's flows can go.
#[derive(Default)]
struct Berths {
    /// Ports that had a flow at the server; some may be gone.
    free: VecDeque<u64>,
    /// Ports up to this one were offered.
    seen: u64,
}

impl Ports {
    /// A port with this origin at which `server` has no flow.
    pub fn free_for(&mut self, origin: Origin, server: SocketAddr) -> Option<u64> {
        let dock = self.docks.get_mut(&origin)?;
        let berths = dock.servers.entry(server).or_default();
        while let Some(port) = berths.free.pop_front() {
            if dock.open.contains(&port) && !self.owners.contains_key(&(port, server)) {
                return Some(port);
            }
        }
        while let Some(&port) = dock.open.range(berths.seen.saturating_add(1)..).next() {
            berths.seen = port;
            if !self.owners.contains_key(&(port, server)) {
                return Some(port);
            }
        }
        None
    }

    /// Opens one more.
    ///
    /// # Errors
    /// There are [`limits::UDP_PORTS_MAX`], or what the system says.
    pub fn open(&mut self, origin: Origin, pool: &Pool, epoll: &OwnedFd) -> io::Result<u64> {
        if !pool.ports.take() {
            return Err(io::Error::other("all local ports are in use"));
        }
        if !pool.room.take() {
            pool.ports.release();
            return Err(io::Error::other("no descriptors are left"));
        }
        let number = self.last + 1;
        let token = epoll::EventData::new_u64(PORT_BIT | number);
        let opened = datagrams::local_port(origin, limits::UDP_RECEIVE_BUFFER).and_then(|socket| {
            epoll::add(epoll, &socket, token, epoll::EventFlags::IN)?;
            Ok(socket)
        });
        let socket = opened.inspect_err(|_| {
            pool.ports.release();
            pool.room.release();
        })?;
        self.last = number;
        let port = Port { socket: Rc::new(socket), origin, flows: 0, uses: 0, station: 0 };
        self.all.insert(number, port);
        self.docks.entry(origin).or_default().open.insert(number);
        self.spare += 1;
        Ok(number)
    }

    /// A flow uses the port from here on.
    pub fn take(&mut self, port: u64, server: SocketAddr, owner: Owner) {
        let before = self.owners.insert((port, server), owner);
        debug_assert!(before.is_none(), "two flows at one server through one port");
        let Some(port) = self.all.get_mut(&port) else { return };
        if port.flows == 0 {
            self.spare -= 1;
        }
        port.flows += 1;
        port.uses += 1;
        port.station = owner.0;
    }

    /// A flow no longer uses the port; `clean`: the next one at the same server may at once.
    /// Answers the datagrams that the kernel dropped there if the port is closed with it.
    pub fn release(&mut self, number: u64, server: SocketAddr, clean: bool, pool: &Pool) -> u32 {
        self.owners.remove(&(number, server));
        let Some(port) = self.all.get_mut(&number) else { return 0 };
        port.flows -= 1;
        let (unused, origin) = (port.flows == 0, port.origin);
        let worn = port.uses >= limits::UDP_PORT_USES;
        // One with a client's address is of use to that client only.
        let surplus = unused && (origin.foreign || self.spare >= limits::UDP_PORTS_SPARE);
        let stays = clean && !worn && !surplus && self.is_open(origin, number);
        if stays {
            self.docks
                .entry(origin)
                .or_default()
                .servers
                .entry(server)
                .or_default()
                .free
                .push_back(number);
        } else {
            self.retire(origin, number);
        }
        match (unused, stays) {
            (true, false) => self.close(number, pool),
            (true, true) => {
                self.spare += 1;
                0
            }
            (false, _) => 0,
        }
    }

    fn is_open(&self, origin: Origin, number: u64) -> bool {
        self.docks.get(&origin).is_some_and(|dock| dock.open.contains(&number))
    }

    /// The port takes no further flows.
    fn retire(&mut self, origin: Origin, number: u64) {
        let Some(dock) = self.docks.get_mut(&origin) else { return };
        dock.open.remove(&number);
        if dock.open.is_empty() {
            self.docks.remove(&origin);
        }
    }

    fn close(&mut self, number: u64, pool: &Pool) -> u32 {
        let Some(port) = self.all.remove(&number) else { return 0 };
        pool.ports.release();
        pool.room.release();
        datagrams::dropped(&*port.socket)
    }

    /// A port's socket.
    pub fn socket(&self, port: u64) -> Option<Rc<OwnedFd>> {
        self.all.get(&port).map(|p| Rc::clone(&p.socket))
    }

    /// The station whose flow used the port last.
    pub fn station(&self, port: u64) -> Option<u32> {
        self.all.get(&port).map(|p| p.station)
    }

    /// Whose a datagram is that came to `port` from `server`.
    pub fn owner(&self, port: u64, server: SocketAddr) -> Option<Owner> {
        self.owners.get(&(port, server)).copied()
    }
}

#[cfg(test)]
mod tests;
