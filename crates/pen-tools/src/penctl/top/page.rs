//! The page: what is known, drawn for a screen of any size.
//!
//! What does not fit is left out in an order: curves, sums, clients, events; the state of Pen and of
//! its servers stays to the end.

use pen_sys::localtime;

use super::canvas::{Canvas, Style};
use super::figures::{brief, curve, short, time};
use super::model::{Client, Event, Health, Model, Rates, Server, Service};
use super::view::View;

/// Lines below which sums and curves are left out.
const ROOMY: usize = 16;
/// Clients and events of a page that goes to a file.
const PLAIN_ROWS: usize = 10;
/// Columns from which servers have curves.
const CURVES_FROM: usize = 96;
/// Columns from which servers have bytes and failures.
const BYTES_FROM: usize = 66;

const HELP: [&str; 15] = [
    "q         end",
    "Tab       next service; left and right too",
    "s         sort servers by another column",
    "up, down  move in the list of servers; page up and down too",
    "p, space  pause",
    "+ -       look less often, more often",
    "r         draw everything again",
    "?         this text; any key leaves it",
    "",
    "ok        clients are sent to the server",
    "full      it has as many connections as max allows",
    "out 17s   it failed or was taken out, for 17 s more",
    "unset     it has no address",
    "NEW/S     connections (flows) per second",
    "IN OUT    bytes per second from and to clients",
];

/// The page for a screen.
pub(super) fn screen(model: &Model, view: &View, size: (usize, usize), unicode: bool) -> Canvas {
    let (width, height) = size;
    let mut page = Page { canvas: Canvas::new(width, height, unicode), row: 0 };
    let roomy = height >= ROOMY;
    page.head(model, view, roomy);
    let hints = height.saturating_sub(1);
    if view.help {
        for line in HELP.iter().take(hints.saturating_sub(page.row)) {
            page.line(line, Style::Plain);
        }
    } else {
        let room = hints.saturating_sub(page.row + 1);
        page.body(model, view, room);
    }
    if height > 4 {
        page.hints(view, hints);
    }
    page.canvas
}

/// The page for a file or a pipe: everything, as long as it is.
pub(super) fn plain(model: &Model, view: &View, width: usize, unicode: bool) -> String {
    let servers = view.service(model).map_or(0, |(_, s)| s.all_servers().count());
    let height = servers + 2 * PLAIN_ROWS + ROOMY;
    let mut page = Page { canvas: Canvas::new(width, height, unicode), row: 0 };
    page.head(model, view, true);
    page.body(model, view, height);
    let rows = page.row;
    let text = page.canvas.plain();
    text.lines().take(rows).map(|line| format!("{line}\n")).collect()
}

struct Page {
    canvas: Canvas,
    row: usize,
}

impl Page {
    fn line(&mut self, text: &str, style: Style) {
        self.canvas.text(self.row, 0, text, style);
        self.row += 1;
    }

    fn bar(&mut self, text: &str) {
        let row = self.row;
        self.line(text, Style::Bar);
        self.canvas.dye(row, Style::Bar);
    }

    fn head(&mut self, model: &Model, view: &View, roomy: bool) {
        let pen = &model.overview.pen;
        let workers = if pen.workers == 1 {
            "1 worker".to_owned()
        } else {
            format!("{} workers", pen.workers)
        };
        self.bar(&format!(
            "pen {}  pid {}  up {}  {workers}",
            pen.version,
            pen.pid,
            time(pen.uptime_s)
        ));
        self.health(model, view);
        if roomy {
            let (opened, received, sent) = model.sum();
            self.line(
                &format!(
                    "{} connections  {} new/s  in {}B/s  out {}B/s",
                    pen.connections,
                    short(opened),
                    short(received),
                    short(sent)
                ),
                Style::Plain,
            );
        }
        let Some((at, service)) = view.service(model) else { return };
        self.service(service, at, model.overview.services.len());
        if roomy {
            let rates = model.service_rates(&service.service);
            let column = self.canvas.text(
                self.row,
                0,
                &format!("{:>6} new/s ", short(rates.opened)),
                Style::Plain,
            );
            let width = self.canvas.width().saturating_sub(column + 1);
            let text = curve(rates.curve.iter(), width, self.canvas.unicode);
            self.canvas.text(self.row, column, &text, Style::Curve);
            self.row += 1;
        }
    }

    fn health(&mut self, model: &Model, view: &View) {
        let (text, style) = match (&model.trouble, model.health()) {
            (Some(why), _) => (format!("connection lost: {why}"), Style::Bad),
            (None, Health::Well) => ("all is well".to_owned(), Style::Good),
            (None, Health::Limping(why)) => (why, Style::Warn),
            (None, Health::Bad(why)) => (why, Style::Bad),
        };
        let column = self.canvas.text(self.row, 0, &text, style);
        let mut notes = String::new();
        if view.paused {
            notes += "  (paused)";
        }
        if model.restarted {
            notes += "  (Pen was started anew)";
        }
        self.canvas.text(self.row, column, &notes, Style::Bold);
        self.row += 1;
    }

