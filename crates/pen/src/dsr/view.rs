//! A service as the threads of direct server return see it: published whole when settings or the
//! interface change. What is known of servers changes in between, and is carried over.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pen_core::addr::{ClientAddr, Peer, Place};
use pen_core::config::{Protocol, ServiceConfig};
use pen_core::dsr::contact::{Contact, News};
use pen_core::dsr::{Farm, Scene, Standing};
use pen_core::frames::{Mac, Transport};
use pen_core::maglev;
use pen_core::moment::Moment;
use pen_core::report::dsr::Found;
use pen_core::select::Visitor;
use pen_core::service::Live;
use pen_core::tarpit::{Ground, Manners};

use super::link::Link;
use crate::shared::Service;

/// A server that does not answer.
const SILENT: u64 = u64::MAX;
/// A server that has not answered yet.
const UNKNOWN: u64 = 0;

/// What frames are looked at with.
#[derive(Debug)]
pub(super) struct View {
    pub(super) service: Arc<Service>,
    pub(super) scene: Scene,
    pub(super) manners: Manners,
    /// The kernel's number of the interface.
    pub(super) index: i32,
    /// By slot.
    servers: Vec<Option<Spot>>,
    by_ip: HashMap<IpAddr, Vec<u32>>,
    contacts: Mutex<HashMap<IpAddr, Contact>>,
}

/// Where a server is.
#[derive(Debug)]
struct Spot {
    ip: IpAddr,
    /// Its hardware address, [`UNKNOWN`] or [`SILENT`].
    state: AtomicU64,
}

impl View {
    /// A view of the service as it is now, with what `old` knows of servers that stay.
    pub(super) fn build(service: &Arc<Service>, link: &Link, old: Option<&Self>) -> Self {
        let live = service.live.load();
        let config = &live.config;
        let ips: Vec<Option<IpAddr>> = config
            .servers
            .iter()
            .map(|s| s.host.ip().map(|ip| ip.to_canonical()).filter(|ip| !ip.is_unspecified()))
            .collect();
        let known = old.map(|old| old.contacts().clone()).unwrap_or_default();
        let mut by_ip: HashMap<IpAddr, Vec<u32>> = HashMap::new();
        for (slot, ip) in (0..).zip(&ips) {
            if let Some(ip) = ip {
                by_ip.entry(*ip).or_default().push(slot);
            }
        }
        let contacts: HashMap<IpAddr, Contact> =
            by_ip.keys().map(|ip| (*ip, known.get(ip).copied().unwrap_or_default())).collect();
        let spot = |ip: &IpAddr| Spot {
            ip: *ip,
            state: AtomicU64::new(contacts.get(ip).map_or(UNKNOWN, state)),
        };
        Self {
            scene: scene(config, link),
            manners: Manners { check: config.dsr.tarpit_check, rate: config.dsr.tarpit_rate },
            index: link.index,
            servers: ips.iter().map(|ip| ip.as_ref().map(spot)).collect(),
            by_ip,
            contacts: Mutex::new(contacts),
            service: Arc::clone(service),
        }
    }

    /// Somebody says of itself that it is at `mac`. Answers what is new, if it is a server.
    pub(super) fn hear(&self, ip: IpAddr, mac: Mac, now: Moment) -> News {
        if !self.by_ip.contains_key(&ip) {
            return News::None;
        }
        let mut contacts = self.contacts();
        let Some(contact) = contacts.get_mut(&ip) else { return News::None };
        let news = contact.hear(mac, now);
        self.tell(ip, contact);
        news
    }

    /// What is known of servers, with what the frames see of it changed by `change`.
    pub(super) fn each_contact(&self, mut change: impl FnMut(IpAddr, &mut Contact)) {
        for (ip, contact) in self.contacts().iter_mut() {
            let before = *contact;
            change(*ip, contact);
            if *contact != before {
                self.tell(*ip, contact);
            }
        }
    }

    /// The slots of the server at `ip`.
    pub(super) fn slots(&self, ip: IpAddr) -> &[u32] {
        self.by_ip.get(&ip).map_or(&[], Vec::as_slice)
    }

