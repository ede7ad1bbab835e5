//! It is started a second time.

use std::time::Duration;

use pen_test::Farm;

use crate::load;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        53,
        "a second start at the same address",
        "the second ends with an error, the first serves",
    )
};

fn run(stage: &Stage) -> Verdict {
    let farm = Farm::banners(1);
    let setup = Setup::of(farm.words(""));
    let mut first = stage.start(&setup);
    // The listener is there already, so the second seems to be ready at once unless it ends.
    let outcome = stage.try_start(&setup).map(|mut second| {
        let patience = std::time::Instant::now() + Duration::from_secs(5);
        while second.lives() && std::time::Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(50));
        }
        (second.ended(), second.said_last())
    });
    let serves = load::visit(&first.place, None, Duration::from_secs(5)).is_ok() && first.lives();
    match outcome {
        Ok((None, _)) => Verdict::of(false, "both run"),
        Ok((Some(Some(status @ 1..)), said)) => {
            let named = said.contains("in use");
            Verdict::of(serves && named, format!("status {status}, {}", said_so(named)))
        }
        Ok((Some(status), _)) => Verdict::of(false, format!("status {status:?}")),
        Err(said) => {
            let named = said.contains("in use");
            Verdict::of(serves && named, format!("it ended, {}", said_so(named)))
        }
    }
}

fn said_so(named: bool) -> &'static str {
    if named { "the address named as in use" } else { "no reason given" }
}
