//! Lines of every format, whatever is in them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::addr::{ClientAddr, Peer, Place};
use crate::config::Protocol;
use crate::flow::FlowEnd;
use crate::journey::{Trail, Try, Why};
use crate::moment::WallMs;
use crate::reasons::{CloseReason, ConnectFailure, Refusal};
use crate::report::TlsRow;
use crate::servers::ServerRef;

fn record() -> Record {
    let tries = vec![
        Try { server: ServerRef::Regular(0), why: Why::Failed(ConnectFailure::Refused) },
        Try { server: ServerRef::Regular(1), why: Why::Refused(Refusal::Blacklisted) },
    ];
    Record {
        what: What::Closed(CloseReason::ClientFinished),
        wall: WallMs(1_700_000_000_123),
        protocol: Protocol::Tcp,
        number: 5,
        listener: Some(Local::Ip("192.0.2.1:443".parse().unwrap())),
        client: Peer { addr: ClientAddr::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)), port: 4711 },
        server: Some(ServerRef::Regular(2)),
        server_name: Some("web-2".into()),
        place: Some(Place::Tcp("[::1]:80".parse().unwrap())),
        trail: Some(Box::new(Trail { tries, more: 3 })),
        asked_ms: Some(2),
        connected_ms: Some(5),
        first_byte_ms: Some(9),
        total_ms: 1_000,
        bytes_in: 77,
        bytes_out: 1_024,
        tls: Some(Box::new(TlsRow {
            version: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384",
            sni: Some("www.example".to_owned()),
            alpn: Some("h2".to_owned()),
            client_subject: Some("CN=a \"b\", O=c".to_owned()),
            resumed: false,
        })),
        server_tls: true,
        client_tcp: Some(TcpFacts { rtt_us: 31, retransmits: 0 }),
        server_tcp: Some(TcpFacts { rtt_us: 44, retransmits: 1 }),
    }
}

fn bare() -> Record {
    Record {
        what: What::Over(FlowEnd::Answered),
        protocol: Protocol::Udp,
        listener: None,
        server: None,
        server_name: None,
        place: None,
        trail: None,
        asked_ms: None,
        connected_ms: None,
        first_byte_ms: None,
        tls: None,
        server_tls: false,
        client_tcp: None,
        server_tcp: None,
        client: Peer { addr: ClientAddr::Unix, port: 0 },
        ..record()
    }
}

fn line(format: &Format, record: &Record) -> String {
    let mut out = String::new();
    format.write(&mut out, record, "web");
    out
}

fn template(text: &str) -> Format {
    Format::Template(Template::read(text).unwrap())
}

#[test]
fn text_says_what_there_is() {
    assert_eq!(
        line(&Format::Text, &record()),
        "time=2023-11-14T22:13:20.123Z event=end service=web protocol=tcp connection=5 \
         listener=192.0.2.1:443 client=127.0.0.1 client_port=4711 server=2 server_name=web-2 \
         server_address=[::1]:80 tries=0:refused,1:blacklisted,+3 queue_ms=2 connect_ms=3 \
         first_byte_ms=4 total_ms=1000 bytes_in=77 bytes_out=1024 tls_version=TLSv1.3 \
         tls_cipher=TLS_AES_256_GCM_SHA384 tls_sni=www.example tls_alpn=h2 tls_resumed=no \
         tls_client_subject=\"CN=a \\\"b\\\", O=c\" server_tls=yes client_rtt_us=31 \
         client_retransmits=0 server_rtt_us=44 server_retransmits=1 reason=client_finished"
    );
    assert_eq!(
        line(&Format::Text, &bare()),
        "time=2023-11-14T22:13:20.123Z event=end service=web protocol=udp connection=5 client=unix \
         total_ms=1000 bytes_in=77 bytes_out=1024 server_tls=no reason=answered"
    );
}

#[test]
fn json_has_every_field() {
    for record in [record(), bare(), Record { what: What::Start, ..record() }] {
        let value: Value = serde_json::from_str(&line(&Format::Json, &record)).unwrap();
        let fields: BTreeSet<&str> =
            value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, Field::ALL.iter().map(|f| f.word()).collect());
    }
    let value: Value = serde_json::from_str(&line(&Format::Json, &record())).unwrap();
    assert_eq!(value["tries"][0]["server"], "0");
    assert_eq!(value["tries"][1]["why"], "blacklisted");
    assert_eq!(value["connect_ms"], 3);
    assert_eq!(value["tls_resumed"], false);
    assert_eq!(value["tls_client_subject"], "CN=a \"b\", O=c");
    let value: Value = serde_json::from_str(&line(&Format::Json, &bare())).unwrap();
    assert_eq!(value["tls_sni"], Value::Null);
}

