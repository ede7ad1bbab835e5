//! Formats byte for byte, and which pieces of a stream become entries.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;

const CLIENT: ClientAddr = ClientAddr::Ip(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5)));

fn file(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    file_line(&mut out, CLIENT, WallSeconds(77), &"127.0.0.8", data);
    out
}

fn net(data: &[u8]) -> Vec<u8> {
    datagram(CLIENT, &"127.0.0.8", data).unwrap_or_default()
}

#[test]
fn file_form() {
    let long = format!("127.0.0.5 77 127.0.0.8 {}\n", "C".repeat(100));
    for (data, expected) in [
        (
            &b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"[..],
            &b"127.0.0.5 77 127.0.0.8 GET / HTTP/1.0\n"[..],
        ),
        (b"\nfifth", b"127.0.0.5 77 127.0.0.8 \n"),
        (b"", b""),
        (b"caf\xc3\xa9 \xff\x01\x7f!\n", b"127.0.0.5 77 127.0.0.8 caf.. .\\x01\\x7f!\n"),
        (b"a\x1b[2J\tb", b"127.0.0.5 77 127.0.0.8 a\\x1b[2J\\x09b\n"),
        (&[b'C'; 101], long.as_bytes()),
    ] {
        assert_eq!(file(data).escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

#[test]
fn datagram_form() {
    assert_eq!(net(b"GET /a HTTP/1.0\r\n\r\n"), b"+ 127.0.0.5 127.0.0.8 GET /a HTTP/1.0\n");
    assert_eq!(net(b"\xe9\x01x\n"), b"+ 127.0.0.5 127.0.0.8 \xe9\x01x\n");
    assert_eq!(net(b"\n"), b"+ 127.0.0.5 127.0.0.8 \n");
    assert_eq!(datagram(CLIENT, &"b", b""), None);
    let long = net(&[b'y'; 3000]);
    assert_eq!((long.len(), long.last()), (1024, Some(&b'\n')));
    assert_eq!(net(&vec![b'y'; 1024 - 23]).len(), 1024);
}

fn entries(reads: &[&[u8]]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut tracker = LogTracker::new();
    let mut note = |data: &[u8]| seen.push(first_line(data).escape_ascii().to_string());
    for read in reads {
        tracker.feed(read, &mut note);
        assert!(tracker.held() <= limits::LOG_DATAGRAM_MAX);
    }
    tracker.finish(&mut note);
    seen
}

#[test]
fn other_traffic_is_one_entry_per_read() {
    for (reads, expected) in [
        (&[&b"first\nsecond\n"[..], b"third\rfourth", b"\nfifth"][..], &["first", "third", ""][..]),
        (&[b"hel", b"lo\n", b"again\n"], &["hel", "lo", "again"]),
        (&[b"undecided"], &["undecided"]),
        (&[b"\n", b"x y z\n"], &["", "x y z"]),
        (&[b"\x16\x03\x01", b"GET / HTTP/1.1\r\n"], &["\\x16\\x03\\x01", "GET / HTTP/1.1"]),
        (&[b""], &[]),
    ] {
        assert_eq!(entries(reads), expected);
    }
    let lens: Vec<usize> = entries(&[&[b'A'; 99], &[b'B'; 100], &[b'C'; 101], &[b'D'; 5000]])
        .iter()
        .map(String::len)
        .collect();
    assert_eq!(lens, [99, 100, 101, 5000]);
}

#[test]
fn requests_are_one_entry_each() {
    let chunked: &[u8] = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n0\r\nX: y\r\n\r\nGET /d HTTP/1.1\r\n\r\n";
    for (reads, expected) in [
        (
            &[&b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"[..]][..],
            &["GET /1 HTTP/1.1", "GET /2 HTTP/1.1"][..],
        ),
        (&[b"GE", b"T / HT", b"TP/1.0\r", b"\nHost", b": a\r\n\r", b"\n"], &["GET / HTTP/1.0"]),
        (
            &[
                b"POST / HTTP/1.1\r\ncontent-LENGTH: 9\r\n\r\n",
                b"body\n",
                b"body",
                b"\r\n",
                b"PUT / HTTP/1.1\n\n",
            ],
            &["POST / HTTP/1.1", "PUT / HTTP/1.1"],
        ),
        (&[chunked], &["POST /c HTTP/1.1", "GET /d HTTP/1.1"]),
        (
            &[b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", b"\x81\x02hi", b"\x81\x02ho"],
            &["GET / HTTP/1.1", "\\x81\\x02hi", "\\x81\\x02ho"],
        ),
        (
            &[b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"a\n", b"b\n"],
            &["GET / HTTP/1.1", "a", "b"],
        ),
    ] {
        assert_eq!(entries(reads), expected);
    }
}

#[test]
fn an_endless_request_line_is_kept_within_the_bound() {
    let target = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(9000));
    let (first, second) = target.as_bytes().split_at(4000);
    let seen = entries(&[first, second, b"GET /2 HTTP/1.1\r\n\r\n"]);
    assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), [1024, 15]);
    let blah = [b'x'; 2000];
    let seen = entries(&[b"no target ", &blah, b" more"]);
    assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), [10, 1014, 5]);
}

proptest! {
    #[test]
    fn no_bytes_panic(reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        entries(&reads);
    }

    #[test]
    fn splits_do_not_change_the_requests_seen(cuts in prop::collection::vec(0_usize..200, 0..8)) {
        let stream: &[u8] = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\n\
            Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n\r\nPUT /3 HTTP/1.0\n\
            Content-Length: 4\n\nGET HEAD /4 HTTP/1.1\r\n\r\n";
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c % stream.len()).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let reads: Vec<&[u8]> = cuts.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
        prop_assert_eq!(entries(&reads),
            ["GET /1 HTTP/1.1", "POST /2 HTTP/1.1", "PUT /3 HTTP/1.0", "HEAD /4 HTTP/1.1"]);
    }
}
