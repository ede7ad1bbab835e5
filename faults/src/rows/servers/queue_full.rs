//! A server's process stands still and its queue is full: connects to it end by their timeout.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use pen_test::Sig;

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::trial::{Trial, after, ms, unhurt};
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        22,
        "accept queue full",
        "none fail; p99 of the others' clients within 2x quiet; used again; when it was marked down is told",
    )
};

/// Seconds a connect may take.
const TIMEOUT_S: u32 = 2;
/// Connections that the server's queue holds; as many more fill what Linux adds.
const BACKLOG: i32 = 64;

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(5, 2));
    let servers = (0..4).map(|n| Served::with_backlog(n, BACKLOG)).collect();
    let change = |setup| Setup { connect_timeout_s: TIMEOUT_S, ..setup };
    let trial = Trial::start(stage, servers, change);
    let quiet = trial.visit(time);
    trial.servers[0].signal(Sig::Stop);
    let stuffing = stuff(&trial.servers[0]);
    let begun = Instant::now();
    let loud = trial.visit(Duration::from_secs(stage.of(12, 4)));
    drop(stuffing);
    trial.servers[0].signal(Sig::Cont);
    let back = trial.back(Duration::from_secs(20));
    let again = trial.visit(time);
    let (right, figures) = unhurt(&quiet.healthy.and(again.healthy), &loud.healthy, &loud.direct);
    let timeout = Duration::from_secs(TIMEOUT_S.into());
    let late = loud.its.slower_than(timeout / 2);
    let marked = late.map(|v| v.begun.saturating_duration_since(begun) + v.took).min();
    let words = format!(
        "marked down {}; its own {} failed, slowest {}; used again {}",
        after(marked),
        loud.its.failed(),
        ms(loud.its.slowest()),
        after(back),
    );
    let right = right && loud.its.failed() == 0 && back.is_some();
    Verdict::of(right, format!("{figures}; {words}"))
}

/// Fills the queue of a server that accepts nobody.
fn stuff(server: &Served) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect_timeout(&server.at, Duration::from_millis(200)).ok();
    (0..4 * BACKLOG).map_while(connect).collect()
}
