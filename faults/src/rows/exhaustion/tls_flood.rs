//! Handshakes without end, renegotiation, and sessions that are resumed at another worker.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pen_test::{Farm, Place};
use rustls::HandshakeKind;

use crate::load::Load;
use crate::programs::in_path;
use crate::rows::Row;
use crate::secure::{self, NAME, Secure};
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        42,
        "TLS handshake flood, renegotiation, resumption at any worker",
        "none of the others fails, renegotiation refused, at least 90 % resumed",
    )
};

fn run(stage: &Stage) -> Verdict {
    if in_path("openssl").is_none() {
        return Verdict::skipped("Debian package openssl is not installed");
    }
    let (farm, secure) = (Farm::banners(1), Arc::new(Secure::new()));
    let setup = Setup { tls: Some(secure.file.clone()), ..Setup::of(farm.words("")) };
    let mut balancer = stage.start(&setup);
    let renegotiated = renegotiates(&balancer.place);
    let tries = stage.of(100, 20);
    let resumed = resumed(&secure, &balancer.place, tries);
    let (place, visitor) = (balancer.place.clone(), Arc::clone(&secure));
    let load = Load::of(2, 20, move || visitor.visit(&place, Duration::from_secs(10)));
    let quiet = load.during(Duration::from_secs(1));
    let seconds: u64 = stage.of(15, 3);
    let flood: Vec<Child> = (0..3).map(|_| s_time(&balancer.place, seconds)).collect();
    let outcome = load.during(Duration::from_secs(seconds));
    let shaken: u64 = flood.into_iter().map(handshakes).sum();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let lives = balancer.lives();
    let right = lives
        && !renegotiated
        && resumed * 10 >= tries * 9
        && outcome.failed() == 0
        && outcome.asked() > 5
        && shaken > 10;
    let text = format!(
        "{} handshakes a second, beside them failed {} of {}, p99 {:.0} ms (quiet {:.0}); \
         renegotiation {}; resumed {resumed} of {tries}{}",
        shaken / seconds,
        outcome.failed(),
        outcome.asked(),
        ms(outcome.quantile(0.99)),
        ms(quiet.quantile(0.99)),
        if renegotiated { "done" } else { "refused" },
        if lives { "" } else { "; it died" }
    );
    Verdict::of(right, text)
}

/// Whether a second handshake is done within a session.
fn renegotiates(place: &Place) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &place.word(), "-servername", NAME, "-tls1_2"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn().expect("openssl starts");
    if let Some(mut input) = client.stdin.take() {
        for line in ["", "R\n", "Q\n"] {
            std::thread::sleep(Duration::from_millis(700));
            // It may have ended.
            let _ = input.write_all(line.as_bytes());
        }
    }
    let output = client.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Each handshake shows the certificate.
    said.split_once("RENEGOTIATING").is_some_and(|(_, after)| after.contains("depth=0"))
}

/// How many of these visits, one after the other, resumed the session of an earlier one.
fn resumed(secure: &Secure, place: &Place, tries: usize) -> usize {
    let config = secure.config_of(rustls::DEFAULT_VERSIONS);
    let visit = || secure::visit(&config, place, NAME, Duration::from_secs(5));
    drop(visit());
    let resumes = |_: &usize| {
        visit().is_ok_and(|(_, _, stream)| {
            stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
        })
    };
    (0..tries).filter(resumes).count()
}

fn s_time(place: &Place, seconds: u64) -> Child {
    let mut command = Command::new("openssl");
    command.args(["s_time", "-connect", &place.word(), "-new", "-time", &seconds.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("openssl starts")
}

/// Full handshakes that it did: the first line that says `N connections in`.
fn handshakes(child: Child) -> u64 {
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find_map(|line| line.split_once(" connections in "));
    line.and_then(|(count, _)| count.trim().parse().ok()).unwrap_or(0)
}
