//! Datagrams that `penlogd` takes, the same bytes as a line of the classic log's file, and as a web
//! server's line.

use pen_core::addr::ClientAddr;
use pen_core::consolidate::{Consolidator, Outcome};
use pen_core::limits;
use pen_core::logline::{Entry, datagram, file_line};
use pen_core::moment::{Moment, WallSeconds};
use pen_core::weblog::{WebLine, WebTime};

use super::named;
use crate::draft::v4;

pub fn run(data: &[u8]) {
    writes_one_line(data);
    for line in data.split(|b| *b == b'\n') {
        entries(line);
        web_line(line);
    }
    consolidates(data);
}

/// Whatever a client says becomes one line, bounded, which reads back as what it was.
fn writes_one_line(data: &[u8]) {
    let mut line = Vec::new();
    file_line(&mut line, ClientAddr::Ip(v4(7)), WallSeconds(17), &"10.0.0.1", data);
    let sent = datagram(ClientAddr::Ip(v4(7)), &"10.0.0.1", data);
    assert_eq!((line.is_empty(), sent.is_none()), (data.is_empty(), data.is_empty()));
    let Some(sent) = sent else { return };
    assert!(sent.len() <= limits::LOG_DATAGRAM_MAX && sent.ends_with(b"\n"));
    let printable = |b: &u8| (0x20..0x7f).contains(b);
    assert!(line.strip_suffix(b"\n").is_some_and(|l| l.iter().all(printable)), "{line:?}");
    let text = data.split(|b| b"\r\n".contains(b)).next().unwrap_or_default();
    let file = line.strip_suffix(b"\n").and_then(Entry::from_file);
    let wire = sent.strip_suffix(b"\n").and_then(Entry::from_datagram);
    let (Some(file), Some(wire)) = (file, wire) else { panic!("what was written is no entry") };
    assert_eq!(
        (file.client, file.server, file.wall),
        ("10.0.0.7", "10.0.0.1", Some(WallSeconds(17)))
    );
    assert_eq!((wire.client, wire.server, wire.wall), ("10.0.0.7", "10.0.0.1", None));
    let longest = limits::LOG_DATAGRAM_MAX - b"+ 10.0.0.7 10.0.0.1 \n".len();
    if text.len() <= longest {
        assert_eq!(file.key(b"s"), wire.key(b"s"), "two forms of one request");
    }
}

fn entries(line: &[u8]) {
    for entry in [Entry::from_file(line), Entry::from_datagram(line)].into_iter().flatten() {
        let safe = |b: u8| b.is_ascii_graphic() && !b"\"[]\\".contains(&b);
        assert!(!entry.client.is_empty() && entry.client.len() <= limits::LOG_CLIENT_MAX);
        assert!(entry.client.bytes().all(safe), "a client could forge a line: {:?}", entry.client);
        assert!(!entry.server.is_empty());
    }
}

/// With another client a line is the same but for the client.
fn web_line(line: &[u8]) {
    let Ok(web) = WebLine::parse(line) else { return };
    let spellings: Vec<_> = web.spellings().collect();
    assert_eq!(spellings.len(), 1 + usize::from(web.request().contains(&b'\\')));
    assert!(spellings.iter().all(|s| s.len() <= web.request().len()));
    assert!(spellings.last().is_some_and(|s| s[..] == *web.request()), "not as it stands there");
    with_another_time(&web);
    let mut out = Vec::new();
    web.append_with(&mut out, "10.0.0.7");
    if !web.has_client() {
        return;
    }
    let at = line.iter().zip(&out).take_while(|(a, b)| a == b).count();
    let tails = line.iter().rev().zip(out.iter().rev());
    let tail = tails.take_while(|(a, b)| a == b).count();
    assert!(at + tail + 8 >= out.len(), "more than the client was changed: {out:?}");
    let Ok(again) = WebLine::parse(&out) else { panic!("a line no more: {out:?}") };
    assert_eq!(again.request(), web.request());
}

/// With its time in UTC a line is of the same time, and says so.
fn with_another_time(web: &WebLine<'_>) {
    // What is written has four digits for the year.
    let years = 0..253_000_000_000;
    let Some(time) = web.time().ok().filter(|time| years.contains(&time.wall.0)) else { return };
    if !web.has_client() {
        return;
    }
    let mut out = Vec::new();
    web.append_at(&mut out, "10.0.0.7", time);
    let Ok(again) = WebLine::parse(&out) else { panic!("a line no more: {out:?}") };
    assert_eq!(again.request(), web.request());
    assert_eq!(again.time().ok(), Some(WebTime { zoned: true, ..time }), "{out:?}");
}

/// Every line in is one line out or none, in order, and nothing else.
fn consolidates(data: &[u8]) {
    let mut consolidator = Consolidator::new(4);
    let (mut out, mut written, mut lines) = (Vec::new(), 0, 0_usize);
    let mut said = |outcome: Outcome, _: &[u8]| {
        written += usize::from(matches!(outcome, Outcome::Replaced | Outcome::Unchanged));
        lines += 1;
    };
    for (n, piece) in data.chunks(700).enumerate() {
        let now = Moment(n as u64 * 40);
        consolidator.take(now, v4(1), piece, &mut out, &mut said);
    }
    consolidator.release(None, &mut out, &mut said);
    let pieces = data.chunks(700).map(|p| p.split(|b| *b == b'\n').count());
    assert!(lines <= pieces.sum::<usize>(), "more lines than came");
    assert!(out.is_empty() || out.ends_with(b"\n"));
    assert_eq!(out.iter().filter(|b| **b == b'\n').count(), written, "{out:?}");
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let web = "127.0.0.1 - - [21/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"curl\"";
    named([
        ("entry", text("+ 10.0.0.7 10.0.0.1 GET /a HTTP/1.1\n")),
        ("entry-and-line", text(&format!("+ 10.0.0.7 10.0.0.1 GET /a HTTP/1.1\n{web}\n"))),
        ("line-and-entry", text(&format!("{web}\n+ 10.0.0.7 10.0.0.1 GET /a HTTP/1.1\n"))),
        ("file", text("10.0.0.7 1700000000 10.0.0.1 GET /a\\x1b HTTP/1.1\n")),
        ("virtual-host", text(&format!("www.example.org:80 {web}\n"))),
        (
            "quotes",
            text("::1 - a\"b [21/Nov/2026:10:00:00 +0100] \"GET /\\\"x\\\\ HTTP/1.1\" 400 0\n"),
        ),
        (
            "escapes",
            text("::1 - - [29/Feb/2024:23:59:60 -0930] \"GET /\\x22\\n\\q\\\\ HTTP/1.1\" 400 0\n"),
        ),
        ("request", text("GET /\x1b[2J\u{e9} HTTP/1.1\r\nHost: a\r\n")),
        ("junk", text("+ \n+ a b\n\"\"\n[] \"\"\n")),
    ])
}
