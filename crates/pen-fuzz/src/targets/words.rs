//! Words that say where something is: servers (`host:port:max:hard:weight:prio`), listening addresses, ports.
//!
//! The first byte says whether there is a default port; the rest is the word. What a word means is read out
//! here field by field, as the manual says it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pen_core::addr::{Host, Names, Place};
use pen_core::config::ServerConfig;
use pen_core::listen_word::{self, port_number};
use pen_core::server_word::ServerWord;

use super::commands::Book;
use super::named;
use crate::Choices;

/// The highest number of a field.
const MOST: u64 = 1_000_000_000;

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let default_port = (choices.byte() & 1 == 1).then_some(7_000);
    let word = String::from_utf8_lossy(choices.0);
    assert_eq!(port_number(&word, &Book), port(&word), "{word:?}");
    server(&word, default_port);
    listen(&word);
}

fn server(word: &str, default_port: Option<u16>) {
    let parsed = ServerWord::parse(word);
    if let Ok(parsed) = &parsed {
        let named = parsed.host_named();
        assert!(named.is_none_or(|n| word.starts_with(n) && n.parse::<IpAddr>().is_err()));
    }
    let read = parsed.and_then(|parsed| parsed.resolve(default_port, &Book));
    match (&read, meant_server(word, default_port)) {
        (Err(why), None) => sentence(why),
        (Ok(read), Some(meant)) => assert_eq!(*read, meant, "{word:?}"),
        (_, meant) => panic!("{word:?} is {read:?}, it should be {meant:?}"),
    }
    let Ok(ServerConfig { host: Host::Ip(ip), port, max, .. }) = read else { return };
    let shown = format!("{}:{max}", SocketAddr::from((ip, port)));
    let again = ServerWord::parse(&shown).and_then(|word| word.resolve(None, &Book));
    let same = |s: &ServerConfig| (&s.host, s.port, s.max) == (&Host::Ip(ip), port, max);
    assert!(again.as_ref().is_ok_and(same), "{shown}: {again:?}");
}

/// The server that is meant; `None`: no server.
fn meant_server(word: &str, default_port: Option<u16>) -> Option<ServerConfig> {
    // An address with colons stands in brackets; without them nobody could tell where it ends.
    let (host, fields) = match word.strip_prefix('[') {
        Some(inner) => {
            let end = inner.find(']')?;
            let (host, rest) = (&inner[..end], &inner[end + 1..]);
            host.parse::<Ipv6Addr>().ok()?;
            if !matches!(rest.chars().next(), None | Some(':')) {
                return None;
            }
            (host, rest.split(':').skip(1).collect::<Vec<_>>())
        }
        None if word.parse::<Ipv6Addr>().is_ok() => return None,
        None => {
            let all: Vec<&str> = word.split(':').collect();
            (all[0], all[1..].to_vec())
        }
    };
    if host.is_empty() || fields.len() > 5 {
        return None;
    }
    let field = |n: usize| fields.get(n).copied().unwrap_or_default();
    let mut numbers = [0; 4];
    for (n, number) in numbers.iter_mut().enumerate() {
        // As in every other number a plus may stand before it.
        let text = field(n + 1);
        *number = match text.strip_prefix('+') {
            Some("") => return None,
            digits => number_of(digits.unwrap_or(text))?,
        };
    }
    let host = meant_host(host)?;
    let port = match (field(0), &host) {
        ("", Host::Unix(_)) => 1,
        ("", _) => default_port?,
        (text, _) => port(text)?,
    };
    let [max, hard, weight, prio] = numbers;
    Some(ServerConfig { host, port, max, hard, weight, prio, ..ServerConfig::default() })
}

fn meant_host(host: &str) -> Option<Host> {
    if host.contains('/') {
        return Some(Host::Unix(host.into()));
    }
    let ip = match (host.parse::<Ipv4Addr>(), host.parse::<Ipv6Addr>()) {
        (Ok(ip), _) => ip.into(),
        (_, Ok(ip)) => match ip.octets() {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, a, b, c, d] => [a, b, c, d].into(),
            _ => IpAddr::from(ip),
        },
        _ => return Book.host(host).ok().map(|ip| Host::Name { name: host.to_owned(), ip }),
    };
    // No address is no server.
    Some(if ip == IpAddr::from([0; 4]) { Host::Unset } else { Host::Ip(ip) })
}

