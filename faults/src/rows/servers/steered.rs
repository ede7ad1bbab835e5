//! A thousand clients who may go to one server only wait for it: it does not answer connects.

use std::time::{Duration, Instant};

use pen_test::{Wire, scaled};

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trial::{PACE, PATIENCE, direct, unhurt_by_what_lasts};
use crate::verdict::Verdict;
use crate::visitors::{Crowd, sources};
use crate::wall::Wall;

pub const ROW: Row = Row {
    form: "b",
    starred: true,
    run,
    ..Row::new(
        20,
        "1,000 clients pending on a black hole, who may go nowhere else",
        "p99 of the others' clients within 2x quiet; no spinning",
    )
};

/// Where they come from.
const NETWORK: &str = "127.0.200.0/24";
/// For all of them to connect.
const GIVEN: Duration = Duration::from_secs(10);

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("servers have no access lists");
    }
    let time = Duration::from_secs(stage.of(8, 2));
    let servers: Vec<Served> = (0..4).map(Served::number).collect();
    let balancer = stage.start(&steered(stage, &servers));
    if stage.subject == Subject::Classic {
        for line in
            ["acl 1 permit 127.0.200.0 255.255.255.0", "acl 2 deny 127.0.200.0 255.255.255.0"]
        {
            balancer.control(line);
        }
        for n in 0..servers.len() {
            balancer.control(&format!("server {n} acl {}", if n == 0 { 1 } else { 2 }));
        }
    }
    let healthy: Vec<String> = sources().take(8).collect();
    let place = &balancer.place;
    let quiet = Crowd::of(place, &healthy, PACE, PATIENCE).for_another(time);
    let rule = format!("ip daddr {} tcp flags syn / syn,ack drop", servers[0].at.ip());
    let _wall = match Wall::with(&rule) {
        Ok(wall) => wall,
        Err(verdict) => return verdict,
    };
    let begun = Instant::now();
    let waiting: Vec<Wire> = (0..1_000)
        .take_while(|_| begun.elapsed() < GIVEN)
        .filter_map(|n| {
            Wire::dial(place).from(&format!("127.0.200.{}", n % 250 + 1)).connect().ok()
        })
        .collect();
    // Until all of them have got where they get.
    std::thread::sleep(scaled(Duration::from_millis(500)));
    let idle = balancer.ticks_in(time);
    let (right, figures) = unhurt_by_what_lasts(&quiet, || {
        let machine = direct(&servers[1].place());
        let loud = Crowd::of(place, &healthy, PACE, PATIENCE).for_another(time);
        (loud, machine.stop())
    });
    let percent = idle * 100 / (time.as_secs() * 100);
    let words = format!("{} held, {percent}% of a core while they wait", waiting.len());
    Verdict::of(right && percent < 5 && waiting.len() == 1_000, format!("{figures}; {words}"))
}

/// The first server is for that network, the others are for everybody else.
fn steered(stage: &Stage, servers: &[Served]) -> Setup {
    let mut setup = Setup { connect_timeout_s: 60, ..Setup::of(servers.iter().map(Served::word)) };
    match stage.subject {
        Subject::Pen => {
            for line in [format!("acl 1 permit {NETWORK}"), format!("acl 2 deny {NETWORK}")] {
                setup = setup.with(Subject::Pen, Scope::Global, line);
            }
            for n in 0..servers.len() {
                let list = if n == 0 { 1 } else { 2 };
                setup = setup.with(Subject::Pen, Scope::Global, format!("server {n} acl {list}"));
            }
        }
        Subject::Haproxy => {
            if let Some(first) = setup.servers.first_mut() {
                *first += " weight 0";
            }
            let line = format!("use-server s0 if {{ src {NETWORK} }}");
            setup = setup.with(Subject::Haproxy, Scope::Service, line);
        }
        Subject::Nginx | Subject::Classic => {}
    }
    setup
}
