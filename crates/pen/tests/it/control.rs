//! The control socket: bounded, patient, never in the way of traffic.

use std::thread;
use std::time::{Duration, Instant};

use pen_test::{End, Farm, Pen, Sig, Wire, penctl_program, run, scaled, until};

#[test]
fn penctl_asks_and_prints() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let socket = pen.control().word();
    let answer = run(&penctl_program(), [socket.as_str(), "pid"]);
    assert_eq!((answer.code, answer.stdout), (Some(0), format!("{}\n", pen.pid())));
    let answer = run(&penctl_program(), [socket.as_str(), "server", "0", "max", "9"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), ""));
    assert_eq!(pen.servers()[0].max, 9);
}

#[test]
fn bad_lines_are_named_and_change_nothing() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let before = pen.ctl("servers");
    for line in [
        "server",
        "server 0 max",
        "server 0 max lots",
        "server -7 max 1",
        "server 999999999 max 1",
        "server 0 nonsense 1",
        "acl",
        "acl 99 permit 1.2.3.4",
        "acl 0 permit 1.2.3.4 5.6.7",
        "no acl",
        "no acl 10",
        "source",
        "blacklist soon",
        "blacklist -1",
        "timeout 0",
        "tracking x",
        "close",
        "close x",
        "connection",
        "tcp_fastclose maybe",
        "clients_max 0x",
        "conn_max many",
        "listen 1.2.3.4.5:99999",
        "include",
        "service",
        "service nobody servers",
        "no service nobody",
        "listn 8080",
    ] {
        let reply = pen.ctl(line);
        let first = reply.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: "), "{line:?} answered {reply:?}");
    }
    assert_eq!(pen.ctl("servers"), before);
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
}

#[test]
fn an_unresolvable_name_is_an_error_and_stops_nothing() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let mut load = pen_test::Load::on(pen.place(), 2);
    let reply = pen.ctl("server 0 address no-such-host.invalid");
    assert!(reply.starts_with("error: ") && reply.contains("no-such-host.invalid"), "{reply}");
    until("load", || (load.asked() > 50).then_some(()));
    load.stop();
    assert_eq!(load.failed(), 0, "of {}", load.asked());
}

#[test]
fn near_words_are_suggested() {
    let pen = Pen::bare().start();
    let reply = pen.ctl("roundrobbin");
    assert!(reply.contains("roundrobbin") && reply.contains("roundrobin"), "{reply}");
}

#[test]
fn bytes_of_any_kind_are_answered() {
    let pen = Pen::bare().start();
    let long = "x".repeat(10_000) + "\n";
    let binary: Vec<u8> = (0..=255).collect();
    for bytes in [long.as_bytes(), binary.as_slice(), b"\0\0\0\n", b"\r\n", b"\n", b"#\n"] {
        let session = Wire::connect(pen.control()).expect("control listens");
        // A line that is too long may be refused before all of it is taken.
        drop(session.send(bytes));
        session.finish();
        assert_ne!(session.end(), End::Silence);
    }
    assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string());
}

#[test]
fn idle_sessions_beyond_the_bound_do_not_lock_the_operator_out() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let idle: Vec<_> =
        (0..100).map(|_| Wire::connect(pen.control()).expect("control listens")).collect();
    for _ in 0..20 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"), "traffic goes on");
    }
    // Idle sessions are closed after their time, then this one is served.
    assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string());
    until("idle sessions to be closed", || idle.iter().all(Wire::has_ended).then_some(()));
}

