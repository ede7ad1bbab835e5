//! Servers that die, hang, or never were; pen without descriptors.

use std::time::{Duration, Instant};

use pen_test::{Client, End, Farm, Load, Pen, TestServer, acts, deadline, over_tls, scaled, until};

#[test]
fn a_server_killed_under_load_fails_no_new_connection() {
    let mut farm = Farm::banners(3);
    let pen = Pen::over(&farm).args(["-r"]).start();
    let mut load = Load::on(pen.place(), 4);
    until("load", || (farm[1].accepted() > 30).then_some(()));
    farm[1].die();
    load.mark();
    until("load after the death", || (load.asked() > 300).then_some(()));
    load.stop();
    assert_eq!(load.failed(), 0, "of {}", load.asked());
    let attempts = pen.stderr().matches("lacklist").count();
    assert!(attempts <= 20, "one death, {attempts} lines");
}

#[test]
fn a_server_that_returns_is_used_again() {
    let mut farm = Farm::banners(2);
    let pen = Pen::over(&farm).args(["-r", "-b", "1"]).start();
    let place = farm[1].place().clone();
    farm[1].die();
    for _ in 0..4 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    }
    farm[1] = TestServer::start_at("back", &place, acts::banner());
    until("its return", || (pen.ask("127.0.0.1").as_deref() == Some("back")).then_some(()));
}

#[test]
fn all_servers_dead_means_emergency_then_closed() {
    let farm = Farm::from([TestServer::refusing("d0"), TestServer::refusing("d1")]);
    let mut emergency = TestServer::start("help", acts::banner());
    let pen = Pen::over(&farm).args(["-e", &emergency.word(), "-b", "1"]).start();
    for _ in 0..5 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("help"));
    }
    emergency.die();
    for _ in 0..5 {
        assert_eq!(pen.ask("127.0.0.1"), None);
    }
}

#[test]
fn stubborn_does_not_look_further() {
    let farm = Farm::from([TestServer::refusing("d0"), TestServer::start("s1", acts::banner())]);
    let pen = Pen::over(&farm).args(["-s", "-r", "-b", "0"]).start();
    let answers: Vec<_> = (0..4).map(|_| pen.ask("127.0.0.1")).collect();
    assert_eq!(answers.iter().filter(|a| a.is_none()).count(), 2, "{answers:?}");
}

#[test]
fn a_blacklisted_server_is_not_tried_until_its_time_is_over() {
    let farm = Farm::from([TestServer::refusing("d0"), TestServer::start("s1", acts::banner())]);
    // A stubborn service shows each attempt: the client is closed.
    let pen = Pen::over(&farm).args(["-s", "-r", "-b", "2"]).start();
    let lost = |count: usize| (0..count).filter(|_| pen.ask("127.0.0.1").is_none()).count();
    let begin = Instant::now();
    assert_eq!(lost(10), 1);
    until("the next attempt", || (lost(2) == 1).then_some(()));
    assert!(begin.elapsed() >= Duration::from_millis(1_900), "{:?}", begin.elapsed());
    assert_eq!(lost(10), 0, "the next sentence");
}

#[test]
fn connects_pending_to_a_black_hole_do_not_hurt_others() {
    let farm =
        Farm::from([TestServer::black_hole("hole"), TestServer::start("s1", acts::banner())]);
    let pen = Pen::over(&farm).args(["-r", "-b", "0", "-t", "3"]).command("pending_max 10").start();
    let before = pen.vitals().ticks;
    let begin = Instant::now();
    let clients: Vec<Client> = (0..40).map(|_| pen.client()).collect();
    let prompt = |c: &&Client| {
        c.set_patience(scaled(Duration::from_secs(1)).saturating_sub(begin.elapsed()).max(MOMENT));
        !c.read_line().is_empty()
    };
    let served = clients.iter().filter(prompt).count();
    assert!(served >= 30, "{served} of 40 while a server hangs");
    let ticks = pen.vitals().ticks - before;
    assert!(ticks < 50, "{ticks} ticks while connects are pending");
    for client in clients {
        client.set_patience(deadline());
        client.finish();
        assert_eq!(client.end(), End::Eof);
    }
}

