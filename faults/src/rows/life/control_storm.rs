//! Fifty control clients that change everything under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pen_test::{Farm, free_port};

use crate::load::Load;
use crate::rows::Row;
use crate::running::Running;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        57,
        "50 control clients change servers, lists, limits and listeners under load",
        "no torn reads, the last word holds, no visit fails",
    )
};

const CLIENTS: usize = 50;

/// What the clients saw.
#[derive(Default)]
struct Seen {
    changes: AtomicUsize,
    unanswered: AtomicUsize,
    torn: AtomicUsize,
}

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("no control socket");
    }
    let farm = Farm::banners(4);
    let mut balancer = stage.start(&Setup::of(farm.words("")));
    let load = Load::on(&balancer.place, 4, 100, Duration::from_secs(5));
    let (seen, stop) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let end = Instant::now() + Duration::from_secs(stage.of(30, 5));
    std::thread::scope(|scope| {
        for n in 0..CLIENTS {
            let (balancer, seen, stop) = (&balancer, &seen, &stop);
            scope.spawn(move || client(n, balancer, seen, stop));
        }
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::SeqCst);
    });
    let outcome = load.stop();
    let lives = balancer.lives();
    let last = lives && last_word(&balancer);
    let [changes, unanswered, torn] =
        [&seen.changes, &seen.unanswered, &seen.torn].map(|n| n.load(Ordering::SeqCst));
    let right = last && torn == 0 && unanswered == 0 && outcome.failed() == 0 && changes > 100;
    let text = format!(
        "{changes} changes, {unanswered} unanswered, {torn} torn reads, visits failed {} of {}{}{}",
        outcome.failed(),
        outcome.asked(),
        if lives { "" } else { ", it died" },
        if last || !lives { "" } else { ", the last word was lost" },
    );
    Verdict::of(right, text)
}

/// Changes one thing after the other. Both numbers of a server change in one line, so whoever reads
/// them different saw half of it.
fn client(n: usize, balancer: &Running, seen: &Seen, stop: &AtomicBool) {
    let other = format!("127.0.0.1:{}", free_port());
    let mut turn = n;
    while !stop.load(Ordering::SeqCst) {
        turn += 1;
        let line = line(balancer, turn, &other);
        match balancer.control(&line) {
            Some(answer) => {
                seen.changes.fetch_add(1, Ordering::SeqCst);
                seen.torn.fetch_add(torn(balancer.subject, &answer), Ordering::SeqCst);
            }
            None => {
                seen.unanswered.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn line(balancer: &Running, turn: usize, other: &str) -> String {
    let (server, value) = (turn % 4, 1_000 + turn % 977);
    if balancer.subject == Subject::Haproxy {
        return match turn % 4 {
            0 => format!("set server service/s{server} weight {}", turn % 200 + 1),
            1 => format!("set maxconn frontend service {value}"),
            2 => format!("set server service/s{server} state ready"),
            _ => "show servers state".into(),
        };
    }
    match turn % 6 {
        0 => format!("server {server} max {value} hard {value}"),
        1 => format!("acl {} permit 10.0.0.{}", turn % 8 + 1, turn % 250),
        2 => format!("conn_max {value}"),
        3 => format!(
            "listen {}{}",
            balancer.place.word(),
            match balancer.subject {
                // The classic listens at one address.
                Subject::Pen if turn.is_multiple_of(2) => format!(" {other}"),
                _ => String::new(),
            }
        ),
        4 => format!("no acl {}", turn % 8 + 1),
        _ => "servers".into(),
    }
}

/// Servers in the answer whose limits differ.
fn torn(subject: Subject, answer: &str) -> usize {
    if subject == Subject::Haproxy {
        return 0;
    }
    let differ = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let value = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        value("max") != value("hard")
    };
    answer.lines().filter(differ).count()
}

/// Whether what is said last holds.
fn last_word(balancer: &Running) -> bool {
    let (line, question, expected) = match balancer.subject {
        Subject::Haproxy => ("set server service/s2 weight 77", "get weight service/s2", "77 "),
        _ => ("server 2 max 4321 hard 4321", "servers", " max 4321 hard 4321"),
    };
    let said = balancer.control(line).is_some();
    let holds = || balancer.control(question).is_some_and(|answer| answer.contains(expected));
    said && (0..10).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        holds()
    })
}
