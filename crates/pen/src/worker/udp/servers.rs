//! Answers of servers: whose they are, and on to the client; and reports of what did not arrive.

use pen_core::flow::{DropReason, FlowEnd, FlowId};
use pen_core::limits;
use pen_sys::datagrams::{self, Inbox, Local, Received};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::net::SocketAddr;

use super::super::Worker;
use super::Scene;
use super::clients::{failure_of, refusal};
use super::post::{Reply, Then};

impl Worker {
    /// A local port towards servers reported something.
    pub(in super::super) fn on_port(&mut self, port: u64, flags: EventFlags) {
        if flags.contains(EventFlags::ERR) {
            self.take_bounces(port);
        }
        if !flags.contains(EventFlags::IN) {
            return;
        }
        let Some(socket) = self.udp.ports.socket(port) else { return };
        let mut inbox = self.udp.answers.take().unwrap_or_else(super::inbox);
        let mut taken = 0;
        while taken < limits::UDP_ANSWERS_PER_TURN {
            if inbox.room() < limits::UDP_ANSWERS_AT_ONCE {
                self.send_replies_of(&inbox);
                inbox.clear();
            }
            let first = inbox.filled();
            let came = match inbox.receive(&*socket, limits::UDP_ANSWERS_AT_ONCE) {
                Ok(came) => came,
                Err(e) => {
                    let errno = Errno::from_io_error(&e);
                    if failure_of(errno.unwrap_or(Errno::AGAIN)).is_some() {
                        self.take_bounces(port);
                    }
                    break;
                }
            };
            for place in first..first + came {
                self.take_answer(port, place, &inbox);
            }
            taken += came;
            if came < limits::UDP_ANSWERS_AT_ONCE {
                break;
            }
        }
        self.udp.answers = Some(inbox);
    }

    fn take_answer(&mut self, port: u64, place: usize, inbox: &Inbox) {
        let Some(got) = inbox.get(place) else { return };
        let count = got.count();
        let owner = got.from.and_then(|from| self.udp.ports.owner(port, from));
        let Some((station, id)) = owner else {
            if let Some(station) = self.udp.ports.station(port) {
                self.udp.table(station).counts.drop(DropReason::ForeignAnswer, count);
            }
            return;
        };
        self.with_scene(station, |this, scene| {
            match this.contain_one(scene, id, |this| this.pass_back(scene, id, place, &got)) {
                Some(reply) => this.udp.replies.extend(reply),
                None => this.udp.table(station).counts.drop(DropReason::Defect, count),
            }
        });
    }

    /// An answer of the flow's server, which counts as passed on from here.
    fn pass_back(
        &mut self,
        scene: Scene<'_>,
        id: FlowId,
        place: usize,
        got: &Received<'_>,
    ) -> Option<Reply> {
        let (now, station) = (self.now, scene.station);
        self.udp.change(|udp| udp.table(station).flows.touch(id, now));
        let table = self.udp.table(station);
        let flow = table.flows.get_mut(id)?;
        #[cfg(debug_assertions)]
        super::super::faults::at_answer(flow.visitor.peer.addr);
        let (count, bytes) = (got.count(), got.bytes.len() as u64);
        let over = flow.answer(count, bytes, scene.live.config.udp_answers);
        let key = flow.key;
        let back = flow.journey.server().filter(|_| flow.journey.is_told_out());
        table.counts.to_clients += count;
        table.counts.to_clients_bytes += bytes;
        let from = key.local.map(|(ip, interface)| Local { ip, interface });
        let door = key.door as usize;
        if let Some(server) = back {
            self.tell_back(scene.service, server);
        }
        if over {
            self.end_flow(scene, id, FlowEnd::Answered);
        }
        Some(Reply { place, door, to: key.client, from, flow: (station, id) })
    }

    /// Sends the answers of this turn.
    pub(in super::super) fn send_replies(&mut self) {
        if self.udp.replies.is_empty() {
            return;
        }
        let Some(mut inbox) = self.udp.answers.take() else { return };
        self.send_replies_of(&inbox);
        inbox.clear();
        self.udp.answers = Some(inbox);
    }

    fn send_replies_of(&mut self, inbox: &Inbox) {
        let mut replies = std::mem::take(&mut self.udp.replies);
        let mut outbox = std::mem::take(&mut self.udp.outbox);
        // Each door's in the order of arrival.
        replies.sort_by_key(|r| r.door);
        for batch in replies.chunk_by(|a, b| a.door == b.door) {
            let Some(first) = batch.first() else { continue };
            let Some(door) = self.doors.get(first.door) else { continue };
            let socket = std::sync::Arc::clone(&door.door.socket);
            self.send_items(&mut outbox, &socket, inbox, batch, |this, reply, count, error| {
                if error == Errno::INTR {
                    return Then::Again;
                }
                let counts = &mut this.udp.table(reply.flow.0).counts;
                counts.drop(refusal(error, DropReason::ClientQueueFull), count);
                Then::GoOn
            });
        }
        replies.clear();
        self.udp.replies = replies;
        self.udp.outbox = outbox;
    }

    /// Reads what became of datagrams that left through a port. Answers whether there was anything.
    pub(super) fn take_bounces(&mut self, port: u64) -> bool {
        let mut any = false;
        for _ in 0..limits::UDP_ERRORS_PER_TURN {
            let Some(socket) = self.udp.ports.socket(port) else { break };
            let Some(bounce) = datagrams::next_bounce(&*socket) else { break };
            any = true;
            if let Some(to) = bounce.to {
                self.take_bounce(port, to, bounce.error);
            }
        }
        any
    }

    fn take_bounce(&mut self, port: u64, to: SocketAddr, error: Errno) {
        let Some((station, id)) = self.udp.ports.owner(port, to) else { return };
        self.with_scene(station, |this, scene| {
            let counts = &mut this.udp.table(station).counts;
            let Some(failure) = failure_of(error) else {
                return counts.drop(refusal(error, DropReason::ServerQueueFull), 1);
            };
            counts.drop(DropReason::ServerUnreachable, 1);
            this.contain_one(scene, id, |this| this.server_failed(scene, id, failure));
        });
    }
}
