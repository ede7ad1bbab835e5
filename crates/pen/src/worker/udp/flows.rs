//! How flows begin, change servers and end.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use pen_core::addr::{ClientAddr, Peer, Place};
use pen_core::arrivals::{Admission, Excess};
use pen_core::connlog::What;
use pen_core::flow::{Beginning, DropReason, Flow, FlowEnd, FlowId, FlowKey, Moved};
use pen_core::journey::{Journey, Step};
use pen_core::limits;
use pen_core::reasons::ConnectFailure;
use pen_core::select::{self, Visitor};
use pen_core::servers::{Server, ServerRef};

use super::super::Worker;
use super::Scene;
use super::berth::Wish;
use super::contain::Hand;
use crate::shared::Service;

/// A server with a port towards it.
struct Berth {
    server: ServerRef,
    at: SocketAddr,
    port: u64,
}

impl Worker {
    /// Begins the flow of `key`.
    pub(super) fn begin_flow(
        &mut self,
        scene: Scene<'_>,
        key: FlowKey,
    ) -> Result<FlowId, DropReason> {
        let Scene { service, live, .. } = scene;
        let visitor = Visitor::new(peer_of(key.client), None);
        let denied = !live.admits(live.config.client_acl, &visitor);
        if denied && live.abuse.is_none() {
            return Err(DropReason::ClientDenied);
        }
        let admission = self
            .admit_source(service, live, &visitor)
            .map_err(|excess| self.refuse_source(service, visitor.peer, excess))?;
        self.udp.hand.admission = Some((visitor.peer.addr, admission));
        let opened = self.open_flow(scene, (key, denied), visitor, admission);
        if opened.is_err() {
            let hand = std::mem::take(&mut self.udp.hand);
            self.give_hand_back(scene, hand);
        }
        opened
    }

    fn refuse_source(&self, service: &Service, client: Peer, excess: Excess) -> DropReason {
        self.say_over_limit(service, client, excess, "its datagram is dropped");
        DropReason::OverLimit
    }

    fn open_flow(
        &mut self,
        scene: Scene<'_>,
        (key, denied): (FlowKey, bool),
        mut visitor: Visitor,
        admission: Admission,
    ) -> Result<FlowId, DropReason> {
        let Scene { station, service, live } = scene;
        let visit = {
            let mut tables = service.tables();
            tables.clients.visit(visitor.peer.addr, self.now, live.config.tracking_s)
        };
        visitor.remembered = visit.remembered;
        let (mut journey, step) = self.first_step(scene, &visitor, key.server, denied);
        if let Step::Close(reason) = step {
            journey.end(0, 0);
            return Err(self.refuse_flow(scene, &visitor, reason));
        }
        let took_place = self.make_room(scene);
        self.udp.hand.place = Some(took_place);
        let berth = self
            .reach(scene, &mut journey, &visitor, step, None)
            .inspect_err(|_| journey.end(0, 0))?;
        let number = {
            let mut tables = service.tables();
            if let ServerRef::Regular(n) = berth.server
                && !live.config.mode.forgetful
            {
                tables.clients.remember(visit.id, n);
            }
            // There is room, so there is a number.
            tables.slots.take().unwrap_or_default()
        };
        self.udp.hand.number = Some(number);
        #[cfg(debug_assertions)]
        super::super::faults::at_beginning(visitor.peer.addr);
        let Berth { server, at, port } = berth;
        let client = visit.id;
        let beginning = Beginning {
            key,
            number,
            took_place,
            admission,
            client,
            visitor,
            journey,
            server: at,
            port,
        };
        let now = self.now;
        let id = self.udp.change(|udp| {
            let table = udp.table(station);
            table.counts.opened += 1;
            let id = table.flows.open(beginning, now);
            udp.ports.take(port, at, (station, id));
            udp.hand = Hand::of(id);
            id
        });
        service.last_server.store(server.number(), Ordering::Relaxed);
        self.due_by(now.plus_s(live.config.udp_timeout_s));
        self.say_flow_begun(scene, id);
        self.record_flow(scene, id, What::Start);
        Ok(id)
    }

