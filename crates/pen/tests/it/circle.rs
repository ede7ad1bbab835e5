//! Two Pens that name each other: the settings of neither show it, so limits must bound it.

use std::time::Duration;

use pen_test::{Client, End, Farm, Load, Pen, Place, holds, plain_only, scaled, until};
use serde_json::Value;

/// Connections that a source may have, or may open at once, well below the room there is.
const LIMIT: u64 = 8;
/// Room of the services in the circle.
const ROOM: u64 = 64;

/// Two Pens whose only server is the other one, the first with a limit; each has another service too.
struct Circle {
    pens: [Pen; 2],
    /// Places of the services that are in no circle.
    others: [Place; 2],
    farm: Farm,
}

impl Circle {
    fn new(limits: &[&str]) -> Self {
        let farm = Farm::banners(1);
        let places = [(); 2].map(|()| Place::free());
        let others = [(); 2].map(|()| Place::free());
        let pens = [0, 1].map(|n| {
            let builder = Pen::bare().listen(&places[n]).servers([places[1 - n].word()]);
            let builder = builder.command(&format!("conn_max {ROOM}"));
            let port = farm[0].place().port();
            let file = format!(
                "service other\nlisten {}\nserver 0 address 127.0.0.1 port {port}\n",
                others[n].word()
            );
            let limits = if n == 0 { limits } else { &[] };
            limits.iter().fold(builder, |builder, line| builder.command(line)).file(&file).start()
        });
        Self { pens, others, farm }
    }

    fn client(&self) -> Client {
        Client::connect(self.pens[0].place()).expect("it listens")
    }

    /// A number of the services that lead to each other.
    fn numbers(&self, pointer: &str) -> [u64; 2] {
        self.pens.each_ref().map(|pen| {
            let overview: Value =
                serde_json::from_str(&pen.ctl("overview json")).expect("a json reply");
            let number = overview.pointer(&format!("/services/0/{pointer}"));
            number.and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {overview}"))
        })
    }

    fn accepted(&self) -> [u64; 2] {
        self.numbers("totals/accepted")
    }

    /// Plays `job` while the other services have clients, none of which may fail.
    fn beside_others(&mut self, job: impl FnOnce(&Self)) {
        let mut loads = self.others.each_ref().map(|place| Load::on(place, 1));
        job(self);
        for load in &mut loads {
            until("clients of another service", || (load.asked() > 20).then_some(()));
            load.stop();
            assert_eq!(load.failed(), 0, "of {}", load.asked());
        }
        assert!(self.pens.iter_mut().all(Pen::runs));
    }
}

#[test]
fn a_limit_of_sources_cuts_a_circle() {
    if plain_only("a link of the circle is plain") {
        return;
    }
    for limits in [vec!["limit_conn 8"], vec!["limit_rate 1", "limit_burst 8"]] {
        let mut circle = Circle::new(&limits);
        circle.beside_others(|circle| {
            for n in 1..=5 {
                // The reset may be there before connect(2) returns.
                let client = Client::connect(circle.pens[0].place());
                assert_eq!(client.map_or(End::Reset, |c| c.end()), End::Reset, "{limits:?}");
                // Round it went about as often as the limit allows; a rate gains a little meanwhile.
                let most = n * 2 * LIMIT;
                assert!(circle.accepted().iter().all(|count| *count <= most), "{limits:?}");
            }
            until("nothing of it", || (circle.numbers("conn_used") == [0, 0]).then_some(()));
        });
    }
}

#[test]
fn without_such_a_limit_a_circle_takes_its_own_room_only_until_it_is_set_right() {
    if plain_only("a link of the circle is plain") {
        return;
    }
    let mut circle = Circle::new(&[]);
    circle.beside_others(|circle| {
        let clients: Vec<Client> = (0..3).map(|_| circle.client()).collect();
        until("a full circle", || (circle.numbers("conn_used") == [ROOM, ROOM]).then_some(()));
        // It stands still then: whoever comes next waits in the kernel's queue.
        assert!(holds(scaled(Duration::from_millis(500)), || circle.accepted() == [ROOM, ROOM]));
        let port = circle.farm[0].place().port();
        circle.pens[0].set(&format!("server 0 port {port}"));
        clients.into_iter().for_each(Client::abort);
        until("an end of it", || (circle.numbers("conn_used") == [0, 0]).then_some(()));
        assert!(circle.pens[0].ask("127.0.0.1").is_some(), "the service is one again");
    });
}