#[test]
fn clients_who_may_go_nowhere_but_to_a_silent_server_hold_up_nobody() {
    let farm =
        Farm::from([TestServer::black_hole("hole"), TestServer::start("s1", acts::banner())]);
    let pen = Pen::over(&farm)
        .args(["-r", "-t", "60"])
        .command("pending_max 10")
        .command("acl 1 permit 127.0.9.0/24")
        .command("acl 2 deny 127.0.9.0/24")
        .command("server 0 acl 1")
        .command("server 1 acl 2")
        .start();
    let stuck: Vec<Client> = (1..=40).map(|n| pen.client_from(&format!("127.0.9.{n}"))).collect();
    for _ in 0..5 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s1"));
    }
    assert!(stuck.iter().all(|client| !client.has_ended()), "they wait for their server");
}

#[test]
fn clients_that_were_waited_for_keep_to_pending_max_as_well() {
    let farm = Farm::from([TestServer::black_hole("hole"), TestServer::start("s1", acts::echo())]);
    let pen = Pen::over(&farm).args(["-r", "-b", "0", "-t", "30"]).command("peek");
    let pen = pen.command("pending_max 10").start();
    let clients: Vec<Client> = (0..40).map(|_| pen.client()).collect();
    for client in &clients {
        client.send("x").expect("pen takes it");
    }
    until("all to be served who need not wait for the silent server", || {
        (farm[1].accepted() >= 30).then_some(())
    });
}

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn connect_timeout_fails_over_and_keeps_what_the_client_sent() {
    let farm = Farm::from([TestServer::black_hole("hole"), TestServer::start("s1", acts::echo())]);
    let pen = Pen::over(&farm).args(["-t", "1", "-b", "30"]).start();
    pen.set("server 1 blacklist 0");
    let waits: Vec<Duration> = (1..=2)
        .map(|n| {
            let client = pen.client_from(&format!("127.0.14.{n}"));
            let begin = Instant::now();
            client.send("kept").expect("pen takes it");
            assert_eq!(client.read_exact(4), Ok(b"kept".to_vec()));
            begin.elapsed()
        })
        .collect();
    // Whichever of the two meets the hole waits one timeout; the other finds it blacklisted.
    let slow = waits.iter().filter(|w| **w > Duration::from_millis(500)).count();
    assert!(slow <= 1, "{waits:?}");
    assert!(waits.iter().all(|w| *w < scaled(Duration::from_millis(2_500))), "{waits:?}");
}

#[test]
fn running_out_of_descriptors_pauses_and_resumes() {
    let farm = Farm::banners(1);
    let mut pen = Pen::over(&farm).args(["-x", "400"]).descriptors(2_000).start();
    let in_use = pen.vitals().descriptors as u64;
    // Less than what 400 connections need, although they were promised at start.
    squeeze(pen.pid(), in_use + 40);
    let clients: Vec<Client> = (0..60).map(|_| pen.client()).collect();
    until("pen to reach the limit", || {
        (pen.vitals().descriptors as u64 >= in_use + 30).then_some(())
    });
    let ticks = pen.vitals().ticks;
    let quiet = pen_test::holds(Duration::from_millis(400), || pen.runs());
    assert!(quiet, "pen ended: {}", pen.stderr());
    assert!(pen.vitals().ticks - ticks < 20, "pen spins without descriptors");
    assert!(pen.stderr().lines().count() < 100, "the log is flooded");
    assert!(!pen.stderr().is_empty(), "nobody is told");
    // Whoever is served leaves and makes room for the next.
    let (mut waiting, mut served) = (clients, 0);
    until("every client to be served or closed", || {
        waiting.retain(|client| {
            client.set_patience(MOMENT);
            let greeted = client.read_line().starts_with("s0");
            served += usize::from(greeted);
            !greeted && !client.has_ended()
        });
        waiting.is_empty().then_some(())
    });
    // A client that shakes hands has its own descriptor only: if there is none for its server
    // afterwards, it is closed.
    let least = if over_tls() { 25 } else { 40 };
    assert!(served >= least, "{served} of 60 were served when places became free");
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    pen.wait_idle();
}

