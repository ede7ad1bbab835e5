//! The connection log: each field is what happened, whatever is in it and wherever it goes.

use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use pen_test::{
    Client, Farm, Pen, PenBuilder, Place, Sig, TestServer, UdpClient, UdpServer, acts, free_port,
    over_tls, until, whole_lines,
};
use serde_json::Value;

/// A pen whose connections are logged as JSON in the file `conn.log`, with these further words.
fn logged(pen: PenBuilder, words: &str) -> PenBuilder {
    let path = pen.path("conn.log").display().to_string();
    pen.command(&format!("connection_log json {path} {words}"))
}

fn lines(path: &Path) -> Vec<Value> {
    whole_lines(path).lines().map(|l| serde_json::from_str(l).expect(l)).collect()
}

/// Waits for so many lines.
fn told(pen: &Pen, count: usize) -> Vec<Value> {
    until("the log", || Some(lines(&pen.path("conn.log"))).filter(|l| l.len() >= count))
}

fn only(pen: &Pen) -> Value {
    let mut all = told(pen, 1);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field}: {value}"))
}

fn port_of(client: &Client) -> u64 {
    client.other_end().map_or(0, |at| u64::from(at.port()))
}

#[test]
fn a_connection_is_told_as_it_was() {
    let good = TestServer::start("e", acts::echo());
    let farm = Farm::from([good, TestServer::refusing("d1"), TestServer::refusing("d2")]);
    // The first client of all begins at server 1.
    let pen = logged(Pen::over(&farm), "").command("server 0 name good").start();
    let client = pen.client();
    client.send(vec![b'x'; 1_000]).unwrap();
    assert_eq!(client.read_exact(1_000).unwrap().len(), 1_000);
    client.finish();
    let (rest, _) = client.read_to_end();
    let one = only(&pen);
    assert_eq!(one["event"], "end");
    assert_eq!((&one["service"], &one["protocol"]), (&"default".into(), &"tcp".into()));
    assert_eq!(one["listener"], format!("127.0.0.1:{}", pen.place().port()));
    assert_eq!(one["client"], "127.0.0.1");
    assert!(number(&one, "client_port") > 0);
    assert_eq!((&one["server"], &one["server_name"]), (&"0".into(), &"good".into()));
    assert_eq!(one["server_address"], farm[0].word());
    let tries: Vec<String> =
        one["tries"].as_array().expect("a list").iter().map(Value::to_string).collect();
    let expected = [r#"{"server":"1","why":"refused"}"#, r#"{"server":"2","why":"refused"}"#];
    assert_eq!(tries, expected);
    assert_eq!(number(&one, "bytes_in"), 1_000);
    assert_eq!(number(&one, "bytes_out"), 1_000 + rest.len() as u64);
    let sum = number(&one, "queue_ms") + number(&one, "connect_ms") + number(&one, "first_byte_ms");
    assert!(sum <= number(&one, "total_ms"), "{one}");
    assert_eq!(one["reason"], "client_finished");
    assert!(number(&one, "client_rtt_us") > 0 && number(&one, "server_rtt_us") > 0);
    assert_eq!(number(&one, "client_retransmits") + number(&one, "server_retransmits"), 0);
    assert_eq!(one["tls_version"].is_null(), !over_tls());
    assert_eq!(one["server_tls"], false);
    let time = one["time"].as_str().expect("a text");
    assert!(time.len() == 24 && time.ends_with('Z') && time.contains('T'), "{time}");
    // They are out now: whoever is sent to them is told of a refusal, not of a failure.
    pen.set("server 0 blacklist 100");
    let turned_away = pen.client();
    // Over TLS it is looked for a server only behind the handshake.
    let _ = turned_away.send("x");
    drop(turned_away.read_to_end());
    let two = told(&pen, 2).remove(1);
    assert_eq!(two["tries"].to_string().matches("blacklisted").count(), 3, "{two}");
}

#[test]
fn who_is_left_out_by_the_choice_is_named_too() {
    let farm = Farm::of(3, &acts::echo());
    let pen = logged(Pen::over(&farm), "").args(["-r"]).start();
    pen.set("server 1 blacklist 100");
    for n in 1..=3 {
        let client = pen.client();
        client.send("x").expect("pen takes it");
        assert_eq!(client.read_exact(1), Ok(b"x".to_vec()));
        drop(client);
        let line = told(&pen, n).remove(n - 1);
        assert_eq!(line["tries"].to_string(), r#"[{"server":"1","why":"blacklisted"}]"#, "{line}");
        assert_ne!(line["server"], "1");
    }
}

#[test]
fn every_end_has_its_reason() {
    let farm = Farm::one(&acts::echo());
    let pen = logged(Pen::over(&farm), "").args(["-e", "127.0.0.1:1"]).start();
    let reason =
        |n: usize| told(&pen, n).remove(n - 1)["reason"].as_str().expect("a word").to_owned();
    let open = || {
        let client = pen.client();
        client.send("x").unwrap();
        client.read_exact(1).unwrap();
        client
    };
    open().abort();
    assert_eq!(reason(1), "client_reset");
    let client = open();
    let closed = (0..10).any(|n| !pen.ctl(&format!("close {n}")).starts_with("error"));
    assert!(closed, "nothing to close");
    drop(client);
    assert_eq!(reason(2), "operator_closed");
    pen.set("server 0 blacklist 100");
    let client = pen.client();
    let _ = client.read_to_end();
    let none = told(&pen, 3).remove(2);
    assert_eq!((&none["reason"], &none["server"]), (&"no_server".into(), &Value::Null));
    let tries = none["tries"].to_string();
    assert!(
        tries.contains("blacklisted") && tries.contains(r#""emergency","why":"refused""#),
        "{tries}"
    );
    pen.set("server 0 blacklist 0");
    pen.set("acl 1 deny 127.0.0.1");
    let _ = pen.ctl("client_acl 1");
    let _ = pen.client().read_to_end();
    assert_eq!(reason(4), "client_denied");
}

#[test]
fn what_is_open_at_the_end_is_told_too() {
    let farm = Farm::one(&acts::echo());
    let mut pen = logged(Pen::over(&farm), "").start();
    let clients: Vec<Client> = (0..5).map(|_| pen.client()).collect();
    for client in &clients {
        client.send("x").unwrap();
        client.read_exact(1).unwrap();
    }
    pen.stop();
    let all = lines(&pen.path("conn.log"));
    assert_eq!(all.iter().filter(|l| l["reason"] == "shutdown").count(), 5, "{all:?}");
}

#[test]
fn a_beginning_and_what_lasts_are_told_on_request() {
    let farm = Farm::one(&acts::echo());
    let pen = logged(Pen::over(&farm), "start every 1").start();
    let client = pen.client();
    client.send("hello").unwrap();
    client.read_exact(5).unwrap();
    let all = told(&pen, 3);
    let events: Vec<&str> = all.iter().filter_map(|l| l["event"].as_str()).collect();
    assert_eq!(events[..3], ["start", "open", "open"]);
    assert_eq!((&all[0]["bytes_in"], &all[1]["bytes_in"]), (&0.into(), &5.into()));
    assert!(all.iter().all(|l| l["reason"].is_null() && l["server"] == "0"));
    assert!(number(&all[2], "total_ms") >= 1_000);
    drop(client);
    until("the end", || {
        let all = lines(&pen.path("conn.log"));
        (all.last()?["event"] == "end").then_some(())
    });
    assert_eq!(told(&pen, 3).iter().filter(|l| l["event"] == "start").count(), 1);
}

#[test]
fn many_connections_are_one_line_each() {
    const COUNT: usize = 500;
    let farm = Farm::one(&acts::banner());
    let pen = logged(Pen::over(&farm), "").start();
    for n in 0..COUNT {
        assert!(pen.ask(&format!("127.0.0.{}", n % 200 + 2)).is_some());
    }
    let all = told(&pen, COUNT);
    assert_eq!(all.len(), COUNT);
    let first = all.iter().filter(|l| l["client"] == "127.0.0.2").count();
    assert_eq!(first, COUNT.div_ceil(200));
}

#[test]
fn a_template_is_followed_and_a_wrong_one_refused() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm).start();
    let path = pen.path("t.log").display().to_string();
    pen.set(&format!(
        r#"connection_log template "%{{client}}  \"%{{reason}}\" %{{tls_sni}}" {path}"#
    ));
    assert!(pen.ctl("connection_log").starts_with(r#"template "%{client}  \""#));
    let wrong = pen.ctl(&format!(r#"connection_log template "%{{reeson}}" {path}"#));
    assert!(wrong.contains("did you mean 'reason'"), "{wrong}");
    assert!(pen.ctl("connection_log text /no/such/dir/log").starts_with("error: "));
    let _ = pen.ask("127.0.0.1");
    let text = until("a line", || Some(whole_lines(path.as_ref())).filter(|t| !t.is_empty()));
    assert!(text.starts_with("127.0.0.1  \"") && text.lines().count() == 1, "{text}");
    if !over_tls() {
        assert!(text.ends_with("\" -\n"), "{text}");
    }
    pen.set("connection_log off");
    assert_eq!(pen.ctl("connection_log"), "off\n");
    let _ = pen.ask("127.0.0.1");
    pen.wait_idle();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn hup_opens_the_file_anew() {
    let farm = Farm::one(&acts::banner());
    let pen = logged(Pen::over(&farm), "").start();
    let _ = pen.ask("127.0.0.1");
    let _ = told(&pen, 1);
    std::fs::rename(pen.path("conn.log"), pen.path("old.log")).unwrap();
    pen.signal(Sig::Hup);
    until("a new file", || pen.path("conn.log").exists().then_some(()));
    let _ = pen.ask("127.0.0.1");
    assert_eq!(told(&pen, 1).len(), 1);
    assert_eq!(lines(&pen.path("old.log")).len(), 1);
}

#[test]
fn a_log_that_cannot_be_written_costs_lines_only() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm).start();
    let fifo = pen.path("stalled");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Somebody who opens it and reads nothing.
    let reader = std::fs::OpenOptions::new().read(true).custom_flags(0o4000).open(&fifo).unwrap();
    for target in ["/dev/full".to_owned(), fifo.display().to_string()] {
        pen.set(&format!("connection_log json {target}"));
        until("a loss", || {
            for _ in 0..100 {
                assert!(pen.ask("127.0.0.1").is_some(), "{target}");
            }
            let events = pen.ctl("events");
            events
                .lines()
                .any(|l| l.contains("key=log_failed") && l.contains(&target))
                .then_some(())
        });
    }
    // The reader wakes up: what is lost is told.
    let mut reader = reader;
    until("the log to recover", || {
        let mut waste = vec![0; 1 << 16];
        while matches!(reader.read(&mut waste), Ok(n) if n > 0) {}
        assert!(pen.ask("127.0.0.1").is_some());
        std::thread::sleep(Duration::from_millis(20));
        pen.ctl("events").contains("key=log_recovered").then_some(())
    });
    let recovered = pen.stderr();
    assert!(recovered.contains("works again; "), "{recovered}");
}

#[test]
fn nobody_has_to_be_there() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm).start();
    for target in ["syslog", "journald", &format!("udp:127.0.0.1:{}", free_port()), "stdout"] {
        pen.set(&format!("connection_log text {target}"));
        for _ in 0..20 {
            assert!(pen.ask("127.0.0.1").is_some(), "{target}");
        }
    }
}

#[test]
fn standard_output_that_nobody_reads_stops_nothing() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm).stuck_output().command("connection_log json stdout").start();
    until("a loss", || {
        for _ in 0..100 {
            assert!(pen.ask("127.0.0.1").is_some());
        }
        pen.ctl("events").contains("key=log_failed").then_some(())
    });
    // Another log goes on.
    let path = pen.path("other.log");
    pen.set(&format!("event_log json {}", path.display()));
    pen.set("server 0 max 7");
    until("an event", || lines(&path).iter().any(|l| l["key"] == "settings_changed").then_some(()));
}

