//! A client's stream as the classic log sees it: one entry for each request.
//!
//! The first byte is the size of the reads.

use pen_core::limits;
use pen_core::logline::LogTracker;

use super::named;

/// The entries of a stream that comes in reads of this size.
fn entries(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (mut tracker, mut all) = (LogTracker::new(), Vec::new());
    for read in bytes.chunks(size) {
        tracker.feed(read, |entry| all.push(entry.to_vec()));
        assert!(tracker.held() <= limits::LOG_DATAGRAM_MAX, "{} bytes are kept", tracker.held());
    }
    tracker.finish(|entry| all.push(entry.to_vec()));
    all
}

/// Every entry stands in the stream, in this order; where another parser finds nothing but requests without
/// bodies the entries are their first lines, however they are cut.
pub fn run(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else { return };
    let lines = plain_requests(bytes);
    for size in [usize::MAX, 1, usize::from(*size) + 1] {
        let entries = entries(bytes, size);
        let mut rest = bytes;
        for entry in &entries {
            let at = rest.windows(entry.len().max(1)).position(|w| w == entry);
            let Some(at) = at else { panic!("nobody said {entry:?}, in reads of {size}") };
            rest = rest.get(at + entry.len()..).unwrap_or_default();
        }
        if let Some(lines) = &lines {
            let said: Vec<&[u8]> = entries.iter().map(|entry| entry.trim_ascii_end()).collect();
            assert_eq!(said, *lines, "in reads of {size}");
        }
    }
}

/// The first lines of requests, if the bytes are nothing but these and none may have a body.
fn plain_requests(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut rest, mut lines) = (bytes, Vec::new());
    while !rest.is_empty() {
        let mut room = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut room);
        let Ok(httparse::Status::Complete(length)) = request.parse(rest) else { return None };
        let plain = ["GET", "PUT", "POST", "DELETE"].contains(&request.method?);
        if !plain || !request.headers.iter().all(|h| h.name.eq_ignore_ascii_case("host")) {
            return None;
        }
        let line = rest.split(|b| *b == b'\n').next()?.trim_ascii_end();
        if rest.starts_with(b"\r") || rest.starts_with(b"\n") || line.len() > 500 {
            return None;
        }
        lines.push(line);
        rest = rest.get(length..)?;
    }
    Some(lines)
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let with = |size: u8, text: &str| [&[size][..], text.as_bytes()].concat();
    let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    named([
        ("one", with(3, get)),
        ("three", with(10, &get.repeat(3))),
        (
            "post",
            with(2, "POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n"),
        ),
        (
            "chunked",
            with(
                6,
                "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            ),
        ),
        (
            "two-lengths",
            with(1, "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        ),
        ("long", with(200, &format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1_500)))),
        ("smtp", with(0, "EHLO client.example\r\nMAIL FROM:<a@b>\r\n")),
        ("half", with(4, "GET /half HTTP/1.1\r\nHo")),
        ("empty-lines", with(0, "\r\n\r\nGET / HTTP/1.0\r\n\r\n\r\n\r\nGET /b HTTP/1.0\r\n\r\n")),
    ])
}
