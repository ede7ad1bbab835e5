//! The name server is silent.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use pen_test::{Farm, is_root, run_here};

use crate::load::Load;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        63,
        "a name is looked up at run time, the name server is silent",
        "traffic does not wait, control answers, the server stays as it was",
    )
};

fn run(stage: &Stage) -> Verdict {
    match stage.subject {
        Subject::Pen => {}
        Subject::Haproxy => {
            return Verdict::skipped("its own resolver (section resolvers) was not set up");
        }
        Subject::Nginx | Subject::Classic => {
            return Verdict::without(
                "no names at run time but by a module or while it stands still",
            );
        }
    }
    if !is_root() {
        return Verdict::skipped("this is not root");
    }
    let settings = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let server = settings.lines().find_map(|line| line.strip_prefix("nameserver "));
    let Some(Ok(server)) = server.map(|word| word.trim().parse::<IpAddr>()) else {
        return Verdict::skipped("/etc/resolv.conf names no server");
    };
    if !server.is_loopback() {
        run_here(&format!("ip addr add {server} dev lo"));
    }
    let silent = UdpSocket::bind((server, 53));
    if silent.is_err() {
        return Verdict::skipped("the name server's address cannot be had");
    }
    let farm = Farm::banners(2);
    let balancer = stage.start(&Setup::of(farm.words("")));
    let load = Load::on(&balancer.place, 4, 200, Duration::from_secs(5));
    let quiet = load.during(Duration::from_secs(stage.of(3, 1)));
    let before = balancer.control("servers");
    let (answer, asked) = std::thread::scope(|scope| {
        let begun = Instant::now();
        let asking = scope.spawn(|| balancer.control("server 1 address slow.example.org"));
        let meanwhile = load.during(Duration::from_secs(stage.of(4, 2)));
        // Others are heard while one waits for a name.
        let heard = balancer.control("pid").is_some();
        ((meanwhile, heard), (asking.join().ok().flatten(), begun.elapsed()))
    });
    let (meanwhile, heard) = answer;
    drop(load);
    // Addresses and ports, without what moves.
    let fixed = |text: String| -> Vec<String> {
        text.lines().map(|l| l.split(" conn").next().unwrap_or_default().to_owned()).collect()
    };
    let kept = before.is_some() && before.map(fixed) == balancer.control("servers").map(fixed);
    let right = meanwhile.failed() == 0 && meanwhile.asked() > 50 && heard && kept;
    let p99 = |outcome: &crate::load::Outcome| outcome.quantile(0.99).as_secs_f64() * 1e3;
    let figures = format!(
        "{} of {} failed, p99 {:.1} ms (quiet {:.1}), control heard: {heard}, told after {:.1} s",
        meanwhile.failed(),
        meanwhile.asked(),
        p99(&meanwhile),
        p99(&quiet),
        asked.1.as_secs_f64()
    );
    Verdict::of(right, figures)
}