/// Nothing is 0; digits and nothing but digits are a number, up to the highest.
fn number_of(text: &str) -> Option<u32> {
    let mut number = 0_u64;
    for digit in text.chars() {
        number = number * 10 + u64::from(digit.to_digit(10)?);
        if number > MOST {
            return None;
        }
    }
    u32::try_from(number).ok()
}

fn port(text: &str) -> Option<u16> {
    match text {
        "" => None,
        "http" => Some(80),
        digits => u16::try_from(number_of(digits)?).ok(),
    }
}

fn listen(word: &str) {
    let read = listen_word::resolve(word, &Book);
    if let Some(named) = listen_word::host_named(word) {
        assert!(word.contains(named) && named.parse::<IpAddr>().is_err() && !word.contains('/'));
    }
    match (&read, meant_place(word)) {
        (Err(why), None) => return sentence(why),
        (Ok(read), Some(meant)) => {
            assert_eq!((&read.place, read.text.as_str()), (&meant, word));
        }
        (_, meant) => panic!("{word:?} is {read:?}, it should be {meant:?}"),
    }
    let Ok(place) = read.map(|read| read.place) else { return };
    let shown = match &place {
        Place::Tcp(SocketAddr::V4(a)) if a.port() == 0 => a.ip().to_string(),
        Place::Tcp(SocketAddr::V6(a)) if a.port() == 0 => format!("[{}]", a.ip()),
        place => place.to_string(),
    };
    let again = listen_word::resolve(&shown, &Book).map(|again| again.place);
    assert_eq!(again, Ok(place), "{shown}");
}

/// Where one is to listen; `None`: nowhere.
fn meant_place(word: &str) -> Option<Place> {
    if word.contains('/') {
        return Some(Place::Unix(word.into()));
    }
    let in_brackets =
        |text: &str| -> Option<IpAddr> { text.strip_prefix('[')?.strip_suffix(']')?.parse().ok() };
    let alone = word.parse().map(IpAddr::V4).ok().or_else(|| in_brackets(word));
    if let Some(ip) = alone.filter(|ip| !ip.is_unspecified()) {
        return Some(Place::Tcp((ip, 0).into()));
    }
    let colon = word.rfind(':');
    let number = port(colon.map_or(word, |at| &word[at + 1..])).filter(|port| *port > 0)?;
    let ip = match &word[..colon.unwrap_or(0)] {
        "" | "[]" => Ipv4Addr::UNSPECIFIED.into(),
        host => in_brackets(host).or_else(|| host.parse().ok()).or_else(|| {
            Book.host(host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)).ok()
        })?,
    };
    Some(Place::Tcp((ip, number).into()))
}

/// One line for the operator, however long the word was.
fn sentence(why: &str) {
    assert!(!why.is_empty() && why.len() < 2_048 && !why.contains(char::is_control), "{why:?}");
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let word = |text: &str| [&[1], text.as_bytes()].concat();
    named([
        ("all-fields", word("127.0.0.1:80:5:6:7:8")),
        ("brackets", word("[2001:db8::1]:http:1")),
        ("mapped", word("[::ffff:10.0.0.1]:80")),
        ("all-of-ipv6", word(":::8080")),
        ("in-brackets", word("[::1]")),
        ("no-brackets", word("::1:80")),
        ("path", word("/run/back::5")),
        ("name", word("localhost:http::6")),
        ("unset", word("0.0.0.0:80")),
        ("port", word("8080")),
        ("port-alone", word(":http")),
        ("too-high", word("localhost:65536:1000000001")),
        ("a-sign", word("127.0.0.1:80:+5")),
        ("a-sign-alone", word("127.0.0.1:80:+")),
        ("a-sign-of-a-port", word("127.0.0.1:+80")),
        ("too-many", word("h:1:2:3:4:5:6")),
        ("no-default", b"\x0010.0.0.1".to_vec()),
        ("an-order-to-a-terminal", word("\u{1b}[2J:80")),
    ])
}
