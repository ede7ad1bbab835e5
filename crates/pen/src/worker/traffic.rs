//! Events of connections, and what the engine and the relay machine make of them.

use pen_core::relay::{Act, Outcome, Side};
use rustix::event::epoll;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_oobinline;
use rustix::net::{Shutdown, shutdown};

use super::conn::{Conn, Phase};
use super::ending::Manner;
use super::{WATCHED, Worker, token};
use crate::engine::Pumped;
use crate::tls::Trouble;
use pen_core::reasons::CloseReason;

impl Worker {
    /// A socket of a connection reported something.
    pub(super) fn on_event(&mut self, key: u32, side: Side, flags: EventFlags) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        #[cfg(debug_assertions)]
        super::faults::at_event(conn);
        // HUP alone is the end of both streams: of a Unix client that has closed, for one. What it
        // sent before counts.
        let broken = flags.contains(EventFlags::ERR);
        match (conn.phase, side) {
            (Phase::Gone, _) => {}
            (Phase::Flushing { side: left, reason, .. }, side) => {
                if broken && side == left {
                    self.finish(key, Manner::Reset, reason);
                }
            }
            (_, Side::Server) if conn.is_idler() => self.on_idler_event(key, flags),
            (Phase::Handshaking { .. }, Side::Client) if broken => {
                self.refuse_handshake(key, &Trouble::left());
            }
            (Phase::Handshaking { .. }, Side::Client) => self.shake_client(key, flags),
            (Phase::Open, side) => self.traffic(key, side, flags),
            (_, Side::Client) if broken => {
                self.finish(key, Manner::Reset, CloseReason::ClientGone);
            }
            (Phase::Peeking | Phase::Dummy, Side::Client) => {
                note_readable(conn, side, flags);
                self.hear_client(key);
            }
            (
                Phase::Routed
                | Phase::Waiting { .. }
                | Phase::Queued { .. }
                | Phase::Connecting
                | Phase::Securing,
                Side::Client,
            ) => {
                note_readable(conn, side, flags);
            }
            (Phase::Hello, Side::Client) => {
                note_readable(conn, side, flags);
                self.read_hello(key);
            }
            (Phase::Connecting, Side::Server) => self.on_connect_event(key, flags),
            (Phase::Securing, Side::Server) => self.shake_server(key, flags),
            (_, Side::Server) => {}
        }
    }

    /// An open connection: moves what can be moved.
    pub(super) fn traffic(&mut self, key: u32, side: Side, flags: EventFlags) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        note_readable(conn, side, flags);
        self.touch(key);
        if flags.intersects(!EventFlags::OUT) {
            self.pump(key, side);
        }
        if flags.intersects(EventFlags::ERR | EventFlags::HUP)
            || flags.contains(EventFlags::OUT) && self.waits(key, side.other())
        {
            self.pump(key, side.other());
        }
        if flags.contains(EventFlags::ERR) {
            // It is dead, whether or not anybody has a byte for it. No other event will say so.
            self.act(key, side.other(), Outcome::SinkReset);
        }
    }

    /// Whether the stream from `source` can go on now that its sink has room. A socket that is
    /// registered for writing reports it with every other event.
    pub(super) fn waits(&mut self, key: u32, source: Side) -> bool {
        self.conns.get_mut(key as usize).is_some_and(|c| {
            c.flow(source).waits()
                || c.session(source.other()).is_some_and(|s| !s.unsent().is_empty())
        })
    }

    /// Notes activity. The lists of open connections are kept in order to the second, so a busy
    /// connection moves in its list once a second at most.
    fn touch(&mut self, key: u32) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.active = now;
        if conn.links.since.0 / 1000 == now.0 / 1000 {
            return;
        }
        let halved = conn.halved;
        let Some(station) = self.stations.get_mut(conn.station as usize) else { return };
        let list = if halved { &mut station.halved } else { &mut station.open };
        list.remove(&mut self.conns, key);
        list.append(&mut self.conns, key, now);
    }

    /// Moves the stream that comes from `source` as far as it goes.
    pub(super) fn pump(&mut self, key: u32, source: Side) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        if conn.phase != Phase::Open || !conn.relay.flows(source) {
            return;
        }
        let pumped = self.pump_flow(key, source);
        if source == Side::Server {
            self.note_reply(key);
            self.after_reply(key);
        }
        match pumped {
            Pumped::Drained | Pumped::Paused => {}
            Pumped::Blocked => self.arm_out(key, source.other()),
            Pumped::More => self.queue_again(key),
            Pumped::Withheld => self.withhold(key),
            Pumped::Over(outcome) => self.act(key, source, outcome),
            Pumped::Refused(reason) => self.finish(key, Manner::Reset, reason),
        }
    }

    fn pump_flow(&mut self, key: u32, source: Side) -> Pumped {
        let Some(conn) = self.conns.get_mut(key as usize) else { return Pumped::Drained };
        let station = conn.station;
        if conn.tap.is_some() || self.wants_tap(station) {
            return self.pump_tapped(key, source);
        }
        let Some(conn) = self.conns.get_mut(key as usize) else { return Pumped::Drained };
        let Some(line) = conn.line(source) else { return Pumped::Drained };
        line.pump(&mut self.scratch, None)
    }

    pub(super) fn arm_out(&mut self, key: u32, sink: Side) {
        if sink == Side::Server {
            // Registered for it since the connect.
            return;
        }
        let Some(conn) = self.conns.get_mut(key as usize).filter(|c| !c.out_armed) else { return };
        let Some(down) = conn.down.as_ref() else { return };
        conn.out_armed = true;
        let flags = WATCHED | EventFlags::OUT;
        if epoll::modify(&self.epoll, down, token(key, sink), flags).is_err() {
            self.out_of_resources(key);
        }
    }

    pub(super) fn queue_again(&mut self, key: u32) {
        if let Some(conn) = self.conns.get_mut(key as usize).filter(|c| !c.again) {
            conn.again = true;
            self.again.push(key);
        }
    }

    /// A direction is over: what the relay machine says.
    fn act(&mut self, key: u32, source: Side, outcome: Outcome) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        if conn.phase != Phase::Open {
            return;
        }
        let Some(service) = self.stations.get(conn.station as usize).map(|s| &s.service) else {
            return;
        };
        let fast = service.live.load().config.tcp_fastclose;
        match conn.relay.came_to(source, outcome, fast) {
            Act::Nothing => {}
            Act::ShutdownWrite(side) => self.pass_end_on(key, side),
            Act::Close(reason) => self.finish(key, Manner::Close, reason),
            Act::CloseFlushed(reason) => {
                // What the other side has sent so far is still delivered.
                conn.flow(source.other()).source_ready(false);
                self.pump(key, source.other());
                self.close_flushed(key, reason);
            }
            Act::Reset(side, reason) => self.reset_flushed(key, side, reason),
        }
        self.note_half_close(key);
        if outcome == Outcome::SinkReset {
            // The dead side may have sent something before it died.
            if let Some(conn) = self.conns.get_mut(key as usize) {
                if let Some(tap) = conn.tap.as_mut().filter(|_| source == Side::Server) {
                    tap.no_more_replies();
                }
                conn.flow(source.other()).source_is_dead();
            }
            self.pump(key, source.other());
        }
    }

    fn pass_end_on(&mut self, key: u32, side: Side) {
        let Some(socket) = self.conns.get(key as usize).and_then(|c| c.socket(side)) else {
            return;
        };
        match shutdown(socket, Shutdown::Write) {
            // Not connected: it was reset a moment ago, and an event will say so.
            Ok(()) | Err(Errno::NOTCONN) => {}
            Err(_) => self.finish(key, Manner::Reset, CloseReason::OutOfResources),
        }
    }

    /// Half-closed connections are exempt from the idle timeout and have one of their own.
    fn note_half_close(&mut self, key: u32) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        if conn.phase != Phase::Open || !conn.relay.half_closed() || conn.halved {
            return;
        }
        conn.halved = true;
        let Some(station) = self.stations.get_mut(conn.station as usize) else { return };
        station.open.remove(&mut self.conns, key);
        station.halved.append(&mut self.conns, key, now);
        let half_close_s = station.half_close_s;
        if half_close_s > 0 {
            self.due_by(now.plus_s(half_close_s));
        }
    }
}

pub(super) fn note_readable(conn: &mut Conn, side: Side, flags: EventFlags) {
    if flags.contains(EventFlags::PRI)
        && let Some(socket) = conn.socket(side)
    {
        // Urgent bytes are passed on in their place in the stream. Where that cannot be set, they
        // are lost, as the classic loses them.
        let _ = set_socket_oobinline(socket, true);
    }
    if flags.intersects(EventFlags::ERR | EventFlags::PRI) {
        conn.flow(side).read_to_the_last();
    }
    let readable = EventFlags::IN | EventFlags::RDHUP | EventFlags::ERR | EventFlags::HUP;
    if flags.intersects(readable | EventFlags::PRI) {
        conn.flow(side).source_ready(flags.contains(EventFlags::RDHUP));
    }
}
