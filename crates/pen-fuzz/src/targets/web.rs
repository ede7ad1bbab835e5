//! Requests at the address of `metrics`, and the commands that the page may give.
//!
//! What follows the head is read as the body of a command.

use pen_core::command::{self, Change, Command, Door};
use pen_core::limits;
use pen_core::web::{Heard, Method, Target, command_of, hear, is_from_page};

use super::named;

/// What is decided stays decided, however much follows; what is asked for is bounded and clear; only
/// blacklisting and weights get through.
pub fn run(data: &[u8]) {
    let whole = hear(data);
    let mut decided = None;
    for end in 0..=data.len().min(limits::WEB_HEAD_MAX) {
        let heard = hear(data.get(..end).unwrap_or_default());
        match (&decided, heard) {
            (None, Heard::More) => {}
            (None, first) => decided = Some(first),
            (Some(Heard::Request(before)), now) => {
                assert_eq!(now, Heard::Request(before.clone()), "after {end} bytes");
            }
            // What is wrong may turn out to be wrong in another way, too.
            (Some(_), now) => assert!(matches!(now, Heard::Fault(_)), "{now:?} after {end} bytes"),
        }
    }
    if let (Heard::More, Some(decided)) = (&whole, &decided) {
        panic!("{decided:?} is forgotten");
    }
    let Heard::Request(request) = whole else { return };
    assert!(request.head <= limits::WEB_HEAD_MAX && request.body <= limits::WEB_BODY_MAX);
    assert!(request.path.starts_with('/') && !request.path.contains(['?', '#', '\r', '\n']));
    assert!(request.method == Method::Post || request.body == 0, "a body that nobody reads");
    assert!(is_from_page(&request, |_| false).is_err(), "without the token");
    let _ = Target::of(&request.path).takes(request.method);
    let body = data.get(request.head..).unwrap_or_default();
    let Ok(line) = command_of(body) else { return };
    match command::parse(&line, Door::Control).map(|line| line.map(|l| l.command)) {
        Ok(Some(Command::Server(_, changes))) => {
            let few = |c: &Change| matches!(c, Change::Blacklist(_) | Change::Weight(_));
            assert!(!changes.is_empty() && changes.iter().all(few), "{line}");
        }
        other => panic!("{line}: {other:?}"),
    }
}

/// Scrapers, probes, browsers, and those who are none.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let control = concat!(
        "POST /control HTTP/1.1\r\nHost: 127.0.0.1:9404\r\nOrigin: http://127.0.0.1:9404\r\n",
        "X-Pen-Token: 00\r\nContent-Type: application/json\r\nContent-Length: 47\r\n\r\n",
    );
    let with = |body: &str| [control.as_bytes(), body.as_bytes()].concat();
    let prometheus = concat!(
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9404\r\nUser-Agent: Prometheus/2.42.0\r\n",
        "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n",
        "Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n",
    );
    named([
        ("prometheus", prometheus.into()),
        ("probe", b"GET /readyz HTTP/1.0\r\n\r\n".into()),
        ("head", b"HEAD http://lb.example/ HTTP/1.1\r\nHost: lb.example\r\nConnection: close\r\n\r\n".into()),
        ("page", b"GET /status.json?x#y HTTP/1.1\r\nHost: [::1]:9404\r\nSec-Fetch-Site: same-origin\r\n\r\n".into()),
        ("blacklist", with(r#"{"command":"service web server 0 blacklist 600"}"#)),
        ("weight", with(r#"{"command":"server emergency weight 7"}"#)),
        ("exit", with(r#"{"command":"exit"}"#)),
        ("two-hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into()),
        ("chunked", b"POST /control HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
        ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".into()),
    ])
}
