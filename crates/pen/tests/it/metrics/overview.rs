//! `overview` and its twin: counts of connections, clients and servers.

use std::path::Path;

use pen_test::{
    Client, End, Farm, Pen, Place, Scratch, Sig, TestServer, UdpClient, UdpServer, acts, over_tls,
    until,
};
use serde_json::Value;

fn overview(pen: &Pen) -> Value {
    serde_json::from_str(&pen.ctl("overview json")).expect("overview json is JSON")
}

fn totals(pen: &Pen) -> Value {
    overview(pen)["services"][0]["totals"].clone()
}

#[test]
fn counts_equal_what_happened() {
    let farm = Farm::from([
        TestServer::refusing("dead"),
        TestServer::start("never", acts::echo()),
        TestServer::start("echo", acts::echo()),
    ]);
    let pen = Pen::over(&farm).args(["-r"]).start();
    pen.set("server 1 port 0");
    for _ in 0..4 {
        let client = pen.client();
        client.send("hello").expect("pen takes it");
        assert_eq!(client.read_exact(5), Ok(b"hello".to_vec()));
        client.finish();
        assert_eq!(client.end(), End::Eof);
    }
    pen.wait_idle();
    let open = pen.client();
    open.send("still open").expect("pen takes it");
    assert_eq!(open.read_exact(10), Ok(b"still open".to_vec()));
    let all = overview(&pen);
    assert_eq!(all["pen"]["connections"], 1);
    let service = &all["services"][0];
    assert_eq!((&service["mode"], &service["ready"]), (&"tcp".into(), &true.into()));
    assert_eq!(service["conn_used"], 1);
    let totals = &service["totals"];
    assert_eq!(
        (&totals["accepted"], &totals["received"], &totals["sent"]),
        (&5.into(), &30.into(), &30.into())
    );
    assert_eq!(totals["closed"].to_string(), r#"{"client_finished":4}"#);
    let shaken = totals["handshakes"]["full"].as_u64().unwrap_or(0)
        + totals["handshakes"]["resumed"].as_u64().unwrap_or(0);
    assert_eq!(shaken, if over_tls() { 5 } else { 0 });
    let [dead, never, echo] = [0, 1, 2].map(|n| &service["servers"][n]);
    assert_eq!((&dead["total"], &echo["total"]), (&0.into(), &5.into()));
    assert_eq!((&dead["failures"]["refused"], &dead["usable"]), (&1.into(), &false.into()));
    assert!(dead["sentence_s"].as_u64().is_some_and(|s| (1..=30).contains(&s)), "{dead}");
    assert!(never["refusals"]["unset"].as_u64().is_some_and(|n| n > 0), "{never}");
    assert_eq!((&echo["received"], &echo["sent"]), (&30.into(), &30.into()));
    assert_eq!(service["top_clients"][0]["connects"], 5);
    assert_eq!(service["clients_used"], 1);
    let text = pen.ctl("overview");
    assert!(
        text.contains("1 connections of") && text.contains("closed: client_finished 4"),
        "{text}"
    );
}

#[test]
fn counts_survive_a_reload_and_new_listeners() {
    let farm = Farm::banners(1);
    let server = &farm[0].place().port();
    let other = Place::free();
    let file = |listen: &str| {
        format!("service web\nlisten {listen}\nserver 0 address 127.0.0.1 port {server}\n")
    };
    let first = Place::free();
    let builder = Pen::bare();
    let tls = builder.tls_line();
    let pen = builder.file(&(file(&first.word()) + &tls)).start();
    let accepted = |count: u64| {
        until("the count", || {
            let all = overview(&pen);
            let service = all["services"].as_array()?.iter().find(|s| s["service"] == "web")?;
            (service["totals"]["accepted"] == count && service["conn_used"] == 0).then_some(())
        });
    };
    let visit = |place| {
        let client = Client::connect(place).expect("pen listens");
        assert!(client.read_line().starts_with("s0 "));
    };
    visit(&first);
    accepted(1);
    for (n, listen) in [&first, &other, &first].into_iter().enumerate() {
        std::fs::write(pen.file(), file(&listen.word()) + &tls + "blacklist 7\n").expect("ours");
        pen.signal(Sig::Hup);
        until("the reload", || (overview(&pen)["pen"]["reloads"] == n + 1).then_some(()));
        visit(listen);
        accepted(n as u64 + 2);
    }
}

#[test]
fn a_service_says_why_it_is_not_ready() {
    let farm = Farm::from([TestServer::refusing("dead")]);
    let pen = Pen::over(&farm).start();
    let ready = || overview(&pen)["services"][0]["not_ready"].to_string();
    assert_eq!(ready(), "[]");
    assert_eq!(pen.ask("127.0.0.1"), None);
    assert_eq!(ready(), r#"["no_server"]"#);
    assert_eq!(totals(&pen)["closed"].to_string(), r#"{"no_server":1}"#);
    assert!(pen.ctl("overview").contains("not ready: no_server"));
}

#[test]
fn flows_are_counted_as_flows() {
    let server = UdpServer::named("a");
    let pen = Pen::bare().args(["-U"]).servers([server.word()]).start();
    let clients = [UdpClient::of(pen.place()), UdpClient::of(pen.place())];
    for client in &clients {
        assert!(!client.ask(b"1234").is_empty());
    }
    let all = overview(&pen);
    let service = &all["services"][0];
    assert_eq!((&service["mode"], &service["flows"]), (&"udp".into(), &2.into()));
    assert_eq!((&service["conn_used"], &service["servers"][0]["total"]), (&0.into(), &2.into()));
    let totals = &service["totals"];
    assert_eq!((&totals["accepted"], &totals["received"]), (&2.into(), &8.into()));
}

/// What stands in for the clock, where Debian puts it.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[test]
fn a_clock_that_is_set_does_not_change_how_long_pen_runs() {
    if !Path::new(FAKETIME).exists() {
        eprintln!("skipped: needs libfaketime");
        return;
    }
    let farm = Farm::banners(1);
    let clock = Scratch::new();
    let now = clock.write("now", "+0s");
    // Only the clock on the wall is set.
    let builder = Pen::over(&farm).env("LD_PRELOAD", FAKETIME).env("FAKETIME_NO_CACHE", "1");
    let builder = builder.env("FAKETIME_TIMESTAMP_FILE", now.display().to_string());
    let pen = builder.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").command("sandbox on").start();
    let ask = |field: &str| overview(&pen)["pen"][field].as_i64().expect("a number");
    let (began, started) = (ask("time_s"), ask("started_s"));
    for (set, sign) in [("+3650d", 1), ("-3650d", -1)] {
        clock.write("now", set);
        until("the clock", || ((ask("time_s") - began) * sign > 300_000_000).then_some(()));
        // No scenario takes an hour.
        assert!((0..3_600).contains(&ask("uptime_s")), "{set}: {}", ask("uptime_s"));
        assert_eq!(ask("started_s"), started);
    }
}
