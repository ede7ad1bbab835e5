//! The balancer runs out of descriptors while datagrams come.

use std::time::{Duration, Instant};

use pen_test::{UdpClient, UdpServer};

use super::descriptors::{CALM, squeeze};
use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    form: "b",
    starred: true,
    run,
    ..Row::new(
        32,
        "no descriptors left: UDP",
        "lives, no spinning, who has a flow is served on, new ones again when others have ended",
    )
};

/// Clients: more than there are descriptors for.
const CLIENTS: usize = 150;

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Haproxy {
        return Verdict::without("no UDP");
    }
    let servers: Vec<_> = (0..2).map(|n| UdpServer::named(&format!("s{n}"))).collect();
    let setup = Setup { udp: true, room: 400, ..Setup::of(servers.iter().map(UdpServer::word)) }
        .with(Subject::Pen, Scope::Global, "udp_timeout 2")
        .with(Subject::Nginx, Scope::Service, "proxy_timeout 2s;");
    let mut balancer = stage.start(&setup);
    let first = UdpClient::of(&balancer.place);
    let begins = asks(&first);
    if let Err(why) = squeeze(&balancer) {
        return Verdict::skipped(why);
    }
    let clients: Vec<UdpClient> = (0..CLIENTS).map(|_| UdpClient::of(&balancer.place)).collect();
    clients.iter().for_each(|client| client.send(b"hello"));
    let wait = Duration::from_millis(20);
    let served = clients.iter().filter(|c| c.receive_within(wait).is_some()).count();
    let goes_on = asks(&first);
    let ticks = balancer.ticks_in(Duration::from_secs(2));
    let lives = balancer.lives();
    let (end, mut again) = (Instant::now() + Duration::from_secs(10), false);
    while lives && !again && Instant::now() < end {
        again = asks(&UdpClient::of(&balancer.place));
    }
    let words = format!(
        "{}, {served} of {CLIENTS} served, first client {}, {ticks} ticks in 2 s, new ones {}",
        if lives {
            "lives".to_owned()
        } else {
            format!("ENDED ({:?}: {})", balancer.ended(), balancer.said_last())
        },
        if goes_on { "served on" } else { "lost" },
        if again { "served again" } else { "not served any more" },
    );
    Verdict::of(begins && lives && goes_on && ticks < CALM && again, words)
}

fn asks(client: &UdpClient) -> bool {
    client.send(b"hello");
    client.receive_within(Duration::from_secs(1)).is_some()
}
