//! Faults of the original that must never come back; each test bears the name of its trap.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pen_test::{End, Farm, Pen, TestServer, Wire, acts, scaled, until};

#[test]
fn refused_connect_under_epoll_closes_the_client() {
    let farm = Farm::from([TestServer::refusing("d0"), TestServer::start("s1", acts::banner())]);
    for options in [vec![], vec!["-r"], vec!["-h"]] {
        let pen = Pen::over(&farm).args(options.clone()).args(["-b", "30"]).start();
        for n in 1..=20 {
            let answer = pen.ask(&format!("127.0.15.{n}"));
            assert_eq!(answer.as_deref(), Some("s1"), "{options:?}, client {n}");
        }
    }
}

#[test]
fn pending_counters_leak_until_accepting_stops() {
    let farm = Farm::from([TestServer::refusing("d0"), TestServer::start("s1", acts::banner())]);
    let pen = Pen::over(&farm).args(["-r", "-b", "0"]).command("pending_max 3").start();
    for n in 0..60 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s1"), "connection {n}");
    }
    // Clients that abort while their connect is pending give their place back as well.
    let hole = Farm::from([TestServer::black_hole("hole")]);
    let good = TestServer::start("good", acts::banner());
    let pen = Pen::over(&hole).args(["-t", "30"]).command("pending_max 4").start();
    for _ in 0..20 {
        pen.client().abort();
    }
    pen.set(&format!("server 0 address 127.0.0.1 port {}", good.place().port()));
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("good"));
}

#[test]
fn silent_control_client_stops_all_traffic() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let silent = Wire::connect(pen.control()).expect("control listens");
    for _ in 0..20 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    }
    let begin = Instant::now();
    assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string());
    assert!(begin.elapsed() < scaled(Duration::from_secs(1)));
    drop(silent);
}

#[test]
fn listen_with_a_busy_address_ends_the_process() {
    let farm = Farm::banners(1);
    let busy = TestServer::start("busy", acts::echo());
    let mut pen = Pen::over(&farm).start();
    for bad in [busy.word(), "192.0.2.99:8080".to_owned(), "/no/such/directory/socket".to_owned()] {
        let reply = pen.ctl(&format!("listen {bad}"));
        assert!(reply.starts_with("error: "), "{bad}: {reply:?}");
        assert!(pen.runs());
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"), "the old address is kept");
    }
    assert_eq!(pen.ctl("listen").trim(), pen.place().word());
}

#[test]
fn idlers_crash() {
    let farm = Farm::banners(2);
    let mut pen = Pen::over(&farm).start();
    // The first of them may be there already when the reply is made.
    assert!(pen.ctl("idlers 4").ends_with("/4\n"));
    let idlers = |expected: &str| (pen.ctl("idlers") == expected).then_some(());
    until("four idlers", || idlers("Idlers: 4/4\n"));
    assert_eq!(pen.servers().iter().map(|r| r.conn).collect::<Vec<_>>(), [2, 2]);
    for n in 1..=10 {
        assert!(pen.ask(&format!("127.0.16.{n}")).is_some());
    }
    let _ = pen.ctl("idlers 1");
    until("one idler", || idlers("Idlers: 1/1\n"));
    let _ = pen.ctl("idlers 0");
    until("no idler", || idlers("Idlers: 0/0\n"));
    pen.wait_idle();
    assert!(pen.runs());
}

#[test]
fn idlers_of_a_dead_server_neither_spin_nor_crash() {
    let farm = Farm::from([TestServer::refusing("d0")]);
    let mut pen = Pen::over(&farm).args(["-b", "1"]).command("idlers 5").start();
    let before = pen.vitals().ticks;
    assert!(pen_test::holds(Duration::from_millis(500), || true));
    assert!(pen.vitals().ticks - before <= 10);
    assert!(pen.runs());
}

#[test]
fn idlers_of_a_server_that_leaves_at_once_are_not_kept() {
    const IDLERS: usize = 32;
    let mut farm = Farm::from([TestServer::start("leaves", Arc::new(|s| s.note("left")))]);
    let pen = Pen::over(&farm).command(&format!("idlers {IDLERS}")).start();
    until("new ones", || (farm[0].accepted() >= 3 * IDLERS).then_some(()));
    farm[0].die();
    until("none of a dead server", || (pen.ctl("idlers") == "Idlers: 0/32\n").then_some(()));
}

#[test]
fn dummy_crashes() {
    let farm = Farm::banners(1);
    let mut pen = Pen::over(&farm).command("dummy").start();
    for _ in 0..20 {
        let client = pen.client();
        client.send("GET / HTTP/1.0\r\n\r\n").expect("pen takes it");
        let (answer, end) = client.read_to_end();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{answer:?}");
        assert_eq!(end, End::Eof);
    }
    let silent = pen.client();
    drop(silent);
    assert_eq!(farm[0].accepted(), 0, "servers are not contacted");
    pen.set("no dummy");
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    assert!(pen.runs());
}

#[test]
fn rejected_clients_corrupt_counts_so_that_limits_are_breached() {
    let farm = Farm::banners(1);
    let pen = Pen::bare().servers(farm.words(":2:2")).start();
    pen.set("acl 1 deny 127.0.17.66");
    assert_eq!(pen.ctl("client_acl 1"), "1\n");
    let denied = || assert_eq!(pen.ask("127.0.17.66"), None);
    let held: Vec<_> = (1..=2).map(|n| pen.client_from(&format!("127.0.17.{n}"))).collect();
    for client in &held {
        assert!(!client.read_line().is_empty());
    }
    for n in 3..=30 {
        denied();
        assert_eq!(pen.ask(&format!("127.0.17.{n}")), None, "the server is full");
    }
    assert_eq!((pen.conns(), farm[0].peak()), (2, 2));
    drop(held);
    pen.wait_idle();
    denied();
    assert_eq!(pen.conns(), 0, "below zero wraps");
    assert!(pen.ask("127.0.17.31").is_some());
}

#[test]
fn command_split_over_two_segments() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let session = Wire::connect(pen.control()).expect("control listens");
    for piece in ["ser", "ver 0 ", "ma", "x 17", "\n"] {
        session.send(piece).expect("control takes it");
        assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string(), "another session in between");
    }
    assert_eq!(session.read_to_end(), (Vec::new(), End::Eof));
    assert_eq!(pen.servers()[0].max, 17);
}

#[test]
fn reply_of_thousands_of_lines_to_a_client_that_does_not_read() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    pen.set("server 15000 max 1");
    let deaf: Vec<_> = (0..3)
        .map(|_| {
            let dial = Wire::dial(pen.control()).receive_buffer(4_096);
            let session = dial.connect().expect("control listens");
            session.send("servers\n").expect("control takes it");
            session
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"), "traffic goes on");
    }
    assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string(), "other sessions go on");
    let whole = pen.ctl("servers");
    assert_eq!(whole.lines().count(), 15_001);
    drop(deaf);
}

#[test]
fn half_closed_answers_are_lost_when_the_other_side_closes() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).start();
    thread::scope(|s| {
        for _ in 0..50 {
            let client = pen.client();
            client.send("q").expect("pen takes it");
            client.finish();
            let served = server.next();
            assert_eq!(served.end(), End::Eof);
            s.spawn(move || {
                served.send(vec![b'a'; 300_000]).expect("pen takes it");
                drop(served);
            });
            assert_eq!(client.read_to_end().0.len(), 300_000);
        }
    });
}
