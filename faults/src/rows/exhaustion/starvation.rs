//! Others take the processors.

use std::process::{Command, Stdio};
use std::time::Duration;

use pen_test::Farm;

use crate::load::Load;
use crate::programs::in_path;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        48,
        "others take the processors (stress-ng, 4 of them per processor)",
        "no visit fails, no server is taken for down",
    )
};

fn run(stage: &Stage) -> Verdict {
    let Some(stress) = in_path("stress-ng") else {
        return Verdict::skipped("Debian package stress-ng is not installed");
    };
    let farm = Farm::banners(3);
    let setup = Setup { checks: true, ..Setup::of(farm.words("")) };
    let mut balancer = stage.start(&setup);
    let load = Load::on(&balancer.place, 4, 100, Duration::from_secs(10));
    let quiet = load.during(Duration::from_secs(1));
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let seconds: u64 = stage.of(20, 4);
    let workers = (4 * processors).to_string();
    let mut command = Command::new(stress);
    command.args(["--cpu", &workers, "--timeout", &format!("{seconds}s"), "--quiet"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.current_dir(balancer.scratch.dir());
    let mut stress = command.spawn().expect("stress-ng starts");
    let outcome = load.during(Duration::from_secs(seconds));
    drop(stress.wait());
    // Each server has its share: none was left out in between.
    let fair = outcome.asked() / 3;
    let least = (0..3).map(|n| outcome.servers.get(&format!("s{n}")).copied().unwrap_or(0)).min();
    let least = least.unwrap_or(0);
    let shared = least * 10 >= fair * 9;
    let lives = balancer.lives();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let text = format!(
        "failed {} of {}, least server {least} of {fair}, p99 {:.0} ms (quiet {:.1}){}",
        outcome.failed(),
        outcome.asked(),
        ms(outcome.quantile(0.99)),
        ms(quiet.quantile(0.99)),
        if lives { "" } else { ", it died" }
    );
    Verdict::of(outcome.failed() == 0 && outcome.asked() > 20 && shared && lives, text)
}
