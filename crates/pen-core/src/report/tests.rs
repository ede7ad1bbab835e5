//! The forms of one snapshot, compared byte for byte where programs read them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use super::*;
use crate::config::{Mode, ServerConfig};
use crate::hello::Hello;
use crate::routes::{Route, Table, To, When};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn row(slot: u32, host: Host, port: u16) -> ServerRow {
    let server = Server::new(ServerConfig { host, port, ..ServerConfig::default() });
    ServerRow::of(ServerRef::Regular(slot), &server, Moment(0), WallSeconds(1000), 30)
}

fn snapshot() -> Snapshot {
    let mut first = row(0, Host::Ip(LOCAL), 8080);
    (first.max, first.hard, first.weight, first.prio) = (5, 6, 7, 8);
    (first.conn, first.sent, first.received) = (1, 300, 500);
    let mut outside = row(0, Host::Ip(LOCAL), 81);
    outside.server = ServerRef::Emergency;
    Snapshot {
        service: "default".to_owned(),
        time: "2024-05-06 07:08:09".to_owned(),
        wall: WallSeconds(1000),
        listen: vec!["127.0.0.1:80".to_owned(), "[::1]:80".to_owned()],
        current: 1,
        servers: vec![
            first,
            row(1, Host::Ip(Ipv6Addr::LOCALHOST.into()), 99),
            row(2, Host::Unset, 0),
        ],
        emergency: Some(outside),
        abuse: None,
        clients_max: 17,
        clients_used: 2,
        clients: vec![client(0, 2, Some(1)), client(1, 400, None)],
        conn_max: 44,
        conn_used: 1,
        conn_last: 3,
        connections: vec![ConnectionRow {
            slot: 3,
            state: 10,
            downfd: 7,
            upfd: 8,
            pending_down: 9,
            pending_up: 0,
            client: 0,
            server: -1,
            age_s: 5,
            idle_s: 4,
            asked_ms: Some(1),
            connected_ms: Some(2),
            first_byte_ms: None,
            tls: None,
        }],
        idlers: 1,
        idlers_wanted: 2,
    }
}

fn client(slot: u32, age_s: u64, server: Option<u32>) -> ClientRow {
    let addr = ClientAddr::Ip(LOCAL);
    ClientRow { slot, addr, age_s, server, connects: 1, sent: 3, received: 5 }
}

#[test]
fn classic_replies() {
    let s = snapshot();
    let rows: [(String, &str); 13] = [
        (
            classic::servers(&s),
            "0 addr 127.0.0.1 port 8080 conn 1 max 5 hard 6 weight 7 prio 8 sx 300 rx 500\n\
             1 addr ::1 port 99 conn 0 max 0 hard 0 weight 0 prio 0 sx 0 rx 0\n\
             2 addr 0.0.0.0 port 0 conn 0 max 0 hard 0 weight 0 prio 0 sx 0 rx 0\n",
        ),
        (
            classic::services(std::slice::from_ref(&s)),
            "default listen 127.0.0.1:80,[::1]:80 servers 3 usable 2 conn 1\n",
        ),
        (classic::recent(&s, 300), "127.0.0.1 connects 1 sx 3 rx 5\n"),
        (classic::recent(&s, 1), ""),
        (
            classic::connection(&s, 3),
            "Connection 3:\nstate = 10\ndownfd = 7, upfd = 8\nclient = 0, server = -1\npend = 0\n",
        ),
        (
            classic::connection(&s, 4),
            "Connection 4:\nstate = 0\ndownfd = -1, upfd = -1\nclient = -1, server = -3\n\
             pend = 0\n",
        ),
        (classic::connection(&s, 44), "Connection 44 out of range\n"),
        (classic::connection(&s, -1), "Connection -1 out of range\n"),
        (classic::socket(&s, 8), "Socket 8 belongs to connection 3\n"),
        (classic::socket(&s, -1), "Socket -1 belongs to connection -1\n"),
        (classic::idlers(&s), "Idlers: 1/2\n"),
        (classic::spread(&[3, 0]), "worker 0 connections 3\nworker 1 connections 0\n"),
        (classic::closing(3) + &classic::number(7), "Forcibly closing connection 3\n7\n"),
    ];
    for (got, expected) in rows {
        assert_eq!(got, expected);
    }
}

