//! Listeners that somebody handed over, until a gate takes them: a service manager, or the process that
//! this one takes the place of.
//!
//! An address may have any number of sockets, for it was another process's business how many workers there
//! are. Each has a queue of its own, in which the kernel puts its share of the clients: all of them are served.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

use pen_core::addr::Place;
use pen_core::config::Protocol;
use pen_core::limits;
use pen_sys::activation::{self, Handed};
use pen_sys::datagrams;

use super::{Wanted, stock};

/// Who handed listeners over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Giver {
    /// The service manager: from its socket units, or from where Pen has stored them.
    #[default]
    Manager,
    /// The process before this one, which goes on until this one serves.
    Before,
}

/// Those that nobody has taken.
#[derive(Debug, Default)]
pub struct Pool {
    handed: Vec<Handed>,
    giver: Giver,
}

/// What nobody wanted, and was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwanted {
    /// A sentence for each.
    pub sentences: Vec<String>,
    /// The names that they have where the service manager stores them, if it does.
    pub names: Vec<String>,
}

impl Pool {
    /// What was handed over; a socket that comes twice is one.
    #[must_use]
    pub fn new(mut handed: Vec<Handed>, giver: Giver) -> Self {
        let mut known = HashSet::new();
        handed.retain(|h| known.insert(h.number));
        Self { handed, giver }
    }

    /// Those that are what a gate wants. Of a socket unit `[::]` stands for all IPv4 addresses too; one that
    /// Pen opened itself, as it does so that others can join, is for what it was opened for.
    pub(super) fn take(&mut self, wanted: &Wanted<'_>) -> Vec<OwnedFd> {
        let Wanted { protocol, place, make, .. } = *wanted;
        let fits = |h: &Handed| !h.joinable || h.v6only == make.v6only || !is_all_of_ipv6(place);
        let exactly = self.extract(protocol, place, fits);
        match covering(place) {
            Some(wider) if exactly.is_empty() => self.extract(protocol, &wider, |h| !h.joinable),
            _ => exactly,
        }
    }

    /// The one that takes connections at `place`, where one is enough.
    pub fn take_one(&mut self, place: &Place) -> Option<OwnedFd> {
        self.extract(Protocol::Tcp, place, |_| true).pop()
    }

    fn extract(
        &mut self,
        protocol: Protocol,
        place: &Place,
        fits: impl Fn(&Handed) -> bool,
    ) -> Vec<OwnedFd> {
        let is_wanted = |h: &mut Handed| {
            protocol_of(h) == protocol && is(&h.place, place) && is_there(place) && fits(h)
        };
        self.handed.extract_if(.., is_wanted).map(|h| h.socket).collect()
    }

    /// Where there are listeners that nobody has taken. They make an address look taken that is free
    /// for this process, which may open others beside them.
    pub(super) fn spots(&self) -> Vec<(Protocol, Place)> {
        self.handed.iter().map(|h| (protocol_of(h), place_of(h))).collect()
    }

    /// Whether one of them may be in the way of a listener at `place`.
    #[must_use]
    pub fn is_near(&self, place: &Place) -> bool {
        let Place::Tcp(wanted) = place else { return false };
        let near = |place: Place| matches!(place, Place::Tcp(a) if a.port() == wanted.port());
        self.spots().into_iter().any(|(protocol, p)| protocol == Protocol::Tcp && near(p))
    }

    /// Closes what is left.
    pub fn close(&mut self) -> Unwanted {
        let mut unwanted = Unwanted::default();
        let who = match self.giver {
            Giver::Manager => "the service manager",
            Giver::Before => "the process before",
        };
        for handed in std::mem::take(&mut self.handed) {
            let (protocol, place) = (protocol_of(&handed), place_of(&handed));
            let sentence = format!(
                "{who} handed over a listener at {place}, where no service listens; it is closed"
            );
            if !unwanted.sentences.contains(&sentence) {
                unwanted.sentences.push(sentence);
                unwanted.names.push(stock::name(protocol, &place));
            }
        }
        unwanted
    }
}

/// Makes sockets that others opened like those that Pen opens itself.
pub(super) fn furnish(sockets: &[OwnedFd], wanted: &Wanted<'_>) -> io::Result<()> {
    for socket in sockets {
        match (wanted.protocol, wanted.place) {
            (Protocol::Tcp, _) => activation::set_backlog(socket, wanted.service.backlog)?,
            (Protocol::Udp, Place::Tcp(address)) => {
                datagrams::furnish(socket, *address, limits::UDP_RECEIVE_BUFFER)?;
            }
            (Protocol::Udp, Place::Unix(_)) => {}
        }
    }
    Ok(())
}

