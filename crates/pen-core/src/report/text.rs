//! The report that USR1 writes to the debug channel when there is no status page.
//!
//! Plain lines; whoever writes them puts the time before each.

use super::classic::line;
use super::{ClientRow, ConnectionRow, ServerRow, Snapshot};
use crate::servers::ServerRef;

/// The report, each line ended by LF.
#[must_use]
pub fn report(snapshot: &Snapshot) -> String {
    let mut text = String::with_capacity(1024);
    let t = &mut text;
    line(
        t,
        format_args!(
            "Time {}, {} servers, {} current",
            snapshot.time,
            snapshot.servers.len(),
            snapshot.current
        ),
    );
    for row in &snapshot.servers {
        server(t, row);
    }
    line(t, format_args!("Max number of clients: {}", snapshot.clients_max));
    line(t, format_args!("Active clients:"));
    for row in &snapshot.clients {
        client(t, row, snapshot.wall.0);
    }
    line(t, format_args!("Max number of connections: {}", snapshot.conn_max));
    line(t, format_args!("Active connections:"));
    for row in &snapshot.connections {
        connection(t, row);
    }
    text
}

fn server(t: &mut String, s: &ServerRow) {
    line(t, format_args!("Server {} status:", s.server.number()));
    line(t, format_args!("address {}", s.host));
    line(t, format_args!("status {}", s.status));
    line(t, format_args!("port {}", s.port));
    line(t, format_args!("{} connections ({} soft, {} hard)", s.conn, s.max, s.hard));
    line(t, format_args!("{} sent, {} received", s.sent, s.received));
}

fn client(t: &mut String, c: &ClientRow, wall: i64) {
    let last_used = wall.saturating_sub(i64::try_from(c.age_s).unwrap_or(i64::MAX));
    let server = ServerRef::number_or_none(c.server.map(ServerRef::Regular));
    line(t, format_args!("Client {} status:", c.slot));
    line(t, format_args!("address {}", c.addr));
    line(t, format_args!("last used {last_used}"));
    line(t, format_args!("last server {server}"));
    line(t, format_args!("connects {}", c.connects));
    line(t, format_args!("sent {}", c.sent));
    line(t, format_args!("received {}", c.received));
}

fn connection(t: &mut String, c: &ConnectionRow) {
    line(t, format_args!("Connection {} status:", c.slot));
    line(t, format_args!("downfd = {}, upfd = {}", c.downfd, c.upfd));
    line(t, format_args!("pending data {} down, {} up", c.pending_down, c.pending_up));
    line(t, format_args!("client {}, server {}", c.client, c.server));
}
