//! Connections spread over the workers, whatever the kernel's hash makes of their addresses.

use pen_test::{Client, End, Farm, Pen, Place, Wire, plain_only, until};

/// Connections of each worker.
fn counts(pen: &Pen) -> Vec<u32> {
    let text = pen.ctl("spread");
    let counts: Vec<u32> =
        text.lines().filter_map(|l| l.rsplit(' ').next()?.parse().ok()).collect();
    assert_eq!(counts.len(), 4, "{text}");
    counts
}

/// As the limits say: two, and one for each eight, and the one that was accepted last.
fn even(counts: &[u32]) -> bool {
    let (most, least) = (counts.iter().max().copied(), counts.iter().min().copied());
    most.zip(least).is_some_and(|(most, least)| most <= least + 2 + most / 8 + 1)
}

#[test]
fn long_connections_are_even_at_every_moment() {
    let farm = Farm::banners(2);
    for unix in [false, true] {
        let mut builder = Pen::bare().args(["-r"]).command("workers 4").servers(farm.words(""));
        if unix {
            let place = Place::Unix(builder.path("door"));
            builder = builder.listen(&place);
        }
        let pen = builder.start();
        let mut held: Vec<Client> = Vec::new();
        for n in 1..=64 {
            let client = pen.client();
            assert!(!client.read_line().is_empty(), "client {n}");
            held.push(client);
            let now = counts(&pen);
            assert_eq!(now.iter().sum::<u32>(), n, "{now:?}");
            assert!(even(&now), "{now:?}, unix: {unix}");
        }
        assert_eq!(pen.conns(), 64);
        drop(held);
        pen.wait_idle();
        until("the workers to be empty", || (counts(&pen) == [0; 4]).then_some(()));
    }
}

#[test]
fn a_service_may_come_and_go_while_its_clients_are_handed_over() {
    if plain_only("the service that comes and goes has no certificate") {
        return;
    }
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).command("workers 4").start();
    let server = farm[0].place().port();
    for round in 0..10 {
        let place = Place::free();
        let word = place.word();
        pen.set("service mail");
        pen.set(&format!("service mail server 0 address 127.0.0.1 port {server}"));
        assert_eq!(pen.ctl(&format!("service mail listen {word}")), word.clone() + "\n");
        let held: Vec<Client> =
            (0..24).map(|_| Wire::connect(&place).expect("it listens")).collect();
        pen.set("no service mail");
        for (n, client) in held.iter().enumerate() {
            assert!(!client.read_line().is_empty(), "client {n} of round {round}");
        }
        drop(held);
        until("the workers to be empty", || (counts(&pen) == [0; 4]).then_some(()));
    }
    assert_eq!(pen.conns(), 0);
    assert!(!pen.client().read_line().is_empty(), "the other service is untouched");
}

#[test]
fn the_end_resets_clients_on_their_way_as_well() {
    let farm = Farm::banners(1);
    for round in 0..5 {
        let mut pen = Pen::over(&farm).command("workers 4").start();
        let held: Vec<Client> = (0..40).map(|_| pen.client()).collect();
        assert_eq!(pen.stop(), Some(0));
        for (n, client) in held.iter().enumerate() {
            assert_eq!(client.end(), End::Reset, "client {n} of round {round}");
        }
    }
}