#[test]
fn a_template_is_what_it_says() {
    let format =
        template(r#"%{client}:%{client_port} 100%% \"%{tls_client_subject}\"\t%{server_name}"#);
    assert_eq!(line(&format, &record()), "127.0.0.1:4711 100% \"CN=a \\x22b\\x22, O=c\"\tweb-2");
    assert_eq!(line(&format, &bare()), "unix:- 100% \"-\"\t-");
    assert_eq!(
        line(&template("%{tls_client_subject}|%{tries}"), &record()),
        "CN=a\\x20\\x22b\\x22,\\x20O=c|0:refused,1:blacklisted,+3"
    );
    for (text, why, at) in [
        ("%{clinet}", "no field 'clinet'; did you mean 'client'?", 0),
        ("ab%{client", "after '%' comes", 2),
        ("%x", "after '%' comes", 0),
        ("a\\n", "after '\\' comes", 1),
        ("%", "after '%' comes", 0),
    ] {
        let (message, column) = Template::read(text).unwrap_err();
        assert!(message.starts_with(why), "{message}");
        assert_eq!(column, at, "{text}");
    }
    assert!(Template::read(&"%{client}".repeat(1_000)).is_err());
}

#[test]
fn numbers_are_what_they_are() {
    for n in [0, 1, 9, 10, 99, 100, 4_294_967_296, u64::MAX] {
        let record = Record { bytes_in: n, ..record() };
        assert_eq!(line(&template("%{bytes_in}"), &record), n.to_string());
    }
}

#[test]
fn places_are_words() {
    for word in
        ["/var/log/x", "./x", "syslog", "journald", "stdout", "udp:loghost:514", "udp:[::1]:5"]
    {
        assert_eq!(LogPlace::read(word).unwrap().to_string(), word);
    }
    for word in ["sylog", "udp:/x:1", "udp:", "udp:host", "udp::5", "udp:h:", "file"] {
        assert!(LogPlace::read(word).is_err(), "{word}");
    }
}

#[test]
fn programs_are_told_every_reason() {
    let documented = include_str!("../../../../docs/json.md");
    let list = documented.lines().find(|l| l.starts_with("| *close reason* |")).unwrap();
    for reason in CloseReason::ALL {
        let word = format!("`{}`", reason.word());
        assert!(list.contains(&word), "docs/json.md does not name {word}");
    }
}

#[test]
fn every_field_is_explained() {
    let documented = include_str!("../../../../docs/logs.md");
    let fields = Field::ALL.iter().map(|f| f.word());
    let reasons = CloseReason::ALL.iter().map(|r| r.word());
    let ends = FlowEnd::ALL.iter().map(|e| e.word());
    let why = ConnectFailure::ALL.iter().map(|f| f.word());
    let why = why.chain(Refusal::ALL.iter().map(|r| r.word()));
    for word in fields.chain(reasons).chain(ends).chain(why) {
        let word = format!("`{word}`");
        assert!(documented.contains(&word), "docs/logs.md does not name {word}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_forges_a_line(sni in ".{0,20}", subject in "[\\x00-\\x1f\\x7f-\\x9f\"\\\\ =a\u{2028}\u{202e}]{0,20}") {
        let mut record = record();
        let tls = record.tls.as_mut().unwrap();
        (tls.sni, tls.client_subject) = (Some(sni.clone()), Some(subject.clone()));
        let json: Value = serde_json::from_str(&line(&Format::Json, &record)).unwrap();
        prop_assert_eq!(json["tls_sni"].as_str(), Some(sni.as_str()));
        prop_assert_eq!(json["tls_client_subject"].as_str(), Some(subject.as_str()));
        let quoted = line(&template(r#"\"%{tls_client_subject}\""#), &record);
        prop_assert_eq!(quoted.matches('"').count(), 2);
        let words = line(&template("%{tls_sni} %{tls_client_subject}"), &record);
        prop_assert_eq!(words.matches(' ').count(), 1);
        for text in [line(&Format::Text, &record), quoted, words, line(&Format::Json, &record)] {
            let steers = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
            prop_assert!(!text.chars().any(steers), "{}", text);
        }
    }

    #[test]
    fn any_template_is_answered(text in "[%{}\\\\\"a-z_ é]{0,40}") {
        if let Ok(template) = Template::read(&text) {
            prop_assert_eq!(template.text(), &text);
            line(&Format::Template(template), &record());
        }
    }
}
