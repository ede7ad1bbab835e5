//! What `penlogd` does with a datagram: entries of Pen are remembered, web lines get the client of
//! their entry. Deliberately not here: sockets, files, when lines are written.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::logline::Entry;
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
}

impl Consolidator {
    /// With room for this many entries.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self { requests: Requests::new(entries), counts: Counts::default() }
    }

    /// Takes a datagram, which may hold several lines. What is to be written is appended to `out` as
    /// whole lines; `said` hears of each.
    pub fn take(
        &mut self,
        sender: IpAddr,
        datagram: &[u8],
        out: &mut Vec<u8>,
        mut said: impl FnMut(Outcome, &[u8]),
    ) {
        let text = datagram.strip_suffix(b"\n").unwrap_or(datagram);
        for line in text.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let outcome = self.line(sender, line, out);
            said(outcome, line);
        }
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

    fn line(&mut self, sender: IpAddr, line: &[u8], out: &mut Vec<u8>) -> Outcome {
        if line.first() == Some(&b'+') {
            let Some(entry) = Entry::from_datagram(line) else {
                self.counts.junk = self.counts.junk.saturating_add(1);
                return Outcome::Junk;
            };
            self.requests.remember(&entry);
            self.counts.entries = self.counts.entries.saturating_add(1);
            return Outcome::Entry;
        }
        let Ok(web) = WebLine::parse(line) else {
            self.counts.junk = self.counts.junk.saturating_add(1);
            return Outcome::Junk;
        };
        let spellings: Vec<_> = web.spellings().collect();
        let found = self.requests.client(sender, spellings.iter().map(|s| &**s));
        match found.filter(|_| web.has_client()) {
            Some(client) => {
                let mut made = Vec::with_capacity(line.len() + client.len());
                web.append_with(&mut made, client);
                append_printable(out, &made);
                self.counts.replaced = self.counts.replaced.saturating_add(1);
                Outcome::Replaced
            }
            None => {
                append_printable(out, line);
                self.counts.unchanged = self.counts.unchanged.saturating_add(1);
                Outcome::Unchanged
            }
        }
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
            table.take([127, 0, 0, 9].into(), datagram.as_bytes(), &mut out, |_, _| ());
        }
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

    proptest! {
        #[test]
        fn any_bytes_are_lines_or_junk(datagrams in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..60), 0..20,
        )) {
            let (mut table, mut out, mut kept) = (Consolidator::new(3), Vec::new(), 0);
            for datagram in &datagrams {
                table.take([1, 1, 1, 1].into(), datagram, &mut out, |outcome, _| {
                    kept += usize::from(!matches!(outcome, Outcome::Junk | Outcome::Entry));
                });
            }
            prop_assert_eq!(out.iter().filter(|b| **b == b'\n').count(), kept);
            prop_assert!(out.iter().all(|b| *b >= 0x20 && *b != 0x7f || matches!(b, b'\n' | b'\t')));
        }
    }
}