    fn service(&mut self, service: &Service, at: usize, count: usize) {
        let (used, max) = service.load();
        let mut text = format!("service {}", service.service);
        if count > 1 {
            text += &format!(" ({} of {count})", at + 1);
        }
        text += &format!("  {used} of {max}");
        if service.clients_max > 0 {
            text += &format!("  clients {} of {}", service.clients_used, service.clients_max);
        }
        text += &format!("  {}  {}", service.mode, service.listen.join(" "));
        self.line(&text, Style::Bold);
    }

    /// Everything below the service's line, in `room` lines and one for the title of the servers.
    fn body(&mut self, model: &Model, view: &View, room: usize) {
        let Some((_, service)) = view.service(model) else {
            return self.line("there is no service", Style::Plain);
        };
        let servers = view.servers(model, service);
        let closed = reasons(service);
        let (clients, events) = (&service.top_clients, &model.overview.events);
        let plan = Plan::of(room, servers.len(), closed.len(), clients.len(), events.len());
        self.servers(model, service, &servers, view, plan.servers);
        for line in closed.iter().take(plan.closed) {
            self.line(line, Style::Plain);
        }
        if plan.clients > 0 {
            self.clients(clients, plan.clients);
        }
        if plan.events > 0 {
            self.events(events, plan.events);
        }
    }

    fn servers(
        &mut self,
        model: &Model,
        service: &Service,
        servers: &[&Server],
        view: &View,
        rows: usize,
    ) {
        let columns = Columns::of(self.canvas.width());
        let row = self.row;
        self.bar("");
        for (column, title) in columns.all().into_iter().zip(Columns::TITLES) {
            self.put(row, column, title, Style::Bar, title == "SERVER" || title == "STATE");
        }
        let above = view.above.min(servers.len().saturating_sub(rows));
        for server in servers.iter().skip(above).take(rows) {
            let rates = model.server_rates(&service.service, server);
            self.server(server, &rates, &columns);
        }
        if let (Some(hidden @ 1..), true) = (servers.len().checked_sub(rows), rows > 0) {
            let note = format!(" {} of {} ", above + rows - rows.min(1) + 1, hidden + rows);
            let column = self.canvas.width().saturating_sub(note.len());
            self.canvas.text(row, column, &note, Style::Bar);
        }
    }

    fn server(&mut self, server: &Server, rates: &Rates, columns: &Columns) {
        let row = self.row;
        let (state, style) = state(server);
        let figures = [
            server.connections.to_string(),
            short(rates.opened),
            short(rates.received),
            short(rates.sent),
            server.failed().to_string(),
        ];
        let all = columns.all();
        let mut cells = all.into_iter();
        for (text, style) in [(called(server), Style::Plain), (state, style)] {
            if let Some(column) = cells.next() {
                self.put(row, column, &text, style, true);
            }
        }
        for (column, text) in cells.by_ref().zip(&figures) {
            self.put(row, column, text, Style::Plain, false);
        }
        if let Some((from, width)) = columns.curve {
            let text = curve(rates.curve.iter(), width, self.canvas.unicode);
            self.canvas.text(row, from, &text, Style::Curve);
        }
        self.row += 1;
    }

    /// Text in a column, at its left or right end.
    fn put(
        &mut self,
        row: usize,
        (from, width): (usize, usize),
        text: &str,
        style: Style,
        left: bool,
    ) {
        let length = text.chars().count();
        let from = if left { from } else { from + width.saturating_sub(length) };
        let text: String = text.chars().take(width).collect();
        self.canvas.text(row, from, &text, style);
    }

    fn clients(&mut self, clients: &[Client], rows: usize) {
        self.bar(&format!(
            "{:<28} {:>9} {:>7} {:>7}  {:<10} {}",
            "CLIENT", "VISITS", "IN", "OUT", "SEEN", "SERVER"
        ));
        for client in clients.iter().take(rows.saturating_sub(1)) {
            let server = client.server.map_or_else(|| "-".to_owned(), number);
            self.line(
                &format!(
                    "{:<28} {:>9} {:>7} {:>7}  {:<10} {server}",
                    client.address,
                    client.connects,
                    short(client.received as f64),
                    short(client.sent as f64),
                    format!("{} ago", time(client.age_s))
                ),
                Style::Plain,
            );
        }
    }

