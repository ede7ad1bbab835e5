//! The listening sockets of all services: which are kept, which are opened, which are let go.
//!
//! A [`Gate`] is one listening address: with TCP and UDP one socket per worker (SO_REUSEPORT), with Unix
//! one socket that all workers share; or the sockets that were handed over, however many. [`Keeper::plan`] opens what a configuration lacks and fails
//! without touching what is there. Deliberately not here: handing doors to workers (`publish`).

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use pen_core::addr::Place;
use pen_core::config::{Config, Protocol, ServiceConfig};
use pen_core::limits;
use pen_sys::sockets::Binding;
use pen_sys::{datagrams, sockets};

use crate::shared::Door;
use crate::socket_options;

pub use absent::absent;
pub use conflicts::impossible;

mod absent;
mod conflicts;
pub mod handed;
pub mod stock;

/// One listening address with its sockets.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The address.
    pub place: Place,
    /// What is spoken there.
    protocol: Protocol,
    /// How its sockets were made.
    make: Make,
    /// The first is the first worker's, and so on, and around again if there are more doors than workers.
    pub doors: Vec<Door>,
}

impl Gate {
    /// The doors of one of so many workers.
    pub fn doors_of(&self, worker: usize, workers: usize) -> impl Iterator<Item = &Door> {
        self.doors.iter().skip(worker).step_by(workers.max(1))
    }
}

/// What cannot be changed on a socket once it is made.
#[derive(Clone, Copy, Debug)]
struct Make {
    /// An IPv6 socket that leaves IPv4 clients to another gate.
    v6only: bool,
    /// Multipath TCP is asked for.
    multipath: bool,
}

/// What a socket occupies.
type Spot = (Protocol, Place);

/// Gates by service.
pub type Gates = BTreeMap<String, Vec<Gate>>;

/// Opens gates and remembers which sockets of this process may still be open.
#[derive(Debug)]
pub struct Keeper {
    workers: usize,
    next_door: u64,
    leaving: Vec<(Spot, Weak<OwnedFd>)>,
    handed: handed::Pool,
}

