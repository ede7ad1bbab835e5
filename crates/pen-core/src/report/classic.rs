//! The replies of the original's control protocol, byte for byte.
//!
//! Pure functions from rows to text. Whether a command is allowed, and what `close` does, is
//! decided elsewhere.

use std::fmt::Write as _;

use super::{ClientRow, ConnectionRow, Snapshot};
use crate::config::Trust;
use crate::servers::ServerRef;

/// `servers`: one line per slot, unset ones included. Where TLS is spoken, ` tls verify` or
/// ` tls insecure` stands at the end.
#[must_use]
pub fn servers(snapshot: &Snapshot) -> String {
    let mut reply = String::with_capacity(snapshot.servers.len() * 96);
    for s in &snapshot.servers {
        let tls = match s.tls.trust {
            Trust::Off => String::new(),
            trust => format!(" tls {}", trust.word()),
        };
        line(
            &mut reply,
            format_args!(
                "{} addr {} port {} conn {} max {} hard {} weight {} prio {} sx {} rx {}{tls}",
                s.server.number(),
                s.host,
                s.port,
                s.conn,
                s.max,
                s.hard,
                s.weight,
                s.prio,
                s.sent,
                s.received
            ),
        );
    }
    reply
}

/// `services`: `NAME listen A,B servers N usable U conn C`, one line per service. The original has
/// no such command; the words follow those of `servers`.
#[must_use]
pub fn services(snapshots: &[Snapshot]) -> String {
    let mut reply = String::new();
    for s in snapshots {
        line(
            &mut reply,
            format_args!(
                "{} listen {} servers {} usable {} conn {}",
                s.service,
                s.listen.join(","),
                s.servers.len(),
                s.usable(),
                s.conn_used
            ),
        );
    }
    reply
}

/// `recent N`: the clients seen in the last `seconds`, in slot order.
#[must_use]
pub fn recent(snapshot: &Snapshot, seconds: u32) -> String {
    let mut reply = String::new();
    for c in seen_within(snapshot, seconds) {
        line(
            &mut reply,
            format_args!("{} connects {} sx {} rx {}", c.addr, c.connects, c.sent, c.received),
        );
    }
    reply
}

/// `connection N`. A number that is not taken shows state 0 and nobody; one outside the table is
/// out of range.
#[must_use]
pub fn connection(snapshot: &Snapshot, number: i64) -> String {
    if !in_range(snapshot, number) {
        return connection_out_of_range(number);
    }
    let row = find(snapshot, number).cloned().unwrap_or_else(|| unused(number));
    format!(
        "Connection {number}:\nstate = {}\ndownfd = {}, upfd = {}\nclient = {}, server = {}\n\
         pend = {}\n",
        row.state,
        row.downfd,
        row.upfd,
        row.client,
        row.server,
        u8::from(row.state & 3 == 1)
    )
}

/// `connection N` and `close N` with a number outside the table.
#[must_use]
pub fn connection_out_of_range(number: i64) -> String {
    format!("Connection {number} out of range\n")
}

/// `close N` when a connection has that number or the number is merely free.
#[must_use]
pub fn closing(number: i64) -> String {
    format!("Forcibly closing connection {number}\n")
}

/// `socket N`: the connection that uses the descriptor, -1 for none.
#[must_use]
pub fn socket(snapshot: &Snapshot, descriptor: i64) -> String {
    let owner = socket_owner(snapshot, descriptor).map_or(-1, |row| i64::from(row.slot));
    format!("Socket {descriptor} belongs to connection {owner}\n")
}

/// `idlers`: how many there are and how many are wanted.
#[must_use]
pub fn idlers(snapshot: &Snapshot) -> String {
    format!("Idlers: {}/{}\n", snapshot.idlers, snapshot.idlers_wanted)
}

/// `spread`: a line for each worker.
#[must_use]
pub fn spread(counts: &[u32]) -> String {
    let lines = counts.iter().enumerate();
    lines.map(|(n, count)| format!("worker {n} connections {count}\n")).collect()
}

/// `conn_max`, `clients_max`, `pid`: the number alone.
#[must_use]
pub fn number(value: u32) -> String {
    format!("{value}\n")
}

/// Whether `number` is one of the connection table's.
pub(super) fn in_range(snapshot: &Snapshot, number: i64) -> bool {
    (0..i64::from(snapshot.conn_max)).contains(&number)
}

/// The connection with this number, if it is taken.
pub(super) fn find(snapshot: &Snapshot, number: i64) -> Option<&ConnectionRow> {
    snapshot.connections.iter().find(|row| i64::from(row.slot) == number)
}

/// The connection that uses this descriptor.
pub(super) fn socket_owner(snapshot: &Snapshot, descriptor: i64) -> Option<&ConnectionRow> {
    let mine = |fd: i32| fd >= 0 && i64::from(fd) == descriptor;
    snapshot.connections.iter().find(|row| mine(row.downfd) || mine(row.upfd))
}

/// The clients seen in the last `seconds`.
pub(super) fn seen_within(
    snapshot: &Snapshot,
    seconds: u32,
) -> impl Iterator<Item = &ClientRow> + '_ {
    snapshot.clients.iter().filter(move |c| c.age_s <= u64::from(seconds))
}

fn unused(number: i64) -> ConnectionRow {
    ConnectionRow {
        slot: u32::try_from(number).unwrap_or(0),
        state: 0,
        downfd: -1,
        upfd: -1,
        pending_down: 0,
        pending_up: 0,
        client: -1,
        server: ServerRef::number_or_none(None),
        age_s: 0,
        idle_s: 0,
        asked_ms: None,
        connected_ms: None,
        first_byte_ms: None,
        tls: None,
    }
}

/// Appends a line. Writing to a `String` cannot fail.
pub(super) fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(args);
    debug_assert!(written.is_ok(), "a String takes everything");
    text.push('\n');
}
