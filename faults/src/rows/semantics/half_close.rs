//! The client ends its half, and only then the server answers.

use pen_test::{End, Farm, Pattern, Wire, acts};

use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(1, "client half-closes, server replies after EOF", "every byte, then FIN: all tries")
};

/// Sizes of the answers; the last one is more than any buffer.
const SIZES: [usize; 4] = [0, 1, 100_000, 10_000_000];

fn run(stage: &Stage) -> Verdict {
    let tries = stage.of(1_000, 40);
    let (mut right, mut asked) = (0, 0);
    for (n, size) in SIZES.into_iter().enumerate() {
        // The large ones would take minutes.
        let tries = if n + 1 == SIZES.len() { tries / 20 } else { tries };
        let farm = Farm::one(&acts::answer_after_eof(size));
        let pen = stage.start(&Setup::of(farm.words("")));
        let expected = Pattern::new(7).take(size);
        asked += tries;
        right += (0..tries).filter(|_| complete(&Wire::connect(&pen.place), &expected)).count();
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
