//! TLS that is none, cut or bent.

use std::time::{Duration, Instant};

use pen_test::{End, Farm, Pattern, Place, Wire};

use crate::load::Load;
use crate::rows::Row;
use crate::secure::{Secure, renamed};
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        43,
        "malformed TLS: foreign protocols, broken records, bits bent",
        "closed, no server contacted, valid clients served: all cases",
    )
};

fn run(stage: &Stage) -> Verdict {
    let (farm, secure) = (Farm::banners(1), Secure::new());
    let mut balancer =
        stage.start(&Setup { tls: Some(secure.file.clone()), ..Setup::of(farm.words("")) });
    let hello = secure.hello();
    let mut cases = shapes(&hello, &secure);
    let dice = Pattern::new(stage.seed).take(stage.of(4_000, 400) * 4);
    for throw in dice.chunks_exact(4) {
        let mut bent = hello.clone();
        let at = usize::from(u16::from_be_bytes([throw[0], throw[1]])) % bent.len();
        // Half of them in the first bytes, where the lengths are.
        let at = if throw[2] % 2 == 0 { at % 160 } else { at };
        bent[at] = bent[at].wrapping_add(throw[3] | 1);
        cases.push(bent);
    }
    let end = Instant::now() + Duration::from_secs(stage.of(45, 8));
    let (mut tried, mut open) = (0, 0);
    for case in &cases {
        if Instant::now() > end {
            break;
        }
        tried += 1;
        open += usize::from(!closed(&balancer.place, case));
    }
    let contacted = farm.first().map_or(0, |server| server.accepted());
    let place = balancer.place.clone();
    let load = Load::of(2, 40, move || secure.visit(&place, Duration::from_secs(5)));
    let outcome = load.during(Duration::from_secs(1));
    let lives = balancer.lives();
    let right = open + contacted + outcome.failed() == 0 && lives && outcome.asked() > 5;
    let text = format!(
        "{open} of {tried} left open, {contacted} reached a server, valid clients failed {} of {}{}",
        outcome.failed(),
        outcome.asked(),
        if lives { "" } else { ", it died" }
    );
    Verdict::of(right, text)
}

/// Sends it, ends the stream, and waits for the end from the other side.
fn closed(place: &Place, bytes: &[u8]) -> bool {
    let Ok(client) = Wire::connect(place) else { return false };
    client.set_patience(Duration::from_secs(2));
    // It may be gone before all of it was sent.
    let _ = client.send(bytes);
    client.finish();
    client.end() != End::Silence
}

/// A record: its type, TLS 1.0 as everybody's first record says, and its content.
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a record");
    [&[kind, 3, 1][..], &length.to_be_bytes(), content].concat()
}

fn shapes(hello: &[u8], secure: &Secure) -> Vec<Vec<u8>> {
    let mut version = hello.to_vec();
    version[1] = 9;
    let plain = secure.hello_of(&rustls::version::TLS12);
    let mut shapes = vec![
        b"GET / HTTP/1.1\r\nHost: default.example\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"EHLO example.test\r\nSTARTTLS\r\n".to_vec(),
        Pattern::new(11).take(100_000),
        vec![0; 50_000],
        [&[22, 3, 1, 255, 255][..], &[1; 65_535]].concat(),
        [&[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10][..], &[7; 64]].concat(),
        record(22, &[1, 255, 255, 255, 3, 3]),
        record(22, &[2, 0, 0, 40, 3, 3]).repeat(9),
        record(22, &[20, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]),
        record(21, &[2, 40]),
        record(23, &[9; 200]),
        record(20, &[1]).repeat(100),
        record(24, &[1, 64, 0]),
        record(99, &[9; 200]),
        record(22, &[]).repeat(1_000),
        version,
        [hello, &Pattern::new(12).take(5_000)].concat(),
        [hello, hello].concat(),
        renamed(&plain, crate::secure::NAME, &[b'x'; 5_000]),
        renamed(&plain, crate::secure::NAME, b"\0\xff\xfe"),
    ];
    // A hello in records of one byte each, without its end.
    let cut = hello.get(5..hello.len() - 1).unwrap_or_default();
    shapes.push(cut.iter().flat_map(|byte| record(22, &[*byte])).collect());
    // Cut off at every tenth byte.
    shapes.extend((0..hello.len()).step_by(10).filter_map(|n| Some(hello.get(..n)?.to_vec())));
    shapes
}