/// Lowers the descriptor limit of a running process.
fn squeeze(pid: u32, count: u64) {
    let done = std::process::Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--nofile={count}:{count}")])
        .status();
    assert!(done.is_ok_and(|s| s.success()), "prlimit(1) of util-linux is needed");
}

#[test]
fn without_descriptors_the_control_socket_answers() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-x", "400"]).descriptors(2_000).start();
    let in_use = pen.vitals().descriptors as u64;
    squeeze(pen.pid(), in_use + 40);
    let clients: Vec<Client> = (0..60).map(|_| pen.client()).collect();
    until("all descriptors to be used", || {
        (pen.vitals().descriptors as u64 >= in_use + 39).then_some(())
    });
    for _ in 0..5 {
        assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string());
    }
    drop(clients);
}

#[test]
fn too_few_descriptors_for_conn_max_are_said_aloud() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-x", "5000"]).descriptors(200).start();
    let available: u64 = pen.ctl("conn_max").trim().parse().expect("a number");
    assert!(available < 200, "{available} connections with 200 descriptors");
    assert!(pen.stderr().contains("5000"), "no warning: {}", pen.stderr());
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
}

#[test]
fn a_connection_to_a_dying_server_ends_as_a_reset() {
    let mut farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let client = pen.client();
    assert_eq!(client.read_line(), "s0 127.0.0.1\n");
    farm[0].die();
    assert_eq!(client.end(), End::Reset);
}

#[test]
fn a_server_that_resets_at_once_is_not_called_dead() {
    let mute = TestServer::start("mute", std::sync::Arc::new(pen_test::Served::abort));
    let busy = TestServer::start(
        "busy",
        std::sync::Arc::new(|s: pen_test::Served| {
            drop(s.send("421 busy\r\n"));
            s.abort();
        }),
    );
    for (server, words) in [(mute, ""), (busy, "421 busy\r\n")] {
        let farm = Farm::from([server]);
        let pen = Pen::over(&farm).start();
        // Now and then the reset is there before the connect is known to have succeeded.
        for n in 0..300 {
            let Some(client) = client_of_resetting(&pen) else { continue };
            let (said, end) = client.read_to_end();
            let said = String::from_utf8_lossy(&said);
            assert_eq!((said.as_ref(), end), (words, End::Reset), "client {n}");
        }
        assert_eq!(farm[0].accepted(), 300, "each client got its server");
        assert!(!pen.stderr().contains("; blacklisted"), "{}", pen.stderr());
    }
}

#[test]
fn a_reset_before_the_first_byte_is_made_good_by_another_server() {
    let farm = Farm::from([
        TestServer::start("mute", std::sync::Arc::new(pen_test::Served::abort)),
        TestServer::start("s1", acts::banner()),
    ]);
    let pen = Pen::over(&farm).args(["-r"]).start();
    let (mut helped, mut reset) = (0, 0);
    for _ in 0..400 {
        match client_of_resetting(&pen).is_none_or(|client| client.read_line().is_empty()) {
            false => helped += 1,
            true => reset += 1,
        }
    }
    // How many are reset depends on who is faster; nobody waits, and none is sent away.
    assert_eq!(helped + reset, 400);
    assert!(farm[0].accepted() >= 199, "it stays in the rotation");
}

/// A client; nothing if its connection was reset before its own connect had returned.
fn client_of_resetting(pen: &Pen) -> Option<Client> {
    match Client::connect(pen.place()) {
        Ok(client) => Some(client),
        Err(e) => {
            assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "{e}");
            None
        }
    }
}
