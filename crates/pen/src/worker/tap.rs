//! What stands in a client's stream: X-Forwarded headers, the classic log, dumps at debug level 3.
//!
//! A connection has a tap only if its service asks for one of these; without one the bytes go from
//! socket to socket untouched and unseen.

use std::sync::atomic::Ordering;

use pen_core::addr::{ClientAddr, Host, Peer};
use pen_core::config::ServiceConfig;
use pen_core::http::{Refused, Rewriter, Truth};
use pen_core::logline::{self, LogTracker};
use pen_core::moment::{Moment, WallSeconds};
use pen_core::reasons::CloseReason;
use pen_core::relay::Side;
use pen_core::servers::ServerRef;

use super::Worker;
use super::dump;
use super::station::Station;
use crate::clock;
use crate::engine::{Pumped, Tap};
use crate::logs::{Batch, Form, Level, LogId, Logs};

/// Bytes are shown from this debug level on.
const DUMPS: Level = Level::Debug(3);

/// What a connection remembers of its client's stream.
#[derive(Debug, Default)]
pub struct ClientTap {
    rewriter: Option<Rewriter>,
    tracker: Option<LogTracker>,
    /// The rewriter waited for a reply when it was asked last.
    waited: bool,
    /// When the request's head began that has not ended.
    pub(super) head_since: Option<Moment>,
}

impl ClientTap {
    /// Whether a request's head has begun and not ended.
    pub(super) fn in_head(&self) -> bool {
        self.rewriter.as_ref().is_some_and(Rewriter::in_head)
    }

    fn waits(&self) -> bool {
        self.rewriter.as_ref().is_some_and(Rewriter::waits_for_reply)
    }

    /// The server's stream is over: nothing is to be waited for any more.
    pub(super) fn no_more_replies(&mut self) {
        if let Some(rewriter) = &mut self.rewriter {
            rewriter.no_more_replies();
        }
    }
}

/// The tap a new client needs, if any.
pub(super) fn for_client(config: &ServiceConfig, peer: Peer, tls: bool) -> Option<Box<ClientTap>> {
    if !config.http {
        return None;
    }
    let client = match peer.addr {
        ClientAddr::Ip(ip) => Some(ip),
        ClientAddr::Unix => None,
    };
    let truth = Truth { client, tls, forwarded: config.http_forwarded };
    let rewriter = Some(Rewriter::new(truth));
    Some(Box::new(ClientTap { rewriter, ..ClientTap::default() }))
}

/// Where log lines of a connection go at this moment.
struct LogSink<'a> {
    client: ClientAddr,
    server: Host,
    wall: WallSeconds,
    batch: &'a mut Batch,
    id: LogId,
    logs: &'a Logs,
}

impl<'a> LogSink<'a> {
    /// The sink of `station`'s log, if it has one, for a client and the server it has. The station's
    /// lines are handed over at the end of the turn: `waiting` says of which stations.
    fn new(
        (key, station): (u32, &'a mut Station),
        (client, server): (ClientAddr, Option<ServerRef>),
        logs: &'a Logs,
        waiting: &mut Vec<u32>,
    ) -> Option<Self> {
        let batch = station.log.as_mut()?;
        if !waiting.contains(&key) {
            waiting.push(key);
        }
        let live = station.service.live.load();
        let server = server.and_then(|s| live.server(s));
        Some(Self {
            client,
            server: server.map(|s| s.config.host.clone()).unwrap_or_default(),
            wall: clock::wall(),
            batch,
            id: LogId(station.service.id),
            logs,
        })
    }

    fn entry(&mut self, data: &[u8]) {
        let Self { client, server, wall, batch, .. } = self;
        match batch.form() {
            Form::File => {
                batch.push(|out| logline::file_line(out, *client, *wall, server, data));
            }
            Form::Datagrams => {
                batch.push(|out| {
                    out.extend(logline::datagram(*client, server, data).unwrap_or_default());
                });
            }
        }
        if self.batch.is_full() {
            self.logs.lines(self.id, self.batch.take());
        }
    }
}

/// The client-to-server direction.
struct FromClient<'a> {
    tap: &'a mut ClientTap,
    log: Option<LogSink<'a>>,
    dump: Option<Dump<'a>>,
}

