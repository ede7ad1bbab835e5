//! The order of the merge and the choice of entries, against the plain way of saying it.

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::logline::RequestKey;

fn key(n: u8) -> RequestKey {
    RequestKey::of_request(b"s", &[b'a' + n])
}

#[test]
fn servers_by_word_and_by_address() {
    use crate::logline::Entry;
    let mut servers = Servers::default();
    let (v4, name) = (servers.add("127.0.0.9"), servers.add("www1"));
    let v6 = servers.add("2001:db8::0:1");
    assert_eq!(servers.add("127.0.0.9"), v4);
    assert_eq!(servers.add("::ffff:127.0.0.9"), v4);
    let of = |servers: &Servers, word: &str| {
        servers.of(&Entry::from_file(format!("c 1 {word} t").as_bytes()).unwrap())
    };
    assert_eq!(of(&servers, "127.0.0.9"), Some(v4));
    assert_eq!(of(&servers, "2001:db8::1"), Some(v6));
    assert_eq!(of(&servers, "www1"), Some(name));
    assert_eq!(of(&servers, "10.0.0.1"), None);
    assert_eq!(servers.names().collect::<Vec<_>>(), [(name, "www1")]);
    servers.learn(name, [10, 0, 0, 1].into());
    servers.learn(name, [127, 0, 0, 9].into());
    assert_eq!(of(&servers, "10.0.0.1"), Some(name));
    assert_eq!(of(&servers, "127.0.0.9"), Some(v4));
}

#[test]
fn a_full_window_keeps_what_is_nearest() {
    let mut window = Window::new(600, 4);
    let mut log = (0..100_i64).map(|n| (n * 10, n));
    for line in [300_i64, 310, 700] {
        window.advance(WallSeconds(line));
        while window.wants_more() {
            let Some((time, n)) = log.next() else { break };
            window.add(WallSeconds(time), Some(key(0)), &format!("c{n}"));
            assert!(window.len() <= 4);
        }
        let want = format!("c{}", line / 10);
        assert_eq!(window.nearest([key(0)]).map(ToString::to_string), Some(want));
    }
    assert!(window.crowded() > 0);
}

#[test]
fn clients_are_shown_as_they_were_written() {
    for word in ["10.0.0.1", "::1", "2001:DB8::1", "unix", "010.0.0.1"] {
        assert_eq!(Client::new(word).to_string(), word);
    }
    const { assert!(size_of::<Client>() <= 24) };
    const { assert!(limits::MERGE_WINDOW_MAX > 0) };
}

/// What the window promises, said plainly: entries are (time, key).
fn plainly(entries: &[(i64, u8)], lines: &[(i64, u8)], jitter: i64) -> Vec<Option<usize>> {
    let (mut kept, mut next): (Vec<usize>, usize) = (Vec::new(), 0);
    let mut found = Vec::new();
    for (time, wanted) in lines {
        kept.retain(|e| entries[*e].0 >= time - jitter);
        while next < entries.len() && (next == 0 || entries[next - 1].0 <= time + jitter) {
            if entries[next].0 >= time - jitter {
                kept.push(next);
            }
            next += 1;
        }
        let same = kept.iter().copied().filter(|e| entries[*e].1 == *wanted);
        found.push(same.min_by_key(|e| (entries[*e].0.abs_diff(*time), *e)));
    }
    found
}

proptest! {
    #[test]
    fn the_window_finds_what_a_plain_search_finds(
        entries in prop::collection::vec((0_i64..60, 0_u8..3), 0..40),
        mut lines in prop::collection::vec((0_i64..60, 0_u8..3), 0..40),
        jitter in 0_i64..20,
        sorted in any::<bool>(),
    ) {
        if sorted {
            lines.sort_unstable();
        }
        let mut window = Window::new(jitter, 1_000);
        let mut log = entries.iter().enumerate();
        let mut found = Vec::new();
        for (time, wanted) in &lines {
            window.advance(WallSeconds(*time));
            while window.wants_more() {
                let Some((n, (time, of))) = log.next() else { break };
                window.add(WallSeconds(*time), Some(key(*of)), &n.to_string());
            }
            let client = window.nearest([key(*wanted)]).map(|c| c.to_string().parse().unwrap());
            found.push(client);
        }
        prop_assert_eq!(found, plainly(&entries, &lines, jitter));
    }

    #[test]
    fn a_batch_finds_the_nearest_of_all(
        entries in prop::collection::vec((0_i64..60, 0_u8..3), 0..40),
        lines in prop::collection::vec((0_i64..60, 0_u8..3), 0..40),
    ) {
        let mut batch = Batch::default();
        for (time, wanted) in &lines {
            batch.want(WallSeconds(*time), [key(9), key(*wanted)]);
        }
        for (n, (time, of)) in entries.iter().enumerate() {
            batch.meet(WallSeconds(*time), key(*of), &n.to_string());
        }
        for (time, wanted) in &lines {
            let same = (0..entries.len()).filter(|e| entries[*e].1 == *wanted);
            let want = same.min_by_key(|e| (entries[*e].0.abs_diff(*time), *e));
            let found = batch.found(WallSeconds(*time), [key(9), key(*wanted)]);
            prop_assert_eq!(found.map(|c| c.to_string().parse().unwrap()), want);
        }
    }

    #[test]
    fn the_merge_loses_nothing_and_keeps_order(
        logs in prop::collection::vec(prop::collection::vec(0_i64..50, 0..20), 0..6),
        sorted in any::<bool>(),
    ) {
        let mut logs = logs;
        if sorted {
            logs.iter_mut().for_each(|log| log.sort_unstable());
        }
        let mut heads = Heads::default();
        let mut at = vec![0; logs.len()];
        for (input, log) in logs.iter().enumerate() {
            log.first().iter().for_each(|time| heads.push(WallSeconds(**time), input));
        }
        let mut merged = Vec::new();
        while let Some(input) = heads.pop() {
            merged.push((logs[input][at[input]], input));
            at[input] += 1;
            logs[input].get(at[input]).iter().for_each(|t| heads.push(WallSeconds(**t), input));
        }
        for (input, log) in logs.iter().enumerate() {
            let own: Vec<i64> = merged.iter().filter(|(_, i)| *i == input).map(|(t, _)| *t).collect();
            prop_assert_eq!(&own, log);
        }
        if sorted {
            let mut expected = merged.clone();
            expected.sort();
            prop_assert_eq!(merged, expected);
        }
    }
}
