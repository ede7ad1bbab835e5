//! A defect in the program itself.

use std::time::Duration;

use pen_test::{Farm, UdpClient, UdpServer, Wire};

use crate::load;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// Why a release is not tried.
const RELEASE: &str = "a release has no defects on demand; tests/it/defects.rs has this";

pub const ROW: Row = Row {
    run,
    ..Row::new(
        66,
        "a panic at an event of one connection",
        "that connection is reset, all others go on",
    )
};

pub const UDP: Row = Row {
    form: "b",
    run: run_udp,
    ..Row::new(
        66,
        "a panic at a datagram of one client",
        "that flow ends, what it held is given back, all others go on",
    )
};

/// The client who meets it.
const VICTIM: &str = "127.0.0.66";

fn fault(word: &str) -> Vec<(&'static str, String)> {
    vec![
        ("PEN_TEST_FAULT", format!("{word} {VICTIM}")),
        // Finding names for the addresses of a debug build takes seconds.
        ("RUST_BACKTRACE", "0".to_owned()),
    ]
}

fn run(stage: &Stage) -> Verdict {
    if stage.subject != Subject::Pen {
        return Verdict::without("no defects on demand");
    }
    let farm = Farm::banners(1);
    let mut setup = Setup::of(farm.words(""));
    setup.environment = fault("panic-open");
    let mut balancer = stage.start(&setup);
    let bystander = Wire::connect(&balancer.place).expect("it serves");
    let _greeting = bystander.read_line();
    let met = |_: &i32| match Wire::dial(&balancer.place).from(VICTIM).connect() {
        // Something must happen on the connection.
        Ok(wire) => wire.send("now\n").is_err() || wire.end() == pen_test::End::Reset,
        // It was too fast for connect(2).
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    if !met(&0) {
        return Verdict::skipped(RELEASE);
    }
    let reset = 1 + (1..20).filter(met).count();
    let counted = balancer.control("overview json").unwrap_or_default().contains("\"defect\":");
    let goes_on = bystander.send("still\n").is_ok() && bystander.read_line() == "still\n";
    let serves = load::visit(&balancer.place, None, Duration::from_secs(5)).is_ok();
    let right = reset == 20 && counted && goes_on && serves && balancer.lives();
    Verdict::of(right, format!("{reset} of 20 reset, counted, the others go on: {goes_on}"))
}

fn run_udp(stage: &Stage) -> Verdict {
    if stage.subject != Subject::Pen {
        return Verdict::without("no defects on demand");
    }
    let server = UdpServer::echo("127.0.0.1");
    let mut setup = Setup { udp: true, ..Setup::of([server.word()]) };
    setup.environment = fault("panic-datagram");
    let mut balancer = stage.start(&setup);
    let bystander = UdpClient::of(&balancer.place);
    let asks = |client: &UdpClient| {
        client.send(b"hello");
        client.receive_within(Duration::from_secs(1)).is_some()
    };
    let begins = asks(&bystander);
    let (mut answered, mut goes_on) = (0, begins);
    for _ in 0..20 {
        let victim = UdpClient::at(VICTIM, &balancer.place);
        victim.send(b"now");
        answered += u32::from(victim.receive_within(Duration::from_millis(50)).is_some());
        goes_on &= asks(&bystander);
    }
    if answered > 0 {
        return Verdict::skipped(RELEASE);
    }
    let flows = balancer.control("flows json").unwrap_or_default();
    // The bystander's.
    let left = flows.contains("\"flows\":1,");
    let counted = flows.matches("\"defect\":20").count() == 2;
    let right = goes_on && left && counted && balancer.lives();
    Verdict::of(
        right,
        format!("20 of 20 flows ended, counted: {counted}, the others go on: {goes_on}"),
    )
}
