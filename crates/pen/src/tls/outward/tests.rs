//! What becomes of settings: what is kept, what is new, what is refused and why.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use pen_core::config::ServerTls;
use pen_test::Scratch;
use rcgen::{CertificateParams, KeyPair};

use super::*;

/// A certificate for `name` that signs itself, and its key, in files.
fn identity(scratch: &Scratch, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = |kind: &str, text: String| {
        scratch.write(&format!("{name}.{kind}"), &text).display().to_string()
    };
    (file("crt", made.pem()), file("key", key.serialize_pem()))
}

fn server(trust: Trust) -> ServerConfig {
    let host = Host::Ip(Ipv4Addr::LOCALHOST.into());
    let tls = ServerTls { trust, ..ServerTls::default() };
    ServerConfig { host, port: 443, tls, ..ServerConfig::default() }
}

fn config(servers: &[ServerConfig]) -> Config {
    let mut config = Config::default();
    config.services[0].servers = servers.to_vec();
    config
}

fn with(trust: Trust, change: impl FnOnce(&mut ServerConfig)) -> ServerConfig {
    let mut server = server(trust);
    change(&mut server);
    server
}

#[test]
fn dialers_are_kept_while_nothing_of_theirs_changes() {
    let scratch = Scratch::new();
    let (ca, _) = identity(&scratch, "ca.example");
    let (cert, key) = identity(&scratch, "pen.example");
    let trusting = with(Trust::Verify, |s| {
        s.tls.ca = Some(ca.clone());
        s.tls.sni = Some("a.example".into());
    });
    let mut settings = config(&[server(Trust::Off), trusting, server(Trust::Insecure)]);
    settings.services[0].emergency = Some(server(Trust::Insecure));
    let first = Outward::default().load(&settings).unwrap();
    let dialers = first.dialers("default").unwrap();
    assert!(dialers.of(ServerRef::Regular(0)).is_none(), "plain");
    assert!(dialers.of(ServerRef::Abuse).is_none() && dialers.of(ServerRef::Emergency).is_some());
    let name = |n| format!("{:?}", dialers.of(ServerRef::Regular(n)).unwrap().name);
    assert!(name(1).contains("a.example") && name(2).contains("127"), "{} {}", name(1), name(2));
    assert_eq!(first.cautions(&Outward::default()).len(), 2);
    settings.services[0].servers[1].max = 7;
    let second = first.load(&settings).unwrap();
    assert!(second.same(&first, "default"), "sessions can still be resumed");
    assert!(second.cautions(&first).is_empty());
    settings.services[0].servers[1].tls.cert = Some(cert);
    settings.services[0].servers[1].tls.key = Some(key);
    let third = second.load(&settings).unwrap();
    assert!(!third.same(&second, "default"));
    let kept = |n| {
        let of = |o: &Outward| Arc::as_ptr(o.dialers("default").unwrap().of(n).unwrap());
        of(&third) == of(&first)
    };
    assert!(kept(ServerRef::Regular(2)) && kept(ServerRef::Emergency));
    assert!(!kept(ServerRef::Regular(1)), "it shows a certificate now");
    settings.services[0] = ServiceConfig::new("default");
    let last = third.load(&settings).unwrap();
    assert!(last.dialers("default").is_none() && !last.same(&third, "default"));
    assert!(last.authorities.is_empty() && last.identities.is_empty(), "nothing is left behind");
}

#[test]
fn files_are_read_again_when_that_is_asked_for() {
    let scratch = Scratch::new();
    let (ca, _) = identity(&scratch, "ca.example");
    let (other, _) = identity(&scratch, "other.example");
    let settings = config(&[with(Trust::Verify, |s| s.tls.ca = Some(ca.clone()))]);
    let first = Outward::default().load(&settings).unwrap();
    std::fs::write(&ca, "broken").unwrap();
    assert!(first.load(&settings).unwrap().same(&first, "default"), "not looked at");
    let (second, told) = first.renewed(&settings);
    assert!(second.same(&first, "default"));
    assert!(told.warnings[0].starts_with("ca ") && told.warnings[0].contains("stay"), "{told:?}");
    std::fs::copy(other, &ca).unwrap();
    let (third, told) = second.renewed(&settings);
    assert!(!third.same(&second, "default"));
    assert_eq!(told.news, [format!("ca {ca}: read again")]);
    let (fourth, told) = third.renewed(&settings);
    assert!(fourth.same(&third, "default") && told == Told::default(), "nothing has changed");
}

#[test]
fn what_cannot_be_had_is_said() {
    let scratch = Scratch::new();
    let (cert, key) = identity(&scratch, "a.example");
    let (_, alien) = identity(&scratch, "b.example");
    let garbage = scratch.write("garbage", "garbage").display().to_string();
    let bad =
        scratch.write("bad", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let bad = bad.display().to_string();
    let some = |text: &str| Some(text.to_owned());
    type Change<'a> = &'a dyn Fn(&mut ServerConfig);
    let rows: [(Change<'_>, &str); 10] = [
        (&|s| s.tls.ca = some("/nowhere"), "server 0: ca /nowhere: No such file"),
        (&|s| s.tls.ca = some("/"), "ca /: it is a directory"),
        (&|s| s.tls.ca = some(&garbage), "no certificate in PEM in it"),
        (&|s| s.tls.ca = some(&bad), "certificate 1 of 1 cannot be used"),
        (&|s| s.tls.key = some(&key), "it has a key and no cert"),
        (&|s| s.tls.cert = some("/nowhere"), "cert /nowhere: No such file"),
        (&|s| s.tls.cert = some(&cert), "no private key in PEM"),
        (&|s| (s.tls.cert, s.tls.key) = (some(&cert), some(&alien)), "not usable with"),
        (&|s| s.host = Host::Unix(PathBuf::from("/s")), "a Unix socket has no name"),
        (
            &|s| s.host = Host::Name { name: "a b".into(), ip: Ipv4Addr::LOCALHOST.into() },
            "a b is no name that a certificate could be for",
        ),
    ];
    for (change, part) in rows {
        let mut server = with(Trust::Verify, |s| s.tls.ca = Some(cert.clone()));
        change(&mut server);
        let refused = Outward::default().load(&config(&[server])).unwrap_err();
        assert!(refused.starts_with("service default: server 0: "), "{refused}");
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let mut udp = config(&[server(Trust::Insecure)]);
    udp.services[0].protocol = Protocol::Udp;
    assert!(Outward::default().load(&udp).unwrap_err().contains("speaks UDP"));
    let anybody = with(Trust::Insecure, |s| s.host = Host::Unix(PathBuf::from("/s")));
    assert!(Outward::default().load(&config(&[anybody])).is_ok(), "no name is looked for");
    let unset = with(Trust::Verify, |s| (s.host, s.tls.ca) = (Host::Unset, some("/nowhere")));
    assert!(Outward::default().load(&config(&[unset])).unwrap().dialers("default").is_none());
}
