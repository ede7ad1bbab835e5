//! What can happen to one of the two, and what clients notice of it.

use std::io::Write;
use std::time::{Duration, Instant};

use pen_test::{Sig, in_own_network, until};

use crate::clients::{Crowd, Seen};
use crate::hall::{Hall, SWITCH, lacking};

/// Something that happens to the machine that has the address, and how it is mended.
struct Case {
    name: &'static str,
    happens: fn(&mut Hall, usize),
    mended: fn(&mut Hall, usize),
}

const CASES: [Case; 7] = [
    Case {
        name: "machine dead (processes killed, cable gone)",
        happens: |hall, n| {
            hall.pens[n].reach(false);
            hall.pens[n].kill();
        },
        mended: |hall, n| {
            hall.pens[n].reach(true);
            hall.pens[n].boot();
        },
    },
    Case {
        name: "Pen and keepalived killed, its kernel still has the address",
        happens: |hall, n| hall.pens[n].kill(),
        mended: |hall, n| hall.pens[n].boot(),
    },
    Case {
        name: "Pen and keepalived stopped (SIGSTOP)",
        happens: |hall, n| hall.pens[n].signal(Sig::Stop),
        mended: |hall, n| hall.pens[n].signal(Sig::Cont),
    },
    Case {
        name: "cable cut",
        happens: |hall, n| hall.pens[n].cable(false),
        mended: |hall, n| hall.pens[n].cable(true),
    },
    Case {
        name: "Pen killed",
        happens: |hall, n| hall.pens[n].kill_pen(),
        mended: |hall, n| hall.pens[n].start_pen(crate::hall::SETTINGS),
    },
    Case {
        name: "Pen stopped (SIGSTOP)",
        happens: |hall, n| hall.pens[n].signal_pen(Sig::Stop),
        mended: |hall, n| hall.pens[n].signal_pen(Sig::Cont),
    },
    Case {
        name: "moved on purpose (keepalived ended)",
        happens: |hall, n| hall.pens[n].stop_keepalived(),
        mended: |hall, n| hall.pens[n].start_keepalived(),
    },
];

/// How often each case is done: once, or as often as somebody wants a table.
fn rounds() -> usize {
    let wanted = std::env::var("PEN_PAIR_ROUNDS").ok().and_then(|n| n.parse().ok());
    wanted.unwrap_or(1)
}

#[test]
fn one_of_two_fails() {
    if let Some(why) = lacking() {
        return println!("skipped: {why}");
    }
    in_own_network("cases::one_of_two_fails", SWITCH, || {
        let mut hall = Hall::new();
        hall.up();
        let mut table = String::new();
        for case in &CASES {
            let mut all = Vec::new();
            let mut back = Vec::new();
            for _ in 0..rounds() {
                let (failing, mending) = one(&mut hall, case);
                assert_eq!((failing.wrong, failing.stuck), (0, 0), "{}: {failing:?}", case.name);
                assert_eq!((mending.wrong, mending.stuck), (0, 0), "{}: {mending:?}", case.name);
                all.push(failing);
                back.push(mending);
            }
            table += &row(case.name, &mut all);
            table += &row("... and it comes back", &mut back);
        }
        report(&table);
    });
}

/// Lets something happen, and mends it. What clients noticed of both.
fn one(hall: &mut Hall, case: &Case) -> (Seen, Seen) {
    let active = hall.active();
    let other = 1 - active;
    let crowd = Crowd::start(hall);
    let trouble = Instant::now();
    (case.happens)(hall, active);
    until("the other one to take over", || hall.pens[other].is("MASTER").then_some(()));
    crowd.wait_served(Instant::now());
    let failing = crowd.end(trouble);
    let crowd = Crowd::start(hall);
    let trouble = Instant::now();
    (case.mended)(hall, active);
    hall.settle();
    // Time for a move that nobody wants.
    std::thread::sleep(Duration::from_millis(500));
    hall.settle();
    crowd.wait_served(Instant::now());
    (failing, crowd.end(trouble))
}

#[test]
fn both_start_at_once() {
    if let Some(why) = lacking() {
        return println!("skipped: {why}");
    }
    in_own_network("cases::both_start_at_once", SWITCH, || {
        let mut all = Vec::new();
        for _ in 0..rounds() {
            let mut hall = Hall::new();
            hall.pens.iter_mut().for_each(|machine| machine.start_pen(crate::hall::SETTINGS));
            let begun = Instant::now();
            hall.pens.iter_mut().for_each(crate::hall::Machine::start_keepalived);
            hall.settle();
            all.push(begun.elapsed());
            let crowd = Crowd::start(&hall);
            let since = Instant::now();
            crowd.wait_served(since);
            let seen = crowd.end(since);
            assert_eq!((seen.failed, seen.wrong, seen.stuck), (0, 0, 0), "{seen:?}");
        }
        all.sort();
        let (median, worst) = (all[all.len() / 2], all[all.len() - 1]);
        report(&format!(
            "| both start at once: until one of them has the address | {:.2} s | {:.2} s | | | | |\n",
            median.as_secs_f64(),
            worst.as_secs_f64()
        ));
    });
}

fn row(name: &str, all: &mut [Seen]) -> String {
    all.sort_by_key(|seen| seen.without_service);
    let (median, worst) = (all[all.len() / 2], all[all.len() - 1]);
    let sum = |of: fn(&Seen) -> usize| all.iter().map(of).sum::<usize>();
    format!(
        "| {name} | {:.2} s | {:.2} s | {} | {} | {} | {} |\n",
        median.without_service.as_secs_f64(),
        worst.without_service.as_secs_f64(),
        sum(|seen| seen.failed),
        sum(|seen| seen.ended),
        sum(|seen| seen.wrong),
        sum(|seen| seen.stuck),
    )
}

/// Keeps it where the test's own output does not go, if somebody wants it.
pub fn report(table: &str) {
    if let Some(file) = std::env::var_os("PEN_PAIR_TABLE") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
        file.and_then(|mut file| file.write_all(table.as_bytes())).expect("the table is written");
    }
}
