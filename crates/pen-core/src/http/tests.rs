//! Whole connections: bytes in, bytes out, in every split.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const TRUTH: Truth = Truth {
    client: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6))),
    tls: false,
    forwarded: Forwarded::Append,
};
const ADDED: &str = "\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 127.0.0.6";

fn run(truth: Truth, pieces: &[&[u8]]) -> Result<Vec<u8>, Refused> {
    let mut rewriter = Rewriter::new(truth);
    let mut out = Vec::new();
    for piece in pieces {
        rewriter.feed(piece, &mut out)?;
        assert!(rewriter.held() <= HTTP_HEAD_MAX);
    }
    rewriter.finish(&mut out);
    assert_eq!(rewriter.held(), 0);
    Ok(out)
}

/// The same input whole, byte by byte and in two pieces gives the same output.
fn check(truth: Truth, input: &str, expected: Result<&str, Refused>) {
    let show = |r: Result<Vec<u8>, Refused>| r.map(|out| out.escape_ascii().to_string());
    let expected = show(expected.map(|text| text.as_bytes().to_vec()));
    let bytes = input.as_bytes();
    assert_eq!(show(run(truth, &[bytes])), expected, "{input:?}");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(show(run(truth, &single)), expected, "byte by byte: {input:?}");
    for at in 0..bytes.len() {
        let (a, b) = bytes.split_at(at);
        assert_eq!(show(run(truth, &[a, b])), expected, "cut at {at}: {input:?}");
    }
}

/// `@` in `expected` stands for the two headers as they are added.
fn rewritten(input: &str, expected: &str) {
    check(TRUTH, input, Ok(&expected.replace('@', ADDED)));
}

#[test]
fn headers_are_the_last_lines_of_the_head() {
    for (input, expected) in [
        ("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0@\r\n\r\n"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*@\r\n\r\n",
        ),
        ("GET / HTTP/1.0\nHost: a\n\nrest\n", "GET / HTTP/1.0\nHost: a@\n\nrest\n"),
        ("get / HTTP/1.1\n\r\n", "get / HTTP/1.1@\n\r\n"),
        // A second CR belongs to the line and passes with it.
        (
            "\r\n\r\nBREW /pot HTTP/1.1 \r\r\nA:\r\n\r\n",
            "\r\n\r\nBREW /pot HTTP/1.1 \r\r\nA:@\r\n\r\n",
        ),
    ] {
        rewritten(input, expected);
    }
}

#[test]
fn every_request_of_a_connection() {
    rewritten(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /1 HTTP/1.1\r\nHost: a@\r\n\r\nGET /2 HTTP/1.1\r\nHost: a@\r\n\r\n",
    );
    rewritten(
        "POST / HTTP/1.1\r\nContent-Length: 18\r\nExpect: 100-continue\r\n\r\nGET / HTTP/1.1\r\n\r\n\
         PUT / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 18\r\nExpect: 100-continue@\r\n\r\nGET / HTTP/1.1\r\n\r\n\
         PUT / HTTP/1.1@\r\n\r\n",
    );
    rewritten(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n12;x=\"y\"\r\nGET / HTTP/1.1\r\n\r\n\r\n\
         0\r\nX-Forwarded-For: t\r\n\r\n\r\nHEAD / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked@\r\n\r\n12;x=\"y\"\r\nGET / HTTP/1.1\r\n\r\n\r\n\
         0\r\nX-Forwarded-For: t\r\n\r\n\r\nHEAD / HTTP/1.1@\r\n\r\n",
    );
}