    fn events(&mut self, events: &[Event], rows: usize) {
        self.bar("EVENTS");
        let rows = rows.saturating_sub(1);
        for event in events.iter().skip(events.len().saturating_sub(rows)) {
            let stamp = localtime::stamp(event.time_ms / 1000);
            let clock = stamp.split(' ').next_back().unwrap_or_default();
            let text = if event.text.is_empty() { &event.key } else { &event.text };
            self.line(&format!("{clock}  {text}"), Style::Plain);
        }
    }

    fn hints(&mut self, view: &View, row: usize) {
        let text = format!(
            "q end  Tab service  s sort: {}  p pause  ? help  every {} s",
            view.sort.word(),
            view.interval_s
        );
        self.canvas.text(row, 0, &text, Style::Faint);
    }
}

/// How many lines each part gets, its title included; servers have theirs besides.
struct Plan {
    servers: usize,
    closed: usize,
    clients: usize,
    events: usize,
}

impl Plan {
    fn of(room: usize, servers: usize, closed: usize, clients: usize, events: usize) -> Self {
        let titled = |rows: usize| if rows > 0 { rows.min(PLAIN_ROWS) + 1 } else { 0 };
        let (clients, events) = (titled(clients), titled(events));
        // The servers get what the others leave, and half of the page in any case.
        let servers =
            servers.min(room.saturating_sub(closed + clients + events).max(room.div_ceil(2)));
        let mut rest = room.saturating_sub(servers);
        let mut take = |wanted: usize, least: usize| {
            let taken = if rest >= least { wanted.min(rest) } else { 0 };
            rest -= taken;
            taken
        };
        let closed = take(closed, 1);
        let half = if clients > 0 { 5.max(room / 5) } else { room };
        let events = take(events.min(half), 2);
        let clients = take(clients, 2);
        Self { servers, closed, clients, events }
    }
}

/// Where the columns of the servers begin, and how wide they are.
struct Columns {
    server: usize,
    /// Widths of those behind it.
    others: Vec<usize>,
    curve: Option<(usize, usize)>,
}

impl Columns {
    const TITLES: [&'static str; 7] =
        ["SERVER", "STATE", "CONN", "NEW/S", "IN/S", "OUT/S", "FAILED"];

    fn of(width: usize) -> Self {
        let others = if width >= BYTES_FROM { vec![9, 6, 6, 6, 6, 6] } else { vec![8, 5, 5] };
        let taken: usize = others.iter().map(|w| w + 1).sum();
        let rest = width.saturating_sub(taken);
        let curve = if width >= CURVES_FROM { rest.saturating_sub(34).min(60) } else { 0 };
        let server = rest.saturating_sub(if curve > 0 { curve + 2 } else { 0 });
        let from = width.saturating_sub(curve);
        Self { server, others, curve: (curve > 0).then_some((from, curve)) }
    }

    fn all(&self) -> Vec<(usize, usize)> {
        let mut all = vec![(0, self.server)];
        let mut from = self.server + 1;
        for width in &self.others {
            all.push((from, *width));
            from += width + 1;
        }
        all
    }
}

/// `0 red 192.0.2.1:80`, `emergency 192.0.2.9:80`.
fn called(server: &Server) -> String {
    let name = server.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let v6 = server.address.contains(':');
    let place = match server.port {
        0 => server.address.clone(),
        port if v6 => format!("[{}]:{port}", server.address),
        port => format!("{}:{port}", server.address),
    };
    format!("{}{name} {place}", number(server.number))
}

fn number(number: i64) -> String {
    match number {
        -1 => "emergency".to_owned(),
        -2 => "abuse".to_owned(),
        n => n.to_string(),
    }
}

fn state(server: &Server) -> (String, Style) {
    if server.blacklisted {
        let left = server.sentence_s.map(|s| format!(" {}", brief(s))).unwrap_or_default();
        return (format!("out{left}"), Style::Bad);
    }
    if !server.usable {
        return ("unset".to_owned(), Style::Faint);
    }
    if server.max > 0 && server.connections + server.pending >= server.max {
        return ("full".to_owned(), Style::Warn);
    }
    ("ok".to_owned(), Style::Good)
}

/// Why connections ended and datagrams were dropped, the most frequent first.
fn reasons(service: &Service) -> Vec<String> {
    let line = |title: &str, counts: &std::collections::BTreeMap<String, u64>| {
        let mut all: Vec<(&String, &u64)> = counts.iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let all: Vec<String> = all.iter().map(|(word, count)| format!("{word} {count}")).collect();
        (!all.is_empty()).then(|| format!("{title}: {}", all.join(", ")))
    };
    let totals = &service.totals;
    line("closed", &totals.closed).into_iter().chain(line("dropped", &totals.dropped)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::model;
    use super::super::view::tests::view;
    use super::*;

    #[test]
    fn a_page_of_80_columns() {
        let text = screen(&model(), &view(), (80, 24), true).plain();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "pen 0.35.0  pid 41  up 1 d 02 h  2 workers");
        assert_eq!(lines[1], "service default: 1 of 3 servers out");
        assert_eq!(lines[2], "7 connections  5 new/s  in 0B/s  out 0B/s");
        assert_eq!(
            lines[3],
            "service default (1 of 2)  7 of 500  clients 2 of 2048  tcp  80 [::]:80"
        );
        assert_eq!(lines[4], "     5 new/s ▂▄▅▅▂▁ █");
        let row = |server: &str, rest: &str| format!("{server:<35} {rest}");
        let expected = [
            row("SERVER", "STATE       CONN  NEW/S   IN/S  OUT/S FAILED"),
            row("0 red 192.0.2.1:80", "ok             4      5      0      0      0"),
            row("1 192.0.2.2:80", "out 17s        0      0      0      0      4"),
            row("2 0.0.0.0", "unset          0      0      0      0      0"),
            row("3 [2001:db8::3]:8080", "full           3      0      0      0      0"),
            row("emergency 192.0.2.9:80", "ok             0      0      0      0      0"),
        ];
        assert_eq!(lines[5..11], expected);
        assert_eq!(lines[11], "closed: client_finished 90, idle_timeout 2");
        assert!(lines[12].starts_with("CLIENT "), "{text}");
        assert!(
            lines[13]
                .starts_with("198.51.100.7                        55    4.0k    800k  3 s ago")
        );
        assert!(lines[14].ends_with(" 1 min ago  -"), "{text}");
        assert_eq!(lines[15], "EVENTS");
        assert!(
            lines[16].ends_with("  default: server 1 (192.0.2.2:80) is out: refused"),
            "{text}"
        );
        assert!(lines[23].starts_with("q end  Tab service  s sort: number"), "{text}");
    }

    #[test]
    fn every_size_has_a_page_and_small_ones_the_servers() {
        let (model, mut view) = (model(), view());
        for width in 0..210 {
            for height in [0, 1, 2, 3, 4, 5, 10, 15, 16, 24, 50] {
                view.above = width % 7;
                let page = screen(&model, &view, (width, height), width % 2 == 0);
                assert_eq!(page.width(), width);
            }
        }
        view.above = 0;
        let text = screen(&model, &view, (40, 10), false).plain();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "pen 0.35.0  pid 41  up 1 d 02 h  2 worke");
        assert_eq!(lines[1], "service default: 1 of 3 servers out");
        assert_eq!(lines[4], "0 red 192.0.2.1:80  ok           4     5");
        assert_eq!(lines[5], "1 192.0.2.2:80      out 17s      0     0");
        let wide = screen(&model, &view, (200, 50), true).plain();
        assert!(wide.lines().any(|l| l.starts_with("0 red ") && l.ends_with('█')), "{wide}");
    }

