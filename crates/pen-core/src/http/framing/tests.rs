//! First lines, fields and bodies as tables; chunked bodies against a naive reader.

use proptest::prelude::*;

use super::*;

#[test]
fn first_lines() {
    let plain = RequestLine { connect: false, head: false, old: false };
    let old = RequestLine { old: true, ..plain };
    for (line, expected) in [
        (&b"GET / HTTP/1.1\r\n"[..], Scan::Http(plain)),
        (b"GET / HTTP/1.0\n", Scan::Http(old)),
        (b"\r\n\r\nget  /\tHTTP/1.1 \r\n", Scan::Http(plain)),
        (b"GET / http/01.1\r\n", Scan::Http(plain)),
        (b"GET / HTTP/0.9\r\n", Scan::Http(old)),
        (b"GET /a b HTTP/1.1\r\n", Scan::Http(plain)),
        (b"GET\x0c/\x0bHTTP/1.1\r\r\n", Scan::Http(plain)),
        (b"CONNECT a:1 HTTP/1.1\r\n", Scan::Http(RequestLine { connect: true, ..plain })),
        (b"CONNECTX a:1 HTTP/1.1\r\n", Scan::Http(plain)),
        (b"CONN a:1 HTTP/1.1\r\n", Scan::Http(plain)),
        (b"HEAD / HTTP/1.1\r\n", Scan::Http(RequestLine { head: true, ..plain })),
        (b"M-SEARCH * HTTP/1.1\r\n", Scan::Http(plain)),
        (b"PRI * HTTP/2.0\r\n", Scan::NotHttp),
        (b"GET / HTTP/2.0\r\n", Scan::Http(plain)),
        (b"PRIM / HTTP/2.0\r\n", Scan::Http(plain)),
        (b"GET / HTTP/300.1\r\n", Scan::Http(plain)),
        (b"GET HTTP/1.1\r\n", Scan::NotHttp),
        (b"GET /\r\n", Scan::NotHttp),
        (b"EHLO client.example\r\n", Scan::NotHttp),
        (b"GETTING started\r\n", Scan::NotHttp),
        (b"SSH-2.0-x\r", Scan::NotHttp),
        (b"SETUP rtsp://a RTSP/1.0\r\n", Scan::NotHttp),
        (b"PING\r", Scan::NotHttp),
        (b"\x16", Scan::NotHttp),
        (b"{", Scan::NotHttp),
        (b"GET /\x00", Scan::NotHttp),
        (b"GET / HTTP/1.1", Scan::More),
    ] {
        let (used, scan) = FirstLine::new().scan(line);
        assert_eq!((used, scan), (line.len(), expected), "{}", line.escape_ascii());
    }
}

#[test]
fn ends_of_heads() {
    for (head, expected) in [
        (&b"a\r\n\r\nrest"[..], Some(5)),
        (b"a\n\nrest", Some(3)),
        (b"a\n\r\nrest", Some(4)),
        (b"a\r\n\nrest", Some(4)),
        (b"\r\nrest", Some(2)),
        (b"a\r\n\r\r\n\r", None),
        (b"a\r\nb", None),
    ] {
        assert_eq!(HeadEnd::default().find(head), expected, "{}", head.escape_ascii());
    }
}