#[test]
fn what_is_there_is_set_right() {
    let client = Some(IpAddr::V6(Ipv6Addr::LOCALHOST));
    let append = Truth { client, tls: true, forwarded: Forwarded::Append };
    let replace = Truth { forwarded: Forwarded::Replace, ..append };
    let keep = Truth { forwarded: Forwarded::Keep, ..append };
    let unix = Truth { client: None, ..append };
    let mapped = Truth { client: "::ffff:10.0.0.1".parse().ok(), ..append };
    let two = "x-forwarded-for: 9.9.9.9\r\nA: b\r\nX-Forwarded-For:8.8.8.8 \t\r\n";
    let proto = "X-FORWARDED-PROTO: gopher\r\nx-forwarded-proto:\r\n";
    for (truth, fields, expected) in [
        (
            append,
            two,
            "x-forwarded-for: 9.9.9.9\r\nA: b\r\nX-Forwarded-For:8.8.8.8, ::1 \t\r\n\
                       X-Forwarded-Proto: https\r\n",
        ),
        (replace, two, "A: b\r\nX-Forwarded-For:::1 \t\r\nX-Forwarded-Proto: https\r\n"),
        (
            keep,
            two,
            "x-forwarded-for: 9.9.9.9\r\nA: b\r\nX-Forwarded-For:8.8.8.8 \t\r\n\
                     X-Forwarded-Proto: https\r\n",
        ),
        (
            unix,
            two,
            "x-forwarded-for: 9.9.9.9\r\nA: b\r\nX-Forwarded-For:8.8.8.8 \t\r\n\
                     X-Forwarded-Proto: https\r\n",
        ),
        (unix, "", "X-Forwarded-Proto: https\r\n"),
        (keep, "", "X-Forwarded-Proto: https\r\nX-Forwarded-For: ::1\r\n"),
        (mapped, "", "X-Forwarded-Proto: https\r\nX-Forwarded-For: 10.0.0.1\r\n"),
        (append, proto, "x-forwarded-proto:https\r\nX-Forwarded-For: ::1\r\n"),
        (
            append,
            "X-Forwarded-For: \r\nX-Forwarded-Proto: https\r\n",
            "X-Forwarded-For: ::1\r\nX-Forwarded-Proto: https\r\n",
        ),
        (
            append,
            "X-Forwarded-Forx: 1\r\nX-Forwarded: 2\r\n",
            "X-Forwarded-Forx: 1\r\nX-Forwarded: 2\r\nX-Forwarded-Proto: https\r\n\
          X-Forwarded-For: ::1\r\n",
        ),
    ] {
        let expected = format!("GET / HTTP/1.1\r\n{expected}\r\n");
        check(truth, &format!("GET / HTTP/1.1\r\n{fields}\r\n"), Ok(&expected));
    }
}

#[test]
fn other_protocols_pass_untouched_and_at_once() {
    for data in [
        &b"EHLO client.example\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x05hello\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"GETTING started\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"hello\rworld\r",
        b"GET / HTTP/1.1\rx\r\n\r\n",
        b"",
    ] {
        let mut rewriter = Rewriter::new(TRUTH);
        let mut out = Vec::new();
        for (at, byte) in data.iter().enumerate() {
            rewriter.feed(&[*byte], &mut out).unwrap();
            // Only the CR that may end a request line waits for the byte behind it.
            let waits = data[..=at] == *b"GET / HTTP/1.1\r";
            assert_eq!(out.len(), at + 1 - usize::from(waits), "{}", data.escape_ascii());
        }
        rewriter.finish(&mut out);
        assert_eq!(out, data);
        assert!(!rewriter.waits_for_reply());
    }
}

#[test]
fn a_request_line_does_not_wait() {
    let mut rewriter = Rewriter::new(TRUTH);
    let mut out = Vec::new();
    rewriter.feed(b"GET / HTTP/1.1\r\nHost: a\r\n", &mut out).unwrap();
    assert_eq!((out.as_slice(), rewriter.held()), (&b"GET / HTTP/1.1"[..], 11));
    rewriter.feed(b"\r\n", &mut out).unwrap();
    assert_eq!(rewriter.held(), 0);
    assert!(out.ends_with(b"127.0.0.6\r\n\r\n"));
}

