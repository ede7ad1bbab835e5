//! A thousand clients wait for a server that does not answer connects.

use std::time::{Duration, Instant};

use pen_test::{Wire, scaled};

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::trial::{PACE, PATIENCE, Trial, direct, unhurt_by_what_lasts};
use crate::verdict::Verdict;
use crate::visitors::Crowd;
use crate::wall::Wall;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        20,
        "1,000 clients pending on a black hole",
        "p99 of the others' clients within 2x quiet; no spinning",
    )
};

/// Nothing times out while it is looked.
const TIMEOUT_S: u32 = 60;
/// For all of them to connect.
const GIVEN: Duration = Duration::from_secs(10);

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(8, 2));
    let change = |setup| Setup { connect_timeout_s: TIMEOUT_S, checks: false, ..setup };
    let trial = Trial::start(stage, (0..4).map(Served::number).collect(), change);
    let place = &trial.balancer.place;
    let quiet = Crowd::of(place, &trial.healthy, PACE, PATIENCE).for_another(time);
    let rule = format!("ip daddr {} tcp flags syn / syn,ack drop", trial.servers[0].at.ip());
    let _wall = match Wall::with(&rule) {
        Ok(wall) => wall,
        Err(verdict) => return verdict,
    };
    let its = trial.its.iter().cycle();
    let begun = Instant::now();
    let dial = |s: &String| Wire::dial(place).from(s).connect().ok();
    // Who cannot even connect waits ten seconds to learn it.
    let waiting: Vec<Wire> =
        its.take(1_000).take_while(|_| begun.elapsed() < GIVEN).filter_map(dial).collect();
    // Until all of them have got where they get.
    std::thread::sleep(scaled(Duration::from_millis(500)));
    let idle = trial.balancer.ticks_in(time);
    let (right, figures) = unhurt_by_what_lasts(&quiet, || {
        let machine = direct(&trial.servers[1].place());
        let loud = Crowd::of(place, &trial.healthy, PACE, PATIENCE).for_another(time);
        (loud, machine.stop())
    });
    let percent = idle * 100 / (time.as_secs() * 100);
    let words = format!("{} held, {percent}% of a core while they wait", waiting.len());
    Verdict::of(right && percent < 5 && waiting.len() == 1_000, format!("{figures}; {words}"))
}
