//! A defect of Pen that a datagram or a flow meets ends that flow and no other.
//!
//! Contained are each datagram of a client, each answer, each report of ICMP, the timer of a flow, and what
//! the control thread asks of one: the datagram is dropped, the flow ends, and what it held is given back,
//! once. What a datagram takes before a flow holds it is noted in [`Hand`]. A panic while things are changed
//! that belong together ([`Udp::change`]), while tables are that all workers share, or while a flow ends, ends
//! the process.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pen_core::addr::ClientAddr;
use pen_core::arrivals::Admission;
use pen_core::flow::{FlowEnd, FlowId};
use pen_core::limits;

use super::super::Worker;
use super::{Scene, Udp};

/// Whose work is done at the moment, and what was taken for it that no flow holds yet.
#[derive(Default)]
pub(super) struct Hand {
    /// The flow, if it is known.
    pub(super) flow: Option<FlowId>,
    /// The source counts one more.
    pub(super) admission: Option<(ClientAddr, Admission)>,
    /// There is a place; whether it is one of those that all workers share.
    pub(super) place: Option<bool>,
    /// A number was given.
    pub(super) number: Option<u32>,
    /// A local port was found, for a flow at this server.
    pub(super) port: Option<(u64, SocketAddr)>,
}

impl Hand {
    /// Work for a flow.
    pub(super) fn of(flow: FlowId) -> Self {
        Self { flow: Some(flow), ..Self::default() }
    }
}

impl Udp {
    /// Changes what belongs together: a panic meanwhile leaves nobody knowing what it is worth.
    pub(super) fn change<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        self.changing = true;
        let done = work(self);
        self.changing = false;
        done
    }

    /// Gives back what was taken for a flow that does not begin.
    fn give_back(&mut self, scene: Scene<'_>, hand: Hand) {
        self.change(|udp| {
            if let Some(shared) = hand.place {
                udp.give_room_back(scene, shared);
            }
            let mut tables = scene.service.tables();
            if let Some(number) = hand.number {
                tables.slots.release(number);
            }
            if let Some((source, admission)) = hand.admission {
                tables.arrivals.leave(source, admission);
            }
        });
    }
}

impl Worker {
    /// Does something for a datagram or for a flow, as `hand` says. `None` if it met a defect.
    pub(super) fn contain_flow<R>(
        &mut self,
        scene: Scene<'_>,
        hand: Hand,
        work: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        let before = std::mem::replace(&mut self.udp.hand, hand);
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        let hand = std::mem::replace(&mut self.udp.hand, before);
        match done {
            Ok(done) => Some(done),
            Err(panic) => {
                self.bury_flow(scene, hand, panic);
                None
            }
        }
    }

    /// As [`Self::contain_flow`], for a flow that is there.
    pub(super) fn contain_one<R>(
        &mut self,
        scene: Scene<'_>,
        flow: FlowId,
        work: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        self.contain_flow(scene, Hand::of(flow), work)
    }

    /// Ends the flow that met a defect and gives back what was taken for it; or the process ends.
    fn bury_flow(&mut self, scene: Scene<'_>, hand: Hand, panic: Box<dyn Any + Send>) {
        let unsure = scene.service.tables_broke() || self.udp.changing;
        if unsure || catch_unwind(AssertUnwindSafe(|| self.give_up(scene, hand))).is_err() {
            // It may pass here again on its way to the end of the process.
            self.udp.changing = true;
            resume_unwind(panic);
        }
    }

    fn give_up(&mut self, scene: Scene<'_>, hand: Hand) {
        self.say_flow_defect(scene, &hand);
        if let Some(flow) = hand.flow {
            self.end_flow(scene, flow, FlowEnd::Defect);
        }
        if let Some((port, at)) = hand.port {
            let Self { udp, pool, .. } = self;
            udp.change(|udp| udp.offer_port(pool, scene.station, (port, at)));
        }
        self.give_hand_back(scene, hand);
    }

    /// Gives back what was taken for a flow that does not begin, and its share of the allowance.
    pub(super) fn give_hand_back(&mut self, scene: Scene<'_>, hand: Hand) {
        if hand.place == Some(true) {
            self.scratch.allowance.give_back(limits::MEMORY_PER_FLOW);
        }
        self.udp.give_back(scene, hand);
    }

    /// The panic goes on if it was met where nobody knows what things are worth.
    pub(super) fn end_if_unsure(&self, panic: Box<dyn Any + Send>) {
        if self.udp.changing {
            resume_unwind(panic);
        }
    }

    fn say_flow_defect(&self, scene: Scene<'_>, hand: &Hand) {
        let flow = hand.flow.and_then(|id| self.udp.tables.get(&scene.station)?.flows.get(id));
        let who = || match (flow, hand.admission) {
            (Some(flow), _) => format!("flow {} of client {}", flow.number, flow.visitor.peer.addr),
            (None, Some((client, _))) => format!("a datagram of client {client}"),
            (None, None) => "a datagram".to_owned(),
        };
        self.say_defect(
            scene.service,
            who,
            if flow.is_some() { "it ends" } else { "it is dropped" },
        );
    }
}
