//! The server aborts in the middle of its answer.

use pen_test::{End, Farm, Pattern, Wire, acts};

use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(3, "server resets in mid-answer", "what was read, then RST, never FIN: all tries")
};

fn run(stage: &Stage) -> Verdict {
    let tries = stage.of(500, 50);
    let farm = Farm::one(&acts::reset_after(10_000));
    let pen = stage.start(&Setup::of(farm.words("")));
    let expected = Pattern::new(7).take(10_000);
    let (mut resets, mut foreign) = (0, 0);
    for _ in 0..tries {
        let Ok(client) = Wire::connect(&pen.place) else { continue };
        if client.send("go\n").is_err() {
            continue;
        }
        let (answer, end) = client.read_to_end();
        resets += usize::from(end == End::Reset);
        foreign += usize::from(!expected.starts_with(&answer));
    }
    let right = resets == tries && foreign == 0;
    Verdict::of(right, format!("RST {resets} of {tries}, wrong bytes {foreign}"))
}
