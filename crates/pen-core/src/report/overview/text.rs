//! `overview` for people: a block of lines per service. Programs read `overview json`.

use std::fmt::Write;
use std::net::IpAddr;

use super::super::json::occurred;
use super::super::{ServerRow, classic::line};
use super::{Kind, Overview, ProcessRow, ServiceRow};
use crate::addr::Host;
use crate::dsr;
use crate::flow::{self, FlowEnd};
use crate::reasons::{CloseReason, ConnectFailure, Refusal, TlsFault};

/// The overview.
#[must_use]
pub fn text(overview: &Overview) -> String {
    let mut reply = String::new();
    process(&mut reply, &overview.process);
    for row in &overview.services {
        service(&mut reply, row);
    }
    reply
}

fn process(t: &mut String, p: &ProcessRow) {
    let draining = if p.draining { ", draining" } else { "" };
    let (version, up) = (env!("CARGO_PKG_VERSION"), span(p.uptime_s()));
    let (workers, connections) = (p.workers.len(), p.connections());
    line(
        t,
        format_args!(
            "pen {version}, process {}, up {up}, {workers} workers, {connections} connections, {} \
             reloads{draining}",
            p.pid, p.reloads
        ),
    );
}

fn service(t: &mut String, row: &ServiceRow) {
    let shot = &row.shot;
    let listen = if shot.listen.is_empty() { "nowhere".to_owned() } else { shot.listen.join(" ") };
    let state = match row.not_ready.as_slice() {
        [] => "ready".to_owned(),
        why => {
            format!("not ready: {}", why.iter().map(|w| w.word()).collect::<Vec<_>>().join(", "))
        }
    };
    line(t, format_args!("service {} ({}) at {listen}: {state}", shot.service, row.kind.word()));
    let (used, max) = (shot.conn_used, shot.conn_max);
    match (row.kind, &row.frames) {
        (Kind::Udp, _) => flows(t, row, (used, max)),
        (_, Some(frames)) => {
            let c = &frames.counts;
            let (bytes, tarpit, lost) = (size(c.forwarded_bytes), c.tarpit, c.lost);
            line(
                t,
                format_args!(
                    "  {} frames ({bytes}) forwarded, {} answered, {tarpit} of the tarpit, {lost} lost",
                    c.forwarded, c.answered
                ),
            );
            list(t, "dropped", dsr::DropReason::ALL.map(dsr::DropReason::word), c.dropped);
        }
        _ => connections(t, row, (used, max)),
    }
    line(t, format_args!("  clients: {} remembered of {}", shot.clients_used, shot.clients_max));
    for row in shot.servers.iter().chain(&shot.emergency).chain(&shot.abuse) {
        server(t, row);
    }
}

fn connections(t: &mut String, row: &ServiceRow, (used, max): (u32, u32)) {
    let s = &row.sums;
    let accepted = s.accepted + s.came;
    let (received, sent, idlers) = (size(s.received), size(s.sent), row.shot.idlers);
    line(
        t,
        format_args!(
            "  {used} connections of {max} ({idlers} idlers), {accepted} in all, {received} from \
             clients, {sent} to them"
        ),
    );
    list(t, "closed", CloseReason::ALL.map(CloseReason::word), s.closed);
    if s.full + s.resumed + s.failed.iter().sum::<u64>() != 0 {
        line(t, format_args!("  handshakes: {} full, {} resumed", s.full, s.resumed));
        list(t, "handshakes failed", TlsFault::ALL.map(TlsFault::word), s.failed);
    }
}

fn flows(t: &mut String, row: &ServiceRow, (used, max): (u32, u32)) {
    let c = &row.datagrams;
    let (received, sent) = (size(c.to_servers_bytes), size(c.to_clients_bytes));
    line(
        t,
        format_args!(
            "  {used} flows of {max}, {} in all, {} datagrams ({received}) from clients, {} ({sent}) \
             to them",
            c.opened, c.to_servers, c.to_clients
        ),
    );
    list(t, "ended", FlowEnd::ALL.map(FlowEnd::word), c.ended);
    list(t, "dropped", flow::DropReason::ALL.map(flow::DropReason::word), c.dropped);
}

fn server(t: &mut String, row: &ServerRow) {
    if !row.is_set() {
        return;
    }
    let name = row.name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
    let state = match (row.blacklisted, row.sentence_s) {
        (false, _) => "usable".to_owned(),
        (true, Some(s)) => format!("blacklisted for {}", span(s)),
        (true, None) => "blacklisted".to_owned(),
    };
    let pending = match row.pending {
        0 => String::new(),
        n => format!(" and {n} pending"),
    };
    let (sent, received) = (size(row.sent), size(row.received));
    line(
        t,
        format_args!(
            "  server {}{name} {}: {state}, {}{pending} now, {} in all, {sent} to it, {received} from it",
            row.server,
            address(&row.host, row.port),
            row.conn,
            row.total
        ),
    );
    list(t, "  failed", ConnectFailure::ALL.map(ConnectFailure::word), row.failures);
    list(t, "  passed over", Refusal::ALL.map(Refusal::word), row.refusals);
}

fn address(host: &Host, port: u16) -> String {
    match host {
        Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        Host::Unix(_) => host.to_string(),
        _ => format!("{host}:{port}"),
    }
}

/// A line with what has occurred, if anything has.
fn list<const N: usize>(t: &mut String, what: &str, words: [&'static str; N], counts: [u64; N]) {
    let all = occurred(words, counts);
    if all.is_empty() {
        return;
    }
    let mut text = format!("  {what}:");
    for (n, (word, count)) in all.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        // Writing into a string succeeds.
        let _ = write!(text, "{comma} {word} {count}");
    }
    line(t, format_args!("{text}"));
}

/// Bytes with three digits at least and a unit.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1000.0, UNITS[0]);
    for next in &UNITS[1..] {
        if value < 999.95 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    format!("{value:.1} {unit}")
}

/// Seconds as people say them.
pub(super) fn span(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
