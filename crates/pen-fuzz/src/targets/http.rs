//! Requests on their way to a server, with X-Forwarded-For and X-Forwarded-Proto in them.
//!
//! The first byte is the settings, the second the size of the pieces.

use pen_core::config::Forwarded;
use pen_core::http::{Refused, Rewriter, Truth};
use pen_core::limits;

use super::named;
use crate::Choices;
use crate::draft::{v4, v6};

/// What came out, and how it ended.
#[derive(PartialEq, Eq)]
struct Passed {
    out: Vec<u8>,
    result: Result<(), Refused>,
    /// Nothing was kept back when the stream ended.
    all: bool,
}

fn pass(truth: Truth, bytes: &[u8], size: usize) -> Passed {
    let (mut rewriter, mut out) = (Rewriter::new(truth), Vec::new());
    let mut result = Ok(());
    for piece in bytes.chunks(size.max(1)) {
        result = rewriter.feed(piece, &mut out);
        assert!(rewriter.held() <= limits::HTTP_HEAD_MAX, "{} bytes are kept", rewriter.held());
        if result.is_err() {
            let before = out.len();
            assert_eq!(rewriter.feed(b"GET / HTTP/1.1\r\n\r\n", &mut out), result, "it forgot");
            assert_eq!(out.len(), before, "something went after the refusal");
            break;
        }
    }
    let all = rewriter.held() == 0;
    rewriter.finish(&mut out);
    Passed { out, result, all }
}

/// However the stream is cut the outcome is the same, every byte but the two fields is as it was, and
/// a server that reads the first request finds the truth in it.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (bits, size) = (choices.byte(), usize::from(choices.byte()));
    let bytes = choices.0;
    let truth = Truth {
        client: [Some(v4(7)), Some(v6(7)), None, Some(v4(7))]
            .get(usize::from(bits % 4))
            .copied()
            .flatten(),
        tls: bits & 4 != 0,
        forwarded: match bits >> 6 {
            0 | 1 => Forwarded::Append,
            2 => Forwarded::Replace,
            _ => Forwarded::Keep,
        },
    };
    let whole = pass(truth, bytes, usize::MAX);
    for size in [1, 1 + size] {
        let pieces = pass(truth, bytes, size);
        assert_eq!(pieces.result, whole.result, "in pieces of {size}");
        // Of a piece in which a body goes wrong nothing is passed on; what went before is.
        let agree = match whole.result {
            Ok(()) => pieces.out == whole.out,
            Err(_) => pieces.out.starts_with(&whole.out),
        };
        assert!(agree, "in pieces of {size} other bytes go out");
    }
    let (before, after) = (without_claims(bytes), without_claims(&whole.out));
    assert!(before.starts_with(&after), "bytes were changed");
    let whole_way = whole.result.is_ok() && whole.all;
    assert!(!whole_way || before.len() == after.len(), "bytes were kept");
    if whole.result.is_ok() {
        believed(truth, bytes, &whole.out);
    }
}

/// The lines that say nothing of the client.
fn without_claims(bytes: &[u8]) -> Vec<u8> {
    let claims = |line: &[u8]| {
        let head = line.get(..13.min(line.len())).unwrap_or_default();
        head.eq_ignore_ascii_case(b"x-forwarded-f") || head.eq_ignore_ascii_case(b"x-forwarded-p")
    };
    let lines = bytes.split_inclusive(|b| *b == b'\n').filter(|line| !claims(line));
    // The fields are put in with CRLF, also behind a line that ends with LF alone.
    let ends = |line: &[u8]| line.ends_with(b"\r\n");
    lines
        .flat_map(|line| {
            line.iter().enumerate().filter(move |(at, _)| !ends(line) || at + 2 != line.len())
        })
        .map(|(_, b)| *b)
        .collect()
}

/// What a server of another make reads in the first request that it is sent.
fn believed(truth: Truth, sent: &[u8], out: &[u8]) {
    let mut room = [httparse::EMPTY_HEADER; 300];
    let mut request = httparse::Request::new(&mut room);
    // A head that did not come to its end goes on without the fields, and no server acts on it.
    let Ok(httparse::Status::Complete(_)) = request.parse(out) else { return };
    let mut room = [httparse::EMPTY_HEADER; 300];
    if !matches!(httparse::Request::new(&mut room).parse(sent), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let values = |name: &str| -> Vec<&[u8]> {
        let fits = |h: &&httparse::Header<'_>| h.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(fits).map(|h| h.value).collect()
    };
    let proto: &[u8] = if truth.tls { b"https" } else { b"http" };
    assert_eq!(values("x-forwarded-proto"), [proto], "{}", String::from_utf8_lossy(out));
    let Some(client) = truth.client.map(|ip| ip.to_string()) else { return };
    let said = values("x-forwarded-for");
    let Some(last) = said.last() else { panic!("the server does not hear of the client") };
    match truth.forwarded {
        Forwarded::Keep => {}
        Forwarded::Append => assert!(last.ends_with(client.as_bytes())),
        Forwarded::Replace => assert_eq!(said, [client.as_bytes()]),
    }
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let with = |bits: u8, size: u8, text: &str| [&[bits, size][..], text.as_bytes()].concat();
    let get =
        "GET /a HTTP/1.1\r\nHost: a.example\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
    let forged = "GET / HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4\r\nx-forwarded-proto: https\r\n\
                  X-Forwarded-For: 5.6.7.8, 9.9.9.9\r\nHost: a\r\n\r\n";
    let post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nTrailer: t\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let both =
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let upgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x01binary";
    named([
        ("get", with(0, 0, get)),
        ("forged-append", with(0, 9, forged)),
        ("forged-replace", with(0x84, 2, forged)),
        ("forged-keep", with(0xc1, 200, forged)),
        ("post-and-get", with(1, 6, post)),
        ("chunked", with(5, 3, chunked)),
        ("two-lengths", with(0, 0, both)),
        ("upgrade", with(0, 30, upgrade)),
        ("connect", with(2, 1, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03\x01")),
        ("bare-line-feeds", with(0, 4, "GET / HTTP/1.0\nHost: a\n\n")),
        ("folded", with(0, 4, "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n")),
        ("old", with(0, 0, "GET /\r\n")),
        ("smtp", with(0, 0, "EHLO client.example\r\nMAIL FROM:<a@b>\r\n")),
        ("http2", with(4, 0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        ("unfinished", with(0, 5, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n")),
    ])
}
