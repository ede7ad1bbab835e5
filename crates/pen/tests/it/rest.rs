//! The cost of doing nothing: no wake-ups, no processor time, little memory.

use std::time::Duration;

use pen_test::{Client, Farm, Pen, acts, holds, over_tls, until};

#[test]
fn a_pen_at_rest_does_not_wake_up() {
    let farm = Farm::banners(2);
    // The deadlines of past connects are one second, so that they are over soon.
    let pen = Pen::over(&farm).args(["-r", "-t", "1"]).start();
    let clients: Vec<Client> = (0..50).map(|_| pen.client()).collect();
    for client in &clients {
        assert!(!client.read_line().is_empty());
    }
    settle(&pen);
    let before = pen.vitals();
    assert!(holds(Duration::from_secs(2), || true));
    let after = pen.vitals();
    assert_eq!((after.sleeps - before.sleeps, after.ticks - before.ticks), (0, 0));
}

#[test]
fn after_two_thousand_short_connections_nothing_is_left_to_do() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).args(["-r", "-t", "1"]).start();
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| (0..500).for_each(|_| assert!(pen.ask("127.0.0.1").is_some())));
        }
    });
    pen.wait_idle();
    settle(&pen);
    let before = pen.vitals();
    assert!(holds(Duration::from_secs(3), || true));
    let after = pen.vitals();
    assert_eq!((after.sleeps - before.sleeps, after.ticks - before.ticks), (0, 0));
    assert_eq!(after.descriptors, before.descriptors);
}

#[test]
fn an_idle_connection_costs_at_most_1_kib_of_user_memory() {
    const COUNT: usize = 400;
    let farm = Farm::one(&acts::echo());
    let pen = Pen::over(&farm).start();
    // The first ones pay for what is made once (stacks, scratch buffers, tables).
    let warm: Vec<Client> = (0..100).map(|_| echoed(&pen)).collect();
    let before = pen.vitals().anonymous_kib;
    let clients: Vec<Client> = (0..COUNT).map(|_| echoed(&pen)).collect();
    let grown = pen.vitals().anonymous_kib.saturating_sub(before);
    // Pages come in fours of KiB; a table that doubles once is allowed for. A TLS session has keys and
    // a state, and no buffer.
    let each = if over_tls() { 4 } else { 1 };
    assert!(grown <= COUNT as u64 * each + 256, "{grown} KiB for {COUNT} idle connections");
    drop((warm, clients));
    pen.wait_idle();
}

/// A connection that has moved bytes both ways and is idle now.
fn echoed(pen: &Pen) -> Client {
    let client = pen.client();
    client.send("ping").expect("pen takes it");
    assert_eq!(client.read_exact(4), Ok(b"ping".to_vec()));
    client
}

/// Waits until start-up, connect deadlines and the last control session have left no trace.
fn settle(pen: &Pen) {
    let mut last = pen.vitals().sleeps;
    until("pen to come to rest", || {
        let still = holds(Duration::from_millis(1_300), || true);
        let now = pen.vitals().sleeps;
        let rest = still && now == last;
        last = now;
        rest.then_some(())
    });
}
