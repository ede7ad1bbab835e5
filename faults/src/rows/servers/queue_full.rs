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
use crate::visitors::Visit;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        22,
        "accept queue full",
        "a timeout once, then nobody waits; none fail; p99 of the others' clients within 2x quiet; used again",
    )
};

/// Seconds a connect may take.
const TIMEOUT_S: u32 = 2;
/// Connections that the server's queue holds; as many more fill what Linux adds.
const BACKLOG: i32 = 64;

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(5, 2));
    let servers = (0..4).map(|n| Served::with_backlog(n, BACKLOG)).collect();
    // Longer than the fault is watched, so that nobody is to try the server a second time.
    let blacklist_s = stage.of(15, 6);
    let change = |setup| Setup { connect_timeout_s: TIMEOUT_S, blacklist_s, ..setup };
    let trial = Trial::start(stage, servers, change);
    let quiet = trial.visit(time);
    trial.servers[0].signal(Sig::Stop);
    let stuffing = stuff(&trial.servers[0]);
    let begun = Instant::now();
    let loud = trial.visit(Duration::from_secs(stage.of(12, 4)));
    drop(stuffing);
    trial.servers[0].signal(Sig::Cont);
    // Whoever comes before that is sent elsewhere, and may be sent there from then on.
    let sentence = begun + Duration::from_secs((TIMEOUT_S + blacklist_s + 1).into());
    std::thread::sleep(sentence.saturating_duration_since(Instant::now()));
    let back = trial.back(Duration::from_secs(20));
    let again = trial.visit(time);
    let (right, figures) = unhurt(&quiet.healthy.and(again.healthy), &loud.healthy, &loud.direct);
    let timeout = Duration::from_secs(TIMEOUT_S.into());
    let late: Vec<_> = loud.its.slower_than(timeout / 2).collect();
    let came = |v: &&Visit| v.begun.saturating_duration_since(begun);
    let marked = late.iter().map(|v| came(v) + v.took).min();
    let last = late.iter().map(came).max();
    // Those who came while the first timeout ran.
    let once = last.is_none_or(|last| last < timeout + timeout / 2);
    let words = format!(
        "marked down {}; of its own {} waited, the last came after {}, {} failed, slowest {}; used again {}",
        after(marked),
        late.len(),
        ms(last.unwrap_or_default()),
        loud.its.failed(),
        ms(loud.its.slowest()),
        after(back),
    );
    let right = right && once && loud.its.failed() == 0 && back.is_some();
    Verdict::of(right, format!("{figures}; {words}"))
}

/// Fills the queue of a server that accepts nobody.
fn stuff(server: &Served) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect_timeout(&server.at, Duration::from_millis(200)).ok();
    (0..4 * BACKLOG).map_while(connect).collect()
}
