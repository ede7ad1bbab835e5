//! What of a state file is for the services there are: whose servers are still there, and who was here
//! recently enough.

use std::collections::HashMap;

use super::{Item, server_name};
use crate::clients::Remembered;
use crate::config::ServiceConfig;
use crate::limits::SECONDS_MAX;
use crate::moment::{Moment, WallMs};

/// Nothing is older than this.
const AGE_MAX_MS: u64 = SECONDS_MAX as u64 * 1000;

/// A service that clients are taken for.
#[derive(Clone, Debug)]
pub struct Known {
    name: String,
    /// The slot of each server, by its name in files.
    slots: HashMap<String, u32>,
    /// The size of its client table.
    max: usize,
    tracking_s: u32,
}

impl Known {
    /// The service that is configured like this, whose client table has `max` rows.
    #[must_use]
    pub fn new(config: &ServiceConfig, max: u32) -> Self {
        let mut slots = HashMap::new();
        for (slot, server) in (0_u32..).zip(&config.servers) {
            if let Some(name) = server_name(server) {
                // Of several at one place the first one is meant.
                slots.entry(name).or_insert(slot);
            }
        }
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Self { name: config.name.clone(), slots, max, tracking_s: config.tracking_s }
    }
}

/// Clients of a file that are of no use here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Their service is not here.
    pub no_service: u64,
    /// Their server is not here.
    pub no_server: u64,
    /// They were here longer ago than `tracking` says.
    pub expired: u64,
    /// There is no room for them in the table: clients that were here later have it.
    pub no_room: u64,
}

impl Left {
    /// All of them.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.no_service + self.no_server + self.expired + self.no_room
    }
}

/// What a file brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harvest {
    /// Clients by service, the one seen longest ago first.
    pub clients: Vec<(String, Vec<Remembered>)>,
    /// Those that are of no use.
    pub left: Left,
    /// Seconds since it was written; 0 if it is of the future.
    pub age_s: u64,
}

/// Takes what a file says. It holds twice as many clients as there is room for, at most.
#[derive(Debug)]
pub struct Intake {
    services: Vec<(Known, Vec<Remembered>)>,
    now: Moment,
    wall: WallMs,
    age_ms: u64,
    left: Left,
    /// The service at hand, if it is here.
    current: Option<usize>,
    /// The slots of its servers in the file's order.
    slots: Vec<Option<u32>>,
}

impl Intake {
    /// For these services, at this moment.
    #[must_use]
    pub fn new(services: Vec<Known>, now: Moment, wall: WallMs) -> Self {
        Self {
            services: services.into_iter().map(|known| (known, Vec::new())).collect(),
            now,
            wall,
            age_ms: 0,
            left: Left::default(),
            current: None,
            slots: Vec::new(),
        }
    }

    /// Takes what a line says.
    pub fn take(&mut self, item: Item<'_>) {
        match item {
            // A clock that was set back in between would make clients younger than they are; one that
            // was set ahead makes them older, and the tracking time forgets them.
            Item::Written(at) => {
                let age = self.wall.0.saturating_sub(at.0);
                self.age_ms = u64::try_from(age).unwrap_or(0).min(AGE_MAX_MS);
            }
            Item::Service(name) => {
                self.current = self.services.iter().position(|(known, _)| known.name == name);
                self.slots.clear();
            }
            Item::Server(name) => {
                let known = self.current.and_then(|at| self.services.get(at));
                self.slots.push(known.and_then(|(known, _)| known.slots.get(name).copied()));
            }
            Item::Client { addr, age_ms, server } => {
                let Some((known, clients)) = self.current.and_then(|at| self.services.get_mut(at))
                else {
                    self.left.no_service += 1;
                    return;
                };
                let number = usize::try_from(server).unwrap_or(usize::MAX);
                let Some(server) = self.slots.get(number).copied().flatten() else {
                    self.left.no_server += 1;
                    return;
                };
                let age_ms = age_ms.saturating_add(self.age_ms).min(AGE_MAX_MS);
                if known.tracking_s != 0 && age_ms > u64::from(known.tracking_s) * 1000 {
                    self.left.expired += 1;
                    return;
                }
                let last_seen = Moment(self.now.0.saturating_sub(age_ms));
                clients.push(Remembered { addr, last_seen, server });
                if clients.len() >= known.max.saturating_mul(2) {
                    self.left.no_room += keep_newest(clients, known.max);
                }
            }
        }
    }

    /// Everything was taken.
    #[must_use]
    pub fn finish(mut self) -> Harvest {
        let mut all = Vec::with_capacity(self.services.len());
        for (known, mut clients) in self.services {
            self.left.no_room += keep_newest(&mut clients, known.max);
            clients.sort_by_key(|client| client.last_seen);
            all.push((known.name, clients));
        }
        Harvest { clients: all, left: self.left, age_s: self.age_ms / 1000 }
    }
}

/// Leaves `max` of them, those that were here last. Answers how many went.
fn keep_newest(clients: &mut Vec<Remembered>, max: usize) -> u64 {
    let over = clients.len().saturating_sub(max);
    if over > 0 && max > 0 {
        clients.select_nth_unstable_by_key(max, |client| std::cmp::Reverse(client.last_seen));
    }
    clients.truncate(max);
    u64::try_from(over).unwrap_or(u64::MAX)
}
