//! Early data, which somebody else can send once more: no server sees it unless that is switched on.

use std::io::Write;

use pen_test::{Farm, Pen};
use rustls::client::Resumption;
use rustls::version::TLS13;
use rustls::{ClientConfig, HandshakeKind, StreamOwned};

use crate::hall::{Client, Hall, echo, read_line, session, socket};

/// A client that comes, with early data if it may send some, and is greeted. Whether it might.
fn come(pen: &Pen, config: &ClientConfig) -> (Client, bool) {
    let mut session = session(config.clone());
    let offered = session.early_data().map(|mut early| early.write_all(b"early\n"));
    let offered = offered.transpose().expect("there is room").is_some();
    let mut client = StreamOwned::new(session, socket(pen));
    assert!(read_line(&mut client).expect("it is let in").starts_with("s0 "));
    (client, offered)
}

fn is_resumed(client: &Client) -> bool {
    client.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}

#[test]
fn early_data_reaches_a_server_only_where_it_is_switched_on() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let pen = hall.pen(&farm).start();
    let mut config = hall.config_of(&[&TLS13]);
    config.enable_early_data = true;
    config.resumption = Resumption::in_memory_sessions(8);

    assert!(!come(&pen, &config).1, "nothing to resume yet");
    let (client, offered) = come(&pen, &config);
    assert!(is_resumed(&client) && !offered, "tickets do not allow it");

    pen.set("ssl_early_data");
    // What the tickets of before say counts for this one.
    assert!(!come(&pen, &config).1);
    let (mut client, offered) = come(&pen, &config);
    assert!(offered && client.conn.is_early_data_accepted() && is_resumed(&client));
    assert_eq!(read_line(&mut client).expect("its echo"), "early");
    assert_eq!(echo(&mut client, "late").expect("an echo"), "late");

    pen.set("no ssl_early_data");
    let (mut client, offered) = come(&pen, &config);
    assert!(offered && !client.conn.is_early_data_accepted());
    assert_eq!(echo(&mut client, "late").expect("an echo"), "late");
}
