//! The classic status page.
//!
//! Title, headings, summary lines and columns are the original's, so that programs that read the
//! page go on working. Every text is escaped. The page is a whole; writing it to its file is the
//! shell's business.

use std::fmt;

use super::classic::line;
use super::{ClientRow, ConnectionRow, ServerRow, Snapshot};
use crate::servers::ServerRef;

const SERVER_HEAD: [&str; 11] = [
    "server",
    "address",
    "status",
    "port",
    "connections",
    "max soft",
    "max hard",
    "sent",
    "received",
    "weight",
    "prio",
];
const CLIENT_HEAD: [&str; 7] =
    ["client", "address", "age(secs)", "last server", "connects", "sent", "received"];
const CONNECTION_HEAD: [&str; 7] =
    ["connection", "downfd", "upfd", "pending data down", "pending data up", "client", "server"];

/// The page.
#[must_use]
pub fn page(snapshot: &Snapshot) -> String {
    let mut page = String::with_capacity(1024);
    line(
        &mut page,
        format_args!(
            "<html>\n<head>\n<meta charset=\"utf-8\">\n<title>Pen status page</title>\n</head>\n\
             <body>\n<h1>Pen status page</h1>"
        ),
    );
    line(
        &mut page,
        format_args!(
            "<p>Time {}, {} servers, {} current</p>",
            Escaped(&snapshot.time),
            snapshot.servers.len(),
            snapshot.current
        ),
    );
    table(&mut page, &SERVER_HEAD, &snapshot.servers, server_row);
    line(&mut page, format_args!("<h2>Active clients</h2>"));
    line(&mut page, format_args!("<p>Max number of clients: {}</p>", snapshot.clients_max));
    table(&mut page, &CLIENT_HEAD, &snapshot.clients, client_row);
    line(&mut page, format_args!("<h2>Active connections</h2>"));
    line(
        &mut page,
        format_args!(
            "<p>Number of connections: {} max, {} used, {} last</p>",
            snapshot.conn_max, snapshot.conn_used, snapshot.conn_last
        ),
    );
    table(&mut page, &CONNECTION_HEAD, &snapshot.connections, connection_row);
    line(&mut page, format_args!("</body>\n</html>"));
    page
}

fn table<R>(page: &mut String, head: &[&str], rows: &[R], print: fn(&mut String, &R)) {
    page.push_str("<table border=\"1\">\n<tr>");
    for title in head {
        cell(page, title);
    }
    page.push_str("</tr>\n");
    for row in rows {
        page.push_str("<tr>");
        print(page, row);
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

fn server_row(page: &mut String, s: &ServerRow) {
    cell(page, &s.server.number());
    cell(page, &s.host);
    cell(page, &s.status);
    for number in [u32::from(s.port), s.conn, s.max, s.hard] {
        cell(page, &number);
    }
    cell(page, &s.sent);
    cell(page, &s.received);
    cell(page, &s.weight);
    cell(page, &s.prio);
}

fn client_row(page: &mut String, c: &ClientRow) {
    cell(page, &c.slot);
    cell(page, &c.addr);
    cell(page, &c.age_s);
    cell(page, &ServerRef::number_or_none(c.server.map(ServerRef::Regular)));
    for number in [c.connects, c.sent, c.received] {
        cell(page, &number);
    }
}

fn connection_row(page: &mut String, c: &ConnectionRow) {
    cell(page, &c.slot);
    cell(page, &c.downfd);
    cell(page, &c.upfd);
    cell(page, &c.pending_down);
    cell(page, &c.pending_up);
    cell(page, &c.client);
    cell(page, &c.server);
}

fn cell(page: &mut String, value: &dyn fmt::Display) {
    use fmt::Write as _;
    let written = write!(page, "<td>{}</td>", Escaped(value));
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// A value whose characters with a meaning in HTML are written as references.
struct Escaped<'a>(&'a dyn fmt::Display);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        write!(Filter(f), "{}", self.0)
    }
}

struct Filter<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}
