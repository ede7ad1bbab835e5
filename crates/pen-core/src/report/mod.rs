//! What an operator is shown: a snapshot of a service as plain rows, and its forms (classic control
//! replies, HTML page, text, json). All forms come from the same snapshot.

pub mod certificates;
pub mod classic;
pub mod dsr;
pub mod events;
pub mod explain;
pub mod flows;
pub mod html;
pub mod json;
pub mod memory;
pub mod openmetrics;
pub mod overview;
pub mod readiness;
pub mod routes;
pub mod sandbox;
pub mod sources;
pub mod state;
pub mod text;

#[cfg(test)]
mod tests;

use crate::addr::{ClientAddr, Host};
use crate::config::ServerTls;
use crate::moment::{Moment, WallSeconds};
use crate::reasons::{ConnectFailure, Refusal};
use crate::servers::{Server, ServerRef};

pub use certificates::CertificateRow;

/// One service at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The service's name.
    pub service: String,
    /// Local wall-clock time as `YYYY-MM-DD HH:MM:SS`.
    pub time: String,
    /// The same moment in seconds since 1970.
    pub wall: WallSeconds,
    /// Listening addresses as given.
    pub listen: Vec<String>,
    /// Number of the server used last (see [`ServerRef::number_or_none`]).
    pub current: i64,
    /// The table, then nothing else: emergency and abuse are apart.
    pub servers: Vec<ServerRow>,
    /// The emergency server.
    pub emergency: Option<ServerRow>,
    /// The abuse server.
    pub abuse: Option<ServerRow>,
    /// Size of the client table.
    pub clients_max: u32,
    /// Slots of the client table that were ever used.
    pub clients_used: u32,
    /// Remembered clients in slot order.
    pub clients: Vec<ClientRow>,
    /// Size of the connection table.
    pub conn_max: u32,
    /// Connections now.
    pub conn_used: u32,
    /// The connection number taken last.
    pub conn_last: u32,
    /// Connections in the order of their numbers.
    pub connections: Vec<ConnectionRow>,
    /// Idlers now.
    pub idlers: u32,
    /// Idlers wanted.
    pub idlers_wanted: u32,
}

impl Snapshot {
    /// Servers of the table that clients can be sent to.
    #[must_use]
    pub fn usable(&self) -> usize {
        self.servers.iter().filter(|s| s.usable()).count()
    }
}

/// A server in a snapshot.
#[derive(Clone, Debug)]
pub struct ServerRow {
    /// Which.
    pub server: ServerRef,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where.
    pub host: Host,
    /// Port.
    pub port: u16,
    /// Frames are passed on to it, for which it needs no port: 0 is every port.
    pub by_frame: bool,
    /// Access list.
    pub acl: u8,
    /// Whether and how TLS is spoken to it.
    pub tls: ServerTls,
    /// Established connections.
    pub conn: u32,
    /// Pending connects.
    pub pending: u32,
    /// Soft limit.
    pub max: u32,
    /// Hard limit.
    pub hard: u32,
    /// Weight.
    pub weight: u32,
    /// Priority.
    pub prio: u32,
    /// Bytes sent to it.
    pub sent: u64,
    /// Bytes received from it.
    pub received: u64,
    /// Connections and flows that were established since there is this slot.
    pub total: u64,
    /// Failures by reason, in the order of [`ConnectFailure::ALL`].
    pub failures: [u64; ConnectFailure::ALL.len()],
    /// How often clients passed it over, by reason, in the order of [`Refusal::ALL`].
    pub refusals: [u64; Refusal::ALL.len()],
    /// Left out at this moment.
    pub blacklisted: bool,
    /// Seconds until it is not left out any more, rounded up.
    pub sentence_s: Option<u64>,
    /// Seconds since the last failure, if it ever failed.
    pub failed_ago_s: Option<u64>,
    /// What the classic calls status: wall-clock seconds of the last failure, 0 = never. An
    /// operator's sentence of T seconds counts as a failure at now + T - blacklist time.
    pub status: i64,
}

