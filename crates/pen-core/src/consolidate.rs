//! What `penlogd` does with a datagram: entries of Pen are remembered, web lines get the client of
//! their entry.
//!
//! A line and its entry come different ways, so the entry may be the later one: a line without it
//! waits a moment, and so do the lines behind it, because their order stays. Deliberately not here:
//! sockets, files, when lines are written.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::limits;
use crate::logline::Entry;
use crate::moment::Moment;
use crate::requests::Requests;
use crate::weblog::WebLine;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An entry, remembered.
    Entry,
    /// A web line that got its client.
    Replaced,
    /// A web line without an entry, as it came.
    Unchanged,
    /// Neither of them: dropped.
    Junk,
}

/// How many of each so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries.
    pub entries: u64,
    /// Web lines that got a client.
    pub replaced: u64,
    /// Web lines that kept theirs.
    pub unchanged: u64,
    /// Lines that were neither.
    pub junk: u64,
}

/// The consolidator.
#[derive(Debug)]
pub struct Consolidator {
    requests: Requests,
    counts: Counts,
    held: VecDeque<Held>,
    held_bytes: usize,
}

/// A web line that is not written yet.
#[derive(Debug)]
struct Held {
    until: Moment,
    sender: IpAddr,
    line: Box<[u8]>,
    client: Option<Box<str>>,
}

impl Consolidator {
    /// With room for this many entries.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self {
            requests: Requests::new(entries),
            counts: Counts::default(),
            held: VecDeque::new(),
            held_bytes: 0,
        }
    }

    /// Takes a datagram, which may hold several lines. What is to be written is appended to `out` as
    /// whole lines; `said` hears of each line that is dealt with.
    pub fn take(
        &mut self,
        now: Moment,
        sender: IpAddr,
        datagram: &[u8],
        out: &mut Vec<u8>,
        mut said: impl FnMut(Outcome, &[u8]),
    ) {
        let text = datagram.strip_suffix(b"\n").unwrap_or(datagram);
        for line in text.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(outcome) = self.line(now, sender, line) {
                said(outcome, line);
            }
            self.release(Some(now), out, &mut said);
        }
    }

    /// Appends the lines that have waited long enough; without a time, all of them.
    pub fn release(
        &mut self,
        now: Option<Moment>,
        out: &mut Vec<u8>,
        mut said: impl FnMut(Outcome, &[u8]),
    ) {
        while let Some(first) = self.held.front() {
            let client = first.client.clone().or_else(|| self.client(first.sender, &first.line));
            let waits = now.is_some_and(|now| first.until > now);
            if client.is_none() && waits && self.held_bytes <= limits::PENLOGD_HELD {
                return;
            }
            let Some(first) = self.held.pop_front() else { return };
            self.held_bytes = self.held_bytes.saturating_sub(first.line.len());
            let outcome = self.append(out, &first.line, client.as_deref());
            said(outcome, &first.line);
        }
    }

    /// Milliseconds until a line has waited long enough, if one waits.
    #[must_use]
    pub fn wait_ms(&self, now: Moment) -> Option<u64> {
        self.held.front().map(|first| first.until.since_ms(now))
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// `entries 3 (remembered 3, forgotten 0), web lines 7 (client found 6, not found 1), junk 0`
    #[must_use]
    pub fn report(&self) -> String {
        let Counts { entries, replaced, unchanged, junk } = self.counts;
        let mut text = format!("entries {entries} (remembered {}", self.requests.len());
        let lines = replaced.saturating_add(unchanged);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ", forgotten {}), web lines {lines} (client found {replaced}, not found {unchanged}), \
             junk {junk}",
            self.requests.forgotten()
        );
        text
    }

    /// What became of a line, unless it is a web line and waits.
    fn line(&mut self, now: Moment, sender: IpAddr, line: &[u8]) -> Option<Outcome> {
        if line.first() == Some(&b'+') {
            let Some(entry) = Entry::from_datagram(line) else { return Some(self.junk()) };
            self.requests.remember(&entry);
            self.counts.entries = self.counts.entries.saturating_add(1);
            return Some(Outcome::Entry);
        }
        if WebLine::parse(line).is_err() {
            return Some(self.junk());
        }
        let client = self.client(sender, line);
        let until = now.plus_ms(limits::PENLOGD_GRACE_MS);
        self.held_bytes = self.held_bytes.saturating_add(line.len());
        self.held.push_back(Held { until, sender, line: line.into(), client });
        None
    }

    fn client(&self, sender: IpAddr, line: &[u8]) -> Option<Box<str>> {
        let web = WebLine::parse(line).ok().filter(WebLine::has_client)?;
        let spellings: Vec<_> = web.spellings().collect();
        self.requests.client(sender, spellings.iter().map(|s| &**s)).map(Into::into)
    }

    fn append(&mut self, out: &mut Vec<u8>, line: &[u8], client: Option<&str>) -> Outcome {
        let web = WebLine::parse(line).ok();
        let Some((web, client)) = web.zip(client) else {
            append_printable(out, line);
            self.counts.unchanged = self.counts.unchanged.saturating_add(1);
            return Outcome::Unchanged;
        };
        let mut made = Vec::with_capacity(line.len() + client.len());
        web.append_with(&mut made, client);
        append_printable(out, &made);
        self.counts.replaced = self.counts.replaced.saturating_add(1);
        Outcome::Replaced
    }

    fn junk(&mut self) -> Outcome {
        self.counts.junk = self.counts.junk.saturating_add(1);
        Outcome::Junk
    }
}

