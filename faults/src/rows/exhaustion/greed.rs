//! One source that wants everything.

use std::net::IpAddr;
use std::time::Duration;

use pen_test::{Farm, Place, free_port, run_here};

use crate::crowd::{Crowd, Talk};
use crate::load::{Load, visit};
use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// Connections that a source may have.
const SHARE: usize = 50;
/// New connections of a source in a second.
const RATE: usize = 20;

pub const ADDRESS: Row = Row {
    form: "a",
    run: address,
    ..Row::new(38, "one address opens everything", "it holds 50 at most, others 100 % served")
};

pub const NETWORK: Row = Row {
    form: "b",
    run: network,
    ..Row::new(
        38,
        "the addresses of one IPv6 /64 open everything",
        "it holds 50 at most, others 100 % served",
    )
};

pub const RATE_ROW: Row = Row {
    form: "c",
    run: rate,
    ..Row::new(
        38,
        "one address connects all the time",
        "20 a second and a burst of 20 at most, others 100 % served",
    )
};

fn address(stage: &Stage) -> Verdict {
    let setup = limited(Place::free(), stage);
    play(stage, setup, &[IpAddr::from([127, 0, 7, 7])], "127.0.0.1")
}

fn network(stage: &Stage) -> Verdict {
    run_here(
        "ip -6 route add local fd00:1:2:3::/64 dev lo
        ip -6 addr add fd00:1:2:4:5:6:7:8/128 dev lo nodad
        echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind",
    );
    let listen = Place::Tcp(([0, 0, 0, 0, 0, 0, 0, 1], free_port()).into());
    // Without noughts, which a text of an address leaves out: nginx cuts the text.
    let many = (1..=1_000).map(|n: u16| IpAddr::from([0xfd00, 1, 2, 3, n, 7, 9, n]));
    play(stage, limited(listen, stage), &many.collect::<Vec<_>>(), "fd00:1:2:4:5:6:7:8")
}

/// Room for fewer than the greedy one wants.
fn limited(listen: Place, stage: &Stage) -> Setup {
    let prefix =
        "map $remote_addr $source { \"~^(?P<net>(?:[0-9a-f]*:){4})\" $net; default $remote_addr; }";
    Setup { listen, room: wanted(stage) / 2, ..Setup::of([]) }
        .with(Subject::Pen, Scope::Global, format!("limit_conn {SHARE}"))
        .with(Subject::Haproxy, Scope::Service, "stick-table type ipv6 size 100k store conn_cur")
        .with(
            Subject::Haproxy,
            Scope::Service,
            "tcp-request connection track-sc0 src,ipmask(32,64)",
        )
        .with(
            Subject::Haproxy,
            Scope::Service,
            format!("tcp-request connection reject if {{ sc0_conn_cur gt {SHARE} }}"),
        )
        .with(Subject::Nginx, Scope::Shared, prefix)
        .with(Subject::Nginx, Scope::Shared, "limit_conn_zone $source zone=sources:10m;")
        .with(Subject::Nginx, Scope::Service, format!("limit_conn sources {SHARE};"))
}

fn wanted(stage: &Stage) -> usize {
    stage.of(4_000, 600)
}

fn play(stage: &Stage, mut setup: Setup, greedy: &[IpAddr], honest: &str) -> Verdict {
    if stage.subject == Subject::Classic {
        return Verdict::without("no limits by address");
    }
    let farm = Farm::banners(1);
    setup.servers = farm.words("");
    let balancer = stage.start(&setup);
    let load = Load::from(&balancer.place, Some(honest), 4, 40, Duration::from_secs(5));
    let talk = Talk { first: b"x".to_vec(), then: b"y".to_vec() };
    let crowd = Crowd::of(&balancer.place, greedy, wanted(stage), talk);
    let before = crowd.watch(Duration::from_secs(2));
    let others = load.stop();
    // A few of the others may have been there with them.
    let most = farm.first().map_or(0, |server| server.peak());
    let right = others.failed() == 0 && others.asked() > 20 && most <= SHARE + 10;
    let text = format!(
        "{} of {} held; others served {} of {}",
        before.held,
        wanted(stage),
        others.times.len(),
        others.asked()
    );
    Verdict::of(right && before.held <= SHARE, text)
}

fn rate(stage: &Stage) -> Verdict {
    match stage.subject {
        Subject::Classic => return Verdict::without("no limits by address"),
        Subject::Nginx => {
            return Verdict::without("its stream module limits no rates of connections");
        }
        Subject::Pen | Subject::Haproxy => {}
    }
    let farm = Farm::banners(1);
    let setup = Setup::of(farm.words(""))
        .with(Subject::Pen, Scope::Global, format!("limit_rate {RATE}"))
        .with(Subject::Pen, Scope::Global, format!("limit_burst {RATE}"))
        .with(Subject::Haproxy, Scope::Service, "stick-table type ip size 100k store conn_rate(1s)")
        .with(Subject::Haproxy, Scope::Service, "tcp-request connection track-sc0 src")
        .with(
            Subject::Haproxy,
            Scope::Service,
            format!("tcp-request connection reject if {{ sc0_conn_rate gt {RATE} }}"),
        );
    let balancer = stage.start(&setup);
    // The others are ten addresses, each far below the limit.
    let load = |n: usize| {
        let source = format!("127.0.0.{}", 10 + n);
        Load::from(&balancer.place, Some(&source), 1, 4, Duration::from_secs(5))
    };
    let others: Vec<Load> = (0..10).map(load).collect();
    let begun = std::time::Instant::now();
    let (mut tries, mut passed) = (0, 0);
    while begun.elapsed() < Duration::from_secs(stage.of(10, 3)) {
        tries += 1;
        let there = visit(&balancer.place, Some("127.0.7.7"), Duration::from_secs(5));
        passed += usize::from(there.is_ok());
    }
    let seconds = begun.elapsed().as_secs() as usize + 1;
    let others: Vec<_> = others.into_iter().map(Load::stop).collect();
    let asked: usize = others.iter().map(crate::load::Outcome::asked).sum();
    let failed: usize = others.iter().map(crate::load::Outcome::failed).sum();
    let right = failed == 0 && asked > 20 && passed <= RATE * (seconds + 1) && tries > 2 * passed;
    let served = asked - failed;
    Verdict::of(
        right,
        format!("{passed} of {tries} passed in {seconds} s; others served {served} of {asked}"),
    )
}
