//! Events: told with their keys and fields, kept, limited, and streamed to whoever watches.

use pen_test::{Client, Farm, Pen, Sig, TestServer, Wire, acts, free_port, until};
use serde_json::Value;

/// The events of a key, as JSON.
fn told(pen: &Pen, key: &str) -> Vec<Value> {
    let reply: Value = serde_json::from_str(&pen.ctl("events json")).expect("JSON");
    let events = reply["events"].as_array().expect("a list").clone();
    events.into_iter().filter(|e| e["key"] == key).collect()
}

/// Waits for the first event of a key.
fn first(pen: &Pen, key: &str) -> Value {
    until(key, || told(pen, key).into_iter().next())
}

/// A session that watches.
fn watch(pen: &Pen, line: &str) -> Client {
    let session = Wire::connect(pen.control()).expect("a control session");
    session.send(format!("{line}\n")).expect("the line is taken");
    session
}

#[test]
fn a_start_is_told_and_a_line_is_what_json_says() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    let started = first(&pen, "started");
    assert_eq!(started["pid"], pen.pid());
    assert_eq!(told(&pen, "service_added")[0]["service"], "default");
    assert_eq!(told(&pen, "listener_opened")[0]["service"], "default");
    let text = pen.ctl("events");
    let line = text.lines().find(|l| l.contains(" key=started ")).expect("a line");
    assert!(line.starts_with(&format!("seq={} time=", started["seq"])), "{line}");
    assert!(line.contains(started["time"].as_str().unwrap()), "{line}");
    let last = started["seq"].as_u64().unwrap();
    assert!(!pen.ctl(&format!("events since {last}")).contains("key=started"));
    assert!(pen.ctl(&format!("events since {}", last - 1)).contains("key=started"));
    for (line, why) in
        [("events until 3", "'until' is not 'since'"), ("watch since x", "not a number")]
    {
        assert!(pen.ctl(line).contains(why), "{line}");
    }
}

#[test]
fn a_server_that_goes_and_comes_is_told_with_its_cause() {
    let mut farm = Farm::banners(2);
    let place = farm[0].place().clone();
    farm[0].die();
    let pen = Pen::over(&farm).args(["-r", "-b", "1"]).start();
    until("a client at the dead server", || {
        let _ = pen.ask("127.0.0.1");
        (!told(&pen, "server_down").is_empty()).then_some(())
    });
    let down = first(&pen, "server_down");
    assert_eq!(down["service"], "default");
    assert_eq!(down["server"], "0");
    assert_eq!(down["address"], format!("127.0.0.1:{}", place.port()));
    assert_eq!(down["cause"], "refused");
    assert_eq!(down["blacklist_s"], 1);
    assert_eq!(down["severity"], "error");
    assert!(told(&pen, "server_up").is_empty());
    farm[0] = TestServer::start_at("back", &place, acts::banner());
    let up = until("the server to be back", || {
        let _ = pen.ask("127.0.0.1");
        told(&pen, "server_up").into_iter().next()
    });
    assert_eq!((&up["server"], &up["cause"]), (&Value::from("0"), &Value::from("answered")));
    assert!(up["down_s"].as_u64().is_some());
}

#[test]
fn sentences_are_told_until_they_are_over() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    let causes = || -> Vec<String> {
        let keys = ["server_down", "server_up"];
        let mut all: Vec<Value> = keys.iter().flat_map(|k| told(&pen, k)).collect();
        all.sort_by_key(|e| e["seq"].as_u64());
        all.iter()
            .map(|e| format!("{} {}", e["server"].as_str().unwrap(), e["cause"].as_str().unwrap()))
            .collect()
    };
    pen.set("server 1 blacklist 100");
    assert_eq!(causes(), ["1 operator"]);
    pen.set("server 1 blacklist 0");
    assert_eq!(causes(), ["1 operator", "1 pardoned"]);
    pen.set("server 0 blacklist 1");
    until("the end of the sentence", || (causes().len() == 4).then_some(()));
    assert_eq!(causes()[2..], ["0 operator", "0 sentence_over"]);
    // A pardon of somebody who is free is no news.
    pen.set("server 1 blacklist 0");
    assert_eq!(causes().len(), 4);
}

