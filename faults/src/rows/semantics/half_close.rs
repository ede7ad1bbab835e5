//! The client ends its half, and only then the server answers.

use pen_test::{End, Farm, Pattern, Place, Scratch, Wire, acts, tls_identity};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

const fn row(form: &'static str, title: &'static str, run: fn(&Stage) -> Verdict) -> Row {
    let row = Row::new(1, title, "every byte, then FIN: all tries");
    Row { form, starred: true, run, ..row }
}

pub const PLAIN: Row =
    row("", "client half-closes, server replies after EOF", |stage| run(stage, Way::Plain));
pub const TLS: Row = Row {
    expects: "every byte, then close_notify: all tries",
    ..row("b", "the same, client in TLS", |stage| run(stage, Way::Tls))
};
pub const SPLICE: Row =
    row("c", "the same, bytes moved within the kernel", |stage| run(stage, Way::Splice));

/// Sizes of the answers; the last one is more than any buffer.
const SIZES: [usize; 4] = [0, 1, 100_000, 10_000_000];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Tls,
    Splice,
}

impl Way {
    fn setup(self, farm: &Farm, scratch: &Scratch) -> Setup {
        let mut setup = Setup::of(farm.words(""));
        match self {
            Self::Plain => setup,
            Self::Tls => {
                setup.tls = Some(scratch.write("identity.pem", tls_identity()));
                setup
            }
            Self::Splice => setup.with(Subject::Pen, Scope::Global, "engine splice").with(
                Subject::Haproxy,
                Scope::Service,
                "option splice-auto",
            ),
        }
    }

    fn connect(self, place: &Place) -> std::io::Result<Wire> {
        let dial = Wire::dial(place);
        if self == Self::Tls { dial.tls().connect() } else { dial.connect() }
    }
}

fn run(stage: &Stage, way: Way) -> Verdict {
    if way == Way::Splice && !matches!(stage.subject, Subject::Pen | Subject::Haproxy) {
        return Verdict::without("no splice");
    }
    let (tries, scratch) = (stage.of(1_000, 40), Scratch::new());
    let (mut right, mut asked) = (0, 0);
    for (n, size) in SIZES.into_iter().enumerate() {
        // The large ones would take minutes.
        let tries = if n + 1 == SIZES.len() { tries / 20 } else { tries };
        let farm = Farm::one(&acts::answer_after_eof(size));
        let balancer = stage.start(&way.setup(&farm, &scratch));
        let expected = Pattern::new(7).take(size);
        asked += tries;
        let try_one = |_: &usize| complete(&way.connect(&balancer.place), &expected);
        right += (0..tries).filter(try_one).count();
    }
    Verdict::of(right == asked, format!("{right} of {asked} complete"))
}

fn complete(client: &std::io::Result<Wire>, expected: &[u8]) -> bool {
    let Ok(client) = client else { return false };
    let sent = client.send([b'x'; 1_000]);
    client.finish();
    let (answer, end) = client.read_to_end();
    sent.is_ok() && end == End::Eof && answer == expected
}

#[cfg(test)]
mod tests {
    use pen_test::TestServer;

    use super::*;

    #[test]
    fn an_answer_that_is_cut_is_not_complete() {
        let cut = TestServer::start("cut", acts::answer_after_eof(99));
        assert!(complete(&Wire::connect(cut.place()), &Pattern::new(7).take(99)));
        assert!(!complete(&Wire::connect(cut.place()), &Pattern::new(7).take(100)));
        let reset = TestServer::start("reset", acts::reset_after(99));
        assert!(!complete(&Wire::connect(reset.place()), &Pattern::new(7).take(99)));
    }
}
