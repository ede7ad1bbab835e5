//! Answers of servers: whose they are, and on to the client; and reports of what did not arrive.

use pen_core::flow::{DropReason, FlowEnd};
use pen_core::limits;
use pen_sys::datagrams::{self, Inbox, Local};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::net::SocketAddr;

use super::super::Worker;
use super::Scene;
use super::clients::{failure_of, refusal};
use super::post::{self, Reply, Then};

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
        let now = self.now;
        let count = got.count();
        let owner = got.from.and_then(|from| self.udp.ports.owner(port, from));
        let Some((station, id)) = owner else {
            if let Some(station) = self.udp.ports.station(port) {
                self.udp.table(station).counts.drop(DropReason::ForeignAnswer, count);
            }
            return;
        };
        let Some(service) = self.station_service(station) else { return };
        let live = service.live.load();
        let table = self.udp.table(station);
        table.flows.touch(id, now);
        let Some(flow) = table.flows.get_mut(id) else { return };
        let bytes = got.bytes.len() as u64;
        let over = flow.answer(count, bytes, live.config.udp_answers);
        let key = flow.key;
        let back = flow.journey.server().filter(|_| flow.journey.is_told_out());
        table.counts.to_clients += count;
        table.counts.to_clients_bytes += bytes;
        let from = key.local.map(|(ip, interface)| Local { ip, interface });
        let door = key.door as usize;
        self.udp.replies.push(Reply { place, door, to: key.client, from, station });
        if let Some(server) = back {
            self.tell_back(&service, server);
        }
        if over {
            let scene = Scene { station, service: &service, live: &live };
            self.end_flow(scene, id, FlowEnd::Answered);
        }
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
            post::send(&mut outbox, &socket, inbox, batch, |reply, count, error| {
                if error == Errno::INTR {
                    return Then::Again;
                }
                let counts = &mut self.udp.table(reply.station).counts;
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
        let Some(service) = self.station_service(station) else { return };
        let live = service.live.load();
        let scene = Scene { station, service: &service, live: &live };
        let counts = &mut self.udp.table(station).counts;
        match failure_of(error) {
            Some(failure) => {
                counts.drop(DropReason::ServerUnreachable, 1);
                self.server_failed(scene, id, failure);
            }
            None => counts.drop(refusal(error, DropReason::ServerQueueFull), 1),
        }
    }
}
