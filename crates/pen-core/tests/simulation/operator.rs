//! The operator of the simulated service: turns a knob in the settings, publishes them, and notes in
//! the books what that must mean.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use pen_core::acl::{Entry, Verdict, Whom};
use pen_core::addr::Host;
use pen_core::config::{Mode, ServerConfig};
use pen_core::moment::Moment;
use pen_core::servers::ServerRef;

use crate::cast::{CLIENTS, new_server, v4, v6};
use crate::deeds::Knob;
use crate::oracle::Rule;
use crate::world::World;

const SERVERS_MOST: usize = 8;

impl World {
    pub fn turn_knob(&mut self, knob: Knob) {
        match knob {
            Knob::Limits { slot, max, hard } => {
                let server = self.server(slot);
                (server.max, server.hard) = (max, hard);
            }
            Knob::Shares { slot, weight, prio } => {
                let server = self.server(slot);
                (server.weight, server.prio) = (weight, prio);
            }
            Knob::ServerAcl { slot, list } => self.server(slot).acl = list,
            Knob::Address { slot } => {
                let settings = self.server(slot).clone();
                let ServerConfig { host, port, .. } = new_server(&mut self.chance);
                *self.server(slot) = ServerConfig { host, port, ..settings };
                self.moved(slot);
            }
            Knob::Unset { slot } if self.config.servers[slot as usize].host == Host::Unset => {}
            Knob::Unset { slot } => {
                self.server(slot).host = Host::Unset;
                self.moved(slot);
            }
            Knob::AddServer if self.config.servers.len() >= SERVERS_MOST => {}
            Knob::AddServer => self.config.servers.push(new_server(&mut self.chance)),
            Knob::Sentence { slot, seconds } => self.sentence(slot, seconds),
            Knob::Mode { bits } => {
                let bit = |n: u32| bits >> n & 1 == 1;
                self.config.mode = Mode {
                    hash: bit(0),
                    roundrobin: bit(1),
                    stubborn: bit(2),
                    weight: bit(3),
                    prio: bit(4),
                    forgetful: bit(5),
                };
            }
            Knob::Rules { list } => self.set_rules(list),
            Knob::ClientAcl { list } => self.config.client_acl = list,
            Knob::Times { blacklist_s, tracking_s } => {
                (self.config.blacklist_s, self.config.tracking_s) = (blacklist_s, tracking_s);
            }
            Knob::PendingMax(n) => self.config.pending_max = n,
            Knob::Sizes { clients, connections } => {
                self.clients.grow(clients);
                self.numbers.grow(connections);
            }
            Knob::Outside { emergency, abuse } => {
                let outside = |port, max| {
                    let host = Host::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
                    Some(ServerConfig { host, port, max, ..ServerConfig::default() })
                };
                self.config.emergency = if emergency { outside(1, 3) } else { None };
                self.config.abuse = if abuse { outside(2, 0) } else { None };
            }
        }
        self.live = self.live.rebuilt(Arc::new(self.config.clone()));
        self.books.follow(&self.live);
    }

    fn server(&mut self, slot: u32) -> &mut ServerConfig {
        &mut self.config.servers[slot as usize]
    }

    /// The slot's place is another one now: nothing is held against it.
    fn moved(&mut self, slot: u32) {
        *self.moves.entry(slot).or_default() += 1;
        let book = self.books.number(ServerRef::Regular(slot)).expect("a slot of the table");
        let record = &mut self.books.all[book].1;
        (record.failed_at, record.sentenced_until) = (None, Moment(0));
    }

    fn sentence(&mut self, slot: u32, seconds: u32) {
        let book = self.books.number(ServerRef::Regular(slot)).expect("a slot of the table");
        let (load, record) = &mut self.books.all[book];
        load.sentence(self.now, seconds);
        record.failed_at = None;
        record.sentenced_until = if seconds == 0 { Moment(0) } else { self.now.plus_s(seconds) };
    }

    /// Writes a new list, IPv4 and IPv6 entries by turns.
    fn set_rules(&mut self, list: u8) {
        let chance = &mut self.chance;
        let rules: Vec<Rule> = (0..chance.below(4))
            .map(|_| (chance.odds(50), chance.below(CLIENTS), chance.below(5)))
            .collect();
        let entries = rules.iter().enumerate().map(|(n, &(permit, address, free_bits))| {
            let verdict = if permit { Verdict::Permit } else { Verdict::Deny };
            let whom = if n % 2 == 1 {
                Whom::v6(v6(address), 128 - free_bits as u8).expect("a prefix below 128")
            } else {
                Whom::v4(v4(address), (u32::MAX << free_bits).into())
            };
            Entry { verdict, whom }
        });
        self.config.acls[usize::from(list)].entries = entries.collect();
        self.rules[usize::from(list)] = rules;
    }
}