/// Which worker has which socket, in the order of [`super::Gate::doors`], and whether workers share them.
/// With fewer sockets than workers all workers have one of them; but the datagrams of a client belong to
/// one worker, so there the last workers have none. With more some workers have several.
pub(super) fn spread(
    sockets: Vec<OwnedFd>,
    protocol: Protocol,
    workers: usize,
) -> (Vec<Arc<OwnedFd>>, bool) {
    let sockets: Vec<Arc<OwnedFd>> = sockets.into_iter().map(Arc::new).collect();
    if protocol == Protocol::Udp || sockets.len() >= workers {
        return (sockets, false);
    }
    (sockets.iter().cycle().take(workers).cloned().collect(), true)
}

fn protocol_of(handed: &Handed) -> Protocol {
    if handed.datagram { Protocol::Udp } else { Protocol::Tcp }
}

fn place_of(handed: &Handed) -> Place {
    match &handed.place {
        activation::Place::Ip(address) => Place::Tcp(*address),
        activation::Place::Unix(path) => Place::Unix(path.clone()),
    }
}

/// `[::]`, the only address that may take clients of both families.
fn is_all_of_ipv6(place: &Place) -> bool {
    matches!(place, Place::Tcp(SocketAddr::V6(address)) if address.ip().is_unspecified())
}

fn is(handed: &activation::Place, place: &Place) -> bool {
    match (handed, place) {
        (activation::Place::Ip(a), Place::Tcp(b)) => a == b,
        (activation::Place::Unix(a), Place::Unix(b)) => a == b,
        _ => false,
    }
}

/// A path may have been removed since the socket was opened; then nobody can reach it.
fn is_there(place: &Place) -> bool {
    match place {
        Place::Unix(path) => {
            std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        }
        Place::Tcp(_) => true,
    }
}

fn covering(place: &Place) -> Option<Place> {
    match place {
        Place::Tcp(address) if address.ip() == IpAddr::from([0, 0, 0, 0]) => {
            Some(Place::Tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use pen_core::config::ServiceConfig;

    use super::super::Make;
    use super::*;

    fn listeners(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap().into()).collect()
    }

    #[test]
    fn every_socket_has_a_worker_and_every_worker_has_clients() {
        for sockets in 1..9 {
            for workers in 1..9 {
                let (doors, shared) = spread(listeners(sockets), Protocol::Tcp, workers);
                let all: HashSet<_> = doors.iter().map(Arc::as_ptr).collect();
                assert_eq!(all.len(), sockets.min(doors.len()), "{sockets} for {workers}");
                assert_eq!(all.len(), sockets, "{sockets} for {workers}");
                assert!(doors.len() >= workers);
                assert_eq!(shared, sockets < workers);
                // A client's datagrams are one worker's.
                let (doors, shared) = spread(listeners(sockets), Protocol::Udp, workers);
                assert_eq!((doors.len(), shared), (sockets, false));
            }
        }
    }

    #[test]
    fn what_is_the_same_twice_is_taken_once_and_the_rest_is_named() {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Tcp(one.local_addr().unwrap());
        let twin = one.try_clone().unwrap();
        let handed = [one.into(), twin.into()].into_iter().chain(listeners(1));
        let handed = handed.filter_map(activation::recognise).collect();
        let mut pool = Pool::new(handed, Giver::Before);
        let make = Make { v6only: false, multipath: false };
        let service = &ServiceConfig::new("default");
        let wanted = |protocol| Wanted { protocol, place: &place, make, service, freebind: false };
        assert!(pool.take(&wanted(Protocol::Udp)).is_empty());
        assert!(pool.is_near(&place));
        assert_eq!(pool.take(&wanted(Protocol::Tcp)).len(), 1);
        assert!(pool.take(&wanted(Protocol::Tcp)).is_empty());
        let left = pool.close();
        assert_eq!((left.sentences.len(), left.names.len()), (1, 1));
        assert!(left.sentences[0].starts_with("the process before handed over"));
        assert_eq!(pool.close(), Unwanted::default());
    }
}