    #[test]
    fn a_list_that_is_too_long_can_be_moved() {
        let mut model = model();
        let server = model.overview.services[0].servers[0].clone();
        model.overview.services[0].servers =
            (0..60).map(|number| Server { number, ..server.clone() }).collect();
        let mut view = view();
        let first = |view: &View| {
            let text = screen(&model, view, (80, 24), false).plain();
            text.lines().nth(6).unwrap().split(' ').next().unwrap().to_owned()
        };
        assert_eq!(first(&view), "0");
        view.above = 10;
        assert_eq!(first(&view), "10");
        view.above = 60;
        assert_eq!(first(&view), "50", "the end of the list is at the end of its part");
    }

    #[test]
    fn trouble_help_and_plain_pages() {
        let mut model = model();
        model.fail("cannot connect to /x: nobody".to_owned());
        let mut view = View { paused: true, ..view() };
        let text = screen(&model, &view, (80, 24), false).plain();
        assert!(
            text.contains("\nconnection lost: cannot connect to /x: nobody  (paused)\n"),
            "{text}"
        );
        view.help = true;
        assert!(screen(&model, &view, (80, 24), false).plain().contains("look less often"));
        let text = plain(&model, &view, 80, false);
        assert!(text.contains("\nEVENTS\n") && !text.contains("q end"), "{text}");
        assert!(text.lines().count() < 24 && text.ends_with("refused\n"), "{text}");
        let empty = plain(&Model::default(), &view, 80, false);
        assert!(empty.ends_with("there is no service\n"), "{empty}");
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut model = model();
        model.overview.services[0].servers[0].name = Some("\x1b]0;evil\x07\n".to_owned());
        model.overview.events[0].text = "\x1b[2J\u{9b}1m\r".to_owned();
        let page = screen(&model, &view(), (80, 24), true);
        let sent = page.changes(None, true);
        assert!(!sent.contains("\x1b]") && !sent.contains('\u{9b}') && !sent.contains('\x07'));
        assert_eq!(sent.matches("\x1b[2J").count(), 1, "the page's own");
    }
}
