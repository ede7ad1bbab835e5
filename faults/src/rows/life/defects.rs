//! A defect in the program itself.

use std::time::Duration;

use pen_test::{Farm, Wire};

use crate::load;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        66,
        "a panic at an event of one connection",
        "that connection is reset, all others go on",
    )
};

/// The client who meets it.
const VICTIM: &str = "127.0.0.66";

fn run(stage: &Stage) -> Verdict {
    if stage.subject != Subject::Pen {
        return Verdict::without("no defects on demand");
    }
    let farm = Farm::banners(1);
    let mut setup = Setup::of(farm.words(""));
    setup.environment = vec![
        ("PEN_TEST_FAULT", format!("panic-open {VICTIM}")),
        // Finding names for the addresses of a debug build takes seconds.
        ("RUST_BACKTRACE", "0".to_owned()),
    ];
    let mut balancer = stage.start(&setup);
    let bystander = Wire::connect(&balancer.place).expect("it serves");
    let _greeting = bystander.read_line();
    let met = |_: &i32| match Wire::dial(&balancer.place).from(VICTIM).connect() {
        // Something must happen on the connection.
        Ok(wire) => wire.send("now\n").is_err() || wire.end() == pen_test::End::Reset,
        // It was too fast for connect(2).
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    let reset = (0..20).filter(met).count();
    let counted = balancer.control("overview json").unwrap_or_default().contains("\"defect\":");
    if reset == 0 && !counted {
        return Verdict::skipped(
            "a release has no defects on demand; tests/it/defects.rs has this",
        );
    }
    let goes_on = bystander.send("still\n").is_ok() && bystander.read_line() == "still\n";
    let serves = load::visit(&balancer.place, None, Duration::from_secs(5)).is_ok();
    let right = reset == 20 && counted && goes_on && serves && balancer.lives();
    Verdict::of(right, format!("{reset} of 20 reset, counted, the others go on: {goes_on}"))
}