impl ServerRow {
    /// The row of `server` at one moment. `wall` is the same moment as `now`; `blacklist_s` is the
    /// service's blacklist time.
    #[must_use]
    pub fn of(
        which: ServerRef,
        server: &Server,
        now: Moment,
        wall: WallSeconds,
        blacklist_s: u32,
    ) -> Self {
        let (config, load) = (&server.config, &server.load);
        let failed_ago_s = load.failed_at().map(|at| now.since_s(at));
        let conn = load.established();
        Self {
            server: which,
            name: config.name.clone(),
            host: config.host.clone(),
            port: config.port,
            by_frame: false,
            acl: config.acl,
            tls: config.tls.clone(),
            conn,
            pending: load.reserved().saturating_sub(conn),
            max: config.max,
            hard: config.hard,
            weight: config.weight,
            prio: config.prio,
            sent: load.sent(),
            received: load.received(),
            total: load.total(),
            failures: load.failures(),
            refusals: load.refusals(),
            blacklisted: load.blacklisted(now, blacklist_s),
            sentence_s: load.left_out_for(now, blacklist_s),
            failed_ago_s,
            status: status(load.sentenced_until(), failed_ago_s, now, wall, blacklist_s),
        }
    }

    /// Whether it can be connected to at all: it has an address, and a port where it needs one.
    #[must_use]
    pub fn is_set(&self) -> bool {
        match &self.host {
            Host::Unset => false,
            Host::Unix(_) => true,
            host => {
                (self.by_frame || self.port != 0)
                    && host.ip().is_some_and(|ip| !ip.is_unspecified())
            }
        }
    }

    /// Whether clients can be sent to it: set and not blacklisted.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.is_set() && !self.blacklisted
    }
}

/// The later of the last failure and the operator's sentence, as the classic counts them.
fn status(
    sentenced_until: Option<Moment>,
    failed_ago_s: Option<u64>,
    now: Moment,
    wall: WallSeconds,
    blacklist_s: u32,
) -> i64 {
    let seconds = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let failed = failed_ago_s.map(|ago| wall.0.saturating_sub(seconds(ago)));
    let sentenced = sentenced_until.map(|until| {
        let left = seconds(until.since_s(now)).saturating_sub(seconds(now.since_s(until)));
        wall.0.saturating_add(left).saturating_sub(i64::from(blacklist_s))
    });
    failed.max(sentenced).unwrap_or(0)
}

/// A client in a snapshot.
#[derive(Clone, Debug)]
pub struct ClientRow {
    /// Slot.
    pub slot: u32,
    /// Address.
    pub addr: ClientAddr,
    /// Seconds since the last visit.
    pub age_s: u64,
    /// Slot of the server used last.
    pub server: Option<u32>,
    /// Visits.
    pub connects: u64,
    /// Bytes sent to the client.
    pub sent: u64,
    /// Bytes received from the client.
    pub received: u64,
}

/// A connection in a snapshot.
#[derive(Clone, Debug)]
pub struct ConnectionRow {
    /// Its number.
    pub slot: u32,
    /// 0 unused, 1 connecting, 2 open, +4 server ended its stream, +8 client did.
    pub state: u32,
    /// The client's descriptor, -1 if none.
    pub downfd: i32,
    /// The server's descriptor, -1 if none.
    pub upfd: i32,
    /// Unsent bytes towards the client.
    pub pending_down: u64,
    /// Unsent bytes towards the server.
    pub pending_up: u64,
    /// The client's slot, -1 for idlers.
    pub client: i64,
    /// The server's number.
    pub server: i64,
    /// Whole seconds since it was accepted.
    pub age_s: u64,
    /// Whole seconds since bytes moved.
    pub idle_s: u64,
    /// Milliseconds after it was accepted at which the first server was asked.
    pub asked_ms: Option<u32>,
    /// The same of the moment at which a server was connected.
    pub connected_ms: Option<u32>,
    /// The same of the moment at which the server's first byte came.
    pub first_byte_ms: Option<u32>,
    /// The session with the client; none without TLS and while the handshake is not over.
    pub tls: Option<Box<TlsRow>>,
}

/// What was agreed with a client in its TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRow {
    /// `TLSv1.2` or `TLSv1.3`, as OpenSSL says.
    pub version: &'static str,
    /// OpenSSL's name of the cipher.
    pub cipher: &'static str,
    /// The name that the client asked for (SNI), in small letters.
    pub sni: Option<String>,
    /// The protocol that was agreed on (ALPN).
    pub alpn: Option<String>,
    /// The subject of the certificate that the client showed: control characters are replaced,
    /// and what is too long is cut.
    pub client_subject: Option<String>,
    /// It went on where an earlier session ended.
    pub resumed: bool,
}
