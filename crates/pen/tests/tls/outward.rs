//! TLS towards servers: who is believed, who is not, and where clients go then.

use std::io::{self, Read, Write};
use std::sync::Arc;

use pen_test::{Client, End, Pen, PenBuilder, Scratch, Served, Sig, TestServer, acts, until};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, Stream, StreamOwned};

use crate::hall::{Hall, read_line, session, socket};

/// An authority that signs what a test wants.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn file(&self, scratch: &Scratch) -> String {
        scratch.write("ca.pem", &self.certificate.pem()).display().to_string()
    }

    /// A certificate for `name`, and its key.
    fn sign(&self, name: &str, last_year: i32) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("an authority");
        Arc::new(roots)
    }
}

/// Settings of a server with this certificate; clients must show one of `clients` if there are such.
fn settings(
    (certificate, key): (rcgen::Certificate, KeyPair),
    protocols: &[&str],
    clients: Option<&Authority>,
) -> Arc<ServerConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let secret = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let mut config =
        builder.with_single_cert(vec![certificate.der().clone()], secret).expect("they fit");
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A test server's end of a connection as rustls wants it.
struct Io<'a>(&'a Served);

impl Read for Io<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read_some(into) {
            Ok(n) => Ok(n),
            Err(End::Eof) => Ok(0),
            Err(end) => Err(io::Error::other(format!("{end:?}"))),
        }
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A TLS server that says its name on a line and echoes. Notes what each client asked for.
fn tls_server(name: &str, config: Arc<ServerConfig>) -> TestServer {
    let act = Arc::new(move |served: Served| {
        let Ok(mut tls) = ServerConnection::new(Arc::clone(&config)) else { return };
        let mut io = Io(&served);
        let mut stream = Stream::new(&mut tls, &mut io);
        if let Err(why) = stream.write_all(format!("{}\n", served.name()).as_bytes()) {
            // Its last word, an alert.
            while tls.wants_write() && tls.write_tls(&mut io).is_ok() {}
            return served.note(format!("failed: {why}"));
        }
        served.note("greeted");
        let mut bytes = vec![0; 65_536];
        let mut first = true;
        loop {
            let read = stream.read(&mut bytes);
            if std::mem::take(&mut first) {
                let asked = stream.conn.server_name().unwrap_or("-").to_owned();
                let kind = stream.conn.handshake_kind();
                let resumed = kind == Some(HandshakeKind::Resumed);
                let shown = stream.conn.peer_certificates().map_or(0, <[_]>::len);
                served.note(format!("asked {asked} resumed {resumed} shown {shown}"));
            }
            match read {
                Ok(n) if n > 0 => {
                    let said = bytes.get(..n).unwrap_or_default();
                    if stream.write_all(said).is_err() || said.ends_with(b"leave\n") {
                        // Without close_notify, as one who dies.
                        return;
                    }
                }
                Ok(_) => {
                    stream.conn.send_close_notify();
                    // The other side may have left.
                    drop(stream.flush());
                    return served.note("ended");
                }
                Err(why) => return served.note(format!("cut: {why}")),
            }
        }
    });
    TestServer::start(name, act)
}

fn over(servers: &[(&TestServer, &str)]) -> PenBuilder {
    let lines = servers.iter().enumerate().map(|(n, (server, tls))| {
        format!("server {n} address 127.0.0.1 port {} {tls}\n", server.place().port())
    });
    Pen::bare().file(&lines.collect::<String>())
}

/// Who answers, and whether a long stream comes back as it went.
fn served(pen: &Pen) -> Option<String> {
    let client = pen.client();
    let line = client.read_line();
    let name = line.strip_suffix('\n')?.to_owned();
    echoes(&client, 300_000);
    client.finish();
    assert_eq!(client.end(), End::Eof, "{name}");
    Some(name)
}

fn echoes(client: &Client, count: usize) {
    let bytes = pen_test::Pattern::new(3).take(count);
    let sending = client.clone();
    std::thread::scope(|s| {
        s.spawn(|| sending.send(&bytes).expect("it takes all"));
        assert!(client.read_exact(count).expect("it echoes") == bytes, "other bytes");
    });
}