#[test]
fn status_counts_like_the_original() {
    let server = Server::new(ServerConfig { host: Host::Ip(LOCAL), ..ServerConfig::default() });
    let at = |now: u64| {
        ServerRow::of(ServerRef::Regular(0), &server, Moment(now), WallSeconds(5_000), 100).status
    };
    assert_eq!(at(0), 0, "never failed");
    server.load.sentence(Moment(7_000), 10);
    assert_eq!(at(7_000), 5_000 + 10 - 100);
    assert_eq!(at(27_000), 5_000 - 10 - 100, "after the sentence it lies further back");
    server.load.fail(Moment(30_000));
    assert_eq!(at(31_000), 4_999, "a failure after it counts");
    server.load.sentence(Moment(31_000), 0);
    assert_eq!(at(31_000), 0);
}

#[test]
fn usable_is_set_and_not_blacklisted() {
    let mut r = row(0, Host::Ip(LOCAL), 1);
    assert!(r.usable());
    r.blacklisted = true;
    assert!(!r.usable());
    assert!(!row(0, Host::Ip(LOCAL), 0).usable());
    assert!(!row(0, Host::Ip(Ipv4Addr::UNSPECIFIED.into()), 1).usable());
    assert!(row(0, Host::Unix(PathBuf::from("/s")), 0).usable());
    let by_frame = |host| ServerRow { by_frame: true, ..row(0, host, 0) };
    assert!(by_frame(Host::Ip(LOCAL)).usable());
    assert!(!by_frame(Host::Ip(Ipv4Addr::UNSPECIFIED.into())).usable());
}