impl Keeper {
    /// For `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { workers, next_door: 1, leaving: Vec::new(), handed: handed::Pool::default() }
    }

    /// With listeners that need not be opened.
    #[must_use]
    pub fn with(workers: usize, handed: handed::Pool) -> Self {
        Self { handed, ..Self::new(workers) }
    }

    /// Closes what was handed over and nobody wants.
    pub fn close_unwanted(&mut self) -> handed::Unwanted {
        self.handed.close()
    }

    /// The gates of `config`, those of `old` re-used where service and address are the same.
    ///
    /// # Errors
    /// A sentence for the operator about the first address that cannot be had; whatever was opened
    /// is closed again.
    pub fn plan(&mut self, old: &Gates, config: &Config) -> Result<Gates, String> {
        self.leaving.retain(|(_, socket)| socket.strong_count() > 0);
        if let Some(why) = impossible(config) {
            return Err(why);
        }
        let mut planned = Gates::new();
        let ipv4_ports = ports_for_ipv4(config);
        let leaving = self.leaving.iter().map(|((protocol, place), _)| (*protocol, place));
        let there = old.values().flatten().map(|g| (g.protocol, &g.place));
        let mut ours = Ours::default();
        leaving.chain(there).for_each(|(protocol, place)| ours.add(protocol, place));
        self.handed.spots().iter().for_each(|(protocol, place)| ours.add(*protocol, place));
        for service in &config.services {
            let mut gates = Vec::with_capacity(service.listen.len());
            // With direct server return nothing is accepted: clients and servers talk directly.
            let accepts = service.dsr.interface.is_none();
            for listen in service.listen.iter().filter(|_| accepts) {
                let place = &listen.place;
                let protocol = service.protocol;
                let tcp = protocol == Protocol::Tcp && matches!(place, Place::Tcp(_));
                let make = Make {
                    v6only: leaves_ipv4(protocol, place, &ipv4_ports),
                    multipath: service.sockets.mptcp && tcp,
                };
                let freebind = service.sockets.freebind;
                let wanted = Wanted { protocol, place, make, service, freebind };
                let kept = old.get(&service.name).and_then(|g| g.iter().find(|g| wanted.is(g)));
                gates.push(match kept {
                    Some(gate) => gate.clone(),
                    None => self
                        .open(&wanted, old, &ours)
                        .map_err(|e| absent::refused(&listen.text, &e))?,
                });
                ours.add(protocol, place);
            }
            planned.insert(service.name.clone(), gates);
        }
        Ok(planned)
    }

    /// Notes which gates of `old` are not part of `new`: workers close them in their own time.
    pub fn let_go(&mut self, old: &Gates, new: &Gates) {
        let first_door = |gate: &Gate| gate.doors.first().map(|d| d.id);
        let kept: HashSet<u64> = new.values().flatten().filter_map(first_door).collect();
        for gate in old.values().flatten() {
            if !first_door(gate).is_some_and(|id| kept.contains(&id)) {
                let sockets = gate.doors.iter().map(|d| Arc::downgrade(&d.socket));
                let spot = (gate.protocol, gate.place.clone());
                self.leaving.extend(sockets.map(|s| (spot.clone(), s)));
            }
        }
    }

    /// Waits until the workers have closed what was let go, so that whoever asked for a change can
    /// rely on it; not longer than [`limits::LISTENER_CLOSE_MS`], because a worker may be busy.
    pub fn wait_until_closed(&mut self) {
        let patience = Instant::now() + Duration::from_millis(limits::LISTENER_CLOSE_MS);
        loop {
            self.leaving.retain(|(_, socket)| socket.strong_count() > 0);
            if self.leaving.is_empty() || Instant::now() >= patience {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn open(&mut self, wanted: &Wanted<'_>, old: &Gates, ours: &Ours) -> io::Result<Gate> {
        let handed = self.handed.take(wanted);
        let (sockets, shared) = match wanted.place {
            _ if !handed.is_empty() => {
                handed::furnish(&handed, wanted)?;
                handed::spread(handed, wanted.protocol, self.workers)
            }
            Place::Tcp(address) => {
                let overlaps = ours.overlap(wanted.protocol, *address);
                match overlaps.then(|| Self::moved(wanted, old)).flatten() {
                    Some(gate) => again(gate)?,
                    None => (self.open_shared(wanted, *address, overlaps)?, false),
                }
            }
            Place::Unix(path) => {
                let socket = match self.ours(wanted, old) {
                    Some(socket) => socket.try_clone()?,
                    None => sockets::unix_bind(path, wanted.service.backlog, None)?,
                };
                let socket = Arc::new(socket);
                (vec![socket; self.workers], true)
            }
        };
        let datagram = wanted.protocol == Protocol::Udp;
        let mut doors: Vec<Door> = Vec::with_capacity(sockets.len());
        for socket in sockets {
            let known = doors.iter().find(|d| Arc::ptr_eq(&d.socket, &socket)).map(|d| d.id);
            let id = known.unwrap_or(self.next_door);
            self.next_door += u64::from(known.is_none());
            doors.push(Door { id, socket, shared, datagram });
        }
        let Wanted { protocol, place, make, .. } = *wanted;
        Ok(Gate { place: place.clone(), protocol, make, doors })
    }

    /// A socket per worker. Unless this process listens there itself, the address must be free:
    /// SO_REUSEPORT alone would let a second copy join by accident.
    fn open_shared(
        &self,
        wanted: &Wanted<'_>,
        mut address: SocketAddr,
        ours: bool,
    ) -> io::Result<Vec<Arc<OwnedFd>>> {
        let Wanted { protocol, make: Make { v6only, multipath }, service, freebind, .. } = *wanted;
        let binding = Binding { v6only, freebind };
        match protocol {
            _ if ours => {}
            Protocol::Tcp => sockets::tcp_probe(address, binding)?,
            Protocol::Udp => datagrams::probe(address, binding)?,
        }
        let transport = socket_options::transport(multipath);
        let mut sockets = Vec::with_capacity(self.workers);
        for _ in 0..self.workers {
            let socket = match protocol {
                Protocol::Tcp => {
                    let backlog = service.backlog;
                    // What the kernel refuses is told when the settings become true.
                    let dress =
                        |socket: BorrowedFd<'_>| drop(socket_options::dress(socket, service));
                    sockets::tcp_bind_dressed(address, transport, backlog, binding, dress)?
                }
                Protocol::Udp => datagrams::listener(address, binding, limits::UDP_RECEIVE_BUFFER)?,
            };
            // With port 0 the first socket finds a port that the others must join.
            address = sockets::local_address(&socket)?;
            sockets.push(Arc::new(socket));
        }
        Ok(sockets)
    }

    /// The gate of another service at a place that moves from it to this one. Its sockets go on, so
    /// that no client is lost between a close and an open.
    fn moved<'a>(wanted: &Wanted<'_>, old: &'a Gates) -> Option<&'a Gate> {
        old.values().flatten().find(|g| wanted.is(g))
    }

    /// The socket of this process at a path that moves from one service to another, or that is
    /// listened on again before the workers have let it go.
    fn ours(&self, wanted: &Wanted<'_>, old: &Gates) -> Option<Arc<OwnedFd>> {
        let old = old.values().flatten().filter(|g| wanted.is(g));
        let old = old.flat_map(|g| &g.doors).map(|d| Arc::clone(&d.socket)).next();
        old.or_else(|| {
            let spot = (wanted.protocol, wanted.place.clone());
            self.leaving.iter().filter(|(s, _)| *s == spot).find_map(|(_, weak)| weak.upgrade())
        })
    }
}

/// A gate that a configuration asks for.
struct Wanted<'a> {
    protocol: Protocol,
    place: &'a Place,
    make: Make,
    service: &'a ServiceConfig,
    /// The machine need not have the address.
    freebind: bool,
}

impl Wanted<'_> {
    /// Whether `gate` is what is asked for, or all that can be had of it (see [`waiting`]).
    fn is(&self, gate: &Gate) -> bool {
        (self.protocol, self.place, self.make.v6only)
            == (gate.protocol, &gate.place, gate.make.v6only)
    }
}