    /// Where each server was found.
    pub(super) fn found(&self, now: Moment) -> Vec<Found> {
        let live = self.service.live.load();
        let blacklisted = |slot: u32| {
            let server = live.servers.get(usize::try_from(slot).unwrap_or(usize::MAX));
            server.is_some_and(|s| s.load.blacklisted(now, live.config.blacklist_s))
        };
        let contacts = self.contacts();
        let row = |(slot, spot): (u32, &Option<Spot>)| {
            let spot = spot.as_ref()?;
            let contact = contacts.get(&spot.ip).copied().unwrap_or_default();
            Some(Found {
                number: slot,
                address: spot.ip.to_string(),
                mac: contact.mac().map(|mac| mac.to_string()),
                silent: contact.is_lost(),
                blacklisted: blacklisted(slot),
            })
        };
        (0..).zip(&self.servers).filter_map(row).collect()
    }

    fn tell(&self, ip: IpAddr, contact: &Contact) {
        for slot in self.slots(ip) {
            if let Some(spot) = self.spot(*slot) {
                spot.state.store(state(contact), Ordering::Release);
            }
        }
    }

    fn spot(&self, slot: u32) -> Option<&Spot> {
        self.servers.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    fn contacts(&self) -> MutexGuard<'_, HashMap<IpAddr, Contact>> {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state(contact: &Contact) -> u64 {
    match contact.mac() {
        Some(mac) => mac.to_number(),
        None if contact.is_lost() => SILENT,
        None => UNKNOWN,
    }
}

/// The addresses of a service and their ports.
pub(super) fn doors(config: &ServiceConfig) -> Vec<(IpAddr, u16)> {
    let door = |place: &Place| match place {
        Place::Tcp(address) if address.ip().is_unspecified() => {
            Some((config.dsr.ip?, address.port()))
        }
        Place::Tcp(address) => Some((address.ip().to_canonical(), address.port())),
        Place::Unix(_) => None,
    };
    config.listen.iter().filter_map(|l| door(&l.place)).collect()
}

/// Where the service's tarpit is, if it has one.
pub(super) fn ground(config: &ServiceConfig, link: &Link) -> Option<Ground> {
    let list = config.acls.get(usize::from(config.dsr.tarpit_acl?))?.clone();
    let mut taken: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let servers = config.servers.iter().filter_map(|s| s.host.ip());
    let own = link.addresses.iter().map(|a| a.ip);
    let service = doors(config).into_iter().map(|d| d.0);
    taken.extend(servers.chain(own).chain(service).filter_map(v4));
    for address in &link.addresses {
        if let (Some(ip), Some(mask)) = (v4(address.ip), address.mask) {
            taken.extend([ip & mask, ip | !mask]);
        }
    }
    Some(Ground { list, taken })
}

fn scene(config: &ServiceConfig, link: &Link) -> Scene {
    Scene {
        own: link.mac,
        doors: doors(config),
        transport: match config.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
        },
        with_port: config.mode.roundrobin,
        table: maglev::Table::build(&config.servers),
        tarpit: ground(config, link).filter(|_| !config.dsr.standby),
        standby: config.dsr.standby,
    }
}

fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

/// Servers and clients at one moment.
pub(super) struct Eyes<'a> {
    pub(super) view: &'a View,
    pub(super) live: &'a Live,
    pub(super) now: Moment,
}

impl Farm for Eyes<'_> {
    fn standing(&self, slot: u32) -> Standing {
        let number = usize::try_from(slot).unwrap_or(usize::MAX);
        let (Some(spot), Some(server)) = (self.view.spot(slot), self.live.servers.get(number))
        else {
            return Standing::Gone;
        };
        let out = server.load.blacklisted(self.now, self.live.config.blacklist_s);
        match (spot.state.load(Ordering::Acquire), out) {
            (SILENT, _) | (UNKNOWN, true) => Standing::Gone,
            (UNKNOWN, false) => Standing::Unknown,
            (mac, true) => Standing::Shunned(Mac::from_number(mac)),
            (mac, false) => Standing::Ready(Mac::from_number(mac)),
        }
    }

    fn admits(&self, slot: u32, client: IpAddr) -> bool {
        let number = usize::try_from(slot).unwrap_or(usize::MAX);
        let server = self.live.servers.get(number);
        server.is_some_and(|s| self.live.admits(s.config.acl, &visitor(client)))
    }

    fn permits(&self, client: IpAddr) -> bool {
        self.live.admits(self.live.config.client_acl, &visitor(client))
    }
}

fn visitor(client: IpAddr) -> Visitor {
    Visitor::new(Peer { addr: ClientAddr::from_ip(client), port: 0 }, None)
}
