//! The listening sockets of all services: which are kept, which are opened, which are let go.
//!
//! A [`Gate`] is one listening address: with TCP one socket per worker (SO_REUSEPORT), with Unix
//! one socket that all workers share. [`Keeper::plan`] opens what a configuration lacks and fails
//! without touching what is there. Deliberately not here: handing doors to workers (`publish`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use pen_core::addr::{Listen, Place};
use pen_core::config::{Config, ServiceConfig};
use pen_core::limits;
use pen_sys::sockets;

use crate::shared::Door;
use crate::socket_options;

/// One listening address with its sockets.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The address.
    pub place: Place,
    /// How its sockets were made.
    make: Make,
    /// One per worker, in their order.
    pub doors: Vec<Door>,
}

/// What cannot be changed on a socket once it is made.
#[derive(Clone, Copy, Debug)]
struct Make {
    /// An IPv6 socket that leaves IPv4 clients to another gate.
    v6only: bool,
    /// Multipath TCP is asked for.
    multipath: bool,
}

/// Gates by service.
pub type Gates = BTreeMap<String, Vec<Gate>>;

/// Opens gates and remembers which sockets of this process may still be open.
#[derive(Debug)]
pub struct Keeper {
    workers: usize,
    next_door: u64,
    leaving: Vec<(Place, Weak<OwnedFd>)>,
}

impl Keeper {
    /// For `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { workers, next_door: 1, leaving: Vec::new() }
    }

    /// The gates of `config`, those of `old` re-used where service and address are the same.
    ///
    /// # Errors
    /// A sentence for the operator about the first address that cannot be had; whatever was opened
    /// is closed again.
    pub fn plan(&mut self, old: &Gates, config: &Config) -> Result<Gates, String> {
        self.leaving.retain(|(_, socket)| socket.strong_count() > 0);
        if let Some(twice) = listed_twice(config) {
            return Err(twice);
        }
        let mut planned = Gates::new();
        let ipv4_ports = ports_for_ipv4(config);
        let leaving = self.leaving.iter().map(|(place, _)| place);
        let mut ours = Ours::default();
        leaving.chain(old.values().flatten().map(|g| &g.place)).for_each(|p| ours.add(p));
        for service in &config.services {
            let mut gates = Vec::with_capacity(service.listen.len());
            for listen in &service.listen {
                let place = &listen.place;
                let make = Make {
                    v6only: leaves_ipv4(place, &ipv4_ports),
                    multipath: service.sockets.mptcp && matches!(place, Place::Tcp(_)),
                };
                let kept = old.get(&service.name).and_then(|g| {
                    g.iter().find(|g| g.place == *place && g.make.v6only == make.v6only)
                });
                gates.push(match kept {
                    Some(gate) => gate.clone(),
                    None => self
                        .open(listen, make, service.backlog, old, &ours)
                        .map_err(|e| format!("cannot listen on {}: {e}", listen.text))?,
                });
                ours.add(place);
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
                self.leaving.extend(sockets.map(|s| (gate.place.clone(), s)));
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

    fn open(
        &mut self,
        listen: &Listen,
        make: Make,
        backlog: u32,
        old: &Gates,
        ours: &Ours,
    ) -> io::Result<Gate> {
        let (sockets, shared) = match &listen.place {
            Place::Tcp(address) => {
                let overlaps = ours.overlap(*address);
                let moved = overlaps.then(|| self.moved(&listen.place, make, old)).flatten();
                let sockets = match moved {
                    Some(gate) => gate.doors.iter().map(again).collect::<io::Result<_>>()?,
                    None => self.open_tcp(*address, make, backlog, overlaps)?,
                };
                (sockets, false)
            }
            Place::Unix(path) => {
                let socket = match self.ours(&listen.place, old) {
                    Some(socket) => socket.try_clone()?,
                    None => sockets::unix_bind(path, backlog, None)?,
                };
                let socket = Arc::new(socket);
                ((0..self.workers).map(|_| Arc::clone(&socket)).collect(), true)
            }
        };
        let mut doors = Vec::with_capacity(self.workers);
        for socket in sockets {
            doors.push(Door { id: self.next_door, socket, shared });
            if !shared {
                self.next_door += 1;
            }
        }
        self.next_door += u64::from(shared);
        Ok(Gate { place: listen.place.clone(), make, doors })
    }

    /// A socket per worker. Unless this process listens there itself, the address must be free:
    /// SO_REUSEPORT alone would let a second copy join by accident.
    fn open_tcp(
        &self,
        mut address: SocketAddr,
        make: Make,
        backlog: u32,
        ours: bool,
    ) -> io::Result<Vec<Arc<OwnedFd>>> {
        if !ours {
            sockets::tcp_probe(address, make.v6only)?;
        }
        let transport = socket_options::transport(make.multipath);
        let mut sockets = Vec::with_capacity(self.workers);
        for _ in 0..self.workers {
            let socket = sockets::tcp_bind(address, transport, backlog, make.v6only)?;
            // With port 0 the first socket finds a port that the others must join.
            address = sockets::local_address(&socket)?;
            sockets.push(Arc::new(socket));
        }
        Ok(sockets)
    }

    /// The gate of another service at a place that moves from it to this one. Its sockets go on, so
    /// that no client is lost between a close and an open.
    fn moved<'a>(&self, place: &Place, make: Make, old: &'a Gates) -> Option<&'a Gate> {
        let same = |g: &&Gate| g.place == *place && g.make.v6only == make.v6only;
        old.values().flatten().find(same).filter(|g| g.doors.len() == self.workers)
    }

    /// The socket of this process at a path that moves from one service to another, or that is
    /// listened on again before the workers have let it go.
    fn ours(&self, place: &Place, old: &Gates) -> Option<Arc<OwnedFd>> {
        let old = old.values().flatten().filter(|g| g.place == *place);
        let old = old.flat_map(|g| &g.doors).map(|d| Arc::clone(&d.socket)).next();
        old.or_else(|| {
            self.leaving.iter().filter(|(p, _)| p == place).find_map(|(_, weak)| weak.upgrade())
        })
    }
}