#[test]
fn only_the_right_certificate_is_believed() {
    let (scratch, authority, alien) = (Scratch::new(), Authority::new(), Authority::new());
    let ca = authority.file(&scratch);
    let plain = TestServer::start("plain", acts::banner());
    let server = |name: &str, certificate| tls_server(name, settings(certificate, &[], None));
    let right = server("right", authority.sign("a.example", 2090));
    let wrong_name = server("wrong", authority.sign("b.example", 2090));
    let expired = server("expired", authority.sign("a.example", 2020));
    let unknown = server("unknown", alien.sign("a.example", 2090));
    let verify = format!("tls verify sni a.example ca {ca}");
    for (first, word) in [
        (&wrong_name, "tls_certificate"),
        (&expired, "tls_certificate"),
        (&unknown, "tls_certificate"),
        (&plain, "tls_handshake"),
    ] {
        let pen = over(&[(first, &verify), (&right, &verify)]).args(["-r"]).start();
        for _ in 0..3 {
            assert_eq!(served(&pen).as_deref(), Some("right"), "{first:?}");
        }
        let rows = pen.ctl("servers json");
        assert!(
            rows.contains(r#""number":0,"#) && rows.contains(r#""blacklisted":true"#),
            "{rows}"
        );
        until("the log to say why", || pen.stderr().contains(word).then_some(()));
        assert!(pen.ctl("servers").contains(" tls verify\n"));
    }
    for first in [&wrong_name, &expired, &unknown] {
        let pen = over(&[(first, "tls insecure")]).start();
        assert_eq!(served(&pen).as_deref(), Some(first.name()), "insecure believes anybody");
        assert!(pen.stderr().contains("WARNING: service default: server 0: tls insecure"));
    }
    let pen = over(&[(&wrong_name, &format!("tls verify ca {ca} sni b.example"))]).start();
    assert_eq!(served(&pen).as_deref(), Some("wrong"), "sni says which name is right");
    pen.set("server 0 sni a.example");
    assert_eq!(served(&pen), None, "nobody else is there");
    let by_address = server("address", authority.sign("127.0.0.1", 2090));
    let pen = over(&[(&by_address, &format!("tls verify ca {ca}"))]).start();
    assert_eq!(served(&pen).as_deref(), Some("address"), "an address is a name too");
}

#[test]
fn servers_outside_the_table_speak_it_too() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let tls = format!("tls verify sni a.example ca {}", authority.file(&scratch));
    let server = |name| tls_server(name, settings(authority.sign("a.example", 2090), &[], None));
    let (emergency, abuse) = (server("emergency"), server("abuse"));
    let dead = TestServer::refusing("dead");
    let line = |which: &str, s: &TestServer| {
        format!("server {which} address 127.0.0.1 port {} {tls}\n", s.place().port())
    };
    let more = line("emergency", &emergency) + &line("abuse", &abuse);
    let text = format!("server 0 address 127.0.0.1 port {}\n{more}", dead.place().port());
    let pen = Pen::bare().file(&text).start();
    assert_eq!(served(&pen).as_deref(), Some("emergency"));
    pen.set("acl 1 deny 0.0.0.0 0.0.0.0");
    assert_eq!(pen.ctl("client_acl 1"), "1\n");
    assert_eq!(served(&pen).as_deref(), Some("abuse"));
    let file = pen.path("written");
    pen.set(&format!("write {}", file.display()));
    let written = std::fs::read_to_string(file).expect("pen wrote it");
    assert_eq!(written.matches(&tls).count(), 2, "{written}");
}

#[test]
fn sessions_are_resumed_and_pen_shows_its_certificate() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let (cert, key) = authority.sign("pen.example", 2090);
    let pem = scratch.write("pen.pem", &format!("{}{}", cert.pem(), key.serialize_pem()));
    let config = settings(authority.sign("a.example", 2090), &[], Some(&authority));
    let server = tls_server("s0", config);
    let tls = format!("tls verify sni a.example ca {}", authority.file(&scratch));
    let pen = over(&[(&server, &format!("{tls} cert {}", pem.display()))]).start();
    assert_eq!(served(&pen).as_deref(), Some("s0"));
    pen.set("server 0 max 100");
    assert_eq!(served(&pen).as_deref(), Some("s0"));
    let notes = until("both to end", || {
        Some(server.notes()).filter(|n| n.iter().filter(|n| *n == "ended").count() == 2)
    });
    let asked: Vec<&String> = notes.iter().filter(|n| n.starts_with("asked")).collect();
    assert_eq!(asked[0], "asked a.example resumed false shown 1");
    assert_eq!(asked[1], "asked a.example resumed true shown 1", "over a change of settings");
    pen.set("server 0 cert -");
    assert_eq!(served(&pen), None, "the server wants to see one");
}

