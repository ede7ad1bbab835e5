//! HTTP with the client's address added: split anywhere, pipelined, forged, smuggled.

use std::time::{Duration, Instant};

use pen_test::acts::{self, field};
use pen_test::{Farm, Place, Wire};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        47,
        "X-Forwarded-For: heads split anywhere, 32 KiB, LF only, pipelined, forged, smuggled",
        "each head has the client's address as the last one, what could be read in two ways is refused: all cases",
    )
};

/// The client's address.
const CLIENT: &str = "127.0.0.7";
const GET: &str = "GET /page HTTP/1.1\r\nHost: example.test\r\nAccept: */*\r\n\r\n";

/// A stream of a client, in pieces.
struct Case {
    name: String,
    pieces: Vec<Vec<u8>>,
    /// Requests the server must see, or at most so many that end where it was fooled.
    requests: Wanted,
}

#[derive(Clone, Copy)]
enum Wanted {
    /// All of them, each with the address.
    All(usize),
    /// None of the requests that are hidden in what comes behind the first one.
    NotHidden,
}

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("its stream module reads no HTTP");
    }
    let mut wrong = Vec::new();
    let farm = Farm::one(&acts::http());
    let setup = Setup::of(farm.words(""))
        .with(Subject::Pen, Scope::Global, "http")
        .with(Subject::Haproxy, Scope::Service, "mode http")
        .with(Subject::Haproxy, Scope::Service, "option forwardfor")
        .with(Subject::Classic, Scope::Global, "-H");
    let mut balancer = stage.start(&setup);
    let cases = cases(stage);
    let end = Instant::now() + Duration::from_secs(stage.of(50, 8));
    let mut tried = 0;
    for case in &cases {
        if Instant::now() > end {
            break;
        }
        tried += 1;
        if !holds(&balancer.place, &farm, case) {
            wrong.push(case.name.as_str());
        }
        if !balancer.lives() {
            return Verdict::of(false, format!("died of {}", case.name));
        }
    }
    let mut kinds: Vec<&str> =
        wrong.iter().map(|name| name.split(" at ").next().unwrap_or(name)).collect();
    kinds.dedup();
    let list = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
    Verdict::of(wrong.is_empty(), format!("{} of {tried}{list}", tried - wrong.len()))
}

/// Plays a case and looks at what the server has seen.
fn holds(place: &Place, farm: &Farm, case: &Case) -> bool {
    let Some(server) = farm.first() else { return false };
    let before = server.notes().len();
    let Ok(client) = Wire::dial(place).from(CLIENT).connect() else { return false };
    client.set_nodelay();
    client.set_patience(Duration::from_secs(2));
    for (n, piece) in case.pieces.iter().enumerate() {
        if n > 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Who has been refused is told so.
        let _ = client.send(piece);
    }
    let wanted = match case.requests {
        Wanted::All(count) => count,
        Wanted::NotHidden => 1,
    };
    let answers = (0..wanted).take_while(|_| answered(&client)).count();
    if let Wanted::NotHidden = case.requests {
        std::thread::sleep(Duration::from_millis(100));
    }
    let heads = server.notes().split_off(before);
    let named = heads.iter().all(|head| names_client(head));
    match case.requests {
        Wanted::All(count) => answers == count && heads.len() == count && named,
        // The server here believes Content-Length first, as some do.
        Wanted::NotHidden => named && !heads.iter().any(|head| head.contains("/hidden")),
    }
}

/// Reads an answer of [`acts::http`], with its body.
fn answered(client: &Wire) -> bool {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let line = client.read_line();
        if line.is_empty() {
            return false;
        }
        head.push_str(&line);
    }
    let length = field(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    client.read_exact(length).is_ok() && head.contains(" 200 ")
}

/// Whether the last address that the head forwards is the client's.
fn names_client(head: &str) -> bool {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut forwarded = lines.filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
    forwarded.next_back().is_some_and(|(_, value)| {
        value.split(',').next_back().is_some_and(|last| last.trim() == CLIENT)
    })
}

fn cases(stage: &Stage) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |name: &str, pieces: &[&str], requests| {
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        all.push(Case { name: name.to_owned(), pieces, requests });
    };
    add("one request", &[GET], Wanted::All(1));
    add("two requests, one after the other", &[GET, GET], Wanted::All(2));
    add("20 pipelined requests", &[&GET.repeat(20)], Wanted::All(20));
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Pad: {}\r\n\r\n", "p".repeat(7_000));
    add("a head of 7000 bytes", &[&large], Wanted::All(1));
    let body = "b".repeat(32_768 - 67);
    let post =
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    add("32768 bytes in the first read", &[&post, GET], Wanted::All(2));
    let inside = "GET /inside HTTP/1.1\r\nHost: x\r\n\r\n";
    let sized = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{inside}{GET}",
        inside.len()
    );
    add("a request in a body", &[&sized], Wanted::All(2));
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{inside}\r\n0\r\n\r\n{GET}",
        inside.len()
    );
    add("a request in a chunk", &[&chunked], Wanted::All(2));
    let forged = "GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.66\r\nHost: x\r\n\r\n";
    add("a forged X-Forwarded-For", &[forged], Wanted::All(1));
    add("a forged X-Forwarded-For in the second request", &[GET, forged], Wanted::All(2));
    for (name, text) in smuggled() {
        add(name, &[&text], Wanted::NotHidden);
    }
    for at in (1..GET.len()).step_by(stage.of(1, 5)) {
        let (first, rest) = GET.split_at(at);
        add(&format!("a head split at {at}"), &[first, rest], Wanted::All(1));
    }
    all
}

/// Requests behind which another one hides, if two readers disagree about their end.
fn smuggled() -> Vec<(&'static str, String)> {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.66\r\n\r\n";
    let post =
        |fields: &str, rest: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n{rest}");
    let length = hidden.len();
    vec![
        (
            "Content-Length and Transfer-Encoding",
            post(
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                &format!("0\r\n\r\n{hidden}"),
            ),
        ),
        (
            "two Content-Lengths",
            post(&format!("Content-Length: {length}\r\nContent-Length: 0\r\n"), hidden),
        ),
        ("a Content-Length with a sign", post(&format!("Content-Length: +{length}\r\n"), hidden)),
        ("a blank before the colon", post(&format!("Content-Length : {length}\r\n"), hidden)),
        (
            "a folded line",
            post(
                &format!("X: y\r\n Content-Length: {length}\r\nContent-Length:\r\n {length}\r\n"),
                hidden,
            ),
        ),
    ]
}
