//! Handshakes that never end: reaped on time, bounded per process and per client address, and in
//! nobody's way. The same where a route waits for the first message of the handshake.

use std::time::{Duration, Instant};

use pen_test::{Client, End, Farm, Pen, PenBuilder, Wire, holds, scaled, until};

use crate::hall::Hall;
use crate::hello::client_hello;

/// So many that clients are handed over from one to another.
const WORKERS: &str = "workers 4";

/// A client that sends the first half of a handshake's first message and then nothing. Above a bound
/// it may be closed before it knows that it is connected: then there is none.
fn stalled(pen: &Pen, hall: &Hall, source: &str) -> Option<Client> {
    let client = Wire::dial(pen.place()).from(source).connect().ok()?;
    let hello = client_hello(hall.config());
    client.send(&hello[..hello.len() / 2]).ok()?;
    Some(client)
}

/// A pen that ends TLS itself, and one that leads its clients to where it is ended.
fn both(hall: &Hall, farm: &Farm, line: &str) -> [PenBuilder; 2] {
    [hall.pen(farm).command(line), hall.routed(farm, line)]
}

#[test]
fn stalled_handshakes_are_reaped_on_time_while_others_are_served() {
    let hall = Hall::new();
    let farm = Farm::banners(1);
    for pen in both(&hall, &farm, "ssl_handshake_timeout 2") {
        let pen = pen.start();
        let begin = Instant::now();
        let silent = pen.client();
        let half = stalled(&pen, &hall, "127.0.0.1").expect("a place");
        let answered = pen.client();
        answered.send(client_hello(hall.config())).expect("pen takes it");
        while begin.elapsed() < Duration::from_millis(1_000) {
            assert!(hall.is_served(&pen), "while others stall");
        }
        assert!(!silent.has_ended() && !half.has_ended(), "reaped early");
        for (what, client) in [("silent", silent), ("half a hello", half), ("answered", answered)] {
            assert_ne!(client.end(), End::Silence, "{what}: never reaped");
        }
        // Correct is two seconds; what matters is that it is not the stage's deadline or for ever.
        assert!(begin.elapsed() < scaled(Duration::from_secs(6)), "{:?}", begin.elapsed());
        assert!(hall.is_served(&pen));
    }
}

#[test]
fn a_client_that_dribbles_does_not_win_time() {
    let hall = Hall::new();
    let farm = Farm::banners(1);
    for pen in both(&hall, &farm, "ssl_handshake_timeout 1") {
        let pen = pen.start();
        let client = pen.client();
        client.set_nodelay();
        let hello = client_hello(hall.config());
        // A byte every 20 ms: the whole hello would take many times the deadline.
        let mut bytes = hello.iter();
        until("pen to lose patience", || {
            let ended = client.has_ended();
            if !ended && let Some(byte) = bytes.next() {
                let _ = client.send([*byte]);
                std::thread::sleep(Duration::from_millis(20));
            }
            (ended || bytes.len() == 0).then_some(())
        });
        assert!(client.has_ended(), "the whole hello was waited for");
    }
}

#[test]
fn one_address_has_only_so_many_unfinished_handshakes() {
    let hall = Hall::new();
    let farm = Farm::banners(1);
    for pen in both(&hall, &farm, "ssl_handshakes_per_client 5") {
        let pen = pen.command(WORKERS).start();
        let place = |_| stalled(&pen, &hall, "127.0.0.7").expect("a place");
        let mut held: Vec<Client> = (0..5).map(place).collect();
        assert!(holds(Duration::from_millis(200), || !held.iter().any(Wire::has_ended)));
        for n in 0..5 {
            let end = stalled(&pen, &hall, "127.0.0.7").map_or(End::Reset, |more| more.end());
            assert_ne!(end, End::Silence, "client {n} above the bound was not closed");
        }
        assert!(hall.is_served(&pen), "another address");
        assert!(!held.iter().any(Wire::has_ended), "those below the bound stay");
        // A place that is given back can be taken.
        held.clear();
        until("places of those that left", || {
            let client = stalled(&pen, &hall, "127.0.0.7")?;
            holds(Duration::from_millis(50), || !client.has_ended()).then_some(())
        });
    }
}

#[test]
fn the_process_has_only_so_many_unfinished_handshakes() {
    const MAX: usize = 20;
    let hall = Hall::new();
    let farm = Farm::banners(1);
    for pen in both(&hall, &farm, &format!("ssl_handshakes_max {MAX}")) {
        let pen = pen.command(WORKERS).start();
        let held: Vec<Client> =
            (1..=5 * MAX).filter_map(|n| stalled(&pen, &hall, &format!("127.0.2.{n}"))).collect();
        let open = || held.iter().filter(|c| !c.has_ended()).count();
        // Workers count on their own what they may hold beyond the bound: one each.
        until("the rest to be closed", || (open() <= MAX + 8).then_some(()));
        assert!(hall.is_served(&pen), "an honest client finds a place");
    }
}
