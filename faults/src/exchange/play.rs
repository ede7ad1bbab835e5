//! Both sides of an exchange.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use pen_test::acts::Act;
use pen_test::{End, Wire};

use super::plan::{Ending, Plan, Stream};
use super::{Book, NUMBER, View};
use crate::dice::Dice;

/// Largest piece that is sent or read at once.
const PIECE: usize = 64 * 1024;

/// The servers' side: what they have seen goes into the book. Their clients have the same plans.
pub fn serving(book: &Arc<Book>, plan: fn(u64) -> Plan) -> Act {
    let book = Arc::clone(book);
    Arc::new(move |served| {
        let Ok(number) = served.read_exact(NUMBER) else { return };
        let number = u64::from_be_bytes(number.try_into().unwrap_or_default());
        let plan = plan(number);
        let cut = match plan.ending {
            Ending::ServerResets(at) => Some(at),
            _ => None,
        };
        // The number comes back, so that a server which answers something foreign is noticed too.
        let sent = served.send(number.to_be_bytes());
        let holds = plan.ending == Ending::ClientFirst;
        let side = Side { wire: &served, seed: number, cut, holds };
        let view = match sent {
            Ok(()) => side.play(plan.stream_down(), plan.down, plan.stream_up(), plan.up),
            Err(_) => View { bytes: 0, right: true, end: End::Reset },
        };
        // A server that is killed meets the end that its own killer makes.
        let end = if served.is_leaving() { End::Reset } else { view.end };
        book.note(number, View { end, ..view });
        if cut.is_some() {
            served.abort();
        }
    })
}

/// The client's side.
pub(super) fn client(wire: Wire, plan: &Plan) -> View {
    let cut = match plan.ending {
        Ending::ClientResets(at) => Some(at),
        _ => None,
    };
    let nothing = |end| View { bytes: 0, right: true, end };
    if wire.send(plan.number.to_be_bytes()).is_err() {
        return nothing(End::Reset);
    }
    match wire.read_exact(NUMBER) {
        Ok(number) if number == plan.number.to_be_bytes() => {}
        Ok(_) => return View { bytes: 0, right: false, end: End::Reset },
        Err(end) => return nothing(end),
    }
    let holds = plan.ending == Ending::ServerFirst;
    let side = Side { wire: &wire, seed: !plan.number, cut, holds };
    let view = side.play(plan.stream_up(), plan.up, plan.stream_down(), plan.down);
    if cut.is_some() {
        wire.abort();
    }
    view
}

/// One side while bytes move.
struct Side<'a> {
    wire: &'a Wire,
    /// Of its pieces and pauses.
    seed: u64,
    /// It aborts after that many bytes.
    cut: Option<usize>,
    /// It keeps half of its bytes until the other side has finished.
    holds: bool,
}

impl Side<'_> {
    fn play(&self, sends: Stream, size: usize, hears: Stream, expected: usize) -> View {
        let size = self.cut.unwrap_or(size);
        let before = if self.holds { size / 2 } else { size };
        std::thread::scope(|scope| {
            let (mut sends, mut dice) = (sends, Dice::new(self.seed));
            let sender = scope.spawn(move || {
                let reset = self.send(&mut sends, before, &mut dice);
                if !self.holds && self.cut.is_none() {
                    self.wire.finish();
                }
                (sends, dice, reset)
            });
            if self.cut.is_some() {
                // What it would hear does not matter: it aborts in the middle.
                drop(sender.join());
                return View { bytes: 0, right: true, end: End::Reset };
            }
            let view = self.hear(hears, expected);
            let Ok((mut sends, mut dice, reset)) = sender.join() else { return view };
            if reset {
                return View { end: End::Reset, ..view };
            }
            if self.holds {
                self.send(&mut sends, size - before, &mut dice);
                self.wire.finish();
            }
            view
        })
    }

    /// Answers whether the other side's reset was met here: the kernel tells it once, and who reads
    /// hears of an end of stream then. Other errors are an end that reading tells.
    fn send(&self, stream: &mut Stream, mut left: usize, dice: &mut Dice) -> bool {
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let longest = if dice.below(4) == 0 { 20 } else { PIECE };
            let length = (1 + dice.length(longest)).min(left).min(PIECE);
            let bytes = piece.get_mut(..length).unwrap_or_default();
            stream.fill(bytes);
            if let Err(error) = self.wire.send(bytes) {
                return error.kind() == ErrorKind::ConnectionReset;
            }
            left -= length;
            if dice.below(16) == 0 {
                std::thread::sleep(Duration::from_micros(dice.below(3_000)));
            }
        }
        false
    }

    fn hear(&self, mut stream: Stream, expected: usize) -> View {
        let (mut heard, mut same) = (vec![0; PIECE], vec![0; PIECE]);
        let mut view = View { bytes: 0, right: true, end: End::Eof };
        loop {
            match self.wire.read_some(&mut heard) {
                Ok(n) => {
                    let same = same.get_mut(..n).unwrap_or_default();
                    stream.fill(same);
                    view.right &= heard.get(..n).unwrap_or_default() == same;
                    view.bytes += n;
                    if !view.right || view.bytes > expected {
                        view.right = false;
                        return view;
                    }
                }
                Err(end) => return View { end, ..view },
            }
        }
    }
}
