//! A million frames that nobody would send: none panics, none brings more than one out, what the tarpit
//! says is never longer than what it heard, and nobody but who asked is answered.

use pen_core::moment::Moment;
use pen_fuzz::dice::Dice;
use pen_fuzz::segment::{Fate, Segment, Setup};

const FRAMES: u64 = 1_000_000;

#[test]
fn a_million_mutated_frames() {
    let (seeds, mut dice) = (pen_fuzz::frames(), Dice(1));
    let began = Moment(1_000);
    let mut segments: Vec<Segment> =
        (0..8).map(|bits| Segment::new(Setup::of(bits), began)).collect();
    let (mut forwarded, mut answered) = (0, 0);
    for n in 0..FRAMES {
        let frame = dice.mutate(&seeds);
        let which = dice.roll(segments.len());
        match segments[which].take(&frame, began.plus_ms(n / 10)) {
            Fate::Forwarded => forwarded += 1,
            Fate::Answered => answered += 1,
            Fate::Dropped => {}
        }
    }
    println!("{forwarded} forwarded, {answered} answered");
    assert!(forwarded > 100_000 && answered > 30_000, "{forwarded} {answered}");
}