#[test]
fn a_session_that_dribbles_its_line_wins_no_time() {
    let pen = Pen::bare().start();
    let begin = Instant::now();
    let dribbling = Wire::connect(pen.control()).expect("control listens");
    until("pen to lose patience", || {
        let _gone = dribbling.send("x");
        thread::sleep(Duration::from_millis(100));
        dribbling.has_ended().then_some(())
    });
    assert!(begin.elapsed() > Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn many_sessions_at_once_are_all_answered() {
    let pen = Pen::bare().start();
    thread::scope(|s| {
        for _ in 0..40 {
            s.spawn(|| assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string()));
        }
    });
}

#[test]
fn json_twins_are_json() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    assert!(pen.ask("127.0.0.1").is_some());
    for (line, field) in [
        ("servers", "servers"),
        ("services", "services"),
        ("status", "connections"),
        ("recent", "clients"),
        ("recent 60", "clients"),
        ("clients", "clients"),
        ("connection 0", "connection"),
        ("socket 5", "socket"),
        ("idlers", "wanted"),
        ("mode", "service"),
        ("pid", "pid"),
        ("control", "control"),
        ("listen", "listen"),
        ("log", "log"),
        ("web_stats", "web_stats"),
        ("geoip_db", "geoip_db"),
        ("http_forwarded", "http_forwarded"),
        ("accepts", "accepts"),
        ("backlog", "backlog"),
        ("blacklist", "blacklist"),
        ("client_acl", "client_acl"),
        ("clients_max", "clients_max"),
        ("conn_max", "conn_max"),
        ("control_acl", "control_acl"),
        ("debug", "debug"),
        ("drain_timeout", "drain_timeout"),
        ("idle_timeout", "idle_timeout"),
        ("pending_max", "pending_max"),
        ("timeout", "timeout"),
        ("tracking", "tracking"),
        ("workers", "workers"),
    ] {
        let reply = pen.ctl(&format!("{line} json"));
        let value: Result<serde_json::Value, _> = serde_json::from_str(&reply);
        let has_field = value.is_ok_and(|v| v.get(field).is_some());
        assert!(has_field && reply.lines().count() == 1, "{line} json: {reply}");
    }
}

#[test]
fn write_prints_what_brings_the_same_pen_back() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).args(["-r", "-b", "7"]).start();
    for line in [
        "server 1 max 3 hard 4 acl 2",
        "acl 2 deny 127.0.0.66",
        "idle_timeout 99",
        "pending_max 12",
        "source 127.0.0.1",
    ] {
        let reply = pen.ctl(line);
        assert!(!reply.starts_with("error"), "{line}: {reply}");
    }
    let file = pen.path("written.conf");
    pen.set(&format!("write {}", file.display()));
    let text = std::fs::read_to_string(&file).expect("write wrote it");
    let twin = Pen::bare().file(&text).start();
    for question in ["mode", "blacklist", "idle_timeout", "timeout", "tracking"] {
        assert_eq!(twin.ctl(question), pen.ctl(question), "{question}");
    }
    let limits =
        |p: &Pen| p.servers().into_iter().map(|r| (r.port, r.max, r.hard)).collect::<Vec<_>>();
    assert_eq!(limits(&twin), limits(&pen));
    let second = twin.path("again.conf");
    twin.set(&format!("write {}", second.display()));
    let again = std::fs::read_to_string(&second).expect("write wrote it");
    assert_eq!(settings(&again), settings(&text), "written twice");
}

/// The lines without the comments (time and command line).
fn settings(text: &str) -> Vec<&str> {
    text.lines().filter(|l| !l.starts_with('#')).collect()
}

#[test]
fn control_answers_while_traffic_is_heavy() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).args(["-r"]).start();
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| (0..150).for_each(|_| assert!(pen.ask("127.0.0.1").is_some())));
        }
        for _ in 0..30 {
            let begin = Instant::now();
            assert_eq!(pen.ctl("servers").lines().count(), 2);
            assert!(begin.elapsed() < scaled(Duration::from_secs(1)));
        }
    });
}

#[test]
fn close_ends_one_connection() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let client = pen.client();
    assert_eq!(client.read_line(), "s0 127.0.0.1\n");
    let open = |n: &u32| !pen.ctl(&format!("connection {n}")).contains("state = 0");
    let number = (0..64).find(open).expect("its slot");
    assert_eq!(
        pen.ctl(&format!("close {number}")),
        format!("Forcibly closing connection {number}\n")
    );
    assert_ne!(client.end(), End::Silence);
    pen.wait_idle();
}

#[test]
fn nobody_who_has_spoken_loses_its_place_in_a_crowd() {
    let pen = Pen::bare().start();
    let pid = format!("{}\n", pen.pid());
    let come = || Wire::connect(pen.control()).expect("the control socket takes it");
    let mut crowd: Vec<Wire> = (0..40).map(|_| come()).collect();
    assert_eq!(pen.ctl("pid"), pid);
    // Pen wakes up to more guests than it has places, and all of them have spoken.
    pen.signal(Sig::Stop);
    crowd.extend((0..60).map(|_| come()));
    for wire in &crowd {
        wire.send("pid\n").expect("the control socket takes a line");
    }
    pen.signal(Sig::Cont);
    for wire in crowd {
        let (reply, _) = wire.read_to_end();
        assert_eq!(String::from_utf8_lossy(&reply), pid);
    }
}