/// A line with its end. Control characters, which no web server writes, are escaped: anybody can
/// send a datagram.
fn append_printable(out: &mut Vec<u8>, line: &[u8]) {
    for &byte in line {
        match byte {
            0..0x20 | 0x7f if byte != b'\t' => {
                out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
            }
            _ => out.push(byte),
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(table: &mut Consolidator, datagrams: &[&str]) -> String {
        let mut out = Vec::new();
        for datagram in datagrams {
            let sender = [127, 0, 0, 9].into();
            table.take(Moment(0), sender, datagram.as_bytes(), &mut out, |_, _| ());
        }
        table.release(None, &mut out, |_, _| ());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn lines_get_their_clients_and_always_an_end() {
        let mut table = Consolidator::new(10);
        let out = written(
            &mut table,
            &[
                "+ 10.0.0.7 127.0.0.9 GET /a\n",
                "x - - [t] \"GET /a\" 200 1\n",
                "x - - [t] \"GET /a\" 200 2\r\nx - - [t] \"GET /b\" 200 3",
                "v:80 127.0.0.1 - - [t] \"GET /a\" 200 4\n",
                "x - - [t] \"GET /\u{1b}\" 200 \u{e9}\t\n",
                "\"GET /a\" is not behind a client\n",
                "+ two words\n",
                "junk\n",
                "\n",
            ],
        );
        assert_eq!(
            out,
            "10.0.0.7 - - [t] \"GET /a\" 200 1\n10.0.0.7 - - [t] \"GET /a\" 200 2\n\
             x - - [t] \"GET /b\" 200 3\nv:80 10.0.0.7 - - [t] \"GET /a\" 200 4\n\
             x - - [t] \"GET /\\x1b\" 200 \u{e9}\t\n\"GET /a\" is not behind a client\n"
        );
        assert_eq!(table.counts(), Counts { entries: 1, replaced: 3, unchanged: 3, junk: 3 });
        assert_eq!(
            table.report(),
            "entries 1 (remembered 1, forgotten 0), web lines 6 (client found 3, not found 3), junk 3"
        );
    }

    #[test]
    fn a_line_waits_for_its_entry_and_keeps_its_place() {
        let (mut table, mut out) = (Consolidator::new(10), Vec::new());
        let sender = IpAddr::from([127, 0, 0, 9]);
        let line = |n: u32| format!("x - - [t] \"GET /{n}\" 200 1\n");
        let mut at = |now: u64, text: &str| {
            table.take(Moment(now), sender, text.as_bytes(), &mut out, |_, _| ());
            (String::from_utf8_lossy(&out).matches(" - - ").count(), table.wait_ms(Moment(now)))
        };
        let grace = limits::PENLOGD_GRACE_MS;
        assert_eq!(at(0, "+ ::2 127.0.0.9 GET /2\n"), (0, None));
        assert_eq!(at(10, &line(1)), (0, Some(grace)));
        assert_eq!(at(20, &line(2)), (0, Some(grace - 10)));
        assert_eq!(at(30, "+ ::1 127.0.0.9 GET /1\n"), (2, None));
        assert_eq!(at(40, &line(3)), (2, Some(grace)));
        assert_eq!(at(40 + grace, "junk"), (3, None));
        let expected = line(1).replace('x', "::1") + &line(2).replace('x', "::2") + &line(3);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut table, mut out) = (Consolidator::new(10), Vec::new());
        let line = format!("x - - [t] \"GET /\" {}", "x".repeat(60_000));
        for _ in 0..1_000 {
            table.take(Moment(0), [1, 1, 1, 1].into(), line.as_bytes(), &mut out, |_, _| ());
            assert!(table.held_bytes <= limits::PENLOGD_HELD);
        }
        assert!(out.len() > 50_000_000);
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines_or_junk(datagrams in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..60), 0..20,
        )) {
            let (mut table, mut out, mut kept) = (Consolidator::new(3), Vec::new(), 0);
            for datagram in &datagrams {
                table.take(Moment(0), [1, 1, 1, 1].into(), datagram, &mut out, |outcome, _| {
                    kept += usize::from(!matches!(outcome, Outcome::Junk | Outcome::Entry));
                });
            }
            table.release(None, &mut out, |outcome, _| {
                kept += usize::from(!matches!(outcome, Outcome::Junk | Outcome::Entry));
            });
            prop_assert_eq!((table.held.len(), table.held_bytes), (0, 0));
            prop_assert_eq!(out.iter().filter(|b| **b == b'\n').count(), kept);
            prop_assert!(out.iter().all(|b| *b >= 0x20 && *b != 0x7f || matches!(b, b'\n' | b'\t')));
        }
    }
}
