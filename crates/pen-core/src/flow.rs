//! UDP flows of one service at one worker: who they are, in which order they were quiet, when they
//! are over.
//!
//! A [`Flow`] is what a client's socket and one of Pen's addresses have to do with one server. The
//! table finds it by its [`FlowKey`], keeps the order of activity, and knows what ends a flow; it
//! grows with the flows there are, and its bound is kept by whoever opens them (they make room with
//! [`FlowTable::quietest`] first). The search for a server is a [`Journey`]. Deliberately not here:
//! sockets, and who may come in.

mod counters;
mod reasons;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::arrivals::Admission;
use crate::clients::ClientId;
use crate::journey::Journey;
use crate::moment::Moment;
use crate::secret::Secret;
use crate::select::Visitor;

pub use counters::{Counters, Counts};
pub use reasons::{DropReason, FlowEnd};

const NONE: u32 = u32::MAX;

/// What tells flows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The listening socket, as the worker numbers them.
    pub door: u32,
    /// The client as the socket shows it (an IPv4 client of an IPv6 socket is mapped).
    pub client: SocketAddr,
    /// The address the client sent to, where a socket has several, and the interface it came
    /// through, where that is part of the address.
    pub local: Option<(IpAddr, u32)>,
    /// The slot of the server, where one is chosen for each datagram.
    pub server: Option<u32>,
}

/// A flow in its table. It means no other when the flow has ended: then it means none, as the default
/// does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowId {
    row: u32,
    /// Which of the flows that had the row.
    turn: u32,
}

/// One flow.
#[derive(Debug)]
pub struct Flow {
    /// Who it is.
    pub key: FlowKey,
    /// Its number in the service.
    pub number: u32,
    /// It took a place in the room of the service (the first flow of a worker needs none).
    pub took_place: bool,
    /// Its place in the count of its source.
    pub admission: Admission,
    /// The client's row.
    pub client: ClientId,
    /// The client's address and what was remembered of it.
    pub visitor: Visitor,
    /// The search for a server.
    pub journey: Journey,
    /// Where the server is.
    pub server: SocketAddr,
    /// The local port its datagrams leave from, as the worker numbers them.
    pub port: u64,
    /// When it began.
    pub opened: Moment,
    /// When a datagram came last.
    pub active: Moment,
    /// What it moved.
    pub moved: Moved,
    settled: Moved,
    /// Datagrams of the client, and answers, since it is at this server.
    asked: u64,
    answered: u64,
    links: Links,
}

/// Bytes that a flow moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// From the client to the server.
    pub to_server: u64,
    /// From the server to the client.
    pub to_client: u64,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    quieter: u32,
    livelier: u32,
    /// What the order is by: activity, to the second.
    since: Moment,
}

/// What a flow begins with.
#[derive(Debug)]
pub struct Beginning {
    /// [`Flow::key`].
    pub key: FlowKey,
    /// [`Flow::number`].
    pub number: u32,
    /// [`Flow::took_place`].
    pub took_place: bool,
    /// [`Flow::admission`].
    pub admission: Admission,
    /// [`Flow::client`].
    pub client: ClientId,
    /// [`Flow::visitor`].
    pub visitor: Visitor,
    /// [`Flow::journey`].
    pub journey: Journey,
    /// [`Flow::server`].
    pub server: SocketAddr,
    /// [`Flow::port`].
    pub port: u64,
}

impl Flow {
    fn new(b: Beginning, now: Moment) -> Self {
        let Beginning {
            key,
            number,
            took_place,
            admission,
            client,
            visitor,
            journey,
            server,
            port,
        } = b;
        Self {
            key,
            number,
            took_place,
            admission,
            client,
            visitor,
            journey,
            server,
            port,
            opened: now,
            active: now,
            moved: Moved::default(),
            settled: Moved::default(),
            asked: 0,
            answered: 0,
            links: Links { quieter: NONE, livelier: NONE, since: now },
        }
    }

    /// The client sent datagrams, which go to the server.
    pub fn ask(&mut self, datagrams: u64, bytes: u64) {
        self.asked += datagrams;
        self.moved.to_server += bytes;
    }

    /// The server sent datagrams, which go to the client. Answers whether the flow is over with
    /// them, `answers` being the answers that each datagram of the client gets (0 = nobody knows).
    pub fn answer(&mut self, datagrams: u64, bytes: u64, answers: u32) -> bool {
        self.answered += datagrams;
        self.moved.to_client += bytes;
        answers != 0 && self.answered >= self.asked.saturating_mul(u64::from(answers))
    }

    /// It goes to another server from here on, through another port.
    pub fn go_to(&mut self, server: SocketAddr, port: u64) {
        (self.server, self.port) = (server, port);
        (self.asked, self.answered) = (0, 0);
    }

    /// Whether its local port can serve another flow to the same server at once when it ends for
    /// this reason: nothing can be under way that would look like an answer to that flow.
    #[must_use]
    pub fn leaves_port_clean(&self, why: FlowEnd) -> bool {
        match why {
            FlowEnd::Answered => true,
            FlowEnd::IdleTimeout => self.answered >= self.asked,
            _ => false,
        }
    }