#[test]
fn a_change_is_told_with_what_it_changed() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).file("blacklist 7\n").start();
    pen.set("server 1 max 5");
    let change = first(&pen, "settings_changed");
    assert_eq!(change["servers_changed"], "default/1");
    assert!(change["by"].as_str().is_some(), "{change}");
    std::fs::write(pen.file(), "blacklist 9\nservice mail\n").unwrap();
    pen.signal(Sig::Hup);
    let reload = first(&pen, "reload");
    assert_eq!(reload["settings"], "default/blacklist");
    assert_eq!(reload["services_added"], "mail");
    assert_eq!(first(&pen, "service_added")["service"], "default");
    std::fs::write(pen.file(), "blacklsit 9\n").unwrap();
    pen.signal(Sig::Hup);
    let failed = first(&pen, "reload_failed");
    assert!(failed["text"].as_str().unwrap().contains("did you mean 'blacklist'"), "{failed}");
}

#[test]
fn limits_are_told_once_and_counted() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-x", "2"]).start();
    let held: Vec<_> = (0..2).map(|_| pen.client()).collect();
    let _third = pen.client();
    let limit = first(&pen, "limit_reached");
    assert_eq!((&limit["cause"], &limit["limit"]), (&Value::from("conn_max"), &Value::from(2)));
    drop(held);
    assert_eq!(told(&pen, "limit_reached").len(), 1);
}

#[test]
fn clients_that_are_turned_away_are_counted_in_few_lines() {
    let pen = Pen::bare().servers([format!("127.0.0.1:{}", free_port())]).start();
    for _ in 0..200 {
        assert_eq!(pen.ask("127.0.0.1"), None);
    }
    let events = told(&pen, "no_server");
    assert!((1..=4).contains(&events.len()), "{events:?}");
    assert_eq!(events[0]["client"], "127.0.0.1");
    assert_eq!(told(&pen, "server_down").len(), 1);
}

#[test]
fn who_watches_is_told_as_it_happens() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    let (text, json) = (watch(&pen, "watch"), watch(&pen, "watch since 0 json"));
    assert!(json.read_line().contains("\"seq\":1,"));
    pen.set("server 1 blacklist 100");
    let line = text.read_line();
    assert!(line.contains(" key=server_down ") && line.contains(" cause=operator "), "{line}");
    until("the same as JSON", || {
        json.read_line().contains("\"key\":\"server_down\"").then_some(())
    });
    pen.set("server 1 blacklist 0");
    assert!(text.read_line().contains(" key=server_up "));
    // Nobody has to say good-bye, and whoever goes leaves his place to others.
    for _ in 0..40 {
        let session = watch(&pen, "watch since 0");
        assert!(session.read_line().contains("seq=1 "));
    }
}

#[test]
fn a_watcher_who_does_not_read_costs_nothing_and_is_told_what_he_missed() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    let slow = watch(&pen, "watch");
    let before = pen.vitals().anonymous_kib;
    for n in 0..3_000 {
        pen.set(&format!("server 1 weight {}", n + 1));
    }
    let after = pen.vitals().anonymous_kib;
    assert!(after < before + 4_096, "{before} kB became {after} kB");
    let (mut told, mut lost) = (0, 0);
    while told + lost < 3_000 {
        let line = slow.read_line();
        assert!(!line.is_empty(), "{told} told, {lost} lost, and no more");
        match line.trim().strip_prefix("key=events_lost count=") {
            Some(count) => lost += count.parse::<u64>().expect("a number"),
            None => told += u64::from(line.contains(" key=settings_changed ")),
        }
    }
    assert_eq!(told + lost, 3_000);
    assert!(lost > 0, "all was kept for a reader who did not read");
}

#[test]
fn only_so_many_may_watch() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let watching: Vec<_> = (0..16).map(|_| watch(&pen, "watch since 0")).collect();
    for session in &watching {
        assert!(session.read_line().contains("seq=1 "));
    }
    assert_eq!(pen.ctl("watch"), "error: 16 sessions watch already\n");
    assert!(pen.ctl("pid").trim().parse::<u32>().is_ok());
    drop(watching);
    until("a place", || {
        let session = watch(&pen, "watch since 0");
        session.read_line().contains("seq=1 ").then_some(())
    });
}