#[test]
fn ambiguous_requests_are_refused() {
    for (head, body) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", ""),
        ("Content-Length: 5\r\nContent-Length: 6", ""),
        ("Content-Length: 5, 6", ""),
        ("Content-Length: -1", ""),
        ("Transfer-Encoding: xchunked", ""),
        ("Transfer-Encoding: \x0bchunked", ""),
        ("Transfer-Encoding : chunked", ""),
        ("X-Forwarded-For : 6.6.6.6", ""),
        ("A: b\r\n X-Forwarded-For: 6.6.6.6", ""),
        (" A: b", ""),
        ("A: b\rX-Forwarded-For: 6.6.6.6", ""),
        ("A: b\0", ""),
        ("no colon", ""),
        ("Transfer-Encoding: chunked", "zz\r\n"),
        ("Transfer-Encoding: chunked", "1\r\nab\r\n"),
        ("Transfer-Encoding: chunked", "1;\nx\r\n"),
    ] {
        let input = format!("POST / HTTP/1.1\r\n{head}\r\n\r\n{body}GET / HTTP/1.1\r\n\r\n");
        check(TRUTH, &input, Err(Refused::Ambiguous));
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(TRUTH, old, Err(Refused::Ambiguous));
    check(TRUTH, "CONNECT a:1 HTTP/1.1\r\nContent-Length: 4\r\n\r\n", Err(Refused::Ambiguous));
}

#[test]
fn a_refusal_is_for_good_and_sends_nothing_of_the_head() {
    let mut rewriter = Rewriter::new(TRUTH);
    let mut out = Vec::new();
    let head = b"GET / HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\n folded\r\n\r\n";
    assert_eq!(rewriter.feed(head, &mut out), Err(Refused::Ambiguous));
    assert_eq!(rewriter.feed(b"GET / HTTP/1.1\r\n\r\n", &mut out), Err(Refused::Ambiguous));
    rewriter.finish(&mut out);
    assert_eq!(out, b"GET / HTTP/1.1");
    assert_eq!(Refused::Ambiguous.reason(), CloseReason::AmbiguousRequest);
    assert_eq!(Refused::HeadTooLong.reason(), CloseReason::HeadTooLong);
}

#[test]
fn heads_are_bounded() {
    let head = |filler: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(filler));
    let fits = HTTP_HEAD_MAX - head(0).len();
    let all = |text: &str, step: usize| {
        run(TRUTH, &text.as_bytes().chunks(step).collect::<Vec<_>>()).map(|out| out.len())
    };
    for step in [100_000, 4096, 13] {
        assert_eq!(all(&head(fits), step), Ok(HTTP_HEAD_MAX + ADDED.len()));
        assert_eq!(all(&head(fits + 1), step), Err(Refused::HeadTooLong));
        let line = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(HTTP_HEAD_MAX));
        assert_eq!(all(&line, step), Err(Refused::HeadTooLong));
        let endless = "GET / HTTP/1.1\r\n".to_owned() + &"a".repeat(HTTP_HEAD_MAX);
        assert_eq!(all(&endless, step), Err(Refused::HeadTooLong));
        let many = "GET / HTTP/1.1\r\n".to_owned() + &"a:b\r\n".repeat(257) + "\r\n";
        assert_eq!(all(&many, step), Err(Refused::HeadTooLong));
        let text = "a b ".repeat(HTTP_HEAD_MAX);
        assert_eq!(all(&text, step), Ok(text.len()), "no request line, no bound");
    }
}

#[test]
fn an_unfinished_head_is_released_without_claims() {
    for (input, expected) in [
        ("GET / HTTP/1.1", "GET / HTTP/1.1"),
        ("GET / HTTP/1.1\r", "GET / HTTP/1.1\r"),
        ("GET / HTTP/1.1\r\nHost: a\r\nUser", "GET / HTTP/1.1\r\nHost: a\r\nUser"),
        ("GET / HTTP/1.1\r\nA: b\r\nx-forwarded-FOR: 6.6.6.6\r\n", "GET / HTTP/1.1\r\nA: b\r\n"),
        ("GET / HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6", "GET / HTTP/1.1\r\n"),
    ] {
        check(TRUTH, input, Ok(expected));
    }
}

