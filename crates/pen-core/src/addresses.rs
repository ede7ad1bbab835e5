//! Which addresses this machine has, and which have left it for good: what is bound to those is dead.
//!
//! An address that goes and comes back within [`limits::ADDRESS_GRACE_MS`] (an interface that is set
//! up anew) has not left: TCP bridges that. One address may be on several interfaces. Deliberately
//! not here: how the kernel tells, and what is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::limits;
use crate::moment::Moment;

/// An address at an interface (its number) with the length of its prefix.
pub type Spot = (IpAddr, u32, u8);

/// The addresses there are and those that are leaving.
#[derive(Debug, Default)]
pub struct Addresses {
    here: BTreeSet<Spot>,
    /// While the kernel lists all: those that it has not named.
    unseen: Option<BTreeSet<Spot>>,
    leaving: BTreeMap<IpAddr, Moment>,
}

impl Addresses {
    /// The kernel begins to list all addresses, because nothing is known or something was missed.
    pub fn listing(&mut self) {
        self.unseen = Some(self.here.clone());
    }

    /// The list is complete: what it did not name has gone unnoticed.
    pub fn listed(&mut self, now: Moment) {
        for spot in self.unseen.take().unwrap_or_default() {
            self.left(spot, now);
        }
    }

    /// An address is there. Beyond [`limits::ADDRESSES_MAX`] it is not noted, so it cannot leave.
    pub fn came(&mut self, spot: Spot) {
        if let Some(unseen) = &mut self.unseen {
            unseen.remove(&spot);
        }
        self.leaving.remove(&spot.0);
        if self.here.len() < limits::ADDRESSES_MAX {
            self.here.insert(spot);
        }
    }

    /// An address is gone from an interface.
    pub fn left(&mut self, spot: Spot, now: Moment) {
        let known = self.here.remove(&spot);
        if let Some(unseen) = &mut self.unseen {
            unseen.remove(&spot);
        }
        if known && !self.has(spot.0) {
            self.leaving.insert(spot.0, now.plus_ms(limits::ADDRESS_GRACE_MS));
        }
    }

    /// When the next one has left for good.
    #[must_use]
    pub fn due(&self) -> Option<Moment> {
        self.leaving.values().min().copied()
    }

    /// Those that have left for good by now, each told once.
    pub fn gone(&mut self, now: Moment) -> Vec<IpAddr> {
        let gone: Vec<IpAddr> =
            self.leaving.iter().filter(|(_, due)| **due <= now).map(|(ip, _)| *ip).collect();
        for ip in &gone {
            self.leaving.remove(ip);
        }
        gone
    }

    fn has(&self, ip: IpAddr) -> bool {
        self.here.range((ip, 0, 0)..=(ip, u32::MAX, u8::MAX)).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: u64 = limits::ADDRESS_GRACE_MS;

    fn spot(last: u8, interface: u32) -> Spot {
        ([192, 0, 2, last].into(), interface, 24)
    }

    #[test]
    fn what_stays_away_has_left() {
        let mut all = Addresses::default();
        (1..=3).for_each(|n| all.came(spot(n, 2)));
        all.left(spot(1, 2), Moment(10));
        all.left(spot(2, 2), Moment(20));
        all.left(spot(9, 2), Moment(20));
        assert_eq!(all.due(), Some(Moment(10 + GRACE)));
        assert!(all.gone(Moment(9 + GRACE)).is_empty());
        all.came(spot(2, 5));
        assert_eq!(all.gone(Moment(99 + GRACE)), [spot(1, 2).0], "the other one is back");
        assert_eq!((all.gone(Moment(999 + GRACE)), all.due()), (vec![], None));
    }

    #[test]
    fn an_address_is_there_while_an_interface_has_it() {
        let mut all = Addresses::default();
        let wide = (spot(1, 2).0, 2, 32);
        [spot(1, 2), spot(1, 3), wide].into_iter().for_each(|s| all.came(s));
        all.left(spot(1, 2), Moment(0));
        all.left(wide, Moment(0));
        assert_eq!(all.due(), None);
        all.left(spot(1, 3), Moment(0));
        assert_eq!(all.gone(Moment(GRACE)), [spot(1, 2).0]);
    }

    #[test]
    fn what_a_list_does_not_name_has_left() {
        let mut all = Addresses::default();
        all.listing();
        (1..=3).for_each(|n| all.came(spot(n, 2)));
        all.listed(Moment(0));
        assert_eq!(all.due(), None, "the first list finds all anew");
        all.listing();
        all.came(spot(1, 2));
        all.left(spot(1, 2), Moment(5));
        all.came(spot(3, 2));
        all.came(spot(4, 2));
        all.listed(Moment(6));
        assert_eq!(all.gone(Moment(6 + GRACE)), [spot(1, 2).0, spot(2, 2).0]);
    }

    #[test]
    fn there_is_a_bound() {
        let mut all = Addresses::default();
        for n in 0..u32::try_from(limits::ADDRESSES_MAX).unwrap() + 5 {
            all.came((std::net::Ipv4Addr::from(n).into(), 1, 32));
        }
        assert_eq!(all.here.len(), limits::ADDRESSES_MAX);
        all.left((std::net::Ipv4Addr::BROADCAST.into(), 1, 32), Moment(0));
        assert_eq!(all.due(), None);
    }
}