    fn first_step(
        &self,
        scene: Scene<'_>,
        visitor: &Visitor,
        chosen: Option<u32>,
        denied: bool,
    ) -> (Journey, Step) {
        let Scene { service, live, .. } = scene;
        let note = |server, refusal| self.say_passed_over(service, visitor.peer, server, refusal);
        if denied {
            return Journey::denied(live, visitor, self.now, note);
        }
        match chosen {
            Some(_) => Journey::start_with(live, chosen, visitor, self.now, note),
            None => Journey::start(live, &service.cursor, visitor, self.now, note),
        }
    }

    /// Takes steps until there is a server with a port towards it. `mover` is the flow it is for, if
    /// it is there already.
    fn reach(
        &mut self,
        scene: Scene<'_>,
        journey: &mut Journey,
        visitor: &Visitor,
        mut step: Step,
        mover: Option<FlowId>,
    ) -> Result<Berth, DropReason> {
        let live = scene.live;
        self.tell_full(scene.service, live);
        loop {
            let server = match step {
                Step::Connect(server) => server,
                Step::Close(reason) => return Err(self.refuse_flow(scene, visitor, reason)),
            };
            let failure = match live.server(server).and_then(Server::place) {
                Some(Place::Tcp(at)) => {
                    let wish = Wish { client: visitor.peer, server, at, mover };
                    match self.port_for(scene, wish) {
                        Ok(port) => {
                            journey.connected();
                            return Ok(Berth { server, at, port });
                        }
                        Err(failure) => failure,
                    }
                }
                // A Unix socket is refused long before; an unset server is never chosen.
                _ => ConnectFailure::Unreachable,
            };
            step = journey.failed(live, visitor, failure, self.now, |_, _| ());
        }
    }

    /// Takes a place for a flow; the flow that was quiet longest makes room if there is none.
    /// Answers whether the place is one of those that all workers share.
    fn make_room(&mut self, scene: Scene<'_>) -> bool {
        // Without memory for another flow one makes room in any case.
        let mut may_grow = !self.is_memory_full();
        loop {
            let table = self.udp.table(scene.station);
            if !table.private_taken {
                table.private_taken = true;
                return false;
            }
            if may_grow && scene.service.room.take() {
                self.scratch.allowance.take(limits::MEMORY_PER_FLOW);
                return true;
            }
            may_grow = true;
            // With its last flow gone the worker's own place is free.
            let Some((victim, _)) = table.flows.quietest() else {
                table.private_taken = false;
                continue;
            };
            let what = "there are as many flows as may be, the quietest ends";
            let most = scene.live.config.conn_max.unwrap_or(limits::UDP_FLOWS_DEFAULT);
            self.tell_limit(scene.service, "flows", most, what);
            self.end_flow(scene, victim, FlowEnd::Recycled);
        }
    }

    /// The flow's server is out or gone, or a better one is back: the flow goes to another.
    pub(super) fn move_flow(&mut self, scene: Scene<'_>, id: FlowId) -> Result<FlowId, DropReason> {
        let Some(flow) = self.udp.table(scene.station).flows.get(id) else {
            return Err(DropReason::NoServer);
        };
        let denied = flow.journey.server() == Some(ServerRef::Abuse);
        let visitor = Visitor::new(flow.visitor.peer, None);
        let (mut journey, step) = self.first_step(scene, &visitor, None, denied);
        match self.reach(scene, &mut journey, &visitor, step, Some(id)) {
            Ok(berth) => {
                self.settle_flow(scene, id);
                if let Some(flow) = self.udp.table(scene.station).flows.get_mut(id) {
                    journey.follow_on(&mut flow.journey);
                    std::mem::replace(&mut flow.journey, journey).end(0, 0);
                }
                self.arrive(scene, id, berth);
                Ok(id)
            }
            Err(why) => {
                journey.end(0, 0);
                let no_port = why == DropReason::NoPort;
                let end = if no_port { FlowEnd::NoPort } else { FlowEnd::NoServer };
                self.end_flow(scene, id, end);
                Err(why)
            }
        }
    }