/// The same sockets with descriptors of their own (who gives a door up closes only theirs), and whether
/// workers share them.
fn again(gate: &Gate) -> io::Result<(Vec<Arc<OwnedFd>>, bool)> {
    let mut copies: BTreeMap<u64, Arc<OwnedFd>> = BTreeMap::new();
    let mut sockets = Vec::with_capacity(gate.doors.len());
    for door in &gate.doors {
        let copy = match copies.get(&door.id) {
            Some(copy) => Arc::clone(copy),
            None => Arc::new(door.socket.try_clone()?),
        };
        copies.insert(door.id, Arc::clone(&copy));
        sockets.push(copy);
    }
    Ok((sockets, gate.doors.iter().any(|d| d.shared)))
}

/// Whether two gates are the same sockets.
#[must_use]
pub fn same_doors(a: &Gate, b: &Gate) -> bool {
    a.doors.len() == b.doors.len() && a.doors.iter().zip(&b.doors).all(|(a, b)| a.id == b.id)
}

/// Descriptors that the gates take.
#[must_use]
pub fn descriptors(gates: &Gates) -> usize {
    let ids: HashSet<u64> = gates.values().flatten().flat_map(|g| &g.doors).map(|d| d.id).collect();
    ids.len()
}

/// What of `service` waits for its listeners to be opened anew. Opening one beside the old would cost
/// the clients whose handshake is under way.
#[must_use]
pub fn waiting(gates: &[Gate], service: &ServiceConfig) -> Vec<String> {
    let is_tcp = |g: &&Gate| g.protocol == Protocol::Tcp && matches!(g.place, Place::Tcp(_));
    let differs = |g: &&Gate| g.make.multipath != service.sockets.mptcp;
    let sentence = |g: &Gate| {
        format!(
            "service {}: mptcp: {} stays as it is until it is opened anew (by 'no listen' and \
             'listen', or the next start)",
            service.name, g.place
        )
    };
    gates.iter().filter(is_tcp).filter(differs).map(sentence).collect()
}

/// `[::]` takes IPv4 clients too, unless another gate is there for them.
fn leaves_ipv4(protocol: Protocol, place: &Place, ipv4_ports: &HashSet<(Protocol, u16)>) -> bool {
    let Place::Tcp(SocketAddr::V6(address)) = place else { return false };
    address.ip().is_unspecified() && ipv4_ports.contains(&(protocol, address.port()))
}

/// The ports of gates for all IPv4 addresses.
fn ports_for_ipv4(config: &Config) -> HashSet<(Protocol, u16)> {
    let listens = config.services.iter().flat_map(|s| s.listen.iter().map(|l| (s.protocol, l)));
    listens
        .filter_map(|(protocol, l)| match &l.place {
            Place::Tcp(SocketAddr::V4(v4)) if v4.ip().is_unspecified() => {
                Some((protocol, v4.port()))
            }
            _ => None,
        })
        .collect()
}

/// Internet places where this process listens.
#[derive(Debug, Default)]
struct Ours {
    places: HashSet<(Protocol, IpAddr, u16)>,
    ports: HashSet<(Protocol, u16)>,
    /// Ports of listeners for all addresses.
    open_ports: HashSet<(Protocol, u16)>,
}

impl Ours {
    fn add(&mut self, protocol: Protocol, place: &Place) {
        let Place::Tcp(address) = place else { return };
        let port = address.port();
        self.places.insert((protocol, address.ip(), port));
        self.ports.insert((protocol, port));
        if address.ip().is_unspecified() {
            self.open_ports.insert((protocol, port));
        }
    }

    /// Whether one of them makes `address` look taken.
    fn overlap(&self, protocol: Protocol, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        self.places.contains(&(protocol, ip, port))
            || self.open_ports.contains(&(protocol, port))
            || (ip.is_unspecified() && self.ports.contains(&(protocol, port)))
    }
}

#[cfg(test)]
mod tests;
