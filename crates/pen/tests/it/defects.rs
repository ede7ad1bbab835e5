//! Defects of Pen itself, brought about on purpose (debug builds only: `worker/faults.rs`): one
//! connection meets them, or a worker gets stuck, and everybody else is served.

mod orders;
mod udp;

use std::os::unix::net::UnixDatagram;

use pen_test::{Client, End, Farm, Pen, PenBuilder, Wire, acts, deadline, over_tls, until};

/// Clients from here meet the defect.
const VICTIM: &str = "127.0.0.66";

/// The defect, or nothing (with the reason) where it cannot be had.
fn with(fault: &str, farm: &Farm) -> Option<PenBuilder> {
    on_demand(fault, Pen::over(farm))
}

fn on_demand(fault: &str, builder: PenBuilder) -> Option<PenBuilder> {
    if !cfg!(debug_assertions) || std::env::var_os("PEN").is_some() {
        eprintln!("skipped: only debug builds have defects on demand");
        return None;
    }
    // One worker: whoever is served afterwards is served by the one that met the defect.
    let builder = builder.command("workers 1");
    Some(builder.env("PEN_TEST_FAULT", format!("{fault} {VICTIM}")))
}

/// A client that meets the defect is reset, if need be before connect(2) has returned or it has said a word.
fn meets_its_end(pen: &Pen) {
    match Wire::dial(pen.place()).from(VICTIM).connect() {
        Ok(victim) => {
            let _ = victim.send("hello\n");
            assert_eq!(victim.end(), End::Reset, "its end is no good one");
        }
        Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

fn echoes(client: &Client, text: &str) {
    client.send(format!("{text}\n")).expect("pen reads");
    assert_eq!(client.read_line().trim_end(), text);
}

#[test]
fn a_panic_ends_one_connection_and_gives_back_what_it_held() {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("panic-open", &farm) else { return };
    let mut pen = builder.args(["-x", "5"]).start();
    let other = pen.client();
    echoes(&other, "before");
    // More than there are places, so each must have been given back, and none twice.
    for _ in 0..40 {
        meets_its_end(&pen);
    }
    echoes(&other, "after");
    until("the places to be free", || (pen.conns() == 1).then_some(()));
    let four: Vec<Client> = (0..4).map(|_| pen.client()).collect();
    for client in &four {
        echoes(client, "one of five");
    }
    drop((other, four));
    pen.wait_idle();
    assert!(pen.stderr().contains("met a defect of Pen: it is reset, the others go on"));
    assert!(pen.stderr().contains("a defect on demand"), "where it was: {}", pen.stderr());
    let overview = pen.ctl("overview json");
    assert!(overview.contains("\"defect\":40"), "{overview}");
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_before_bytes_move_is_no_different() {
    if over_tls() {
        eprintln!("skipped: clients of this scenario say nothing");
        return;
    }
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("panic-early", &farm) else { return };
    let mut pen = builder.command("peek").args(["-x", "3"]).start();
    for _ in 0..20 {
        meets_its_end(&pen);
    }
    echoes(&pen.client(), "still here");
    pen.wait_idle();
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_while_a_client_is_accepted_gives_back_its_place() {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("panic-accept", &farm) else { return };
    let mut pen = builder.command("limit_conn 2").args(["-x", "3"]).start();
    let other = pen.client();
    echoes(&other, "before");
    for _ in 0..20 {
        meets_its_end(&pen);
    }
    echoes(&other, "after");
    until("the places to be free", || (pen.conns() == 1).then_some(()));
    let second = pen.client();
    echoes(&second, "one of two");
    let overview = pen.ctl("overview json");
    assert!(overview.contains("\"defect\":20"), "{overview}");
    drop((other, second));
    pen.wait_idle();
    assert!(pen.stderr().contains("client 127.0.0.66 met a defect of Pen"), "{}", pen.stderr());
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_between_the_choice_and_the_connect_gives_back_the_place_at_the_server() {
    // At once, and after the first bytes.
    for peek in ["no peek", "peek"] {
        let farm = Farm::one(&acts::echo());
        let Some(builder) = with("panic-choice", &farm) else { return };
        let mut pen = builder.command(peek).start();
        // A place that is not given back is all there is.
        assert_eq!(pen.ctl("server 0 max 1"), "");
        for _ in 0..5 {
            meets_its_end(&pen);
        }
        let client = pen.client();
        echoes(&client, "the only one");
        drop(client);
        pen.wait_idle();
        let overview = pen.ctl("overview json");
        assert!(overview.contains("\"defect\":5"), "{overview}");
        assert_eq!(pen.stop(), Some(0));
    }
}

#[test]
fn a_panic_at_a_timer_ends_one_connection() {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("panic-timer", &farm) else { return };
    let mut pen = builder.command("idle_timeout 1").start();
    let victim = pen.client_from(VICTIM);
    echoes(&victim, "hello");
    assert_eq!(victim.end(), End::Reset);
    echoes(&pen.client(), "still here");
    pen.wait_idle();
    let overview = pen.ctl("overview json");
    assert!(overview.contains("\"defect\":1"), "{overview}");
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_while_a_connection_is_ended_ends_pen_loudly() {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("panic-ending", &farm) else { return };
    let mut pen = builder.start();
    let victim = pen.client_from(VICTIM);
    echoes(&victim, "hello");
    victim.finish();
    assert_eq!(pen.wait_exit(), None, "by a signal: whoever started it sees that it failed");
    assert!(pen.stderr().contains("every connection is reset, Pen ends"), "{}", pen.stderr());
}

#[test]
fn a_stuck_worker_is_noticed_and_pen_ends() {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("stall", &farm) else { return };
    let mut pen = builder.command("watchdog 1").start();
    echoes(&pen.client(), "all is well");
    let victim = pen.client_from(VICTIM);
    let _ = victim.send("hello\n");
    assert_eq!(pen.wait_exit(), None, "by a signal");
    let said = pen.stderr();
    assert!(said.contains("worker 0 has not answered") && said.contains("Pen ends"), "{said}");
}

#[test]
fn the_service_manager_hears_of_life_until_a_worker_is_stuck() {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("stall", &farm) else { return };
    let path = builder.path("notify");
    let socket = UnixDatagram::bind(&path).expect("the directory is ours");
    socket.set_read_timeout(Some(deadline())).expect("a timeout");
    let pen = builder.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", "300000").start();
    let hear = || {
        let mut message = [0; 4096];
        let length = socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    };
    let mut alive = 0;
    while alive < 4 {
        alive += usize::from(hear().expect("a message").contains("WATCHDOG=1"));
    }
    let victim = pen.client_from(VICTIM);
    let _ = victim.send("hello\n");
    until("the message", || pen.stderr().contains("worker 0 has not answered").then_some(()));
    // What it said before is in the queue; what follows is nothing, though the control thread lives.
    socket.set_nonblocking(true).expect("a socket");
    while hear().is_some() {}
    assert_eq!(pen.ctl("pid").trim(), pen.pid().to_string());
    assert!(hear().is_none(), "nobody claims that all is well");
}