    /// Whether [`Flow::settle`] would answer nothing.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.moved == self.settled
    }

    /// What it moved since the last call.
    pub fn settle(&mut self) -> Moved {
        let before = std::mem::replace(&mut self.settled, self.moved);
        Moved {
            to_server: self.moved.to_server - before.to_server,
            to_client: self.moved.to_client - before.to_client,
        }
    }
}

/// The flows.
#[derive(Debug)]
pub struct FlowTable {
    rows: Vec<Row>,
    free: Vec<u32>,
    by_key: HashMap<FlowKey, FlowId, Secret>,
    quietest: u32,
    liveliest: u32,
}

#[derive(Debug, Default)]
struct Row {
    turn: u32,
    flow: Option<Flow>,
}

impl FlowTable {
    /// An empty table. `secret` is random and known to nobody outside, so that nobody can choose
    /// addresses that collide.
    #[must_use]
    pub fn new(secret: [u64; 2]) -> Self {
        Self {
            rows: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::with_hasher(Secret(secret)),
            quietest: NONE,
            liveliest: NONE,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The flow with this key.
    #[must_use]
    pub fn find(&self, key: &FlowKey) -> Option<FlowId> {
        self.by_key.get(key).copied()
    }

    /// A flow.
    #[must_use]
    pub fn get(&self, id: FlowId) -> Option<&Flow> {
        let row = self.rows.get(id.row as usize)?;
        row.flow.as_ref().filter(|_| row.turn == id.turn)
    }

    /// A flow, to be changed.
    pub fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        let row = self.rows.get_mut(id.row as usize)?;
        row.flow.as_mut().filter(|_| row.turn == id.turn)
    }

    /// All of them, in any order.
    pub fn ids(&self) -> impl Iterator<Item = FlowId> + '_ {
        let there = (0_u32..).zip(&self.rows).filter(|(_, row)| row.flow.is_some());
        there.map(|(n, row)| FlowId { row: n, turn: row.turn })
    }

    /// Takes in a flow whose key no other has.
    pub fn open(&mut self, beginning: Beginning, now: Moment) -> FlowId {
        debug_assert!(self.find(&beginning.key).is_none(), "two flows of one key");
        let key = beginning.key;
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.rows.push(Row::default());
                u32::try_from(self.rows.len() - 1).unwrap_or(NONE)
            }
        };
        let mut id = FlowId { row: number, turn: 0 };
        if let Some(row) = self.rows.get_mut(number as usize) {
            // Whoever still has the id of an earlier flow of this row finds nothing with it.
            row.turn = row.turn.wrapping_add(1);
            id.turn = row.turn;
            row.flow = Some(Flow::new(beginning, now));
        }
        self.by_key.insert(key, id);
        self.append(number, now);
        id
    }

    /// Takes a flow out.
    pub fn close(&mut self, id: FlowId) -> Option<Flow> {
        self.get(id)?;
        self.unlink(id.row);
        let flow = self.rows.get_mut(id.row as usize)?.flow.take()?;
        self.by_key.remove(&flow.key);
        self.free.push(id.row);
        Some(flow)
    }

    /// A datagram came. The order is kept to the second, so that a busy flow moves in it once a
    /// second at most; answers whether it did now.
    pub fn touch(&mut self, id: FlowId, now: Moment) -> bool {
        let Some(flow) = self.get_mut(id) else { return false };
        flow.active = flow.active.max(now);
        if flow.links.since.0 / 1000 >= now.0 / 1000 {
            return false;
        }
        self.unlink(id.row);
        self.append(id.row, now);
        true
    }

    /// The flow that was quiet longest, to the second, and since when.
    #[must_use]
    pub fn quietest(&self) -> Option<(FlowId, Moment)> {
        let row = self.rows.get(self.quietest as usize)?;
        let id = FlowId { row: self.quietest, turn: row.turn };
        row.flow.as_ref().map(|flow| (id, flow.active))
    }

    fn append(&mut self, row: u32, now: Moment) {
        let before = std::mem::replace(&mut self.liveliest, row);
        if let Some(links) = self.links(row) {
            *links = Links { quieter: before, livelier: NONE, since: now };
        }
        match self.links(before) {
            Some(before) => before.livelier = row,
            None => self.quietest = row,
        }
    }

    fn unlink(&mut self, row: u32) {
        let Some(&mut Links { quieter, livelier, .. }) = self.links(row) else { return };
        match self.links(quieter) {
            Some(links) => links.livelier = livelier,
            None => self.quietest = livelier,
        }
        match self.links(livelier) {
            Some(links) => links.quieter = quieter,
            None => self.liveliest = quieter,
        }
    }

    fn links(&mut self, row: u32) -> Option<&mut Links> {
        self.rows.get_mut(row as usize)?.flow.as_mut().map(|flow| &mut flow.links)
    }
}
