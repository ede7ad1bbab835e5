//! What an operator is told of a session that works: in the twins of the reports and in the log.

use pen_test::{Authority, Farm, Pen, until};
use rcgen::DnType;
use rustls::SupportedProtocolVersion as Version;
use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, StreamOwned};
use serde_json::{Value, json};

use crate::hall::{Client, Hall, NAME, read_line, session, socket};
use crate::look::credentials;

/// A client that is being served.
fn enter(pen: &Pen, config: &ClientConfig) -> Client {
    let mut client = StreamOwned::new(session(config.clone()), socket(pen));
    assert!(read_line(&mut client).expect("it is let in").starts_with("s0 "));
    client
}

/// What the reports say of the only connection.
fn reported(pen: &Pen) -> Value {
    let read = |reply: &str| serde_json::from_str::<Value>(reply).expect("JSON");
    let status = read(&pen.ctl("status json"));
    let rows = status["connections"].as_array().expect("a list");
    let [row] = &rows[..] else { panic!("not one connection: {rows:?}") };
    let number = row["number"].as_u64().expect("a number");
    let twin = read(&pen.ctl(&format!("connection {number} json")));
    assert_eq!(twin["connection"]["tls"], row["tls"]);
    row["tls"].clone()
}

/// Waits until nobody is there.
fn emptied(pen: &Pen) {
    until("the end", || pen.ctl("status json").contains(r#""connections":[]"#).then_some(()));
}

/// Waits for a line in the log.
fn told(pen: &Pen, line: &str) {
    until(line, || pen.stderr().lines().any(|l| l.ends_with(line)).then_some(()));
}

fn names_of(version: &'static Version) -> (&'static str, &'static str) {
    match version.version {
        rustls::ProtocolVersion::TLSv1_2 => ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        _ => ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    }
}

#[test]
fn a_session_is_reported_also_when_it_goes_on() {
    let (hall, farm, clients) = (Hall::new(), Farm::banners(1), Authority::new("clients"));
    let ca = hall.scratch.write("ca.pem", clients.pem()).display().to_string();
    let pen = hall.pen(&farm).args(["-d", "-d", "-R", "-G", &ca]);
    let pen = pen.command("ssl_alpn h2 http/1.1").start();
    // Whoever signs may be careless.
    let careless = clients.sign_with(&["client"], |params| {
        params.distinguished_name.push(DnType::CommonName, "a\n\u{1b}\u{9b}2Jb");
    });
    for (identity, subject) in
        [(clients.sign(&["client"]), "CN=client"), (careless, r"CN=a\0a\1b?2Jb")]
    {
        for version in [&TLS12, &TLS13] {
            let (name, cipher) = names_of(version);
            let mut config = hall.config_of(&[version]);
            config.client_auth_cert_resolver = std::sync::Arc::new(credentials(&identity));
            config.alpn_protocols = vec![b"\x1b[2J\n\"".to_vec(), b"http/1.1".to_vec()];
            config.resumption = Resumption::in_memory_sessions(8);
            for (resumed, word) in [(false, "full"), (true, "resumed")] {
                let client = enter(&pen, &config);
                let expected = json!({
                    "version": name, "cipher": cipher, "sni": NAME, "alpn": "http/1.1",
                    "client_subject": subject, "resumed": resumed,
                });
                assert_eq!(reported(&pen), expected);
                told(
                    &pen,
                    &format!(
                        "client 127.0.0.1: TLS handshake finished: {name}, {cipher}, {word}; name \
                         '{NAME}', protocol 'http/1.1', certificate of {subject}"
                    ),
                );
                drop(client);
                emptied(&pen);
            }
        }
    }
    assert!(!pen.stderr().contains(['\u{1b}', '\u{9b}']));
}

#[test]
fn what_was_not_said_is_not_reported() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let pen = hall.pen(&farm).args(["-d", "-d"]).command("workers 1").start();
    // One after the other on the same worker: a name must not be another's.
    for (named, sni, said) in
        [(true, json!(NAME), format!("name '{NAME}'")), (false, json!(null), "no name".to_owned())]
    {
        for version in [&TLS12, &TLS13] {
            let (name, cipher) = names_of(version);
            let mut config = hall.config_of(&[version]);
            config.enable_sni = named;
            let client = enter(&pen, &config);
            let expected = json!({
                "version": name, "cipher": cipher, "sni": sni, "alpn": null,
                "client_subject": null, "resumed": false,
            });
            assert_eq!(reported(&pen), expected);
            told(&pen, &format!("{name}, {cipher}, full; {said}, no protocol, no certificate"));
            drop(client);
            emptied(&pen);
        }
    }
    // Before the end of a handshake nothing is agreed.
    let silent = pen.client();
    until("it is accepted", || pen.ctl("status json").contains(r#""state":1"#).then_some(()));
    assert_eq!(reported(&pen), json!(null));
    drop(silent);
}

#[test]
fn plain_clients_and_lower_levels_say_nothing() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let plain = Pen::over(&farm).start();
    let client = plain.client();
    assert!(client.read_line().starts_with("s0 "));
    assert_eq!(reported(&plain), json!(null));
    let quiet = hall.pen(&farm).args(["-d"]).start();
    drop(enter(&quiet, &hall.config()));
    until("the end", || quiet.stderr().contains("ended: ").then_some(()));
    assert!(!quiet.stderr().contains("handshake finished"), "{}", quiet.stderr());
}
