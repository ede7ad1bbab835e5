//! The settings are read again while they are broken, and then many times.

use std::fs;
use std::time::{Duration, Instant};

use pen_test::{Farm, Sig};

use crate::load::Load;
use crate::rows::Row;
use crate::running::Running;
use crate::settings;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        49,
        "settings read again: broken, then 100 times a second, under load",
        "the old ones stay whole, said where; no visit fails; no growth",
    )
};

fn run(stage: &Stage) -> Verdict {
    let farm = Farm::banners(2);
    let mut setup = Setup::of(farm.words(""));
    setup.again = true;
    let mut balancer = stage.start(&setup);
    let load = Load::on(&balancer.place, 4, 200, Duration::from_secs(5));
    drop(load.during(Duration::from_millis(500)));
    let before = state(&balancer);
    let path = balancer.scratch.path(settings::file(stage.subject));
    let right = fs::read_to_string(&path).expect("its own file");
    let nonsense = match stage.subject {
        Subject::Pen | Subject::Classic => "server 0 max 7\nserver 1 weight very\n",
        Subject::Haproxy | Subject::Nginx => "\n  nonsense here;\n",
    };
    fs::write(&path, format!("{right}{nonsense}")).expect("its own file");
    for _ in 0..3 {
        again(&balancer);
        std::thread::sleep(Duration::from_millis(300));
    }
    if !balancer.lives() {
        return Verdict::of(false, format!("ended: {}", balancer.said_last()));
    }
    let whole = state(&balancer) == before;
    let said = balancer.said();
    let told = said.contains("very") || said.contains("nonsense");
    fs::write(&path, right).expect("its own file");
    // nginx and HAProxy start processes for it: once a storm is over they need a moment.
    again(&balancer);
    std::thread::sleep(Duration::from_secs(1));
    let quiet = balancer.vitals();
    let end = Instant::now() + Duration::from_secs(stage.of(20, 3));
    let pace = if stage.subject == Subject::Pen { 10 } else { 100 };
    while Instant::now() < end {
        again(&balancer);
        std::thread::sleep(Duration::from_millis(pace));
    }
    std::thread::sleep(Duration::from_secs(2));
    let after = balancer.vitals();
    let outcome = load.stop();
    let grown = after.rss_kib.saturating_sub(quiet.rss_kib);
    // A few descriptors are connections that are under way.
    let descriptors = after.descriptors.saturating_sub(quiet.descriptors);
    let right = outcome.failed() == 0 && whole && told && grown < 4_096 && descriptors < 16;
    let figures = format!(
        "{} of {} visits failed, settings {}, {}, +{grown} KiB, +{descriptors} descriptors",
        outcome.failed(),
        outcome.asked(),
        if whole { "whole" } else { "changed in part" },
        if told { "said" } else { "not said" }
    );
    Verdict::of(right, figures)
}

/// What can be seen of the settings from outside.
fn state(balancer: &Running) -> Option<Vec<String>> {
    let servers = balancer.control("servers")?;
    // Without what moves.
    let fixed = |line: &str| line.split(" conn").next().unwrap_or_default().to_owned();
    Some(servers.lines().map(fixed).collect())
}

fn again(balancer: &Running) {
    balancer.signal(match balancer.subject {
        Subject::Haproxy => Sig::Usr2,
        _ => Sig::Hup,
    });
}