#[test]
fn files_are_read_again_on_hup_and_refused_when_they_are_named() {
    let (scratch, authority, other) = (Scratch::new(), Authority::new(), Authority::new());
    let ca = authority.file(&scratch);
    let server = tls_server("s0", settings(other.sign("a.example", 2090), &[], None));
    let pen =
        over(&[(&server, &format!("tls verify sni a.example ca {ca}"))]).args(["-b", "0"]).start();
    assert_eq!(served(&pen), None);
    std::fs::write(&ca, "garbage").expect("ours");
    pen.signal(Sig::Hup);
    until("a warning", || pen.stderr().contains("the authorities there are stay").then_some(()));
    std::fs::write(&ca, other.certificate.pem()).expect("ours");
    pen.signal(Sig::Hup);
    until("the news", || pen.stderr().contains(": read again").then_some(()));
    assert_eq!(served(&pen).as_deref(), Some("s0"));
    let refused = pen.ctl("server 0 ca /nowhere");
    assert!(
        refused.contains("error: service default: server 0: ca /nowhere: No such"),
        "{refused}"
    );
    assert_eq!(served(&pen).as_deref(), Some("s0"), "nothing has changed");
    let missing = Pen::bare().file("server 0 address 127.0.0.1 port 1 tls verify ca /nowhere\n");
    let finished = missing.fail();
    assert_ne!(finished.code, Some(0));
    assert!(finished.stderr.contains("ca /nowhere"), "{}", finished.stderr);
}

#[test]
fn a_server_that_is_silent_in_the_handshake_times_out() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let tls = format!("tls verify sni a.example ca {}", authority.file(&scratch));
    let silent = TestServer::start("silent", acts::listen_only());
    let right = tls_server("right", settings(authority.sign("a.example", 2090), &[], None));
    let pen = over(&[(&silent, &tls), (&right, &tls)]).args(["-t", "1", "-r"]).start();
    assert_eq!(served(&pen).as_deref(), Some("right"));
    assert_eq!(served(&pen).as_deref(), Some("right"));
    assert_eq!(silent.accepted(), 1, "blacklisted since");
    let why = "server 0: TLS handshake failed: timed_out (it accepted the connection";
    until("the log to say why", || pen.stderr().contains(why).then_some(()));
}

/// A certificate for a.example, and what makes Pen believe it.
fn trusted(scratch: &Scratch) -> (Authority, String) {
    let authority = Authority::new();
    let tls = format!("tls verify sni a.example ca {}", authority.file(scratch));
    (authority, tls)
}

#[test]
fn the_authorities_of_the_system_are_believed_unless_others_are_named() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let server = tls_server("s0", settings(authority.sign("a.example", 2090), &[], None));
    let pen = || over(&[(&server, "tls verify sni a.example")]).args(["-b", "0"]);
    let system = authority.file(&scratch);
    assert_eq!(served(&pen().env("SSL_CERT_FILE", system).start()).as_deref(), Some("s0"));
    let strangers = Authority::new().file(&Scratch::new());
    let strange = pen().env("SSL_CERT_FILE", strangers).start();
    assert_eq!(served(&strange), None, "the system does not know the test's authority");
}

#[test]
fn a_stream_that_is_cut_never_looks_complete() {
    let scratch = Scratch::new();
    let (authority, tls) = trusted(&scratch);
    let server = tls_server("s0", settings(authority.sign("a.example", 2090), &[], None));
    for engine in ["auto", "splice"] {
        let pen = over(&[(&server, &tls)]).command(&format!("engine {engine}")).start();
        let client = pen.client();
        assert_eq!(client.read_line(), "s0\n");
        client.send("leave\n").expect("it takes it");
        assert_eq!(client.read_line(), "leave\n", "what was said before still arrives");
        assert_eq!(client.end(), End::Reset, "the server left without close_notify");
        let before = server.notes().len();
        let client = pen.client();
        assert_eq!(client.read_line(), "s0\n");
        echoes(&client, 100_000);
        client.abort();
        let note = |word: &str| {
            let notes = server.notes();
            notes.iter().skip(before).any(|n| n.starts_with(word)).then_some(())
        };
        until("the server to see a cut", || note("cut"));
        assert_eq!(note("ended"), None, "an abort is no close_notify");
        assert_eq!(served(&pen).as_deref(), Some("s0"), "an end is an end: {engine}");
        until("the server to see the end", || note("ended"));
    }
}

