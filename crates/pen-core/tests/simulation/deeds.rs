//! What can happen in a step, and how often.

use pen_core::reasons::ConnectFailure;

use crate::cast::CLIENTS;
use crate::world::{State, World};

/// One thing that happens. Connections are given by their place in the world's list.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Arrive {
        client: u32,
        port: u16,
    },
    Connects(usize),
    Fails(usize, ConnectFailure),
    Moves {
        connection: usize,
        sent: u64,
        received: u64,
    },
    Ends {
        connection: usize,
        sent: u64,
        received: u64,
    },
    Waits {
        ms: u64,
    },
    Idler,
    /// The machine of a server dies or returns.
    Power {
        slot: u32,
    },
    Turns(Knob),
}

/// What the operator can turn.
#[derive(Clone, Copy, Debug)]
pub enum Knob {
    Limits { slot: u32, max: u32, hard: u32 },
    Shares { slot: u32, weight: u32, prio: u32 },
    ServerAcl { slot: u32, list: u8 },
    Address { slot: u32 },
    Unset { slot: u32 },
    AddServer,
    Sentence { slot: u32, seconds: u32 },
    Mode { bits: u32 },
    Rules { list: u8 },
    ClientAcl { list: u8 },
    Times { blacklist_s: u32, tracking_s: u32 },
    PendingMax(u32),
    Sizes { clients: u32, connections: u32 },
    Outside { emergency: bool, abuse: bool },
}

impl World {
    /// Draws the next deed.
    pub fn think_of_something(&mut self) -> Deed {
        let chance = &mut self.chance;
        let (sent, received) = (u64::from(chance.below(5_000)), u64::from(chance.below(5_000)));
        let connection = match self.connections.len() as u32 {
            0 => return Deed::Arrive { client: chance.below(CLIENTS), port: 1 },
            open => chance.below(open) as usize,
        };
        match chance.below(100) {
            0..35 => {
                // A few come again and again.
                let range = chance.pick(&[5, CLIENTS, CLIENTS]);
                Deed::Arrive { client: chance.below(range), port: chance.below(60_000) as u16 }
            }
            35..65 => match self.connections[connection].state {
                State::Open => Deed::Ends { connection, sent, received },
                State::Connecting => self.answer(connection),
            },
            65..70 => Deed::Moves { connection, sent, received },
            70..72 => Deed::Ends { connection, sent: 0, received: 0 },
            72..80 => Deed::Waits { ms: u64::from(chance.below(4_000)) },
            80..83 => Deed::Idler,
            83..87 => Deed::Power { slot: chance.below(self.config.servers.len() as u32) },
            _ => Deed::Turns(self.think_of_a_knob()),
        }
    }

    fn answer(&mut self, connection: usize) -> Deed {
        use ConnectFailure::{LocalResources, Refused, TimedOut, Unreachable};
        if self.is_alive(self.connections[connection].server) && self.chance.odds(90) {
            return Deed::Connects(connection);
        }
        let reasons = [Refused, Refused, TimedOut, Unreachable, LocalResources];
        Deed::Fails(connection, self.chance.pick(&reasons))
    }

    fn think_of_a_knob(&mut self) -> Knob {
        let chance = &mut self.chance;
        let slot = chance.below(self.config.servers.len() as u32);
        let list = chance.below(4) as u8;
        match chance.below(18) {
            0..3 => {
                Knob::Limits { slot, max: chance.pick(&[0, 0, 1, 2, 5]), hard: chance.below(8) }
            }
            3 | 4 => Knob::Shares { slot, weight: chance.below(4), prio: chance.below(4) },
            5 => Knob::ServerAcl { slot, list },
            6 => Knob::Address { slot },
            7 if chance.odds(30) => Knob::Unset { slot },
            7 | 8 => Knob::AddServer,
            9 => Knob::Sentence { slot, seconds: chance.pick(&[0, 0, 3, 20]) },
            10 | 11 => Knob::Mode { bits: chance.below(64) & chance.below(64) },
            12 => Knob::Rules { list },
            13 => Knob::ClientAcl { list },
            14 => Knob::Times {
                blacklist_s: chance.pick(&[0, 2, 5, 30]),
                tracking_s: chance.pick(&[0, 0, 2, 10]),
            },
            15 => Knob::PendingMax(chance.pick(&[1, 2, 3, 8, 100])),
            16 => Knob::Sizes { clients: chance.below(60), connections: chance.below(60) },
            _ => Knob::Outside { emergency: chance.odds(60), abuse: chance.odds(60) },
        }
    }
}
