//! A server refuses connections.

use std::time::Duration;

use pen_test::{TestServer, acts};

use crate::load::Load;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(18, "server refuses connections", "next server, client unaware: none fail")
};

fn run(stage: &Stage) -> Verdict {
    let refusing = TestServer::refusing("s0");
    let good = TestServer::start("s1", acts::banner());
    let pen = stage.start(&Setup::of([refusing.word(), good.word()]));
    let load = Load::on(&pen.place, 4, 200, Duration::from_secs(5));
    let outcome = load.during(Duration::from_secs(stage.of(5, 2)));
    Verdict::of(outcome.failed() == 0 && outcome.asked() > 100, outcome.line())
}
