//! Lines, the ring, and what repeats.

use std::collections::BTreeSet;

use super::*;
use crate::limits::{EVENT_BURST, EVENT_REPEAT_MAX_S, EVENT_REPEAT_S, EVENTS_KEPT};
use crate::moment::{Moment, WallMs};

fn down(server: u32) -> Subject<'static> {
    Subject::new(EventKey::ServerDown)
        .at("web")
        .server(ServerRef::Regular(server))
        .because("refused")
}

fn up(server: u32) -> Subject<'static> {
    Subject { key: EventKey::ServerUp, cause: Some("answered"), ..down(server) }
}

#[test]
fn keys_are_words_of_their_own() {
    let keys: BTreeSet<&str> = EventKey::ALL.iter().copied().map(EventKey::word).collect();
    assert_eq!(keys.len(), EventKey::ALL.len());
    let own = ["seq", "time", "time_ms", "key", "severity", "service", "server", "address"];
    let own = own.into_iter().chain(["cause", "repeated", "text", "count"]);
    let details: BTreeSet<&str> = Detail::ALL.iter().map(|d| d.word()).chain(own).collect();
    assert_eq!(details.len(), Detail::ALL.len() + 12);
    let plain = |w: &&str| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    assert!(keys.iter().chain(&details).all(plain));
}

#[test]
fn a_line_is_one_line_whatever_is_in_it() {
    let event = down(3)
        .event()
        .address("127.0.0.1:80")
        .with(Detail::BlacklistS, 30_u32)
        .with(Detail::Error, "a\nseq=9 \"x\"")
        .saying("server 3 (127.0.0.1:80) refused");
    let told = Occurrence { seq: 7, wall: WallMs(1_700_000_000_123), count: 2, event };
    assert_eq!(
        told.line(),
        "seq=7 time=2023-11-14T22:13:20.123Z key=server_down severity=error service=web server=3 \
         address=127.0.0.1:80 cause=refused repeated=2 blacklist_s=30 error=\"a\\x0aseq=9 \\\"x\\\"\" \
         text=\"server 3 (127.0.0.1:80) refused\""
    );
    let json: serde_json::Value = serde_json::from_str(&told.json()).unwrap();
    assert_eq!(json["key"], "server_down");
    assert_eq!(json["server"], "3");
    assert_eq!(json["time_ms"], 1_700_000_000_123_i64);
    assert_eq!(json["error"], "a\nseq=9 \"x\"");
    assert!(!told.json().contains('\n'));
}

#[test]
fn the_ring_keeps_the_newest_and_counts_the_rest() {
    let mut ring = Ring::default();
    assert_eq!(ring.since(0, 10), Since::default());
    let total = EVENTS_KEPT as u64 + 10;
    for _ in 0..total {
        ring.push(down(0).event(), WallMs(0), 1);
    }
    let numbers = |after, max| {
        let since = ring.since(after, max);
        let numbers: Vec<u64> = since.events.iter().map(|e| e.seq).collect();
        (numbers.first().copied(), numbers.len(), since.lost, since.last)
    };
    assert_eq!(numbers(0, usize::MAX), (Some(11), EVENTS_KEPT, 10, total));
    assert_eq!(numbers(10, usize::MAX), (Some(11), EVENTS_KEPT, 0, total));
    assert_eq!(numbers(total - 2, usize::MAX), (Some(total - 1), 2, 0, total));
    assert_eq!(numbers(total, usize::MAX), (None, 0, 0, total));
    assert_eq!(numbers(total - 20, 5), (Some(total - 4), 5, 15, total));
    assert_eq!(numbers(total + 1, usize::MAX), (Some(11), EVENTS_KEPT, 10, total));
}

/// Tells an event and answers what is shown by then.
fn tell(limiter: &mut Limiter, subject: Subject<'_>, at_s: u32) -> Vec<(EventKey, u64)> {
    let now = Moment(0).plus_s(at_s);
    let mut shown: Vec<_> = limiter.due(now).into_iter().map(|d| (d.event.key, d.count)).collect();
    match limiter.ask(subject, now) {
        Verdict::Show => shown.push((subject.key, 1)),
        Verdict::Hold => limiter.hold(subject, subject.event(), WallMs(i64::from(at_s))),
        Verdict::Count => {}
    }
    shown
}

#[test]
fn what_repeats_is_counted_and_told_ever_more_rarely() {
    let mut limiter = Limiter::default();
    let full = Subject::new(EventKey::LimitReached).at("web").because("connections");
    let (mut lines, mut sum, mut last) = (0, 0, 0);
    for s in 0..10 * EVENT_REPEAT_MAX_S {
        for (_, count) in tell(&mut limiter, full, s) {
            (lines, sum, last) = (lines + 1, sum + count, s);
        }
    }
    assert!((10..30).contains(&lines), "{lines} lines");
    // All that happened before the last line is counted in it or in one before.
    assert_eq!(sum, u64::from(last) + u64::from(sum > u64::from(last)));
    assert!(limiter.holds());
    let end = Moment(0).plus_s(12 * EVENT_REPEAT_MAX_S);
    assert_eq!(limiter.due(end).len(), 1);
    assert!(!limiter.holds());
    // After a quiet time it is news again.
    assert!(limiter.due(end.plus_s(2 * EVENT_REPEAT_MAX_S)).is_empty());
    assert_eq!(limiter.ask(full, end.plus_s(2 * EVENT_REPEAT_MAX_S)), Verdict::Show);
}

#[test]
fn kinds_do_not_hold_each_other_back() {
    let mut limiter = Limiter::default();
    let limit = Subject::new(EventKey::LimitReached);
    for subject in [
        down(0),
        down(1),
        Subject { service: Some("mail"), ..down(0) },
        limit.at("web").because("connections"),
        limit.at("web").because("pending"),
        limit.because("connections"),
    ] {
        assert_eq!(tell(&mut limiter, subject, 1), [(subject.key, 1)]);
    }
    // What only the operator brings about is never held back.
    for _ in 0..100 {
        assert_eq!(limiter.ask(Subject::new(EventKey::Reload), Moment(0)), Verdict::Show);
    }
}

#[test]
fn the_last_line_about_a_server_is_true() {
    for (flaps, seed) in [(1_u32, 3_u32), (7, 5), (8, 1), (9, 2), (50, 4), (51, 1)] {
        let mut limiter = Limiter::default();
        let (mut shown, mut at) = (Vec::new(), 0);
        for n in 0..flaps {
            let subject = if n % 2 == 0 { down(0) } else { up(0) };
            shown.extend(tell(&mut limiter, subject, at));
            at += (n * seed) % 4;
        }
        let truth = if flaps % 2 == 1 { EventKey::ServerDown } else { EventKey::ServerUp };
        let due = limiter.due(Moment(0).plus_s(at + EVENT_REPEAT_S));
        shown.extend(due.into_iter().map(|d| (d.event.key, d.count)));
        assert_eq!(shown.last().unwrap().0, truth, "{flaps} {shown:?}");
        assert_eq!(shown.iter().map(|(_, n)| n).sum::<u64>(), u64::from(flaps));
        let bound = (at / EVENT_REPEAT_S + 2) * (EVENT_BURST + 1);
        assert!(shown.len() <= bound as usize, "{shown:?}");
    }
}

#[test]
fn every_key_and_detail_is_explained() {
    let documented = include_str!("../../../../docs/logs.md");
    let words = EventKey::ALL.iter().map(|k| k.word()).chain(Detail::ALL.iter().map(|d| d.word()));
    for word in words {
        assert!(documented.contains(&format!("`{word}`")), "docs/logs.md does not name {word}");
    }
}
