//! A server's address is the balancer's own.

use std::time::Duration;

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trial::ms;
use crate::verdict::Verdict;
use crate::visitors::paid;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        29,
        "server's address is our own",
        "refused at the start and at run time, with the reason; no circle",
    )
};

/// Connections there is room for: a circle takes all of them.
const ROOM: usize = 200;

fn run(stage: &Stage) -> Verdict {
    let good = Served::number(1);
    let mut setup = Setup { room: ROOM, ..Setup::of([String::new(), good.word()]) };
    setup.servers[0] = setup.listen.word();
    let mut figures = Vec::new();
    let at_start = match stage.try_start(&setup) {
        Err(why) => {
            figures.push(format!("start refused: {}", brief(&why)));
            true
        }
        Ok(balancer) => {
            let visits: Vec<_> = (1..=6)
                .map(|n| paid(&balancer.place, &format!("127.0.0.{n}"), Duration::from_secs(3)))
                .collect();
            let served = visits.iter().filter(|v| v.end.is_ok()).count();
            let slowest = visits.iter().map(|v| v.took).max().unwrap_or_default();
            let open = balancer.connections().unwrap_or_default();
            figures.push(format!(
                "starts; {served} of 6 served, slowest {}, {open} connections left",
                ms(slowest)
            ));
            false
        }
    };
    let at_run = match stage.subject {
        Subject::Haproxy | Subject::Nginx => true,
        Subject::Pen | Subject::Classic => {
            let balancer = stage.start(&Setup::of([good.word(), good.word()]));
            let own = balancer.place.clone();
            let line = format!("server 0 address 127.0.0.1 port {}", own.port());
            let answer = balancer.control(&line).unwrap_or_default();
            let served = paid(&own, "127.0.0.9", Duration::from_secs(3)).end.is_ok();
            let refused = !answer.trim().is_empty();
            figures.push(match refused {
                true => format!("run time: refused: {}", brief(&answer)),
                false => "run time: taken".into(),
            });
            refused && served
        }
    };
    Verdict::of(at_start && at_run, figures.join("; "))
}

/// The first words of a message.
fn brief(text: &str) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().skip_while(|c| !c.is_alphabetic()).take(110).collect()
}