#[test]
fn page_has_the_original_headings_and_escapes() {
    let mut s = snapshot();
    s.servers[2] = row(2, Host::Unix(PathBuf::from("/<b>&\"'")), 0);
    let page = html::page(&s);
    assert!(page.starts_with("<html>") && page.ends_with("</html>\n"));
    for part in [
        "<title>Pen status page</title>",
        "<h1>Pen status page</h1>",
        "Time 2024-05-06 07:08:09, 3 servers, 1 current",
        "<td>server</td><td>address</td><td>status</td><td>port</td><td>connections</td>\
         <td>max soft</td><td>max hard</td><td>sent</td><td>received</td><td>weight</td>\
         <td>prio</td>",
        "<td>0</td><td>127.0.0.1</td><td>0</td><td>8080</td><td>1</td><td>5</td><td>6</td>\
         <td>300</td><td>500</td><td>7</td><td>8</td>",
        "<td>/&lt;b&gt;&amp;&quot;&#39;</td>",
        "<h2>Active clients</h2>",
        "Max number of clients: 17",
        "<tr><td>1</td><td>127.0.0.1</td><td>400</td><td>-3</td><td>1</td><td>3</td><td>5</td>",
        "<h2>Active connections</h2>",
        "Number of connections: 44 max, 1 used, 3 last",
        "<tr><td>3</td><td>7</td><td>8</td><td>9</td><td>0</td><td>0</td><td>-1</td></tr>",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert_eq!(page.matches("<table").count(), 3);
}

#[test]
fn text_report_names_everything() {
    let text = text::report(&snapshot());
    for part in [
        "Time 2024-05-06 07:08:09, 3 servers, 1 current\n",
        "Server 0 status:\naddress 127.0.0.1\nstatus 0\nport 8080\n\
         1 connections (5 soft, 6 hard)\n300 sent, 500 received\n",
        "Max number of clients: 17\nActive clients:\nClient 0 status:\naddress 127.0.0.1\n\
         last used 998\nlast server 1\nconnects 1\nsent 3\nreceived 5\n",
        "Max number of connections: 44\nActive connections:\nConnection 3 status:\n\
         downfd = 7, upfd = 8\npending data 9 down, 0 up\nclient 0, server -1\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn json_twins() {
    let s = snapshot();
    let mode = Mode { hash: true, ..Mode::default() };
    for (got, expected) in [
        (
            json::services(std::slice::from_ref(&s)),
            r#"{"services":[{"name":"default","listen":["127.0.0.1:80","[::1]:80"],"servers":3,"usable":2,"connections":1}]}"#,
        ),
        (
            json::recent(&s, 300),
            r#"{"service":"default","seconds":300,"clients":[{"slot":0,"address":"127.0.0.1","age_s":2,"server":1,"connects":1,"sent":3,"received":5}]}"#,
        ),
        (
            json::connection(&s, 3),
            r#"{"service":"default","in_range":true,"connection":{"number":3,"state":10,"downfd":7,"upfd":8,"pending_down":9,"pending_up":0,"client":0,"server":-1,"age_s":5,"idle_s":4,"asked_ms":1,"connected_ms":2,"first_byte_ms":null,"tls":null}}"#,
        ),
        (json::connection(&s, 99), r#"{"service":"default","in_range":false,"connection":null}"#),
        (json::socket(&s, 7), r#"{"service":"default","socket":7,"connection":3}"#),
        (json::idlers(&s), r#"{"service":"default","idlers":1,"wanted":2}"#),
        (json::spread(&[7]), r#"{"workers":[{"number":0,"connections":7}]}"#),
        (
            json::mode("default", mode),
            r#"{"service":"default","hash":true,"roundrobin":false,"stubborn":false,"weight":false,"prio":false,"forgetful":false}"#,
        ),
        (json::setting("conn_max", 500), r#"{"conn_max":500}"#),
    ] {
        assert_eq!(got, format!("{expected}\n"));
    }
    let first = concat!(
        r#"{"service":"default","servers":[{"number":0,"name":null,"address":"127.0.0.1","port":8080,"acl":0,"#,
        r#""connections":1,"pending":0,"max":5,"hard":6,"weight":7,"prio":8,"sent":300,"received":500,"#,
        r#""total":0,"failures":{},"refusals":{},"usable":true,"blacklisted":false,"sentence_s":null,"failed_ago_s":null,"tls":"off","tls_name":null},"#
    );
    assert!(json::servers(&s).starts_with(first), "{}", json::servers(&s));
    let status: serde_json::Value = serde_json::from_str(&json::status(&s)).unwrap();
    assert_eq!(status["emergency"]["number"], -1);
    assert_eq!(status["time_s"], 1000);
    assert_eq!(status["connections"][0]["number"], 3);
    assert_eq!(status["clients"][1]["server"], serde_json::Value::Null);
}

/// The snapshot with a client that speaks TLS.
fn secured(sni: Option<&str>, alpn: Option<&str>, subject: Option<&str>) -> Snapshot {
    let mut s = snapshot();
    s.connections[0].tls = Some(Box::new(TlsRow {
        version: "TLSv1.2",
        cipher: "ECDHE-RSA-AES128-GCM-SHA256",
        sni: sni.map(str::to_owned),
        alpn: alpn.map(str::to_owned),
        client_subject: subject.map(str::to_owned),
        resumed: true,
    }));
    s
}

#[test]
fn tls_is_in_the_twins_and_changes_nothing_else() {
    for (s, expected) in [
        (
            secured(Some("a.example"), Some("h2"), Some("CN=\"x\"\n")),
            r#""sni":"a.example","alpn":"h2","client_subject":"CN=\"x\"\n","resumed":true}"#,
        ),
        (
            secured(None, None, None),
            r#""sni":null,"alpn":null,"client_subject":null,"resumed":true}"#,
        ),
    ] {
        let start = r#""tls":{"version":"TLSv1.2","cipher":"ECDHE-RSA-AES128-GCM-SHA256","#;
        let part = format!("{start}{expected}");
        for reply in [json::connection(&s, 3), json::status(&s)] {
            assert!(reply.contains(&part), "{part}: {reply}");
        }
        let plain = snapshot();
        assert_eq!(classic::connection(&s, 3), classic::connection(&plain, 3));
        assert_eq!(text::report(&s), text::report(&plain));
        assert_eq!(html::page(&s), html::page(&plain));
    }
}

fn table() -> Table {
    let routes = [
        Route { when: When::sni("*.example.org").unwrap(), to: To::Service("web".to_owned()) },
        Route { when: When::alpn("h2").unwrap(), to: To::Server(3) },
        Route { when: When::Default, to: To::Close },
    ];
    let table = Table::build(&routes, None);
    let hello = Hello { alpn: vec![b"h2".to_vec()], ..Hello::default() };
    assert_eq!(table.choose(Ok(&hello)), &To::Server(3));
    table
}

#[test]
fn routes_are_listed_with_their_counters() {
    let table = table();
    assert_eq!(
        routes::text(Some(&table)),
        "sni *.example.org service web taken 0\nalpn h2 server 3 taken 1\ndefault close taken 0\n\
         not_tls 0 no_route 0 hello_timeout 0 service_full 0\n"
    );
    assert_eq!(routes::text(None), "");
    let first = concat!(
        r#"{"service":"default","routes":[{"kind":"sni","name":"*.example.org","to":"service","#,
        r#""to_service":"web","to_server":null,"taken":0},"#
    );
    let reply = routes::json("default", Some(&table));
    assert!(reply.starts_with(first), "{reply}");
    assert!(routes::json("default", None).contains(r#""routes":[],"not_tls":0"#));
}

#[test]
fn every_field_of_the_twins_is_documented() {
    fn names(value: &serde_json::Value, into: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    into.push(name.clone());
                    names(value, into);
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|v| names(v, into)),
            _ => {}
        }
    }
    let documented = include_str!("../../../../docs/json.md");
    let s = snapshot();
    let mut fields = Vec::new();
    for reply in [
        json::servers(&s),
        json::services(std::slice::from_ref(&s)),
        json::recent(&s, 300),
        json::connection(&s, 3),
        json::socket(&s, 7),
        json::idlers(&s),
        json::mode("default", Mode::default()),
        json::status(&s),
        json::status(&secured(None, None, None)),
        json::certificates(&[certificate()]),
        flows::json(&flows::FlowsRow::default()),
        routes::json("default", Some(&table())),
        explain::json(&explain::tests::explained()),
        dsr::json(&dsr::DsrRow { servers: vec![dsr::Found::default()], ..dsr::DsrRow::default() }),
        overview::tests::everything(),
    ] {
        names(&serde_json::from_str(&reply).unwrap(), &mut fields);
    }
    assert!(fields.len() > 80, "the snapshot shows too little: {fields:?}");
    for field in fields {
        assert!(documented.contains(&format!("`{field}`")), "docs/json.md does not name {field}");
    }
}

fn certificate() -> CertificateRow {
    CertificateRow {
        service: "mail".to_owned(),
        file: "/etc/mail.pem".to_owned(),
        subject: "CN=mail".to_owned(),
        names: vec!["mail.example.org".to_owned(), "192.0.2.1".to_owned()],
        issuer: "CN=root".to_owned(),
        serial: "0A".to_owned(),
        not_before: WallSeconds(100),
        not_after: WallSeconds(100 + 10 * 86_400),
        now: WallSeconds(100),
        key: "ECDSA P-256".to_owned(),
        fingerprint: "AB:CD".to_owned(),
        ..CertificateRow::default()
    }
}

#[test]
fn certificates_tell_what_an_operator_asks() {
    let row = certificate();
    let at = |now| CertificateRow { now: WallSeconds(now), ..row.clone() };
    let day = 86_400;
    for (now, days, expired, early) in [
        (100, 10, false, false),
        (99, 10, false, true),
        (101, 9, false, false),
        (100 + 10 * day, 0, false, false),
        (101 + 10 * day, -1, true, false),
        (i64::MIN, i64::MAX / day, false, true),
    ] {
        let row = at(now);
        assert_eq!((row.days_left(), row.is_expired(), row.is_early()), (days, expired, early));
    }
    let date = |at: WallSeconds| format!("<{}>", at.0);
    let staple = |ocsp| CertificateRow { ocsp, name: Some("a.org".to_owned()), ..row.clone() };
    for (row, part) in [
        (row.clone(), "mail (default) /etc/mail.pem: 10 days left\n  subject CN=mail\n"),
        (row.clone(), "  names mail.example.org 192.0.2.1\n  issuer CN=root\n  serial 0A\n"),
        (
            row.clone(),
            "  valid <100> to <864100>\n  key ECDSA P-256\n  ocsp none\n  sha256 AB:CD\n",
        ),
        (at(0), ": NOT YET VALID\n"),
        (at(100 * day), ": EXPIRED\n"),
        (staple(Some(Ok(WallSeconds(7)))), "mail a.org /etc/mail.pem: "),
        (staple(Some(Ok(WallSeconds(7)))), "  ocsp stapled until <7>\n"),
        (staple(Some(Err("why".to_owned()))), "  ocsp NOT stapled: why\n"),
    ] {
        let text = certificates::text(&[row], date);
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(certificates::text(&[], date), "");
    assert_eq!(json::certificates(&[]), "{\"certificates\":[]}\n");
}
