//! Requests in pieces and out of order, answers to the byte, who may steer.

use proptest::prelude::*;

use super::answer::http_date;
use super::steer::is_steady;
use super::*;
use crate::limits::{WEB_BODY_MAX, WEB_HEAD_MAX, WEB_HEADERS_MAX};
use crate::moment::WallSeconds;

fn request(text: &str) -> Request {
    match hear(text.as_bytes()) {
        Heard::Request(request) => *request,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn requests() {
    let r = request("GET /metrics?x=1 HTTP/1.1\r\nHost: a:1\r\n\r\nrest");
    assert_eq!((r.method, r.path.as_str(), r.keep_alive), (Method::Get, "/metrics", true));
    assert_eq!((r.host.as_deref(), r.head, r.body), (Some("a:1"), 40, 0));
    let r = request("HEAD http://a/ HTTP/1.0\r\n\r\n");
    assert_eq!((r.method, r.path.as_str(), r.keep_alive), (Method::Head, "/", false));
    assert!(request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    assert!(!request("GET / HTTP/1.1\r\nhost: a\r\nConnection: x, close\r\n\r\n").keep_alive);
    assert_eq!(request("GET http://a HTTP/1.0\r\n\r\n").path, "/");
    let r = request("POST /control HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!((r.method, r.body), (Method::Post, 5));
    assert_eq!(request("BREW / HTTP/1.0\r\n\r\n").method, Method::Other);
    let whole = "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
    for end in 0..whole.len() {
        assert_eq!(hear(&whole.as_bytes()[..end]), Heard::More, "{end}");
    }
}

#[test]
fn what_is_unclear_is_refused() {
    let many = "a: b\r\n".repeat(WEB_HEADERS_MAX + 1);
    let long = "x".repeat(WEB_HEAD_MAX);
    let big = WEB_BODY_MAX + 1;
    for (text, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), Status::BadRequest),
        ("GET x HTTP/1.0\r\n\r\n".to_owned(), Status::BadRequest),
        ("GET / HTTP/2.0\r\n\r\n".to_owned(), Status::VersionNotSupported),
        ("\x16\x03\x01\x02\x00\x01".to_owned(), Status::BadRequest),
        ("GET / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc".to_owned(), Status::BadRequest),
        ("POST / HTTP/1.0\r\nContent-Length: +3\r\n\r\nabc".to_owned(), Status::BadRequest),
        (
            "POST / HTTP/1.0\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n".to_owned(),
            Status::BadRequest,
        ),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), Status::BadRequest),
        (format!("POST / HTTP/1.0\r\nContent-Length: {big}\r\n\r\n"), Status::ContentTooLarge),
        (
            format!("POST / HTTP/1.0\r\nContent-Length: 9{}\r\n\r\n", "0".repeat(40)),
            Status::ContentTooLarge,
        ),
        (format!("GET / HTTP/1.0\r\n{many}\r\n"), Status::HeadTooLarge),
        (format!("GET /{long}"), Status::HeadTooLarge),
        (format!("GET / HTTP/1.0\r\nx: {long}\r\n\r\n"), Status::HeadTooLarge),
    ] {
        assert_eq!(hear(text.as_bytes()), Heard::Fault(status), "{text:?}");
    }
}

#[test]
fn openmetrics_is_for_those_who_ask() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (accept, expected) in [
        (prometheus, true),
        ("application/openmetrics-text", true),
        ("text/plain, application/openmetrics-text;q=0.9", false),
        ("application/openmetrics-text;q=0", false),
        ("application/openmetrics-text;q=x", false),
        ("*/*", false),
        ("", false),
    ] {
        let text = format!("GET /metrics HTTP/1.0\r\nAccept: {accept}\r\n\r\n");
        assert_eq!(request(&text).openmetrics, expected, "{accept}");
    }
}

#[test]
fn targets_take_their_methods() {
    for (path, target) in [
        ("/metrics", Target::Metrics),
        ("/control", Target::Control),
        ("/", Target::File),
        ("/../etc/passwd", Target::File),
    ] {
        assert_eq!(Target::of(path), target);
    }
    assert_eq!(Target::Status.takes(Method::Head), Ok(()));
    assert_eq!(Target::Status.takes(Method::Post), Err("GET, HEAD"));
    assert_eq!(Target::Control.takes(Method::Get), Err("POST"));
    assert_eq!(Target::File.takes(Method::Other), Err("GET, HEAD"));
}