    /// The flow's server reported that it does not take datagrams. Answers whether the flow is at
    /// another one now.
    pub(super) fn server_failed(
        &mut self,
        scene: Scene<'_>,
        id: FlowId,
        failure: ConnectFailure,
    ) -> bool {
        let (now, live) = (self.now, scene.live);
        self.settle_flow(scene, id);
        let Some(flow) = self.udp.table(scene.station).flows.get_mut(id) else { return false };
        let (from, peer) = (flow.journey.server(), flow.visitor.peer);
        let to = flow.journey.lost(live, &flow.visitor, failure, now, |_, _| ());
        self.say_server_failed(scene, (from, peer), failure, to.is_some());
        self.tell_failed((scene.service, live), (from, peer), failure);
        let Some(server) = to else { return false };
        let place = live.server(server).and_then(Server::place);
        let Some(Place::Tcp(at)) = place else {
            self.end_flow(scene, id, FlowEnd::NoServer);
            return false;
        };
        let port = match self.port_for(scene, Wish { client: peer, server, at, mover: Some(id) }) {
            Ok(port) => port,
            Err(failure) => {
                let no_port = failure == ConnectFailure::LocalResources;
                let end = if no_port { FlowEnd::NoPort } else { FlowEnd::NoServer };
                self.end_flow(scene, id, end);
                return false;
            }
        };
        if let Some(flow) = self.udp.table(scene.station).flows.get_mut(id) {
            flow.journey.connected();
        }
        self.arrive(scene, id, Berth { server, at, port });
        true
    }

    /// The flow uses another server and another port from here on.
    fn arrive(&mut self, scene: Scene<'_>, id: FlowId, berth: Berth) {
        let Berth { server, at, port } = berth;
        let Some(flow) = self.udp.table(scene.station).flows.get_mut(id) else { return };
        let (old, client) = ((flow.port, flow.server), flow.client);
        let Self { udp, pool, .. } = self;
        udp.change(|udp| {
            let table = udp.table(scene.station);
            if let Some(flow) = table.flows.get_mut(id) {
                flow.go_to(at, port);
            }
            table.counts.moved += 1;
            udp.ports.take(port, at, (scene.station, id));
            udp.hand.port = None;
            udp.release_port(pool, scene.station, old, false);
        });
        scene.service.last_server.store(server.number(), Ordering::Relaxed);
        if let ServerRef::Regular(n) = server
            && !scene.live.config.mode.forgetful
        {
            scene.service.tables().clients.remember(client, n);
        }
        self.say_flow_moved(scene, id, server);
    }

    /// Ends a flow: everything it held is given back.
    pub(super) fn end_flow(&mut self, scene: Scene<'_>, id: FlowId, why: FlowEnd) {
        self.settle_flow(scene, id);
        self.say_flow_ended(scene, id, why);
        self.record_flow(scene, id, What::Over(why));
        let Self { udp, pool, .. } = self;
        let shared = udp.change(|udp| {
            let Some(mut flow) = udp.table(scene.station).flows.close(id) else { return false };
            #[cfg(debug_assertions)]
            super::super::faults::at_flow_end(flow.visitor.peer.addr);
            udp.table(scene.station).counts.end(why);
            flow.journey.end(0, 0);
            let clean = flow.leaves_port_clean(why);
            udp.release_port(pool, scene.station, (flow.port, flow.server), clean);
            {
                let mut tables = scene.service.tables();
                tables.slots.release(flow.number);
                tables.arrivals.leave(flow.visitor.peer.addr, flow.admission);
            }
            udp.give_room_back(scene, flow.took_place);
            flow.took_place
        });
        if shared {
            self.scratch.allowance.give_back(limits::MEMORY_PER_FLOW);
        }
    }

    /// Adds to the tables what the flow moved since the last time.
    pub(super) fn settle_flow(&mut self, scene: Scene<'_>, id: FlowId) {
        let Some(flow) = self.udp.table(scene.station).flows.get_mut(id) else { return };
        let moved = flow.settle();
        if moved == Moved::default() {
            return;
        }
        flow.journey.count_bytes(moved.to_server, moved.to_client);
        let client = flow.client;
        scene.service.tables().clients.count_bytes(client, moved.to_client, moved.to_server);
    }

    /// Whether a flow is at the emergency server although another one can be used again.
    pub(super) fn is_stranded(&self, scene: Scene<'_>, flow: &Flow) -> bool {
        let live = scene.live;
        flow.journey.server() == Some(ServerRef::Emergency)
            && (0..live.servers.len()).any(|n| select::available(live, n, self.now))
    }
}

pub(super) fn peer_of(client: SocketAddr) -> Peer {
    Peer { addr: ClientAddr::from_ip(client.ip()), port: client.port() }
}
