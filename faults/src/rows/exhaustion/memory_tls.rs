//! Far more sessions of TLS than there is memory for, in a control group of 24 MB: 3,000 clients shake hands,
//! stay and say nothing more.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pen_test::storm::Asker;
use pen_test::{Farm, Place};

use super::memory::{CLIENTS, confined, kill};
use crate::rows::Row;
use crate::secure::{self, NAME, Secure, Stream};
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    form: "b",
    ..Row::new(
        34,
        "24 MB of memory, TLS sessions far above",
        "never ended for memory; a client who reads is always served, a new one during and after",
    )
};

/// Clients come from so many threads.
const THREADS: usize = 8;
/// How long a new client waits: quiet ones have to leave first.
const PATIENCE: Duration = Duration::from_secs(30);

fn run(stage: &Stage) -> Verdict {
    let (farm, secure) = (Farm::banners(1), Arc::new(Secure::new()));
    let setup =
        Setup { room: CLIENTS + 500, tls: Some(secure.file.clone()), ..Setup::of(farm.words("")) }
            .with(Subject::Pen, Scope::Global, format!("pending_max {CLIENTS}"));
    let (group, mut balancer) = match confined(stage, &setup) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    let place = balancer.place.clone();
    let visit = || secure.visit(&place, PATIENCE).is_ok();
    let Some(steady) = steady(&secure, &place) else {
        return Verdict::of(false, "not even the first client was served");
    };
    let crowd = Crowd::start(&secure, &place, Duration::from_secs(stage.of(40, 12)));
    let stayed = crowd.gathered();
    let fresh = visit();
    let (answers, all) = steady.end();
    let served = stayed.len();
    drop(stayed);
    let (lives, kills, most) = (balancer.lives(), group.kills(), group.most() >> 20);
    let after = lives && visit();
    let words = format!(
        "{kills} kills for memory, {}, most {most} MB, {served} of {CLIENTS} served; who reads: {answers} \
         answers, {}; a new one: {fresh}, after: {after}",
        if lives { "lives" } else { "ENDED" },
        if all { "all" } else { "then NONE" },
    );
    // Only Pen has a budget; it must have been needed.
    let needed = stage.subject != Subject::Pen || balancer.said().contains("memory: full: ");
    kill(balancer);
    Verdict::of(lives && kills == 0 && needed && all && fresh && after, words)
}

/// A client that asks again and again; nothing when it is not even greeted.
fn steady(secure: &Secure, place: &Place) -> Option<Asker> {
    let (_, _, mut stream) = secure::visit(&secure.config, place, NAME, PATIENCE).ok()?;
    Some(Asker::asking(move || {
        let mut answer = [0; 4];
        let asked = stream.write_all(b"ping").and_then(|()| stream.read_exact(&mut answer));
        asked.is_ok() && answer == *b"ping"
    }))
}

/// Clients that come, are greeted and stay.
struct Crowd(Vec<JoinHandle<Vec<Stream>>>);

impl Crowd {
    /// They come for `time`, or until there are enough of them.
    fn start(secure: &Arc<Secure>, place: &Place, time: Duration) -> Self {
        let until = Instant::now() + time;
        let gather = |_| {
            let (config, place) = (Arc::clone(&secure.config), place.clone());
            std::thread::spawn(move || {
                let come = (0..CLIENTS / THREADS).take_while(|_| Instant::now() < until);
                let visit = |_| secure::visit(&config, &place, NAME, PATIENCE / 10).ok();
                come.filter_map(visit).map(|(_, _, stream)| stream).collect()
            })
        };
        Self((0..THREADS).map(gather).collect())
    }

    /// Those who were greeted, when nobody comes any more.
    fn gathered(self) -> Vec<Stream> {
        self.0.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    }
}
