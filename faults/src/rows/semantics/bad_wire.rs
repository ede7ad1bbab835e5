//! Client and server are reached over wires that lose, duplicate, reorder and corrupt.

use std::time::{Duration, Instant};

use pen_test::{Host, Pattern, Place, Served, TestServer, Wire};

use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;
use crate::wire::{BadWire, Plug, Troubles};

pub const ROW: Row = Row {
    run,
    // Waits of a minute: with a fifth of the round trips lost, TCP may try seven times.
    environment: &[("PEN_TEST_SCALE", "6")],
    limit: Duration::from_secs(300),
    ..Row::new(
        11,
        "loss of 1 to 10 % each way, duplicates, reordering, bit errors, 100 ms, on both sides",
        "every byte both ways; megabytes per second are told",
    )
};

/// Troubles, bytes of each transfer, and transfers at once of a long and of a short run.
const WEATHERS: [(Troubles, usize, [usize; 2]); 4] = [
    (
        Troubles {
            delay_ms: 2,
            jitter_ms: 1,
            loss: 0.01,
            duplicate: 0.01,
            reorder: 0.01,
            corrupt: 0.01,
        },
        1_000_000,
        [40, 6],
    ),
    (
        Troubles {
            delay_ms: 0,
            jitter_ms: 0,
            loss: 0.05,
            duplicate: 0.05,
            reorder: 0.05,
            corrupt: 0.01,
        },
        200_000,
        [40, 6],
    ),
    (
        Troubles {
            delay_ms: 100,
            jitter_ms: 20,
            loss: 0.02,
            duplicate: 0.01,
            reorder: 0.02,
            corrupt: 0.0,
        },
        200_000,
        [40, 4],
    ),
    (
        Troubles {
            delay_ms: 1,
            jitter_ms: 0,
            loss: 0.1,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
        },
        20_000,
        [40, 4],
    ),
];

fn run(stage: &Stage) -> Verdict {
    let (clients, servers) = (Host::new("clients"), Host::new("servers"));
    let near = Plug::here("near", "10.1.0.1/24");
    let wires = [
        BadWire::between(
            near,
            Plug::at(&clients, "far", "10.1.0.2/24"),
            Troubles::default(),
            stage.seed,
        ),
        BadWire::between(
            Plug::here("back", "10.2.0.1/24"),
            Plug::at(&servers, "far", "10.2.0.2/24"),
            Troubles::default(),
            stage.seed.wrapping_add(1),
        ),
    ];
    let [Ok(front), Ok(back)] = &wires else {
        return Verdict::skipped(wires.into_iter().find_map(Result::err).unwrap_or_default());
    };
    let [service, there] = ["10.1.0.1:1000", "10.2.0.2:1000"].map(place);
    let _server = servers.inside(|| TestServer::start_at("s0", &there, std::sync::Arc::new(serve)));
    let mut setup = Setup::of([there.word()]);
    setup.listen = service.clone();
    setup.connect_timeout_s = 50;
    let _pen = stage.start(&setup);
    let (mut right, mut asked, mut rates) = (0, 0, Vec::new());
    for (troubles, size, [long, short]) in WEATHERS {
        let count = stage.of(long, short);
        front.set(troubles);
        back.set(troubles);
        let begun = Instant::now();
        let complete = clients.inside(|| transfers(&service, count, size));
        let rate = (2 * complete * size) as f64 / 1e6 / begun.elapsed().as_secs_f64();
        asked += count;
        right += complete;
        rates.push(format!("{rate:.2}"));
    }
    let lost = front.deeds().lost + back.deeds().lost;
    let figures =
        format!("{right} of {asked} complete, {} MB/s, {lost} frames lost", rates.join(" / "));
    Verdict::of(right == asked && lost > 0, figures)
}

fn place(text: &str) -> Place {
    Place::Tcp(text.parse().expect("an address and a port"))
}

/// Transfers at once; how many were complete.
fn transfers(service: &Place, count: usize, size: usize) -> usize {
    std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..count).map(|n| scope.spawn(move || complete(service, n, size))).collect();
        all.into_iter().filter_map(|t| t.join().ok()).filter(|right| *right).count()
    })
}

/// Asks for `size` bytes and sends as many; no half-close, which is another row's.
fn complete(service: &Place, number: usize, size: usize) -> bool {
    let Ok(client) = Wire::connect(service) else { return false };
    let seed = number as u64;
    let sent = client.send(format!("{number} {size}\n"));
    let answer = client.read_exact(size);
    let sent = sent.and_then(|()| client.send(Pattern::new(seed + 1).take(size)));
    let right = answer.is_ok_and(|answer| answer == Pattern::new(seed).take(size));
    right && sent.is_ok() && client.read_line() == "right\n"
}

fn serve(client: Served) {
    let line = client.read_line();
    let words: Option<Vec<u64>> = line.split_whitespace().map(|w| w.parse().ok()).collect();
    let Some(&[seed, size]) = words.as_deref() else { return };
    let size = usize::try_from(size).unwrap_or(0);
    if client.send(Pattern::new(seed).take(size)).is_err() {
        return;
    }
    let right = client.read_exact(size).is_ok_and(|got| got == Pattern::new(seed + 1).take(size));
    drop(client.send(if right { "right\n" } else { "wrong\n" }));
    // The answer arrives before the end does.
    let _end = client.end();
}
