//! Connection numbers against a table that searches one by one.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Slots;

#[test]
fn numbers_go_up_from_the_last_one_and_wrap() {
    let mut slots = Slots::new(3);
    assert_eq!(slots.last(), 0);
    assert_eq!(
        [slots.take(), slots.take(), slots.take(), slots.take()],
        [Some(0), Some(1), Some(2), None]
    );
    slots.release(0);
    slots.release(1);
    assert_eq!((slots.take(), slots.last(), slots.used()), (Some(0), 0, 2));
    slots.release(2);
    assert_eq!((slots.take(), slots.take(), slots.take()), (Some(1), Some(2), None));
    slots.grow(2);
    assert_eq!(slots.max(), 3);
    slots.grow(5);
    assert_eq!((slots.take(), slots.take(), slots.take()), (Some(3), Some(4), None));
}

#[test]
fn a_nearly_full_large_table_finds_its_only_free_number() {
    let size = 500_000;
    let mut slots = Slots::new(size);
    for n in 0..size {
        assert_eq!(slots.take(), Some(n));
    }
    for n in (0..size).step_by(777) {
        slots.release(n);
        assert_eq!((slots.take(), slots.take()), (Some(n), None));
    }
    assert_eq!(slots.used(), size);
}

struct Naive {
    max: u32,
    taken: BTreeSet<u32>,
    last: u32,
}

impl Naive {
    fn take(&mut self) -> Option<u32> {
        let free =
            (0..self.max).map(|n| (self.last + n) % self.max).find(|n| !self.taken.contains(n))?;
        self.taken.insert(free);
        self.last = free;
        Some(free)
    }
}

#[derive(Clone, Debug)]
enum Act {
    Take(u32),
    Release(usize),
    Grow(u32),
}

fn some_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1u32..100).prop_map(Act::Take),
        4 => any::<usize>().prop_map(Act::Release),
        1 => (0u32..9000).prop_map(Act::Grow),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_table_that_searches(
        max in 1u32..5000,
        acts in prop::collection::vec(some_act(), 0..200),
    ) {
        let mut slots = Slots::new(max);
        let mut naive = Naive { max, taken: BTreeSet::new(), last: 0 };
        for act in acts {
            match act {
                Act::Take(times) => {
                    for _ in 0..times {
                        prop_assert_eq!(slots.take(), naive.take());
                    }
                }
                Act::Release(nth) => {
                    let Some(nth) = nth.checked_rem(naive.taken.len()) else { continue };
                    let number = *naive.taken.iter().nth(nth).unwrap();
                    naive.taken.remove(&number);
                    slots.release(number);
                }
                Act::Grow(to) => {
                    slots.grow(to);
                    naive.max = naive.max.max(to);
                }
            }
            prop_assert_eq!((slots.max(), slots.last()), (naive.max, naive.last));
            prop_assert_eq!(slots.used() as usize, naive.taken.len());
        }
    }
}
