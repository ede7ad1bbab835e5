//! How much is to be freed by closing connections, and which ones go.
//!
//! As much as is too much, at once; then a look passes before more are closed, because the system gives
//! back late what was freed. While memory is full and stays so only those go that pin memory for nothing,
//! stalled ones and those that have long been quiet, so that who waits outside is served again. Deliberately
//! not here: closing.

use std::cmp::Reverse;

use super::Stage;
use crate::limits;

/// Decides at each look how much is to be freed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shedder {
    /// Connections were closed after the look before.
    rests: bool,
    /// Looks in a row at which memory was full.
    full: u32,
}

impl Shedder {
    /// Bytes that closing connections shall free when `used` of `budget` are in use; 0 = none is closed.
    pub fn after_look(&mut self, stage: Stage, used: u64, budget: u64) -> u64 {
        let above = |percent: u64| used.saturating_sub(budget / 100 * percent).max(1);
        self.full = if stage == Stage::Full { self.full + 1 } else { 0 };
        if stage == Stage::Critical && !self.rests {
            self.rests = true;
            return above(limits::MEMORY_FULL_PERCENT - limits::MEMORY_LEAVE_PERCENT);
        }
        self.rests = false;
        if self.full < limits::MEMORY_FULL_LOOKS {
            return 0;
        }
        self.full = 0;
        above(limits::MEMORY_TIGHT_PERCENT)
    }
}

/// What a connection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Bytes that were read and not yet written.
    pub unsent: u64,
    /// Milliseconds since something moved.
    pub quiet_ms: u64,
    /// Milliseconds since it was accepted.
    pub age_ms: u64,
}

impl Holding {
    /// Bytes wait, and nothing has moved for a while.
    fn is_stalled(self) -> bool {
        self.unsent > 0 && self.quiet_ms >= limits::MEMORY_STALLED_MS
    }

    /// Nothing has moved for as long as nobody may be idle when memory is at its shortest.
    fn is_long_quiet(self) -> bool {
        self.quiet_ms >= u64::from(limits::MEMORY_IDLE_LAST_S) * 1_000
    }
}

/// Which of `open` are closed to free `excess` bytes: stalled ones first, those with the most unsent
/// bytes first, then those that have been quiet longest, and of those that are in use, in the same
/// second, the youngest: who came before a storm outlives it. Others than stalled and long quiet ones only if
/// memory is [`Stage::Critical`].
pub fn choose<K>(
    stage: Stage,
    excess: u64,
    open: impl IntoIterator<Item = (Holding, K)>,
) -> Vec<K> {
    let may_go =
        |held: &Holding| stage == Stage::Critical || held.is_stalled() || held.is_long_quiet();
    let mut open: Vec<_> = open.into_iter().filter(|(held, _)| may_go(held)).collect();
    open.sort_by_key(|(held, _)| {
        (!held.is_stalled(), Reverse(held.unsent), Reverse(held.quiet_ms / 1_000), held.age_ms)
    });
    let mut freed = 0_u64;
    let goes = |(held, _): &(Holding, K)| {
        let goes = freed < excess;
        freed = freed.saturating_add(held.unsent).saturating_add(limits::MEMORY_FREED);
        goes
    };
    open.into_iter().take_while(goes).map(|(_, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(unsent: u64, quiet_ms: u64) -> Holding {
        Holding { unsent, quiet_ms, age_ms: 90_000 }
    }

    fn chosen(stage: Stage, excess: u64, open: &[Holding]) -> Vec<usize> {
        choose(stage, excess, open.iter().copied().zip(0..))
    }

    #[test]
    fn what_is_too_much_goes_at_once_and_then_a_look_passes() {
        let mut shedder = Shedder::default();
        let mut look = |used| {
            let stage = Stage::Calm.after(used, 1_000);
            shedder.after_look(stage, used, 1_000)
        };
        assert_eq!([look(10), look(850), look(979)], [0, 0, 0]);
        assert_eq!([look(1_400), look(1_400), look(1_400)], [480, 0, 480]);
        assert_eq!([look(970), look(980)], [0, 60], "a rest is over with the next look");
    }

    #[test]
    fn a_memory_that_stays_full_is_relieved_again_and_again() {
        let mut shedder = Shedder::default();
        let looks = limits::MEMORY_FULL_LOOKS as usize;
        let all: Vec<u64> =
            (0..3 * looks).map(|_| shedder.after_look(Stage::Full, 950, 1_000)).collect();
        let expected = (1..=3 * looks).map(|n| if n % looks == 0 { 100 } else { 0 });
        assert_eq!(all, expected.collect::<Vec<_>>());
        for _ in 0..10 * looks {
            assert_eq!(shedder.after_look(Stage::Full, 950, 1_000).min(1), {
                u64::from(shedder.full == 0)
            });
            assert_eq!(shedder.after_look(Stage::Tight, 900, 1_000), 0, "it must stay so");
        }
    }

    #[test]
    fn at_least_one_goes_where_any_must() {
        assert_eq!(Shedder::default().after_look(Stage::Critical, 900, 1_000), 1, "just left");
        assert_eq!(chosen(Stage::Critical, 1, &[held(0, 0), held(0, 9_000)]), [1]);
    }

    #[test]
    fn stalled_ones_go_first_then_the_costly_then_the_quiet() {
        let stalled = limits::MEMORY_STALLED_MS;
        let open = [
            held(0, 50),
            held(0, 90_000),
            held(100, stalled),
            held(4_000, stalled),
            held(64_000, stalled - 1),
            held(100, stalled + 1_000),
        ];
        assert_eq!(chosen(Stage::Critical, u64::MAX, &open), [3, 5, 2, 4, 1, 0]);
        assert_eq!(chosen(Stage::Full, u64::MAX, &open), [3, 5, 2, 1], "none that is in use");
        let quiet = u64::from(limits::MEMORY_IDLE_LAST_S) * 1_000;
        assert_eq!(chosen(Stage::Full, u64::MAX, &[held(0, quiet - 1), held(0, quiet)]), [1]);
        assert_eq!(chosen(Stage::Critical, 0, &open), [0; 0]);
        let aged = |quiet_ms, age_ms| Holding { unsent: 0, quiet_ms, age_ms };
        let open = [aged(900, 60_000), aged(10, 2_000), aged(40_000, 50_000), aged(200, 1_000)];
        assert_eq!(chosen(Stage::Critical, u64::MAX, &open), [2, 3, 1, 0], "newcomers go first");
    }

    #[test]
    fn as_many_go_as_the_excess_needs() {
        let open = vec![held(4_096, 5_000); 1_000];
        let each = 4_096 + limits::MEMORY_FREED;
        for count in [1, 2, 64, 999, 1_000] {
            assert_eq!(chosen(Stage::Full, count as u64 * each, &open).len(), count);
        }
        assert_eq!(chosen(Stage::Full, u64::MAX, &open).len(), 1_000);
    }
}
