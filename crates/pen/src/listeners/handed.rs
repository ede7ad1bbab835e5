//! Listeners that a service manager handed over, until a gate takes them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use pen_core::addr::Place;
use pen_core::config::Protocol;
use pen_sys::activation::{self, Handed};

/// Those that no gate has taken.
#[derive(Debug, Default)]
pub struct Pool(Vec<Handed>);

impl Pool {
    /// What was handed over.
    #[must_use]
    pub fn new(handed: Vec<Handed>) -> Self {
        Self(handed)
    }

    /// The one that listens at `place`. `[::]` stands for all IPv4 addresses too.
    pub(super) fn take(&mut self, protocol: Protocol, place: &Place) -> Option<OwnedFd> {
        if protocol != Protocol::Tcp {
            return None;
        }
        let exactly = self.0.iter().position(|h| is(&h.place, place));
        let at = exactly.or_else(|| {
            let wider = covering(place)?;
            self.0.iter().position(|h| is(&h.place, &wider))
        })?;
        Some(self.0.swap_remove(at).socket)
    }

    /// Closes what is left. A sentence for each.
    pub fn close(&mut self) -> Vec<String> {
        let sentence = |handed: Handed| {
            let place = match handed.place {
                activation::Place::Ip(address) => address.to_string(),
                activation::Place::Unix(path) => path.display().to_string(),
            };
            format!(
                "the service manager handed over a listener at {place}, where no service listens; \
                 it is closed"
            )
        };
        std::mem::take(&mut self.0).into_iter().map(sentence).collect()
    }
}

fn is(handed: &activation::Place, place: &Place) -> bool {
    match (handed, place) {
        (activation::Place::Ip(a), Place::Tcp(b)) => a == b,
        (activation::Place::Unix(a), Place::Unix(b)) => a == b,
        _ => false,
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
