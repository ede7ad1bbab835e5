//! PROXY headers that are none, too long, or say what they must not.

use std::time::Duration;

use pen_test::{Farm, Place, Wire};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        44,
        "PROXY headers: no addresses, TLVs too long, 65535 bytes, above 107, fused, absent",
        "taken or closed as the specification says: all cases",
    )
};

/// What every header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// 192.0.2.1:1000 to 192.0.2.2:2000.
const ADDRESSES: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 3, 232, 7, 208];

fn run(stage: &Stage) -> Verdict {
    if matches!(stage.subject, Subject::Pen | Subject::Classic) {
        return Verdict::without("no PROXY protocol");
    }
    let farm = Farm::one(&pen_test::acts::echo());
    let second = Place::free();
    let listen = format!("listen {} proxy_protocol;", second.word());
    let setup = Setup::of(farm.words(""))
        .with(Subject::Haproxy, Scope::Service, "tcp-request connection expect-proxy layer4")
        .with(Subject::Haproxy, Scope::Service, "timeout client 2s")
        .with(Subject::Nginx, Scope::Service, listen)
        .with(Subject::Nginx, Scope::Service, "proxy_protocol_timeout 2s;");
    let mut balancer = stage.start(&setup);
    let place = if stage.subject == Subject::Nginx { second } else { balancer.place.clone() };
    let cases = cases();
    let mut wrong = Vec::new();
    for (name, header, taken) in &cases {
        if passes(&place, header) != *taken {
            wrong.push(*name);
        }
    }
    let lives = balancer.lives();
    let list = if wrong.is_empty() { String::new() } else { format!(": {}", wrong.join(", ")) };
    let right = cases.len() - wrong.len();
    let end = if lives { "" } else { ", it died" };
    Verdict::of(wrong.is_empty() && lives, format!("{right} of {}{end}{list}", cases.len()))
}

/// Whether what follows a header, and nothing of the header, comes to the server.
fn passes(place: &Place, header: &[u8]) -> bool {
    let Ok(client) = Wire::connect(place) else { return false };
    client.set_patience(Duration::from_secs(4));
    let _ = client.send([header, b"payload\n"].concat());
    client.read_line() == "payload\n"
}

/// A header of version 2.
fn second(command: u8, family: u8, length: usize, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(length).expect("two bytes");
    [&SIGNATURE[..], &[command, family], &length.to_be_bytes(), content].concat()
}

/// Name, header, and whether the connection goes on.
fn cases() -> Vec<(&'static str, Vec<u8>, bool)> {
    let v1 = |text: &str| text.as_bytes().to_vec();
    let whole = |content: &[u8]| second(0x21, 0x11, content.len(), content);
    let with = |tlv: &[u8]| whole(&[&ADDRESSES[..], tlv].concat());
    let six = [[0xfd; 32].as_slice(), &[3, 232, 7, 208]].concat();
    vec![
        ("v1 IPv4", v1("PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"), true),
        ("v1 IPv6", v1("PROXY TCP6 2001:db8::1 2001:db8::2 1000 2000\r\n"), true),
        ("v1 unknown", v1("PROXY UNKNOWN\r\n"), true),
        ("v1 unknown with text", v1("PROXY UNKNOWN some text\r\n"), true),
        ("v1 above 107 bytes", v1(&format!("PROXY TCP4 {}\r\n", "1".repeat(120))), false),
        ("v1 LF only", v1("PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\n"), false),
        ("v1 port 99999", v1("PROXY TCP4 192.0.2.1 192.0.2.2 99999 2000\r\n"), false),
        ("v1 wrong family", v1("PROXY TCP4 2001:db8::1 2001:db8::2 1000 2000\r\n"), false),
        ("v1 no addresses", v1("PROXY TCP4\r\n"), false),
        ("v1 lower case", v1("proxy TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"), false),
        ("absent", v1("GET / HTTP/1.0\r\n\r\n"), false),
        ("v2 IPv4", whole(&ADDRESSES), true),
        ("v2 IPv6", second(0x21, 0x21, 36, &six), true),
        ("v2 LOCAL without addresses", second(0x20, 0, 0, &[]), true),
        ("v2 LOCAL with addresses", second(0x20, 0x11, 12, &ADDRESSES), true),
        ("v2 unspecified family", second(0x21, 0, 0, &[]), true),
        ("v2 TLV", with(&[4, 0, 2, 0, 0]), true),
        ("v2 version 1", second(0x11, 0x11, 12, &ADDRESSES), false),
        ("v2 command 7", second(0x27, 0x11, 12, &ADDRESSES), false),
        ("v2 too short for IPv4", second(0x21, 0x11, 4, &[1, 2, 3, 4]), false),
        ("v2 too short for IPv6", second(0x21, 0x21, 12, &ADDRESSES), false),
        ("v2 length 65535 without content", second(0x21, 0x11, 65_535, &ADDRESSES), false),
        (
            "v2 bad signature",
            [&b"\r\n\r\n\0\r\nQUIX\n"[..], &whole(&ADDRESSES)[12..]].concat(),
            false,
        ),
    ]
}
