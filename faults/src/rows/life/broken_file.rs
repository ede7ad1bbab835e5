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
        "settings read again: wrong, with an include or certificate that is not there; then 100 times a second",
        "the old ones stay whole, said why; no visit fails; no growth",
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
    let (mut whole, mut told) = (true, Vec::new());
    let breakages = breakages(&balancer);
    for (kind, text, word) in &breakages {
        let said = balancer.said().len();
        fs::write(&path, format!("{right}{text}")).expect("its own file");
        for _ in 0..3 {
            again(&balancer);
            std::thread::sleep(Duration::from_millis(300));
        }
        if !balancer.lives() {
            return Verdict::of(false, format!("{kind}: ended: {}", balancer.said_last()));
        }
        whole &= state(&balancer) == before;
        if balancer.said().get(said..).is_some_and(|new| new.contains(word)) {
            told.push(*kind);
        }
    }
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
    let all_told = told.len() == breakages.len();
    let right = outcome.failed() == 0 && whole && all_told && grown < 4_096 && descriptors < 16;
    let figures = format!(
        "{} of {} visits failed, settings {}, said of {} of {} ({}), +{grown} KiB, +{descriptors} descriptors",
        outcome.failed(),
        outcome.asked(),
        if whole { "whole" } else { "changed in part" },
        told.len(),
        breakages.len(),
        told.join(", "),
    );
    Verdict::of(right, figures)
}

/// What is wrong with a file, the lines that make it so, and a word of which the message must tell.
fn breakages(balancer: &Running) -> Vec<(&'static str, String, &'static str)> {
    let (scratch, subject) = (&balancer.scratch, balancer.subject);
    let certificate = scratch.write("garbage.pem", "this is no certificate\n");
    let (certificate, missing) = (certificate.display(), scratch.path("missing.cfg"));
    let missing = missing.display();
    let nonsense = match subject {
        Subject::Pen | Subject::Classic => ("server 0 max 7\nserver 1 weight very\n", "very"),
        Subject::Haproxy | Subject::Nginx => ("\n  nonsense here;\n", "nonsense"),
    };
    let mut all = vec![("a wrong word", nonsense.0.to_owned(), nonsense.1)];
    match subject {
        Subject::Pen | Subject::Classic => {
            all.push(("an include", format!("server 0 max 7\ninclude {missing}\n"), "missing.cfg"));
        }
        Subject::Nginx => all.push(("an include", format!("include {missing};\n"), "missing.cfg")),
        // It has no word for that.
        Subject::Haproxy => {}
    }
    let place = scratch.path("broken");
    let tls = match subject {
        Subject::Pen => format!("server 0 max 7\nssl_certificate {certificate}\n"),
        Subject::Haproxy => {
            format!("\nlisten broken\n  bind unix@{} ssl crt {certificate}\n", place.display())
        }
        // Its lines would have to stand in the middle of the file; the classic has no such command.
        Subject::Nginx | Subject::Classic => return all,
    };
    all.push(("a certificate", tls, "garbage.pem"));
    all
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
