//! Steps of histograms, a count for every reason, sums of several workers.

use super::*;

#[test]
fn a_value_falls_into_the_first_step_that_is_not_below_it() {
    for scale in [&WAITS, &TIMES, &SIZES] {
        assert!(scale.is_sorted_by(|a, b| a < b));
        let histogram = Histogram::new(scale);
        for end in scale {
            histogram.note(*end);
        }
        histogram.note(scale[STEPS - 1] + 1);
        assert_eq!(histogram.read().steps, [1; STEPS + 1]);
        histogram.note(0);
        let readings = histogram.read();
        assert_eq!((readings.steps[0], readings.count()), (2, STEPS as u64 + 2));
        assert_eq!(readings.sum, scale.iter().sum::<u64>() + scale[STEPS - 1] + 1);
    }
}

#[test]
fn every_reason_has_a_count_of_its_own() {
    let tally = Tally::default();
    for (n, reason) in CloseReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, n, "{reason:?} is not at its place in ALL");
        for _ in 0..=n {
            tally.closed(reason, 7, 1, 2);
        }
    }
    for (n, fault) in TlsFault::ALL.into_iter().enumerate() {
        assert_eq!(fault as usize, n, "{fault:?} is not at its place in ALL");
        tally.handshake_failed(fault);
    }
    let sums = tally.read();
    let before = sums.duration.count();
    tally.turned_away(CloseReason::OverLimit);
    let turned = tally.read();
    assert_eq!(
        turned.closed_for(CloseReason::OverLimit),
        sums.closed_for(CloseReason::OverLimit) + 1
    );
    assert_eq!((turned.accepted, turned.duration.count()), (sums.accepted + 1, before));
    for (n, reason) in CloseReason::ALL.into_iter().enumerate() {
        assert_eq!(sums.closed_for(reason), n as u64 + 1);
    }
    assert!(TlsFault::ALL.into_iter().all(|fault| sums.failed_for(fault) == 1));
    let all: u64 = sums.closed.iter().sum();
    assert_eq!((sums.duration.count(), sums.bytes_in.sum, sums.bytes_out.sum), (all, all, 2 * all));
}

#[test]
fn the_tallies_of_workers_add_up() {
    let workers = [Tally::default(), Tally::default()];
    for (n, tally) in (1..).zip(&workers) {
        tally.accepted();
        tally.came();
        tally.left();
        tally.moved(10 * n, 100 * n);
        tally.shaken(n == 1);
        tally.handshake_failed(TlsFault::NotTls);
        tally.connected(n);
        tally.first_byte(n * 1000);
        tally.closed(CloseReason::ClientFinished, 5, 10 * n, 100 * n);
    }
    let mut sums = Sums::default();
    for tally in &workers {
        sums += &tally.read();
    }
    assert_eq!((sums.accepted, sums.came, sums.left), (2, 2, 2));
    assert_eq!((sums.received, sums.sent), (30, 300));
    assert_eq!((sums.full, sums.resumed, sums.failed_for(TlsFault::NotTls)), (1, 1, 2));
    assert_eq!(sums.closed_for(CloseReason::ClientFinished), 2);
    assert_eq!((sums.connect.count(), sums.connect.sum), (2, 3));
    assert_eq!((sums.first_byte.count(), sums.first_byte.sum), (2, 3000));
    assert_eq!((sums.duration.sum, sums.bytes_in.sum, sums.bytes_out.sum), (10, 30, 300));
}
