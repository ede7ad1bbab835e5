//! Limits are kept exactly, by bursts as by drips.

use std::thread;
use std::time::Duration;

use pen_test::{Client, Farm, Pen, TestServer, acts, deadline, holds, scaled, until};

/// Connects `count` clients at once, each from an address of its own; answers those that were
/// greeted.
fn burst(pen: &Pen, net: u8, count: usize) -> Vec<(String, Client)> {
    thread::scope(|s| {
        let threads: Vec<_> = (1..=count)
            .map(|n| s.spawn(move || greeted(pen, &format!("127.0.{net}.{n}"))))
            .collect();
        threads.into_iter().filter_map(|t| t.join().expect("a client")).collect()
    })
}

fn greeted(pen: &Pen, source: &str) -> Option<(String, Client)> {
    let client = pen.client_from(source);
    let line = client.read_line();
    line.split_whitespace().next().map(|name| (name.to_owned(), client))
}

#[test]
fn soft_limits_are_never_exceeded_by_one_under_a_burst() {
    for round in 0..3 {
        let farm = Farm::banners(2);
        let pen = Pen::bare().servers(farm.words(":5:7")).args(["-r"]).start();
        let held = burst(&pen, 4 + round, 60);
        assert_eq!(held.len(), 10, "round {round}");
        assert_eq!((farm[0].peak(), farm[1].peak()), (5, 5), "round {round}");
        assert_eq!(pen.conns(), 10);
        drop(held);
        pen.wait_idle();
    }
}

#[test]
fn hard_limit_is_for_clients_that_were_there_before() {
    let farm = Farm::banners(1);
    let pen = Pen::bare().servers(farm.words(":3:5")).start();
    for n in 1..=8 {
        assert!(pen.ask(&format!("127.0.8.{n}")).is_some());
    }
    pen.wait_idle();
    let known = burst(&pen, 8, 8);
    assert_eq!(known.len(), 5, "known clients up to hard");
    assert!(pen.ask("127.0.9.1").is_none(), "a new client stops at max");
    drop(known);
    pen.wait_idle();
    let fresh = burst(&pen, 10, 8);
    assert_eq!(fresh.len(), 3, "new clients up to max");
    assert!(farm[0].peak() <= 5);
}

#[test]
fn emergency_server_takes_what_the_others_cannot() {
    let farm = Farm::banners(1);
    let emergency = TestServer::start("help", acts::banner());
    let pen = Pen::bare().servers(farm.words(":2:2")).args(["-e", &emergency.word()]).start();
    let held = burst(&pen, 11, 6);
    let helped = held.iter().filter(|(name, _)| name == "help").count();
    assert_eq!((held.len(), helped), (6, 4));
}

#[test]
fn conn_max_makes_clients_wait_and_serves_them_later() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-x", "3"]).start();
    assert_eq!(pen.ctl("conn_max"), "3\n");
    let mut held: Vec<_> = (0..3).filter_map(|_| greeted(&pen, "127.0.0.1")).collect();
    assert_eq!(held.len(), 3);
    let waiting = pen.client();
    waiting.set_patience(scaled(Duration::from_millis(200)));
    let before = pen.vitals();
    assert_eq!(waiting.read_line(), "", "the fourth waits");
    assert!(pen.vitals().ticks - before.ticks <= 5, "waiting costs processor time");
    waiting.set_patience(deadline());
    held.pop();
    assert_eq!(waiting.read_line(), "s0 127.0.0.1\n", "served when a place is free");
    assert!(farm[0].peak() <= 4);
}

#[test]
fn conn_max_is_exact_when_clients_come_at_once_and_workers_are_several() {
    const MAX: usize = 24;
    for _ in 0..3 {
        let farm = Farm::banners(2);
        let pen =
            Pen::over(&farm).args(["-r", "-x", &MAX.to_string()]).command("workers 4").start();
        let clients: Vec<Client> = thread::scope(|s| {
            let lanes: Vec<_> = (0..8)
                .map(|_| s.spawn(|| (0..8).map(|_| pen.client()).collect::<Vec<_>>()))
                .collect();
            lanes.into_iter().flat_map(|lane| lane.join().expect("a lane")).collect()
        });
        let accepted = || farm[0].accepted() + farm[1].accepted();
        until("as many as may be", || (accepted() == MAX).then_some(()));
        assert!(holds(Duration::from_millis(100), || accepted() == MAX), "more than {MAX}");
        // Each one that ends lets one in, until all were there.
        thread::scope(|s| {
            for client in &clients {
                s.spawn(|| {
                    assert!(!client.read_line().is_empty(), "somebody was never served");
                    client.finish();
                    let _ = client.end();
                });
            }
        });
        assert_eq!(accepted(), clients.len());
    }
}

#[test]
fn clients_max_forgets_the_least_recently_used() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-c", "3"]).start();
    for last in [1, 2, 3, 1, 4] {
        assert!(pen.ask(&format!("127.0.12.{last}")).is_some());
    }
    let recent = pen.ctl("recent");
    assert_eq!(recent.lines().count(), 3, "{recent}");
    assert!(!recent.contains("127.0.12.2 "), "the least recently used stays: {recent}");
}

#[test]
fn limits_and_numbers_survive_a_thousand_short_visits() {
    let farm = Farm::banners(2);
    let pen = Pen::bare().servers(farm.words(":4:4")).args(["-r", "-x", "8"]).start();
    thread::scope(|s| {
        for lane in 0..4 {
            let pen = &pen;
            s.spawn(move || {
                (0..250)
                    .for_each(|_| assert!(pen.ask(&format!("127.0.13.{}", lane + 1)).is_some()));
            });
        }
    });
    pen.wait_idle();
    assert!(holds(Duration::from_millis(50), || pen.conns() == 0), "counts drift");
    until("every visit to be seen", || {
        (farm[0].accepted() + farm[1].accepted() == 1_000).then_some(())
    });
    let held: Vec<_> = (0..8).filter_map(|_| greeted(&pen, "127.0.0.1")).collect();
    let open = |n: &usize| pen.ctl(&format!("connection {n}")).contains("state = 2");
    assert_eq!((held.len(), (0..8).filter(open).count()), (8, 8), "a connection number is lost");
}