#[test]
fn answers_say_how_long_they_are() {
    let answer = Answer::text(Status::Unavailable, "full");
    let text = String::from_utf8(answer.bytes(WallSeconds(0), false, true)).unwrap();
    assert!(text.starts_with(
        "HTTP/1.1 503 Service Unavailable\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    ));
    assert!(text.contains("\r\nContent-Length: 5\r\nConnection: close\r\n"), "{text}");
    assert!(text.contains("\r\nRetry-After: 1\r\n") && text.ends_with("\r\n\r\nfull\n"), "{text}");
    let head = Answer { allow: Some("POST"), ..answer }.bytes(WallSeconds(0), true, false);
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains("\r\nAllow: POST\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("Content-Security-Policy: default-src 'none'; ") && !head.contains("  "));
}

#[test]
fn dates() {
    for (at, text) in [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
    ] {
        assert_eq!(http_date(WallSeconds(at)), text);
    }
}

#[test]
fn only_the_page_itself_steers() {
    let ask = |host: &str, origin: &str, more: &str| {
        let text = format!(
            "POST /control HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nX-Pen-Token: right\r\n\
             Content-Type: application/json\r\n{more}\r\n"
        );
        is_from_page(&request(&text), |token| token == "right")
    };
    for host in ["127.0.0.1:9404", "localhost:9404", "[::1]:9404", "192.0.2.1", "LOCALHOST"] {
        assert_eq!(ask(host, &format!("http://{host}"), ""), Ok(()), "{host}");
        assert_eq!(
            ask(host, &format!("https://{host}"), "Sec-Fetch-Site: same-origin\r\n"),
            Ok(())
        );
    }
    for host in
        ["evil.example:9404", "localhost.evil.example", "127.0.0.1.evil.example", "", "[x]:1"]
    {
        assert_eq!(ask(host, &format!("http://{host}"), ""), Err(SteerFault::Host), "{host}");
        assert!(!is_steady(host));
    }
    let own = "127.0.0.1:1";
    for origin in ["http://127.0.0.1:2", "http://evil.example", "null", "", "127.0.0.1:1"] {
        assert_eq!(ask(own, origin, ""), Err(SteerFault::Origin), "{origin}");
    }
    let crossing = "Sec-Fetch-Site: same-site\r\n";
    assert_eq!(ask(own, "http://127.0.0.1:1", crossing), Err(SteerFault::Origin));
    let plain = "POST /control HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n";
    let from = |text: &str| is_from_page(&request(text), |token| token == "right");
    assert_eq!(from(&format!("{plain}\r\n")), Err(SteerFault::Token));
    assert_eq!(from(&format!("{plain}X-Pen-Token: wrong\r\n\r\n")), Err(SteerFault::Token));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(from(&format!("{plain}X-Pen-Token: right\r\n{form}\r\n")), Err(SteerFault::Form));
}

#[test]
fn the_page_gives_few_commands() {
    let body = |command: &str| serde_json::json!({ "command": command }).to_string();
    for command in [
        "service web server 0 blacklist 600",
        "server emergency blacklist 0",
        "server 3 weight 7 blacklist 1",
    ] {
        assert_eq!(command_of(body(command).as_bytes()), Ok(command.to_owned()));
    }
    for command in [
        "",
        "# nothing",
        "exit",
        "server 0 address 10.0.0.1",
        "server 0 blacklist 5 port 80",
        "server 0",
        "include /etc/passwd",
        "write /tmp/x",
        "service web",
        "no service web",
        "blacklist 0",
        "server 0 blacklist x",
    ] {
        let fault = command_of(body(command).as_bytes()).unwrap_err();
        assert!(matches!(fault, SteerFault::Command(_)), "{command}: {fault:?}");
        assert_eq!(fault.status(), Status::BadRequest);
        assert!(!fault.text().is_empty());
    }
    for body in ["", "[]", "{}", r#"{"command":1}"#, r#"{"command":"exit","x":1}"#, "\u{0}"] {
        assert_eq!(command_of(body.as_bytes()), Err(SteerFault::Form), "{body}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_dealt_with(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = hear(&bytes);
        let _ = hear(&[b"GET / HTTP/1.1\r\nHost: a\r\n", bytes.as_slice()].concat());
        let _ = command_of(&bytes);
    }

    #[test]
    fn a_request_does_not_depend_on_what_follows(rest in proptest::collection::vec(any::<u8>(), 0..100)) {
        let head = b"POST /control HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n";
        let all = [head.as_slice(), &rest].concat();
        prop_assert_eq!(hear(&all), hear(head));
    }
}