#[test]
fn lengths() {
    let new = RequestLine { connect: false, head: false, old: false };
    let old = RequestLine { old: true, ..new };
    let connect = RequestLine { connect: true, ..new };
    for (line, fields, expected) in [
        (new, &[][..], Ok(Body::Length(0))),
        (new, &[("content-length", "7")], Ok(Body::Length(7))),
        (new, &[("Content-Length", "7"), ("content-length", "7")], Ok(Body::Length(7))),
        (new, &[("Content-Length", "7, 7")], Ok(Body::Length(7))),
        (new, &[("Content-Length", "7"), ("Content-Length", "8")], Err(Ambiguous)),
        (new, &[("Content-Length", "7, 8")], Err(Ambiguous)),
        (new, &[("Content-Length", "+7")], Err(Ambiguous)),
        (new, &[("Content-Length", "0x7")], Err(Ambiguous)),
        (new, &[("Content-Length", "")], Err(Ambiguous)),
        (new, &[("Content-Length", "18446744073709551616")], Err(Ambiguous)),
        (new, &[("Transfer-Encoding", "Chunked")], Ok(Body::CHUNKED)),
        (new, &[("Transfer-Encoding", "gzip, chunked")], Ok(Body::CHUNKED)),
        (
            new,
            &[("Transfer-Encoding", "gzip"), ("transfer-encoding", "chunked")],
            Ok(Body::CHUNKED),
        ),
        (new, &[("Transfer-Encoding", "chunked, gzip")], Err(Ambiguous)),
        (new, &[("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "x")], Err(Ambiguous)),
        (new, &[("Transfer-Encoding", "chunked, chunked")], Err(Ambiguous)),
        (new, &[("Transfer-Encoding", "chunked,")], Err(Ambiguous)),
        (new, &[("Transfer-Encoding", "identity")], Err(Ambiguous)),
        (new, &[("Transfer-Encoding", "xchunked")], Err(Ambiguous)),
        (new, &[("Transfer-Encoding", "chunked"), ("Content-Length", "7")], Err(Ambiguous)),
        (old, &[("Transfer-Encoding", "chunked")], Err(Ambiguous)),
        (connect, &[("Content-Length", "0")], Ok(Body::Length(0))),
        (connect, &[("Content-Length", "5")], Err(Ambiguous)),
    ] {
        let mut seen = Fields::default();
        for (name, value) in fields {
            seen.note(name.as_bytes(), value.as_bytes());
        }
        assert_eq!(seen.request_body(line), expected, "{fields:?}");
    }
}

#[test]
fn bad_chunks() {
    for body in [
        "x",
        "\r\n",
        ";a\r\n",
        "5\n",
        "5\rx",
        "-5\r\n",
        "5 6\r\n",
        "5;a\n",
        "1\r\nab\r\n",
        "1\r\na\n",
        "1\r\na\rb",
        "0\r\nX: y\n",
        "0\r\n\rX",
        "fffffffffffffffff\r\n",
        " 5\r\n",
        "0x5\r\n",
    ] {
        let mut state = Body::CHUNKED;
        assert_eq!(state.take(body.as_bytes()), Err(Ambiguous), "{body:?}");
    }
}

/// Chunks as a reader with the whole body in memory would see them: the length of the body.
fn naive(body: &[u8]) -> Option<usize> {
    let text: &[u8] = body;
    let line = |from: usize| {
        let rest = text.get(from..)?;
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        Some((&rest[..end], from + end + 2))
    };
    let mut at = 0;
    loop {
        let (size, next) = line(at)?;
        let size = std::str::from_utf8(size).ok()?.split(';').next()?.trim_end().to_owned();
        let size = usize::from_str_radix(&size, 16).ok()?;
        at = next;
        if size == 0 {
            break;
        }
        at += size + 2;
    }
    loop {
        let (trailer, next) = line(at)?;
        at = next;
        if trailer.is_empty() {
            return Some(at);
        }
    }
}

fn chunked_body() -> impl Strategy<Value = Vec<u8>> {
    let chunk = (prop::collection::vec(any::<u8>(), 1..40), prop::bool::ANY, 0_usize..3);
    let trailers = prop::collection::vec("[A-Z]{1,5}: [a-z]{0,5}", 0..3);
    (prop::collection::vec(chunk, 0..6), trailers).prop_map(|(chunks, trailers)| {
        let mut body = Vec::new();
        for (data, extension, zeros) in chunks {
            let extension = if extension { ";a=\"b\"" } else { "" };
            let zeros = "0".repeat(zeros);
            body.extend(format!("{zeros}{:x}{extension}\r\n", data.len()).bytes());
            body.extend(data);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n");
        for trailer in trailers {
            body.extend(trailer.bytes().chain(*b"\r\n"));
        }
        body.extend(b"\r\n");
        body
    })
}

proptest! {
    #[test]
    fn chunks_end_where_a_naive_reader_says(body in chunked_body(), tail in "[a-z]{0,9}",
                                            step in 1_usize..20) {
        let expected = naive(&body);
        prop_assert_eq!(expected, Some(body.len()));
        let mut stream = body;
        stream.extend(tail.bytes());
        let mut state = Body::CHUNKED;
        let mut total = 0;
        for piece in stream.chunks(step) {
            let used = state.take(piece).unwrap();
            total += used;
            if used < piece.len() {
                break;
            }
        }
        prop_assert!(state.done());
        prop_assert_eq!(Some(total), expected);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        FirstLine::new().scan(&bytes);
        HeadEnd::default().find(&bytes);
        let mut body = Body::CHUNKED;
        if let Ok(used) = body.take(&bytes) {
            prop_assert!(used == bytes.len() || body.done());
        }
    }
}