#[test]
fn both_sides_speak_tls_and_the_protocol_that_was_agreed_on() {
    let (hall, scratch) = (Hall::new(), Scratch::new());
    let (authority, tls) = trusted(&scratch);
    let make = |name: &str, protocols: &[&str]| {
        tls_server(name, settings(authority.sign("a.example", 2090), protocols, None))
    };
    let (old, new) = (make("old", &["http/1.1"]), make("new", &["h2", "http/1.1"]));
    let mute = make("mute", &[]);
    let cases = [
        ("auto", &old, "server 0: TLS handshake failed: "),
        ("splice", &old, "server 0: TLS handshake failed: "),
        ("auto", &mute, "it does not speak 'h2', as the client does"),
    ];
    for (engine, first, why) in cases {
        let pen = over(&[(first, &tls), (&new, &tls)])
            .args(["-r", "-E", &hall.certificate()])
            .command("ssl_alpn h2 http/1.1")
            .command(&format!("engine {engine}"))
            .start();
        let client = |protocol: &str| {
            let mut config = hall.config();
            config.alpn_protocols = vec![protocol.into()];
            let mut client = StreamOwned::new(session(config), socket(&pen));
            let line = read_line(&mut client).expect("a greeting");
            (client, line)
        };
        for _ in 0..3 {
            let (mut client, line) = client("h2");
            assert_eq!(line, "new", "the other one does not speak h2");
            let bytes = pen_test::Pattern::new(3).take(30_000);
            client.write_all(&bytes).expect("it takes all");
            let mut echoed = vec![0; bytes.len()];
            client.read_exact(&mut echoed).expect("it echoes");
            assert!(echoed == bytes, "other bytes");
            client.conn.send_close_notify();
            client.flush().expect("it takes it");
            assert_eq!(client.read(&mut echoed).expect("close_notify, no cut"), 0);
        }
        until("the log to say why", || pen.stderr().contains(why).then_some(()));
        // It is good for this, once it is not blacklisted any more.
        pen.set("server 0 blacklist 0");
        until("it to greet", || (client("http/1.1").1 == first.name()).then_some(()));
    }
}

#[test]
fn http_headers_reach_tls_servers() {
    let (hall, scratch) = (Hall::new(), Scratch::new());
    let (authority, tls) = trusted(&scratch);
    let server = tls_server("s0", settings(authority.sign("a.example", 2090), &[], None));
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let said = |client: &mut dyn Read| -> Vec<String> {
        let mut client = client;
        let mut lines: Vec<String> = Vec::new();
        while lines.last().is_none_or(|l| l != "\r") {
            lines.push(read_line(&mut client).expect("what the server was sent"));
        }
        lines
    };
    let pen = over(&[(&server, &tls)]).args(["-H"]).start();
    let mut plain = socket(&pen);
    plain.write_all(request.as_bytes()).expect("it takes it");
    let lines = said(&mut plain);
    assert!(lines.contains(&"X-Forwarded-For: 127.0.0.1\r".to_owned()), "{lines:?}");
    assert!(lines.contains(&"X-Forwarded-Proto: http\r".to_owned()), "{lines:?}");
    let pen = over(&[(&server, &tls)]).args(["-H", "-E", &hall.certificate()]).start();
    let mut client = hall.client(&pen);
    client.write_all(request.as_bytes()).expect("it takes it");
    let lines = said(&mut client);
    assert!(lines.contains(&"X-Forwarded-For: 127.0.0.1\r".to_owned()), "{lines:?}");
    assert!(lines.contains(&"X-Forwarded-Proto: https\r".to_owned()), "{lines:?}");
}

#[test]
fn idlers_shake_hands_too() {
    let scratch = Scratch::new();
    let (authority, tls) = trusted(&scratch);
    let server = tls_server("s0", settings(authority.sign("a.example", 2090), &[], None));
    let pen = over(&[(&server, &tls)]).command("idlers 3").start();
    until("three to be greeted", || {
        (server.notes().iter().filter(|n| *n == "greeted").count() == 3).then_some(())
    });
    assert_eq!(server.open_now(), 3);
    assert_eq!(served(&pen).as_deref(), Some("s0"));
}