/// The same socket with a descriptor of its own: who gives a door up closes only theirs.
fn again(door: &Door) -> io::Result<Arc<OwnedFd>> {
    Ok(Arc::new(door.socket.try_clone()?))
}

/// A sentence about the first address that `config` has twice.
#[must_use]
pub fn listed_twice(config: &Config) -> Option<String> {
    let mut owners: HashMap<&Place, &str> = HashMap::new();
    for service in &config.services {
        for listen in &service.listen {
            let Some(owner) = owners.insert(&listen.place, &service.name) else { continue };
            let text = &listen.text;
            return Some(if owner == service.name {
                format!("cannot listen on {text}: service {owner} lists it twice")
            } else {
                format!(
                    "cannot listen on {text}: it is listed twice, by services {owner} and {}",
                    service.name
                )
            });
        }
    }
    None
}

/// Whether two gates are the same sockets.
#[must_use]
pub fn same_doors(a: &Gate, b: &Gate) -> bool {
    a.doors.len() == b.doors.len() && a.doors.iter().zip(&b.doors).all(|(a, b)| a.id == b.id)
}

/// Descriptors that the gates take.
#[must_use]
pub fn descriptors(gates: &Gates) -> usize {
    let of = |gate: &Gate| if gate.doors.iter().any(|d| d.shared) { 1 } else { gate.doors.len() };
    gates.values().flatten().map(of).sum()
}

/// What of `service` waits for its listeners to be opened anew. Opening one beside the old would cost
/// the clients whose handshake is under way.
#[must_use]
pub fn waiting(gates: &[Gate], service: &ServiceConfig) -> Vec<String> {
    let is_tcp = |g: &&Gate| matches!(g.place, Place::Tcp(_));
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
fn leaves_ipv4(place: &Place, ipv4_ports: &HashSet<u16>) -> bool {
    let Place::Tcp(SocketAddr::V6(address)) = place else { return false };
    address.ip().is_unspecified() && ipv4_ports.contains(&address.port())
}

/// The ports of gates for all IPv4 addresses.
fn ports_for_ipv4(config: &Config) -> HashSet<u16> {
    let listens = config.services.iter().flat_map(|s| &s.listen);
    listens
        .filter_map(|l| match &l.place {
            Place::Tcp(SocketAddr::V4(v4)) if v4.ip().is_unspecified() => Some(v4.port()),
            _ => None,
        })
        .collect()
}

/// TCP places where this process listens.
#[derive(Debug, Default)]
struct Ours {
    places: HashSet<(IpAddr, u16)>,
    ports: HashSet<u16>,
    /// Ports of listeners for all addresses.
    open_ports: HashSet<u16>,
}

impl Ours {
    fn add(&mut self, place: &Place) {
        let Place::Tcp(address) = place else { return };
        let port = address.port();
        self.places.insert((address.ip(), port));
        self.ports.insert(port);
        if address.ip().is_unspecified() {
            self.open_ports.insert(port);
        }
    }

    /// Whether one of them makes `address` look taken.
    fn overlap(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        self.places.contains(&(ip, port))
            || self.open_ports.contains(&port)
            || (ip.is_unspecified() && self.ports.contains(&port))
    }
}

#[cfg(test)]
mod tests;
