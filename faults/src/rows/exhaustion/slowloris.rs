//! Clients that never end the header that the balancer waits for.

use std::time::{Duration, Instant};

use pen_test::{Farm, Place, Wire, acts};

use crate::crowd::{Crowd, Talk, local};
use crate::load::{Load, Wrong};
use crate::rows::Row;
use crate::secure::Secure;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// What the balancer is told to wait for a header, in seconds.
const PATIENCE_S: u64 = 2;
const EXPECTS: &str =
    "each reaped at its deadline of 2 s (judged at 6 s), other addresses 100 % served";

pub const TLS: Row = Row {
    form: "a",
    starred: true,
    run: tls,
    ..Row::new(36, "slowloris in the TLS handshake, 10 addresses", EXPECTS)
};

pub const HTTP: Row = Row {
    form: "b",
    starred: true,
    run: http,
    ..Row::new(36, "slowloris in the HTTP header, 10 addresses", EXPECTS)
};

pub const PROXY: Row =
    Row { form: "c", run: proxy, ..Row::new(36, "no PROXY header comes, 10 addresses", EXPECTS) };

/// Plays it: `load` are the others.
fn play(stage: &Stage, place: &Place, talk: Talk, load: Load) -> Verdict {
    let count = stage.of(5_000, 500);
    // None of the others fails before it begins.
    std::thread::sleep(Duration::from_millis(300));
    let crowd = Crowd::of(place, &local(9, 10), count, talk);
    let fate = crowd.watch(Duration::from_secs(3 * PATIENCE_S));
    let others = load.stop();
    let right = others.failed() == 0 && others.asked() > 20 && fate.held == 0;
    let reaped = match fate.held {
        0 => format!("all reaped, last after {:.1} s", fate.last().as_secs_f64()),
        held => format!("{held} of {count} held after {} s", 3 * PATIENCE_S),
    };
    let served = others.times.len();
    Verdict::of(right, format!("{reaped}; others served {served} of {}", others.asked()))
}

fn setup(farm: &Farm) -> Setup {
    Setup { room: 6_000, ..Setup::of(farm.words("")) }
        // The limit for all that a client does; HAProxy 2.6 has none for the handshake alone.
        .with(Subject::Haproxy, Scope::Service, format!("timeout client {PATIENCE_S}s"))
}

fn tls(stage: &Stage) -> Verdict {
    let farm = Farm::banners(1);
    let secure = Secure::new();
    let setup = Setup { tls: Some(secure.file.clone()), ..setup(&farm) }
        .with(Subject::Pen, Scope::Global, format!("ssl_handshake_timeout {PATIENCE_S}"))
        .with(Subject::Nginx, Scope::Service, format!("ssl_handshake_timeout {PATIENCE_S}s;"));
    let balancer = stage.start(&setup);
    let hello = secure.hello();
    let (first, then) = hello.split_at(hello.len() / 2);
    let talk = Talk { first: first.to_vec(), then: then.to_vec() };
    let place = balancer.place.clone();
    let load = Load::of(4, 40, move || secure.visit(&place, Duration::from_secs(5)));
    play(stage, &balancer.place, talk, load)
}

fn http(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("its stream module reads no HTTP");
    }
    let farm = Farm::one(&acts::http());
    let setup = setup(&farm)
        .with(Subject::Pen, Scope::Global, "http")
        .with(Subject::Pen, Scope::Global, format!("http_head_timeout {PATIENCE_S}"))
        .with(Subject::Haproxy, Scope::Service, "mode http")
        .with(Subject::Haproxy, Scope::Service, "option forwardfor")
        .with(Subject::Haproxy, Scope::Service, format!("timeout http-request {PATIENCE_S}s"))
        .with(Subject::Classic, Scope::Global, "-H");
    let balancer = stage.start(&setup);
    let talk = Talk {
        first: b"GET / HTTP/1.1\r\nHost: example.test\r\n".to_vec(),
        then: b"X-Slow: yes\r\n".to_vec(),
    };
    let place = balancer.place.clone();
    let load = Load::of(4, 40, move || ask(&place));
    play(stage, &balancer.place, talk, load)
}

/// A request and the first line of the answer.
fn ask(place: &Place) -> Result<(Duration, String), Wrong> {
    let begun = Instant::now();
    let wire = Wire::connect(place).map_err(|_| Wrong::NotConnected)?;
    wire.set_patience(Duration::from_secs(5));
    let sent = wire.send("GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n");
    sent.map_err(|_| Wrong::Ended)?;
    match wire.read_line() {
        line if line.contains(" 200 ") => Ok((begun.elapsed(), "200".into())),
        line if line.is_empty() => Err(Wrong::Silence),
        _ => Err(Wrong::Ended),
    }
}

fn proxy(stage: &Stage) -> Verdict {
    if matches!(stage.subject, Subject::Pen | Subject::Classic) {
        return Verdict::without("no PROXY protocol");
    }
    let farm = Farm::banners(1);
    let second = Place::free();
    let listen = format!("listen {} proxy_protocol;", second.word());
    let setup = setup(&farm)
        .with(Subject::Haproxy, Scope::Service, "tcp-request connection expect-proxy layer4")
        .with(Subject::Nginx, Scope::Service, listen)
        .with(Subject::Nginx, Scope::Service, format!("proxy_protocol_timeout {PATIENCE_S}s;"));
    let balancer = stage.start(&setup);
    let place = if stage.subject == Subject::Nginx { second } else { balancer.place.clone() };
    // Both close at once who sends a header in pieces; who sends nothing is waited for.
    let talk = Talk { first: Vec::new(), then: Vec::new() };
    let honest = place.clone();
    let load = Load::of(4, 40, move || introduced(&honest));
    play(stage, &place, talk, load)
}

/// A visit that says who it is.
fn introduced(place: &Place) -> Result<(Duration, String), Wrong> {
    let begun = Instant::now();
    let wire = Wire::connect(place).map_err(|_| Wrong::NotConnected)?;
    wire.set_patience(Duration::from_secs(5));
    wire.send("PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n").map_err(|_| Wrong::Ended)?;
    let line = wire.read_line();
    if line.is_empty() { Err(Wrong::Ended) } else { Ok((begun.elapsed(), line)) }
}
