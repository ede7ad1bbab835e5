//! Defects that datagrams and flows meet: that flow ends, what it held is given back once, everybody else is
//! served.

use pen_test::{Pen, PenBuilder, Sig, UdpClient, UdpServer, until};

use super::{VICTIM, on_demand};

fn with(fault: &str, servers: &[UdpServer]) -> Option<PenBuilder> {
    let builder = Pen::bare().args(["-U"]).servers(servers.iter().map(UdpServer::word));
    on_demand(fault, builder)
}

/// A number of the reply to `flows json`; `path` goes down into it.
fn count(pen: &Pen, path: &[&str]) -> u64 {
    let reply = pen.ctl("flows json");
    let value: serde_json::Value = serde_json::from_str(&reply).expect("a json reply");
    path.iter().fold(&value, |v, key| &v[key]).as_u64().expect(&reply)
}

fn dropped(pen: &Pen, expected: u64) {
    let dropped = || count(pen, &["dropped", "defect"]);
    until("the datagrams to be dropped", || (dropped() == expected).then_some(()));
}

/// Twenty datagrams of clients who meet the defect, while one who does not goes on; there are places for so
/// few that each must have been given back. Answers the balancer with the one flow that is left.
fn twenty(fault: &str) -> Option<(Pen, UdpClient)> {
    let servers = [UdpServer::echo("127.0.0.1")];
    let builder = with(fault, &servers)?;
    let pen = builder.command("limit_conn 2").args(["-x", "3"]).start();
    assert_eq!(pen.ctl("server 0 max 2"), "");
    let other = UdpClient::of(pen.place());
    assert_eq!(other.ask(b"before"), b"before");
    for n in 1..=20 {
        UdpClient::at(VICTIM, pen.place()).send(b"x");
        dropped(&pen, n);
        assert_eq!(other.ask(b"meanwhile"), b"meanwhile");
    }
    assert_eq!(UdpClient::of(pen.place()).ask(b"the second place"), b"the second place");
    assert_eq!((count(&pen, &["flows"]), pen.servers()[0].conn), (2, 2));
    assert_eq!(count(&pen, &["ended", "recycled"]), 0, "nobody had to make room");
    let met = "met a defect of Pen: it";
    assert!(pen.stderr().contains(met), "{}", pen.stderr());
    assert!(pen.ctl("events").contains(met), "{}", pen.ctl("events"));
    Some((pen, other))
}

#[test]
fn a_panic_at_a_datagram_ends_its_flow() {
    let Some((mut pen, _)) = twenty("panic-datagram") else { return };
    assert_eq!(count(&pen, &["ended", "defect"]), 20);
    assert_eq!(count(&pen, &["opened"]), 22);
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_while_a_flow_begins_gives_back_what_it_had() {
    let Some((mut pen, _)) = twenty("panic-begin") else { return };
    assert_eq!(count(&pen, &["ended", "defect"]), 0);
    assert_eq!(count(&pen, &["opened"]), 2);
    assert!(count(&pen, &["ports"]) <= 2, "a port that was not used is there for the next one");
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_at_an_answer_ends_its_flow() {
    let Some((mut pen, _)) = twenty("panic-answer") else { return };
    assert_eq!(count(&pen, &["ended", "defect"]), 20);
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_while_an_answer_is_sent_ends_its_flow() {
    let Some((mut pen, _)) = twenty("panic-send") else { return };
    assert_eq!(count(&pen, &["ended", "defect"]), 20);
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn datagrams_that_were_to_go_with_one_that_meets_a_defect_go_once() {
    let servers = [UdpServer::echo("127.0.0.1"), UdpServer::echo(VICTIM)];
    let Some(builder) = with("panic-send", &servers) else { return };
    let mut pen = builder.command("roundrobin").command("udp_spread datagram").start();
    let client = UdpClient::of(pen.place());
    // Together when it looks again, to both servers through one port.
    pen.signal(Sig::Stop);
    for n in 0..10_u8 {
        client.send(&[n]);
    }
    pen.signal(Sig::Cont);
    dropped(&pen, 5);
    for _ in 0..5 {
        let _ = client.receive();
    }
    assert_eq!((servers[0].seen().len(), servers[1].seen().len()), (5, 0));
    let ended = count(&pen, &["ended", "defect"]);
    assert!((1..5).contains(&ended), "{ended}: several went together");
    assert_eq!((pen.servers()[0].conn, pen.servers()[1].conn), (1, 0));
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_at_the_timer_of_a_flow_ends_it() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let Some(builder) = with("panic-timer", &servers) else { return };
    let mut pen = builder.command("udp_timeout 1").start();
    let (victim, other) = (UdpClient::at(VICTIM, pen.place()), UdpClient::of(pen.place()));
    assert_eq!((victim.ask(b"a"), other.ask(b"b")), (b"a".to_vec(), b"b".to_vec()));
    until("both to end", || (count(&pen, &["flows"]) == 0).then_some(()));
    let ended = |why| count(&pen, &["ended", why]);
    assert_eq!((ended("defect"), ended("idle_timeout")), (1, 1));
    assert_eq!(pen.servers()[0].conn, 0);
    assert_eq!(victim.ask(b"again"), b"again");
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn a_panic_while_a_flow_ends_ends_pen_loudly() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let Some(builder) = with("panic-ending", &servers) else { return };
    let mut pen = builder.command("udp_timeout 1").start();
    assert_eq!(UdpClient::at(VICTIM, pen.place()).ask(b"a"), b"a");
    assert_eq!(pen.wait_exit(), None, "by a signal: whoever started it sees that it failed");
    assert!(pen.stderr().contains("every connection is reset, Pen ends"), "{}", pen.stderr());
}
