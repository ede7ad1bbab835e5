//! A connection over a bad wire.

use std::time::{Duration, Instant};

use pen_test::{Host, Pattern, Place, TestServer, Wire, acts, in_own_network, is_root, until};

use super::{BadWire, Plug, Troubles};
use crate::programs;

const ALL: Troubles = Troubles {
    delay_ms: 5,
    jitter_ms: 2,
    loss: 0.03,
    duplicate: 0.03,
    reorder: 0.03,
    corrupt: 0.03,
};

#[test]
fn a_stream_survives_it_all() {
    if !is_root() || programs::in_path("ethtool").is_none() {
        println!("skipped: a wire wants root and Debian's package ethtool");
        return;
    }
    in_own_network("wire::tests::a_stream_survives_it_all", "true", || {
        let far = Host::new("far");
        let (here, there) =
            (Plug::here("near", "10.1.0.1/24"), Plug::at(&far, "far", "10.1.0.2/24"));
        let wire = BadWire::between(here, there, ALL, 7).unwrap();
        let place = Place::Tcp("10.1.0.2:99".parse().unwrap());
        let _server = far.inside(|| TestServer::start_at("far", &place, acts::echo()));
        let begun = Instant::now();
        let client = Wire::connect(&place).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(2 * ALL.delay_ms));
        let bytes = Pattern::new(7).take(1_000_000);
        let sender = client.clone();
        let sent = bytes.clone();
        let sending = std::thread::spawn(move || {
            sender.send(&sent).unwrap();
            sender.finish();
        });
        assert_eq!(client.read_to_end().0, bytes);
        sending.join().unwrap();
        let deeds = wire.deeds();
        let least =
            [deeds.lost, deeds.duplicated, deeds.reordered, deeds.corrupted].into_iter().min();
        assert!(least.is_some_and(|n| n > 5), "{deeds:?}");
        wire.set(Troubles { loss: 1.0, ..Troubles::default() });
        let before = wire.deeds();
        let other = Wire::dial(&place);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| other.connect());
            until("a lost frame", || (wire.deeds().lost > before.lost).then_some(()));
            wire.set(Troubles::default());
            assert!(waiting.join().unwrap().is_ok());
        });
    });
}