/// What the client sends (`>`) and the server answers (`<`), and what reaches the server.
fn dialogue(steps: &[&str]) -> String {
    let mut rewriter = Rewriter::new(TRUTH);
    let mut out = Vec::new();
    for step in steps {
        if let Some(reply) = step.strip_prefix('<') {
            reply.as_bytes().chunks(3).for_each(|piece| rewriter.saw_reply(piece));
            rewriter.feed(&[], &mut out).unwrap();
        } else if let Some(request) = step.strip_prefix('>') {
            rewriter.feed(request.as_bytes(), &mut out).unwrap();
        } else {
            assert_eq!(rewriter.waits_for_reply(), *step == "waits", "at {step:?} of {steps:?}");
        }
    }
    rewriter.finish(&mut out);
    String::from_utf8(out).unwrap().replace(ADDED, "@")
}

const GET: &str = ">GET / HTTP/1.1\r\n\r\n";
const UPGRADE: &str = ">GET /ws HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
const CONNECT: &str = ">CONNECT a:1 HTTP/1.1\r\n\r\n";
const OK: &str = "<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn passed(pieces: &[&str]) -> String {
    let headers =
        |request: &str| request.trim_start_matches('>').replacen("\r\n\r\n", "@\r\n\r\n", 1);
    pieces.iter().map(|piece| headers(piece)).collect()
}

#[test]
fn after_an_accepted_upgrade_or_connect_bytes_pass_untouched() {
    let plain = "GET / HTTP/1.1\r\n\r\n";
    let switch = "<HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n";
    for (steps, request) in [
        (&[UPGRADE, "waits", switch, "goes on", GET][..], UPGRADE),
        (&[UPGRADE, GET, "waits", switch, "goes on"], UPGRADE),
        (&[UPGRADE, "<HTTP/1.1 100 Continue\r\n\r\n", "waits", switch, "goes on", GET], UPGRADE),
        (
            &[CONNECT, "waits", "<HTTP/1.0 200 Established\r\nVia: a\r\n\r\n", "goes on", GET],
            CONNECT,
        ),
    ] {
        assert_eq!(dialogue(steps), passed(&[request]) + plain, "{steps:?}");
    }
    // In step with earlier replies, whatever they contain.
    let confusing = "<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n\
        HTTP/1.1 101 Switching\r\n\r\n\r\n0\r\n\r\n";
    let steps = [
        GET,
        ">HEAD / HTTP/1.1\r\n\r\n",
        UPGRADE,
        "waits",
        confusing,
        "waits",
        "<HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "waits",
        switch,
        "goes on",
        GET,
    ];
    let before = passed(&[GET, ">HEAD / HTTP/1.1\r\n\r\n", UPGRADE]);
    assert_eq!(dialogue(&steps), before + plain);
}

#[test]
fn otherwise_requests_go_on_being_told_the_truth() {
    let steps_of = |request, reply| vec![request, "waits", reply, "goes on", GET];
    for (request, reply) in [
        (UPGRADE, OK),
        (UPGRADE, "<HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"),
        (CONNECT, "<HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"),
        // A server that answers every method alike has not opened a tunnel.
        (CONNECT, OK),
        (CONNECT, "<HTTP/1.1 101 Odd\r\n\r\n"),
        (UPGRADE, "<not http\r\n"),
        (UPGRADE, "<HTTP/1.1 xxx\r\n"),
    ] {
        assert_eq!(dialogue(&steps_of(request, reply)), passed(&[request, GET]), "{reply}");
    }
    // The reply to an earlier request is not the answer.
    let steps = [GET, CONNECT, "waits", OK, "waits", "<HTTP/1.1 405 No\r\n", "goes on", GET];
    assert_eq!(dialogue(&steps), passed(&[GET, CONNECT, GET]));
    // Out of step: the answer cannot be known, and is not awaited.
    let steps = [GET, "<HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200", CONNECT, "goes on", GET];
    assert_eq!(dialogue(&steps), passed(&[GET, CONNECT, GET]));
    // Nor is anything else than HTTP held up by that.
    let frame = "\u{1}frame";
    let steps = ["<220 hello\r\n", UPGRADE, "goes on", ">\u{1}frame", GET];
    assert_eq!(dialogue(&steps), passed(&[UPGRADE]) + frame + "GET / HTTP/1.1\r\n\r\n");
    // The client ends or sends too much while it should wait.
    assert_eq!(dialogue(&[CONNECT, GET, "waits"]), passed(&[CONNECT, GET]));
    let flood = format!(">{}", "GET / HTTP/1.1\r\n\r\n".repeat(HTTP_HEAD_MAX / 18 + 1));
    let got = dialogue(&[CONNECT, &flood, "goes on"]);
    assert_eq!(got.matches('@').count(), HTTP_HEAD_MAX / 18 + 2);
}

