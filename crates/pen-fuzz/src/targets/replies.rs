//! What a client and a server say to each other by turns: requests on their way, and the replies that decide
//! whether the connection leaves HTTP.
//!
//! The first byte is the size of the pieces in which replies come; then turns, each a byte (even: the client,
//! odd: the server) and what it says, with its length before it.

use pen_core::config::Forwarded;
use pen_core::http::{Refused, Rewriter, Truth};
use pen_core::limits;

use super::named;
use crate::draft::v4;
use crate::{Choices, record};

/// Who speaks, and what.
struct Turn<'a> {
    server: bool,
    said: &'a [u8],
}

fn turns(mut choices: Choices<'_>) -> Vec<Turn<'_>> {
    let mut all = Vec::new();
    while !choices.is_empty() {
        all.push(Turn { server: choices.byte() & 1 == 1, said: choices.record() });
    }
    all
}

/// What the server was sent, and how it ended.
fn pass(turns: &[Turn<'_>], size: usize, heard: bool) -> (Vec<u8>, Result<(), Refused>) {
    let truth = Truth { client: Some(v4(7)), tls: true, forwarded: Forwarded::Append };
    let (mut rewriter, mut out) = (Rewriter::new(truth), Vec::new());
    for turn in turns {
        let said = if turn.server && heard {
            turn.said.chunks(size).for_each(|piece| rewriter.saw_reply(piece));
            &[]
        } else if turn.server {
            continue;
        } else {
            turn.said
        };
        if let Err(refused) = rewriter.feed(said, &mut out) {
            return (out, Err(refused));
        }
        assert!(rewriter.held() <= limits::HTTP_HEAD_MAX, "{} bytes are kept", rewriter.held());
    }
    rewriter.no_more_replies();
    let result = rewriter.feed(&[], &mut out);
    rewriter.finish(&mut out);
    (out, result)
}

/// However replies are cut the outcome is the same; without a reply that lets the connection leave HTTP it is as
/// if there had been none.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let size = usize::from(choices.byte()) + 1;
    let turns = turns(choices);
    let whole = pass(&turns, usize::MAX, true);
    for size in [1, size] {
        assert_eq!(pass(&turns, size, true), whole, "in pieces of {size}");
    }
    let server: Vec<u8> = turns.iter().filter(|t| t.server).flat_map(|t| t.said).copied().collect();
    if !lets_go(&server) {
        assert_eq!(pass(&turns, 1, false), whole, "the server has let nobody go");
    }
}

/// Whether anything that a server said could be a status line of 101 or of a success.
fn lets_go(said: &[u8]) -> bool {
    said.split(|b| *b == b'\n').any(|line| {
        let status = line.windows(4).any(|w| w == b" 101" || w.starts_with(b" 2"));
        status && line.windows(5).any(|w| w == b"HTTP/")
    })
}

fn talk(size: u8, turns: &[(u8, &str)]) -> Vec<u8> {
    let said =
        turns.iter().flat_map(|(who, said)| [&[*who][..], &record(said.as_bytes())].concat());
    [size].into_iter().chain(said).collect()
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    const UPGRADE: &str =
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    const CONNECT: &str = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01";
    const DECLINED: &str = "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n";
    const CHUNKED: &str =
        "HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nHTT\r\n0\r\n\r\n";
    const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let binary = "GET / HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n";
    named([
        ("upgrade", talk(3, &[(0, UPGRADE), (1, SWITCHING), (0, binary)])),
        ("declined", talk(3, &[(0, UPGRADE), (1, DECLINED), (0, binary)])),
        ("connect", talk(9, &[(0, CONNECT), (1, OK), (0, binary)])),
        ("connect-declined", talk(9, &[(0, CONNECT), (1, CHUNKED), (0, binary)])),
        ("interim", talk(0, &[(0, UPGRADE), (1, INTERIM), (1, SWITCHING), (0, binary)])),
        (
            "behind-another",
            talk(2, &[(0, GET), (0, UPGRADE), (1, OK), (1, SWITCHING), (0, binary)]),
        ),
        (
            "in-a-body",
            talk(
                5,
                &[
                    (0, GET),
                    (0, UPGRADE),
                    (
                        1,
                        "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n....",
                    ),
                    (0, binary),
                    (1, DECLINED),
                ],
            ),
        ),
        ("server-first", talk(7, &[(1, "220 mail.example ESMTP\r\n"), (0, "EHLO a\r\n")])),
        (
            "no-end",
            talk(7, &[(0, UPGRADE), (1, "HTTP/1.1 200 OK\r\n\r\nuntil the end"), (0, binary)]),
        ),
        (
            "head",
            talk(
                1,
                &[
                    (0, "HEAD / HTTP/1.1\r\n\r\n"),
                    (0, UPGRADE),
                    (1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
                    (1, DECLINED),
                    (0, binary),
                ],
            ),
        ),
    ])
}
