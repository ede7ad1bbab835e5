//! The server ends its half first, and the client goes on.

use std::sync::Arc;

use pen_test::{End, Farm, Pattern, Place, Wire, until};

use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        2,
        "server half-closes first, client goes on",
        "the server gets every byte: all tries",
    )
};

/// Sizes of what the client goes on with; the last one is more than any buffer.
const SIZES: [usize; 4] = [0, 1, 100_000, 10_000_000];

fn run(stage: &Stage) -> Verdict {
    let tries = stage.of(1_000, 40);
    let (mut right, mut asked) = (0, 0);
    for (n, size) in SIZES.into_iter().enumerate() {
        // The large ones would take minutes.
        let tries = if n + 1 == SIZES.len() { tries / 20 } else { tries };
        let bytes = Pattern::new(7).take(size);
        let expected = bytes.clone();
        let farm = Farm::one(
            &(Arc::new(move |s: pen_test::Served| {
                drop(s.send("enough\n"));
                s.finish();
                let (got, end) = s.read_to_end();
                s.note(if end == End::Eof && got == expected { "right" } else { "wrong" });
            }) as pen_test::acts::Act),
        );
        let pen = stage.start(&Setup::of(farm.words("")));
        asked += tries;
        for n in 1..=tries {
            go_on(&pen.place, &bytes);
            until("the server's end", || (farm.iter().any(|s| s.notes().len() == n)).then_some(()));
        }
        right += farm.iter().flat_map(|s| s.notes()).filter(|note| note == "right").count();
    }
    Verdict::of(right == asked, format!("{right} of {asked} complete"))
}

/// Waits for the end of the server's half, then sends.
fn go_on(place: &Place, bytes: &[u8]) {
    let Ok(client) = Wire::connect(place) else { return };
    if client.end() == End::Eof && client.send(bytes).is_ok() {
        client.finish();
    }
}
