//! Settings, seen from a client.

use pen_core::config::TlsOptions;
use pen_test::Scratch;

use super::*;
use crate::tls::material::Told;
use crate::tls::material::chest::Chest;
use crate::tls::material::forge::{self, Authority, client, shake};

/// What these settings make of a certificate for `localhost`, and who vouches for it.
pub(in crate::tls::material) fn server(tls: &Tls) -> (Arc<Terminator>, Authority) {
    let (scratch, authority) = (Scratch::new(), Authority::new("server root"));
    let leaf = authority.leaf(&["localhost"]);
    let file = forge::file(&scratch, "both.pem", leaf.both()).display().to_string();
    let tls = Tls { certificate: Some(file), ..tls.clone() };
    let chest = Chest::load(&tls, None, forge::now_s(), &mut Told::default()).unwrap();
    (chest.terminator, authority)
}

fn ciphers(list: &str) -> Option<Ciphers> {
    Some(Ciphers::parse(list).unwrap())
}

#[test]
fn versions_ciphers_and_protocols() {
    let options = |no_tls12, no_tls13| TlsOptions { no_tls12, no_tls13, ..TlsOptions::default() };
    let alpn = vec!["h2".to_owned(), "http/1.1".to_owned()];
    for (tls, cipher) in [
        (Tls::default(), "TLS13_AES_256_GCM_SHA384"),
        (Tls { options: options(true, false), ..Tls::default() }, "TLS13_AES_256_GCM_SHA384"),
        (
            Tls { options: options(false, true), ..Tls::default() },
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
        (
            Tls { options: options(false, true), ciphers: ciphers("CHACHA20"), ..Tls::default() },
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
        (
            Tls { ciphers: ciphers("TLS_AES_128_GCM_SHA256"), ..Tls::default() },
            "TLS13_AES_128_GCM_SHA256",
        ),
        (
            Tls {
                ciphers: ciphers("HIGH:!TLS_AES_256_GCM_SHA384:!TLS_AES_128_GCM_SHA256"),
                ..Tls::default()
            },
            "TLS13_CHACHA20_POLY1305_SHA256",
        ),
    ] {
        let (server, authority) = server(&tls);
        let shaken = shake(&server.config, &Arc::new(client(&authority, None)), "localhost");
        let shaken = shaken.unwrap_or_else(|e| panic!("{tls:?}: {e}"));
        assert_eq!((shaken.cipher.as_str(), shaken.alpn), (cipher, None));
    }
    let (server, authority) = server(&Tls { alpn, ..Tls::default() });
    for (offers, agreed) in [
        (&["http/1.1", "h2"][..], Ok(Some(b"h2".to_vec()))),
        (&["http/1.1"], Ok(Some(b"http/1.1".to_vec()))),
        (&[], Ok(None)),
        (&["smtp"], Err(())),
    ] {
        let mut client = client(&authority, None);
        client.alpn_protocols = offers.iter().map(|name| name.as_bytes().to_vec()).collect();
        let shaken = shake(&server.config, &Arc::new(client), "localhost");
        assert_eq!(shaken.map(|s| s.alpn).map_err(|_| ()), agreed, "{offers:?}");
    }
}

#[test]
fn the_order_of_the_server_counts_if_asked_for() {
    for (server_preference, cipher) in
        [(false, "TLS13_AES_256_GCM_SHA384"), (true, "TLS13_CHACHA20_POLY1305_SHA256")]
    {
        let tls = Tls {
            ciphers: ciphers("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"),
            options: TlsOptions { server_preference, ..TlsOptions::default() },
            ..Tls::default()
        };
        let (server, authority) = server(&tls);
        let shaken = shake(&server.config, &Arc::new(client(&authority, None)), "localhost");
        assert_eq!(shaken.unwrap().cipher, cipher);
    }
}

#[test]
fn settings_that_leave_nothing_are_refused() {
    let (scratch, authority) = (Scratch::new(), Authority::new("root"));
    let file = forge::file(&scratch, "both.pem", authority.leaf(&["x"]).both());
    let tls = Tls {
        certificate: Some(file.display().to_string()),
        ciphers: ciphers("TLS_AES_128_GCM_SHA256:!HIGH"),
        options: TlsOptions { no_tls13: true, ..TlsOptions::default() },
        ..Tls::default()
    };
    let why = Chest::load(&tls, None, forge::now_s(), &mut Told::default()).unwrap_err();
    assert!(why.contains("leave no cipher"), "{why}");
}

#[test]
fn sessions_are_resumed_unless_they_are_not_to_be() {
    let tickets = Tls { tickets: false, ..Tls::default() };
    let early = Tls { early_data: true, ..Tls::default() };
    let tls12 = TlsOptions { no_tls13: true, ..TlsOptions::default() };
    for (tls, resumed) in [
        (Tls::default(), true),
        (Tls { options: tls12, ..Tls::default() }, true),
        (tickets.clone(), false),
        (Tls { options: tls12, ..tickets }, false),
        (early, true),
    ] {
        let (server, authority) = server(&tls);
        let client = Arc::new(client(&authority, None));
        assert!(!shake(&server.config, &client, "localhost").unwrap().resumed);
        let again = shake(&server.config, &client, "localhost").unwrap();
        assert_eq!(again.resumed, resumed, "{tls:?}");
    }
}
