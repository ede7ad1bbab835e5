//! The lists of the timers beside ordered maps: who is in, since when, in which order, and who is due.
//!
//! Each two bytes are a step; the first of an input says how long the timeout of a list is. Here for tests
//! and for the fuzzer `queue`, which has this file by its path.

use std::collections::BTreeMap;

use pen_core::moment::Moment;
use slab::Slab;

use super::{Linked, Links, Queue};

/// Records at once.
const MOST: usize = 24;
const LISTS: usize = 3;

/// What stands in a list here.
#[derive(Debug, Default)]
struct Record {
    links: Links,
}

impl Linked for Record {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

#[derive(Default)]
struct Timers {
    records: Slab<Record>,
    lists: [Queue; LISTS],
    /// By the turn in which it came.
    models: [BTreeMap<u64, (u32, Moment)>; LISTS],
    turn: u64,
    now: Moment,
}

impl Timers {
    /// In which list the model has it.
    fn list_of(&self, key: u32) -> Option<usize> {
        self.models.iter().position(|model| model.values().any(|(k, _)| *k == key))
    }

    fn append(&mut self, list: usize, key: u32) {
        self.turn += 1;
        self.lists[list].append(&mut self.records, key, self.now);
        self.models[list].insert(self.turn, (key, self.now));
    }

    /// From whichever list it is in, or from one where it is not.
    fn remove(&mut self, key: u32, else_from: usize) {
        let list = self.list_of(key).unwrap_or(else_from);
        self.lists[list].remove(&mut self.records, key);
        self.models[list].retain(|_, (k, _)| *k != key);
    }

    /// Ends what is due, as a worker does: from the head, until one is not.
    fn run_out(&mut self, list: usize, timeout_s: u32) {
        let mut ended = Vec::new();
        while let Some((key, since)) = self.lists[list].head(&self.records) {
            if self.now < since.plus_s(timeout_s) {
                break;
            }
            self.lists[list].remove(&mut self.records, key);
            self.records.remove(key as usize);
            ended.push(key);
        }
        let is_due = |since: Moment| since.plus_s(timeout_s) <= self.now;
        let due = self.models[list].values().filter(|(_, since)| is_due(*since));
        assert_eq!(ended, due.map(|(key, _)| *key).collect::<Vec<_>>(), "others were due");
        let now = self.now;
        self.models[list].retain(|_, (_, since)| now < since.plus_s(timeout_s));
    }

    fn step(&mut self, what: u8, which: u8, timeout_s: u32) {
        let (list, key) = (usize::from(what >> 4) % LISTS, u32::from(which) % (MOST as u32 + 1));
        match what & 7 {
            0 | 1 if self.records.len() < MOST => {
                let key = self.records.insert(Record::default());
                self.append(list, u32::try_from(key).unwrap_or(u32::MAX));
            }
            2 if self.records.contains(key as usize) => {
                self.remove(key, list);
                self.append(list, key);
            }
            3 => self.remove(key, list),
            4 => {
                self.remove(key, list);
                self.records.try_remove(key as usize);
            }
            5 => self.now = self.now.plus_ms(u64::from(which) * 40),
            6 => self.run_out(list, timeout_s),
            _ => {}
        }
    }

    fn check(&self) {
        for (list, model) in self.lists.iter().zip(&self.models) {
            let head = model.first_key_value().map(|(_, (key, since))| (*key, *since));
            assert_eq!(list.head(&self.records), head);
            // No further than the model, so that a circle ends.
            let keys: Vec<u32> = list.keys(&self.records).take(MOST + 1).collect();
            assert_eq!(keys, model.values().map(|(key, _)| *key).collect::<Vec<_>>());
        }
    }
}

/// Does what `data` says.
pub fn run(data: &[u8]) {
    let [timeout_s, steps @ ..] = data else { return };
    let mut timers = Timers::default();
    for step in steps.chunks_exact(2).take(600) {
        timers.step(step[0], step[1], u32::from(*timeout_s % 8));
        timers.check();
    }
}

/// Lives of records, with names.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const COME: u8 = 0;
    const MOVE: u8 = 2;
    const LEAVE: u8 = 3;
    const END: u8 = 4;
    const WAIT: u8 = 5;
    const RUN_OUT: u8 = 6;
    let come: Vec<u8> = (0..9).flat_map(|n| [COME, 0, WAIT, n]).collect();
    let all = |steps: &[&[u8]]| [&[2][..], &steps.concat()].concat();
    vec![
        ("come-and-run-out", all(&[&come, &[WAIT, 60, RUN_OUT, 0, WAIT, 255, RUN_OUT, 0]])),
        ("the-first-leaves", all(&[&come, &[LEAVE, 0, LEAVE, 0, MOVE, 0, END, 1]])),
        ("the-last-leaves", all(&[&come, &[LEAVE, 8, END, 7, MOVE, 8]])),
        ("one-in-the-middle", all(&[&come, &[LEAVE, 4, END, 4, COME, 0, MOVE, 4]])),
        (
            "from-list-to-list",
            all(&[&come, &[MOVE | 0x10, 3, MOVE | 0x20, 3, MOVE, 3, RUN_OUT | 0x10, 0]]),
        ),
        ("all-of-them", all(&[&come, &(0..9).flat_map(|n| [END, n]).collect::<Vec<u8>>(), &come])),
        ("at-once", [&[0][..], &come, &[RUN_OUT, 0, RUN_OUT, 0]].concat()),
    ]
}