impl Tap for FromClient<'_> {
    fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
        if let Some(dump) = &self.dump {
            dump.show(input);
        }
        if let Some(log) = &mut self.log {
            // The request line is the same before and after the rewriter.
            let tracker = self.tap.tracker.get_or_insert_with(LogTracker::new);
            tracker.feed(input, |data| log.entry(data));
        }
        match &mut self.tap.rewriter {
            Some(rewriter) => rewriter.feed(input, out).map_err(Refused::reason)?,
            None => out.extend_from_slice(input),
        }
        self.tap.waited |= self.tap.waits();
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if let (Some(log), Some(tracker)) = (&mut self.log, &mut self.tap.tracker) {
            tracker.finish(|data| log.entry(data));
        }
        if let Some(rewriter) = &mut self.tap.rewriter {
            rewriter.finish(out);
        }
    }

    fn paused(&self) -> bool {
        self.tap.waits()
    }

    fn resumed(&mut self) -> bool {
        let waits = self.tap.waits();
        std::mem::replace(&mut self.tap.waited, waits) && !waits
    }
}

/// The server-to-client direction: only looked at.
struct FromServer<'a> {
    tap: &'a mut ClientTap,
    dump: Option<Dump<'a>>,
}

impl Tap for FromServer<'_> {
    fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
        if let Some(dump) = &self.dump {
            dump.show(input);
        }
        if let Some(rewriter) = &mut self.tap.rewriter {
            rewriter.saw_reply(input);
        }
        out.extend_from_slice(input);
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<u8>) {
        self.tap.no_more_replies();
    }

    fn paused(&self) -> bool {
        false
    }

    fn resumed(&mut self) -> bool {
        false
    }
}

/// Shows bytes to the operator.
struct Dump<'a> {
    logs: &'a Logs,
    ascii: bool,
    slot: u32,
    from: &'static str,
}

impl Dump<'_> {
    fn show(&self, bytes: &[u8]) {
        self.logs.say(DUMPS, || {
            let shown = if self.ascii { dump::text(bytes) } else { dump::hex(bytes) };
            format!("connection {}: {} bytes from {}: {shown}", self.slot, bytes.len(), self.from)
        });
    }
}

impl Worker {
    /// Whether a connection needs a tap that it may not have yet: the log or dumps were switched on.
    pub(super) fn wants_tap(&self, station: u32) -> bool {
        self.logs.wants(DUMPS)
            || self.stations.get(station as usize).is_some_and(|s| s.log.is_some())
    }

    /// Moves a direction through the connection's tap.
    pub(super) fn pump_tapped(&mut self, key: u32, source: Side) -> Pumped {
        let ascii = self.pool.dump_ascii.load(Ordering::Relaxed);
        let Self { conns, stations, scratch, logs, log_waiting, .. } = self;
        let Some(conn) = conns.get_mut(key as usize) else { return Pumped::Drained };
        let Some(station) = stations.get_mut(conn.station as usize) else { return Pumped::Drained };
        let server = conn.server();
        let (slot, client, at) = (conn.slot, conn.visitor.peer.addr, conn.station);
        let mut tap = conn.tap.take().unwrap_or_default();
        let Some(line) = conn.line(source) else {
            conn.tap = Some(tap);
            return Pumped::Drained;
        };
        let dump = |from| logs.wants(DUMPS).then_some(Dump { logs, ascii, slot, from });
        let pumped = match source {
            Side::Client => {
                let log = LogSink::new((at, station), (client, server), logs, log_waiting);
                let mut view = FromClient { tap: &mut tap, log, dump: dump("the client") };
                line.pump(scratch, Some(&mut view))
            }
            Side::Server => {
                let mut view = FromServer { tap: &mut tap, dump: dump("the server") };
                line.pump(scratch, Some(&mut view))
            }
        };
        conn.tap = Some(tap);
        self.note_head(key);
        pumped
    }

    /// After the server said something: bytes of the client that were held back may go on.
    pub(super) fn after_reply(&mut self, key: u32) {
        let tap = self.conns.get(key as usize).and_then(|c| c.tap.as_ref());
        if tap.is_some_and(|t| t.waited && !t.waits()) {
            self.pump(key, Side::Client);
        }
    }

    /// A line of the classic log for each datagram of a client, as for each read of a stream.
    pub(super) fn log_datagrams<'a>(
        &mut self,
        key: u32,
        client: ClientAddr,
        server: Option<ServerRef>,
        datagrams: impl Iterator<Item = &'a [u8]>,
    ) {
        let Self { stations, logs, log_waiting, .. } = self;
        let Some(station) = stations.get_mut(key as usize) else { return };
        let sink = LogSink::new((key, station), (client, server), logs, log_waiting);
        let Some(mut sink) = sink else { return };
        datagrams.filter(|d| !d.is_empty()).for_each(|data| sink.entry(data));
    }

    /// Hands the log lines of this turn over.
    pub(super) fn send_log_lines(&mut self) {
        for station in std::mem::take(&mut self.log_waiting) {
            let Some(station) = self.stations.get_mut(station as usize) else { continue };
            if let Some(batch) = station.log.as_mut() {
                self.logs.lines(LogId(station.service.id), batch.take());
            }
        }
    }
}
