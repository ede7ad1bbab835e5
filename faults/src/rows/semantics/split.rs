//! Heads that are read by the balancer, cut in two at every byte, and sent byte by byte.

use std::sync::Arc;
use std::time::Duration;

use pen_test::acts::{self, field};
use pen_test::{Client, Farm, Place, Served, Wire};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const HTTP: Row = Row {
    form: "a",
    run: run_http,
    ..Row::new(10, "HTTP head cut at every byte", "X-Forwarded-For once in each: all cuts")
};

pub const HELLO: Row = Row {
    form: "b",
    run: run_hello,
    ..Row::new(10, "ClientHello cut at every byte", "each goes to the server of its name: all cuts")
};

pub const PROXY: Row = Row {
    form: "c",
    run: run_proxy,
    ..Row::new(
        10,
        "PROXY headers v1 and v2 cut at every byte",
        "taken off the stream: all cuts (a receiver may refuse them)",
    )
};

/// Long enough for the pieces to be read apart, mostly.
const PAUSE: Duration = Duration::from_millis(2);

/// Sends `bytes` cut at `cut`; at 0: one by one.
fn send(client: &Client, bytes: &[u8], cut: usize) -> bool {
    client.set_nodelay();
    let piece = |part: &[u8]| {
        std::thread::sleep(PAUSE);
        client.send(part).is_ok()
    };
    match bytes.split_at_checked(cut) {
        Some((first, rest)) if cut > 0 => piece(first) && piece(rest),
        _ => bytes.chunks(1).all(piece),
    }
}

/// Plays each cut of `bytes`, several at once; how many were right.
fn right_cuts(bytes: &[u8], play: impl Fn(usize) -> bool + Sync) -> usize {
    let cuts: Vec<usize> = (0..bytes.len()).collect();
    std::thread::scope(|scope| {
        let plays = cuts.chunks(cuts.len().div_ceil(8)).map(|cuts| {
            let play = &play;
            scope.spawn(move || cuts.iter().filter(|cut| play(**cut)).count())
        });
        let plays: Vec<_> = plays.collect();
        plays.into_iter().filter_map(|p| p.join().ok()).sum()
    })
}

fn verdict(right: usize, asked: usize) -> Verdict {
    Verdict::of(right == asked, format!("{right} of {asked} cuts"))
}

const GET: &str = "GET /page HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n";

fn run_http(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("stream reads no HTTP");
    }
    let farm = Farm::one(&acts::http());
    let setup = Setup::of(farm.words(""))
        .with(Subject::Pen, Scope::Global, "http")
        .with(Subject::Haproxy, Scope::Service, "mode http")
        .with(Subject::Haproxy, Scope::Service, "option forwardfor")
        .with(Subject::Classic, Scope::Global, "-H");
    let pen = stage.start(&setup);
    let answered = right_cuts(GET.as_bytes(), |cut| {
        let Ok(client) = Wire::connect(&pen.place) else { return false };
        send(&client, GET.as_bytes(), cut) && client.read_line() == "HTTP/1.1 200 OK\r\n"
    });
    let told = |head: &String| {
        let once = head.to_ascii_lowercase().matches("x-forwarded-for").count() == 1;
        let right = field(head, "x-forwarded-for").is_some_and(|from| from == "127.0.0.1");
        once && right && field(head, "host").is_some_and(|host| host == "example.test")
    };
    let told = farm.iter().flat_map(|s| s.notes()).filter(told).count();
    verdict(answered.min(told), GET.len())
}

fn run_hello(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Classic {
        return Verdict::without("does not choose by name");
    }
    let hello = client_hello(b"two.test");
    let expected = hello.clone();
    let farm = Farm::of(
        2,
        &(Arc::new(move |s: Served| {
            let whole = s.read_exact(expected.len()).is_ok_and(|got| got == expected);
            drop(s.send(format!("{} {whole}\n", s.name())));
        }) as acts::Act),
    );
    let [one, two] = [0, 1].map(|n| farm.get(n).map(|s| s.word()).unwrap_or_default());
    let map = format!("map $ssl_preread_server_name $chosen {{ two.test {two}; default {one}; }}");
    let setup = Setup::of(farm.words(""))
        .with(Subject::Pen, Scope::Global, "route sni two.test server 1")
        .with(Subject::Pen, Scope::Global, "route default server 0")
        .with(Subject::Haproxy, Scope::Service, "tcp-request inspect-delay 5s")
        .with(
            Subject::Haproxy,
            Scope::Service,
            "tcp-request content accept if { req.ssl_hello_type 1 }",
        )
        .with(Subject::Haproxy, Scope::Service, "use-server s1 if { req.ssl_sni -i two.test }")
        .with(Subject::Nginx, Scope::Shared, map)
        .with(Subject::Nginx, Scope::Service, "ssl_preread on;")
        .with(Subject::Nginx, Scope::Service, "proxy_pass $chosen;");
    let pen = stage.start(&setup);
    let right = right_cuts(&hello, |cut| {
        let Ok(client) = Wire::connect(&pen.place) else { return false };
        send(&client, &hello, cut) && client.read_line() == "s1 true\n"
    });
    verdict(right, hello.len())
}

/// The hello of a client that asks for `name`.
fn client_hello(name: &[u8]) -> Vec<u8> {
    let long = |bytes: Vec<u8>| [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat();
    let names = long([&[0][..], &long(name.to_vec())].concat());
    let extension = |kind: u16, body: Vec<u8>| [kind.to_be_bytes().to_vec(), long(body)].concat();
    let extensions = long([extension(0, names), extension(43, vec![2, 3, 4])].concat());
    let suites = long(vec![0x13, 0x01, 0xc0, 0x2f]);
    let body = [&[3, 3][..], &[7; 32], &[0], &suites, &[1, 0], &extensions].concat();
    let message = [&[1, 0][..], &long(body)].concat();
    [&[22, 3, 1][..], &long(message)].concat()
}

fn run_proxy(stage: &Stage) -> Verdict {
    if matches!(stage.subject, Subject::Pen | Subject::Classic) {
        return Verdict::without("takes no PROXY headers");
    }
    let farm = Farm::one(
        &(Arc::new(|s: Served| {
            let line = s.read_line();
            drop(s.send(line));
        }) as acts::Act),
    );
    let setup = Setup::of(farm.words(""))
        .with(Subject::Haproxy, Scope::Listen, "accept-proxy")
        .with(Subject::Nginx, Scope::Listen, "proxy_protocol");
    let pen = stage.start(&setup);
    let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\nhello\n".to_vec();
    let v2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..],
        &[192, 0, 2, 1, 192, 0, 2, 2, 4, 87, 8, 174],
        b"hello\n",
    ]
    .concat();
    let heads = [v1, v2];
    let right =
        heads.iter().map(|head| right_cuts(head, |cut| passes(&pen.place, head, cut))).sum();
    verdict(right, heads.iter().map(Vec::len).sum())
}

fn passes(place: &Place, head: &[u8], cut: usize) -> bool {
    let Ok(client) = Wire::connect(place) else { return false };
    send(&client, head, cut) && client.read_line() == "hello\n"
}