#[test]
fn the_answer_is_used_behind_the_body() {
    let request = ">POST / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\nbo";
    let steps = [request, "goes on", "<HTTP/1.1 101 S\r\n\r\n", ">dy", "goes on", GET];
    assert_eq!(dialogue(&steps), passed(&[request]) + "dyGET / HTTP/1.1\r\n\r\n");
    let steps = [request, OK, ">dy", "goes on", GET];
    assert_eq!(dialogue(&steps), passed(&[request]) + "dy" + &passed(&[GET]));
}

#[test]
fn too_many_requests_ahead_end_the_following() {
    let many = format!(">{}", "GET / HTTP/1.1\r\n\r\n".repeat(65));
    let got = dialogue(&[&many, CONNECT, "goes on", GET]);
    assert_eq!(got.matches('@').count(), 67);
}

fn request() -> impl Strategy<Value = (String, String)> {
    let method = "[A-Z]{1,8}";
    let field = ("[A-Z][a-z]{1,6}", "[ -~]{0,20}");
    let body =
        prop_oneof![Just(None), prop::collection::vec("[ -~\r\n]{1,30}", 0..4).prop_map(Some),];
    let framing = (prop::bool::ANY, prop::bool::ANY, 0_usize..3);
    (method, prop::collection::vec(field, 0..5), body, framing).prop_map(
        |(method, fields, body, (chunked, crlf, blank_lines))| {
            // CONNECT would wait for an answer.
            let method = if method == "CONNECT" { "GET".to_owned() } else { method };
            let end = if crlf { "\r\n" } else { "\n" };
            let mut head = format!("{}{method} /x HTTP/1.1", "\r\n".repeat(blank_lines));
            for (name, value) in fields {
                head += &format!("{end}Q-{name}: {value}");
            }
            let mut text = String::new();
            match body {
                None => {}
                Some(parts) if chunked => {
                    head += &format!("{end}Transfer-Encoding: chunked");
                    for part in parts {
                        text += &format!("{:x}\r\n{part}\r\n", part.len());
                    }
                    text += "0\r\nTrailer: x\r\n\r\n";
                }
                Some(parts) => {
                    text = parts.concat();
                    head += &format!("{end}Content-Length: {}", text.len());
                }
            }
            (format!("{head}{end}{end}{text}"), format!("{head}{ADDED}{end}{end}{text}"))
        },
    )
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect()
}

proptest! {
    #[test]
    fn any_requests_in_any_pieces(requests in prop::collection::vec(request(), 1..5),
                                  cuts in prop::collection::vec(any::<usize>(), 0..12)) {
        let (input, expected): (String, String) = requests.into_iter().unzip();
        let got = run(TRUTH, &pieces(input.as_bytes(), &cuts));
        prop_assert_eq!(got.map(|out| String::from_utf8_lossy(&out).into_owned()), Ok(expected));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200),
                 prefix in prop_oneof![Just(""), Just("GET / HTTP/1.1\r\n"),
                     Just("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")],
                 cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        let input = [prefix.as_bytes(), &bytes].concat();
        let got = run(TRUTH, &pieces(&input, &cuts));
        if prefix.is_empty() {
            prop_assert_eq!(got, Ok(input));
        }
    }

    #[test]
    fn any_reply(bytes in prop::collection::vec(any::<u8>(), 0..100),
                 prefix in prop_oneof![Just(""), Just("HTTP/1.1 "), Just("HTTP/1.1 200 OK\r\n")]) {
        let mut rewriter = Rewriter::new(TRUTH);
        let mut out = Vec::new();
        rewriter.feed(&CONNECT.as_bytes()[1..], &mut out).unwrap();
        rewriter.saw_reply(prefix.as_bytes());
        rewriter.saw_reply(&bytes);
        rewriter.finish(&mut out);
    }
}
