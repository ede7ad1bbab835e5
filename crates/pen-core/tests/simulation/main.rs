//! A seeded life of one service: clients arrive and leave, servers die and return, the operator
//! turns every knob, all through the tables and journeys of the crate.
//!
//! After each step the books are compared with what is really open (`world`), and each decision
//! with a plain reading of the rules (`oracle`). `PEN_SIM_SEED=n` replays one life; a failure names
//! its seed. No sockets here: how bytes move is not part of this.
#![forbid(unsafe_code)]

mod books;
mod cast;
mod chance;
mod deeds;
mod operator;
mod oracle;
mod world;

use std::collections::BTreeSet;

use world::World;

const SEEDS: u64 = 64;
const STEPS: u32 = 3_000;

/// Answers how connections ended.
fn live_through(seed: u64) -> BTreeSet<&'static str> {
    let mut world = World::new(seed);
    for step in 0..STEPS {
        let deed = world.think_of_something();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.perform(deed);
            world.check_the_books();
        }));
        assert!(outcome.is_ok(), "step {step}, {deed:?}: replay with PEN_SIM_SEED={seed}");
    }
    world.close_everything();
    world.check_the_books();
    world.closed.keys().copied().collect()
}

#[test]
fn counts_conserve_and_decisions_follow_the_rules() {
    if let Ok(seed) = std::env::var("PEN_SIM_SEED") {
        live_through(seed.parse().expect("PEN_SIM_SEED is a number"));
        return;
    }
    let endings: BTreeSet<&str> = (0..SEEDS).flat_map(live_through).collect();
    let expected = [
        "client_denied",
        "client_finished",
        "no_server",
        "out_of_resources",
        "shutdown",
        "stubborn",
    ];
    assert!(endings.iter().eq(&expected), "lives too dull: {endings:?}");
}
