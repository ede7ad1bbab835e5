//! One server of several fails. Do the clients of the others notice?
//!
//! The balancer sends each client address back to its server, and before anything happens it is found
//! out which address belongs to which. So there are two crowds: the clients of the healthy servers,
//! who should see nothing at all, and those of the server that fails.

use std::time::{Duration, Instant};

use pen_test::Place;

use crate::running::Running;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::visitors::{Crowd, Visits, paid, sources};

/// Visits a second of all clients of healthy servers.
pub const PACE: u32 = 400;
/// Of the clients of the server that fails.
const PACE_OF_ITS: u32 = 40;
/// Longer than any connect timeout of these rows, with failover.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// A p99 up to this is good whatever the quiet one was: on a busy machine the ratio of two small
/// numbers says little.
const GOOD: Duration = Duration::from_millis(20);
/// Looks at a fault that lasts.
const LOOKS: usize = 3;
/// How many addresses of clients of healthy servers, and of the other one.
const WANTED: (usize, usize) = (8, 4);
/// Where they are looked for.
const TRIED: usize = 300;

/// Servers, a balancer, and whose clients are whose.
pub struct Trial {
    /// The first one is to fail.
    pub servers: Vec<Served>,
    /// The balancer.
    pub balancer: Running,
    /// Addresses of clients of healthy servers.
    pub healthy: Vec<String>,
    /// Addresses of clients of the one that is to fail.
    pub its: Vec<String>,
}

/// What the crowds saw.
pub struct Seen {
    /// Clients of healthy servers.
    pub healthy: Visits,
    /// Clients of the server that fails.
    pub its: Visits,
    /// Clients who went to a healthy server without the balancer: what the machine itself does.
    pub direct: Visits,
}

/// The crowds at work.
pub struct Crowds {
    healthy: Crowd,
    its: Crowd,
    direct: Crowd,
}

impl Crowds {
    /// Ends them, those of the failing server last: they may wait for long.
    pub fn stop(self) -> Seen {
        let (healthy, direct) = (self.healthy.stop(), self.direct.stop());
        Seen { healthy, direct, its: self.its.stop() }
    }
}

impl Trial {
    /// Servers, a balancer that sends clients back to theirs, and finds out who is whose.
    ///
    /// # Panics
    /// The balancer does not start, or sends nobody to the first server.
    pub fn start(stage: &Stage, servers: Vec<Served>, change: impl FnOnce(Setup) -> Setup) -> Self {
        let setup = Setup {
            sticky: true,
            checks: true,
            blacklist_s: 2,
            ..Setup::of(servers.iter().map(Served::word))
        };
        let balancer = stage.start(&change(setup));
        let (mut healthy, mut its) = (Vec::new(), Vec::new());
        for source in sources().take(TRIED) {
            match paid(&balancer.place, &source, PATIENCE).end.as_deref() {
                Ok("s0") if its.len() < WANTED.1 => its.push(source),
                Ok(name) if name != "s0" && healthy.len() < WANTED.0 => healthy.push(source),
                _ => {}
            }
            if (healthy.len(), its.len()) == WANTED {
                break;
            }
        }
        assert!(!its.is_empty() && !healthy.is_empty(), "all clients go to one server");
        Self { servers, balancer, healthy, its }
    }

    /// All crowds for a time.
    pub fn visit(&self, time: Duration) -> Seen {
        let crowds = self.crowds(PATIENCE);
        std::thread::sleep(time);
        crowds.stop()
    }

    /// All crowds at work; `patience` is that of the clients of the server that fails.
    pub fn crowds(&self, patience: Duration) -> Crowds {
        let place = &self.balancer.place;
        let last = self.servers.last().map_or(place.clone(), Served::place);
        Crowds {
            healthy: Crowd::of(place, &self.healthy, PACE, PATIENCE),
            its: Crowd::of(place, &self.its, PACE_OF_ITS, patience),
            direct: direct(&last),
        }
    }

    /// Waits until the first server answers a client of its own, or a fresh one: after how long. `None`
    /// if that takes longer than `most`.
    pub fn back(&self, most: Duration) -> Option<Duration> {
        let fresh = sources().skip(TRIED).take(16);
        let all: Vec<String> = self.its.iter().cloned().chain(fresh).collect();
        back(&self.balancer.place, &all, "s0", most)
    }
}

/// Clients who go to a server without the balancer.
pub fn direct(server: &Place) -> Crowd {
    let sources: Vec<String> = sources().skip(TRIED + 100).take(4).collect();
    Crowd::of(server, &sources, PACE / 4, PATIENCE)
}

/// Waits until a server answers one of these clients.
pub fn back(place: &Place, sources: &[String], name: &str, most: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let patience = Duration::from_secs(1);
    let mut tries = sources.iter().cycle();
    while begun.elapsed() < most {
        if paid(place, tries.next()?, patience).end.is_ok_and(|n| n == name) {
            return Some(begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Whether clients of healthy servers noticed nothing: none failed, and the slowest of 100 waited no
/// more than twice as long as in quiet times, or no more than the machine explains by what those saw who
/// did without the balancer meanwhile. With the words for the table.
pub fn unhurt(quiet: &Visits, loud: &Visits, direct: &Visits) -> (bool, String) {
    let (before, after, machine) = (quiet.p99(), loud.p99(), direct.p99());
    let ratio = after.as_secs_f64() / before.as_secs_f64().max(1e-6);
    let prompt = ratio <= 2.0 || after <= GOOD;
    let failed = match loud.failed() {
        0 => String::new(),
        n => format!(", {n} of {} failed", loud.count()),
    };
    let busy = if prompt { String::new() } else { format!(" (without it {})", ms(machine)) };
    // Twice as long, over twice as many programs that wait for their turn.
    let right = loud.failed() == 0 && loud.count() > 0 && (prompt || after <= machine * 4);
    (right, format!("others p99 {} = {ratio:.1}x quiet{busy}{failed}", ms(after)))
}

/// The same of a fault that lasts: `look` answers what its clients and those without the balancer see.
/// A slow look is followed by another one, for a busy machine has its moments and the fault stays; who
/// fails, fails.
pub fn unhurt_by_what_lasts(
    quiet: &Visits,
    mut look: impl FnMut() -> (Visits, Visits),
) -> (bool, String) {
    let mut seen = (false, String::new());
    for _ in 0..LOOKS {
        let (loud, direct) = look();
        seen = unhurt(quiet, &loud, &direct);
        if seen.0 || loud.failed() > 0 {
            break;
        }
    }
    seen
}

/// Milliseconds for the table.
pub fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 1000.0 { format!("{ms:.1} ms") } else { format!("{:.1} s", ms / 1e3) }
}

/// Seconds for the table, or that it never happened.
pub fn after(time: Option<Duration>) -> String {
    time.map_or("never".into(), |t| format!("after {:.1} s", t.as_secs_f64()))
}
