//! All servers die; one comes back.

use std::time::Duration;

use pen_test::{TestServer, acts};

use crate::load::Wrong;
use crate::rows::Row;
use crate::serve::Served;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trial::{PACE, PATIENCE, after, back, direct, ms, unhurt};
use crate::verdict::Verdict;
use crate::visitors::{Crowd, paid, sources};

pub const ROW: Row = Row {
    run,
    ..Row::new(
        26,
        "all servers down, then one back",
        "emergency server, without one closed at once; the one is found; p99 then within 2x quiet",
    )
};

/// Nobody is to wait longer for a refusal, however busy the machine.
const AT_ONCE: Duration = Duration::from_millis(200);
/// Until a client of the emergency server gives up.
const SOON: Duration = Duration::from_secs(3);

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(5, 2));
    let helped = helped(stage);
    let mut servers: Vec<Served> = (0..3).map(Served::number).collect();
    let setup =
        Setup { checks: true, blacklist_s: 2, ..Setup::of(servers.iter().map(Served::word)) };
    let balancer = stage.start(&setup);
    let sources: Vec<_> = sources().take(8).collect();
    let crowd = || Crowd::of(&balancer.place, &sources, PACE, PATIENCE);
    let quiet = crowd().for_another(time);
    servers.iter_mut().for_each(Served::kill);
    let before = balancer.vitals().ticks;
    let down = crowd().for_another(time);
    let ticks = balancer.vitals().ticks.saturating_sub(before);
    let silent = down.0.iter().filter(|v| v.end == Err(Wrong::Silence)).count();
    servers[1].start();
    let found = back(&balancer.place, &sources, "s1", Duration::from_secs(20));
    let machine = direct(&servers[1].place());
    let loud = crowd().for_another(time);

    let (right, figures) = unhurt(&quiet, &loud, &machine.stop());
    let each = ticks as f64 * 10.0 / down.count().max(1) as f64;
    let words = format!(
        "{} of 20 helped; down: closed after p99 {}, {each:.2} ms of processor time each; found {}",
        helped,
        ms(down.p99()),
        after(found)
    );
    let right = right && helped == 20 && silent == 0 && down.p99() < AT_ONCE && found.is_some();
    Verdict::of(right, format!("{figures}; {words}"))
}

/// How many of 20 clients the emergency server gets when nobody else is there.
fn helped(stage: &Stage) -> usize {
    let dead: Vec<_> = (0..2).map(|n| TestServer::refusing(&format!("d{n}"))).collect();
    let help = TestServer::start("help", acts::banner());
    let mut setup =
        Setup { checks: true, blacklist_s: 2, ..Setup::of(dead.iter().map(TestServer::word)) };
    let word = help.word();
    setup = match stage.subject {
        Subject::Pen => setup.with(stage.subject, Scope::Global, format!("emergency {word}")),
        Subject::Classic => setup.with(stage.subject, Scope::Global, format!("-e{word}")),
        Subject::Haproxy | Subject::Nginx => {
            setup.servers.push(format!("{word} backup"));
            setup
        }
    };
    let balancer = stage.start(&setup);
    let visit = |source: &String| paid(&balancer.place, source, SOON).end;
    sources().take(20).filter(|s| visit(s).as_deref() == Ok("help")).count()
}
