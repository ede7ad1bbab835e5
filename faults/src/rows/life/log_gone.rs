//! The log cannot be opened again on HUP.

use std::fs;
use std::time::Duration;

use pen_test::{Farm, Sig};

use crate::load::Load;
use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(50, "the log cannot be opened again", "it lives and serves, and says so")
};

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Haproxy {
        return Verdict::without("it writes no files");
    }
    let place = pen_test::Scratch::new();
    let folder = place.path("logs");
    fs::create_dir(&folder).expect("a folder of ours");
    let log = folder.join("log").display().to_string();
    let farm = Farm::banners(1);
    let mut setup = Setup::of(farm.words(""))
        .with(Subject::Pen, Scope::Global, format!("log {log}"))
        .with(Subject::Nginx, Scope::Service, format!("error_log {log};"));
    for word in ["-l", &log] {
        setup = setup.with(Subject::Classic, Scope::Global, word);
    }
    let mut balancer = stage.start(&setup);
    let load = Load::on(&balancer.place, 2, 50, Duration::from_secs(5));
    drop(load.during(Duration::from_millis(500)));
    // The folder becomes a file: nobody, not even root, can open anything in it.
    fs::remove_dir_all(&folder).expect("a folder of ours");
    fs::write(&folder, "in the way").expect("a place of ours");
    balancer.signal(if stage.subject == Subject::Nginx { Sig::Usr1 } else { Sig::Hup });
    let outcome = load.during(Duration::from_secs(1));
    if !balancer.lives() {
        return Verdict::of(false, format!("ended: {}", balancer.said_last()));
    }
    let told = balancer.said().contains("logs");
    let said = if told { "said" } else { "not said" };
    let right = outcome.failed() == 0 && outcome.asked() > 10 && told;
    Verdict::of(right, format!("lives, {} of {} failed, {said}", outcome.failed(), outcome.asked()))
}