#[test]
fn lines_go_out_as_datagrams() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let farm = Farm::one(&acts::banner());
    let target = format!("udp:127.0.0.1:{}", collector.local_addr().unwrap().port());
    let pen = Pen::over(&farm).command(&format!("connection_log text {target}")).start();
    let _ = pen.ask("127.0.0.7");
    let mut buffer = [0; 2_000];
    let n = collector.recv(&mut buffer).expect("a line");
    let line = String::from_utf8_lossy(&buffer[..n]).into_owned();
    assert!(line.contains(" client=127.0.0.7 ") && line.ends_with('\n'), "{line}");
}

#[test]
fn flows_are_told_as_connections_are() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let words = servers.iter().map(UdpServer::word);
    let pen = Pen::bare().args(["-U"]).servers(words).command("udp_answers 1");
    let pen = logged(pen, "start").start();
    let client = UdpClient::of(pen.place());
    assert_eq!(client.ask(b"hello"), b"hello");
    let all = told(&pen, 2);
    assert_eq!((&all[0]["event"], &all[1]["event"]), (&"start".into(), &"end".into()));
    let end = &all[1];
    assert_eq!((&end["protocol"], &end["reason"]), (&"udp".into(), &"answered".into()));
    assert_eq!((number(end, "bytes_in"), number(end, "bytes_out")), (5, 5));
    assert_eq!((&end["client"], &end["server"]), (&"127.0.0.1".into(), &"0".into()));
    assert_eq!(end["server_address"], servers[0].word());
    assert_eq!(end["listener"], format!("127.0.0.1:{}", pen.place().port()));
    assert!(end["client_rtt_us"].is_null());
}

#[test]
fn a_unix_client_has_no_port() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm);
    let place = Place::Unix(pen.path("front"));
    let pen = logged(pen.listen(&place), "").start();
    drop(pen.client());
    let one = only(&pen);
    assert_eq!((&one["client"], &one["client_port"]), (&"unix".into(), &Value::Null));
    assert_eq!(one["listener"], pen.path("front").display().to_string());
    assert_eq!(port_of(&pen.client()), 0);
}

#[test]
fn events_have_a_log_of_their_own() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm).start();
    let path = pen.path("events.log");
    pen.set(&format!("event_log text {}", path.display()));
    pen.set("server 0 blacklist 100");
    let text =
        until("an event", || Some(whole_lines(&path)).filter(|t| t.contains("key=server_down")));
    let kept = pen.ctl("events");
    assert!(text.lines().all(|line| kept.contains(line)), "{text}");
    pen.set("event_log off");
    pen.set("server 0 blacklist 0");
    assert!(!std::fs::read_to_string(&path).unwrap().contains("key=server_up"));
}
