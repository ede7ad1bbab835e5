//! Connections on which nobody says anything.

use std::time::{Duration, Instant};

use pen_test::{End, Farm, Wire, acts};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        17,
        "idle timeout T with room for 5 and for 5,000 connections",
        "closed between T and T + 1 s (judged at T + 3 s)",
    )
};

fn run(stage: &Stage) -> Verdict {
    let timeout_s = stage.of(10, 2);
    let mut right = true;
    let mut spreads = Vec::new();
    for room in [5, 5_000] {
        let farm = Farm::one(&acts::echo());
        let mut setup = Setup::of(farm.words(""))
            .with(Subject::Pen, Scope::Global, format!("idle_timeout {timeout_s}"))
            .with(Subject::Haproxy, Scope::Service, format!("timeout client {timeout_s}s"))
            .with(Subject::Haproxy, Scope::Service, format!("timeout server {timeout_s}s"))
            .with(Subject::Nginx, Scope::Service, format!("proxy_timeout {timeout_s}s;"))
            .with(Subject::Classic, Scope::Global, "-O")
            .with(Subject::Classic, Scope::Global, format!("idle_timeout {timeout_s}"));
        setup.room = room;
        let pen = stage.start(&setup);
        let begun = Instant::now();
        let clients: Vec<_> = (0..3).filter_map(|_| Wire::connect(&pen.place).ok()).collect();
        let patience = Duration::from_secs(timeout_s + 6);
        clients.iter().for_each(|c| c.set_patience(patience.saturating_sub(begun.elapsed())));
        let times: Vec<f64> = std::thread::scope(|scope| {
            let waiting = clients.iter().map(|client| {
                scope
                    .spawn(|| (client.end() != End::Silence).then(|| begun.elapsed().as_secs_f64()))
            });
            let waiting: Vec<_> = waiting.collect();
            waiting.into_iter().filter_map(|w| w.join().ok().flatten()).collect()
        });
        let (first, last) = (
            times.iter().copied().fold(f64::INFINITY, f64::min),
            times.iter().copied().fold(0.0, f64::max),
        );
        let t = timeout_s as f64;
        right &= times.len() == 3 && first >= t - 0.05 && last <= t + 3.0;
        spreads.push(match times.len() {
            0 => format!("room {room}: never"),
            n => format!("room {room}: {n} of 3 after {first:.1} to {last:.1} s"),
        });
    }
    Verdict::of(right, format!("T = {timeout_s} s, {}", spreads.join("; ")))
}
