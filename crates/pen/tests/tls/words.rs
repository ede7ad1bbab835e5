//! The words of old command lines: what they do, what they no longer do, and how that is said.

use pen_test::{Farm, Pen, until};
use rustls::CipherSuite as Suite;
use rustls::SupportedProtocolVersion as Version;
use rustls::version::{TLS12, TLS13};

use crate::hall::{Hall, NAME, read_line, session, socket};
use crate::look::Looker;

/// The cipher that is agreed with a client of this version; `None` if there is none.
fn agreed(hall: &Hall, pen: &Pen, version: &'static Version) -> Option<Suite> {
    let mut client = rustls::StreamOwned::new(session(hall.config_of(&[version])), socket(pen));
    let greeted = read_line(&mut client).is_ok();
    greeted.then(|| client.conn.negotiated_cipher_suite().expect("a cipher").suite())
}

#[test]
fn an_old_command_line_starts_and_says_what_is_no_longer_so() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    for protocol in ["ssl23", "ssl2", "ssl3", "tls1"] {
        let pen = hall
            .pen(&farm)
            .args(["-Z", "-L", protocol])
            .command("ssl_option no_sslv2")
            .command("ssl_option no_tlsv1.1")
            .command("ssl_client_renegotiation_interval 3600")
            .command("ssl_ciphers RC4:3DES:AES256-SHA:HIGH:!aNULL:!MD5")
            .start();
        assert!(Looker::new().look(&pen, NAME).is_ok(), "{protocol}");
        for part in [
            &format!("option -L {protocol}: TLS 1.2 and 1.3 are offered, nothing older"),
            "option -Z: TLS 1.2 and 1.3 need no compatibility flags",
            "ssl_option no_sslv2: nothing older than TLS 1.2 is offered; it has no effect",
            "ssl_option no_tlsv1.1: nothing older than TLS 1.2 is offered; it has no effect",
            "ssl_client_renegotiation_interval 3600: clients cannot renegotiate",
            "ssl_ciphers: Pen does not offer 'RC4', '3DES', 'AES256-SHA'",
        ] {
            until(part, || pen.stderr().contains(part).then_some(()));
        }
    }
}

#[test]
fn options_and_ciphers_change_what_new_clients_get() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let pen = hall.pen(&farm).start();
    let aes256 = Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    let aes128 = Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let chacha = Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    let tls13 = Some(Suite::TLS13_AES_256_GCM_SHA384);
    for (line, old, new) in [
        ("ssl_tickets", Some(aes256), tls13),
        ("ssl_option no_tlsv1.2", None, tls13),
        ("no ssl_option no_tlsv1.2", Some(aes256), tls13),
        ("ssl_option no_tlsv1.3", Some(aes256), None),
        ("no ssl_option", Some(aes256), tls13),
        ("ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256", Some(aes128), tls13),
        ("ssl_ciphers CHACHA20", Some(chacha), tls13),
        ("ssl_ciphers ECDHE+aRSA", None, tls13),
        ("ssl_ciphers CHACHA20:HIGH", Some(aes256), tls13),
        ("ssl_option cipher_server_preference", Some(chacha), tls13),
        ("no ssl_ciphers", Some(aes256), tls13),
        ("ssl_ciphers TLS_AES_128_GCM_SHA256", Some(aes256), Some(Suite::TLS13_AES_128_GCM_SHA256)),
    ] {
        pen.set(line);
        assert_eq!(agreed(&hall, &pen, &TLS12), old, "{line}");
        assert_eq!(agreed(&hall, &pen, &TLS13), new, "{line}");
    }
}

#[test]
fn words_at_fault_are_named_and_change_nothing() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let pen = hall.pen(&farm).start();
    let before = pen.ctl("write");
    for (line, part) in [
        ("ssl_ciphers RC4:aNULL", "'RC4', 'aNULL' stands for no cipher"),
        ("ssl_ciphers HIHG", "did you mean 'HIGH'?"),
        ("ssl_option no_tlsv1.4", "'no_tlsv1.4' is not an option of TLS; did you mean"),
        ("ssl_option", "needs the name of an option"),
        ("ssl_alpn", "needs"),
        ("ssl_client_certificate sometimes", "'sometimes'"),
        ("ssl_handshake_timeout 0", "0"),
        ("ssl_ocsp_response", ""),
        ("ssl_certificate /no/such.pem", "/no/such.pem: No such file"),
        ("ssl_crl /no/such.pem", "/no/such.pem: No such file"),
        ("ssl_sni_path /no/such", "ssl_sni_path /no/such: No such file"),
    ] {
        let said = pen.ctl(line);
        assert!(said.starts_with("error: ") || part.is_empty(), "{line}: {said}");
        assert!(said.contains(part), "{line}: {said}");
    }
    pen.set("ssl_option no_tlsv1.2");
    let said = pen.ctl("ssl_option no_tlsv1.3");
    assert!(said.starts_with("error: ssl_option: no version would be left"), "{said}");
    pen.set("no ssl_option");
    assert_eq!(pen.ctl("write"), before);
    assert!(agreed(&hall, &pen, &TLS12).is_some());
}
