//! Servers, interfaces and rights that go away.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pen_test::{in_own_network, is_root, pen_program, run, until};

use crate::hall::{Balancer, SERVERS, SWITCH, Segment, VIP, connect, plug};

#[test]
fn a_server_is_lost_and_found() {
    in_own_network("faults::a_server_is_lost_and_found", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let address = format!("{VIP}:80");
        let pen = segment.pen(&[&["-b", "1", &address][..], &SERVERS[..]].concat());
        let all = || -> BTreeSet<Option<usize>> {
            (2..10).map(|n| segment.ask(&format!("10.0.0.{n}"), VIP, 80)).collect()
        };
        until("both servers", || (all() == [Some(0), Some(1)].into()).then_some(()));
        segment.servers[0].run("ip link set eth0 down");
        pen.says("server 0 (10.0.0.11) does not answer on eth0");
        assert_eq!(all(), [Some(1)].into(), "the other one takes everybody");
        segment.servers[0].run("ip link set eth0 address 02:00:00:00:00:77 up");
        pen.says("server 0 (10.0.0.11) is at 02:00:00:00:00:77 now");
        until("both servers again", || (all() == [Some(0), Some(1)].into()).then_some(()));
    });
}

#[test]
fn the_interface_goes_down_and_comes_back() {
    in_own_network("faults::the_interface_goes_down_and_comes_back", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let pen = segment.pen(&[&[VIP][..], &SERVERS[..]].concat());
        segment.ask_until("10.0.0.2", VIP, 80);
        segment.pen.run("ip link set eth0 down");
        pen.says("dsr_if eth0: it is down");
        pen.shows("link down");
        segment.pen.run("ip link set eth0 address 02:00:00:00:00:55 up");
        pen.says("dsr_if eth0: it is up");
        pen.shows("mac 02:00:00:00:00:55 link up");
        segment.ask_until("10.0.0.3", VIP, 80);
        segment.pen.run("ip link set eth0 mtu 1400");
        pen.says("its MTU is 1400 now");
        assert_eq!(pen.stop(), Some(0));
    });
}

#[test]
fn all_threads_hear_an_interface_that_was_made_anew() {
    let test = "faults::all_threads_hear_an_interface_that_was_made_anew";
    in_own_network(test, SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let words = ["-r", "-O", "workers 2", VIP];
        let pen = segment.pen(&[&words[..], &SERVERS[..]].concat());
        segment.ask_until("10.0.0.2", VIP, 80);
        // Sockets for all protocols that run: on an interface that is there.
        let hears = || {
            let sockets =
                segment.pen.inside(|| std::fs::read_to_string("/proc/thread-self/net/packet"));
            let sockets = sockets.expect("the kernel tells");
            let running = |line: &&str| {
                let words: Vec<&str> = line.split_whitespace().collect();
                (words.get(3), words.get(5)) == (Some(&"0003"), Some(&"1"))
            };
            sockets.lines().filter(running).count()
        };
        assert_eq!(hears(), 2);
        segment.pen.run("ip link del eth0");
        pen.says("there is no such interface; no frame is forwarded");
        assert_eq!(hears(), 0);
        plug(&segment.pen, "port9");
        pen.says("it was made anew");
        until("both threads", || (hears() == 2).then_some(()));
        segment.ask_until("10.0.0.3", VIP, 80);
        let seen: BTreeSet<_> = (0..40).map(|_| segment.ask("10.0.0.2", VIP, 80)).collect();
        assert_eq!(seen, [Some(0), Some(1)].into(), "nothing is lost between the threads");
    });
}

#[test]
fn a_server_that_answers_for_the_service_is_named() {
    in_own_network("faults::a_server_that_answers_for_the_service_is_named", SWITCH, || {
        let segment = Segment::new();
        let pen = segment.pen(&[&[VIP][..], &SERVERS[..]].concat());
        pen.finds(2);
        // A server that has the address on the segment, and asks for somebody from there.
        segment.servers[0].run(
            "sysctl -q -w net.ipv4.conf.all.arp_announce=0; ip address add 10.0.0.100/24 dev eth0",
        );
        let stranger = segment.servers[0].inside(|| connect(VIP, 0, "10.0.0.250", 9));
        assert!(stranger.is_none());
        pen.says("on eth0 says that it has 10.0.0.100, the service's address");
    });
}

#[test]
fn what_cannot_be_is_said_at_the_start() {
    let begin = |words: &[&str]| run(&pen_program(), [&["-f"], words].concat());
    for (words, said) in [
        (&["-O", "dsr_if nosuch0", "10.0.0.100:80", "10.0.0.11"][..], "no such interface"),
        (&["-O", "dsr_if lo", "10.0.0.100:80", "10.0.0.11"], "not an Ethernet interface"),
        (&["-O", "dsr_if lo", "80", "10.0.0.11"], "does not say which address"),
        (&["-O", "dsr_if lo", "/run/x", "10.0.0.11:80"], "no address of the segment"),
        (&["10.0.0.100", "10.0.0.11:80"], "no such port"),
    ] {
        let end = begin(words);
        assert_eq!(end.code, Some(1), "{words:?}: {}", end.stderr);
        assert!(end.stderr.contains(said), "{words:?}: {}", end.stderr);
    }
}

#[test]
fn the_capability_that_is_missing_is_named() {
    if !is_root() {
        println!("skipped: only root can give the capability away");
        return;
    }
    let test = "faults::the_capability_that_is_missing_is_named";
    in_own_network(test, "ip link add eth0 type veth peer name eth1", || {
        let pen = pen_program().display().to_string();
        let words = ["--reuid", "65534", "--clear-groups", &pen, "-f", "-O", "dsr_if eth0"];
        let words = [&words[..], &["10.0.0.100:80", "10.0.0.11"]].concat();
        let Ok(end) = std::process::Command::new("setpriv").args(words).output() else {
            println!("skipped: no setpriv here (util-linux)");
            return;
        };
        let said = String::from_utf8_lossy(&end.stderr);
        assert!(said.contains("CAP_NET_RAW"), "{said}");
    });
}

#[test]
fn a_frame_that_meets_a_defect_is_dropped_and_the_others_go_on() {
    if !cfg!(debug_assertions) || std::env::var_os("PEN").is_some() {
        println!("skipped: only debug builds have defects on demand");
        return;
    }
    let test = "faults::a_frame_that_meets_a_defect_is_dropped_and_the_others_go_on";
    in_own_network(test, SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let words = [&["-O", "workers 1", VIP][..], &SERVERS[..]].concat();
        let fault = [("PEN_TEST_FAULT", "panic-frame 10.0.0.9")];
        let pen = segment.pen.inside(|| Balancer::start_with(&words, &fault));
        segment.ask_until("10.0.0.2", VIP, 80);
        assert_eq!(segment.ask("10.0.0.9", VIP, 80), None, "it gets nowhere");
        segment.ask_until("10.0.0.3", VIP, 80);
        pen.shows("dropped defect");
        pen.says("a frame met a defect of Pen: it is dropped, the others go on");
        assert_eq!(pen.stop(), Some(0));
    });
}

#[test]
fn a_stuck_thread_is_noticed_and_pen_ends() {
    if !cfg!(debug_assertions) || std::env::var_os("PEN").is_some() {
        println!("skipped: only debug builds have defects on demand");
        return;
    }
    in_own_network("faults::a_stuck_thread_is_noticed_and_pen_ends", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let words = [&["-O", "workers 1", "-O", "watchdog 1", VIP][..], &SERVERS[..]].concat();
        let fault = [("PEN_TEST_FAULT", "stall-frame 10.0.0.9")];
        let pen = segment.pen.inside(|| Balancer::start_with(&words, &fault));
        // It goes on as long as its thread answers, whether there are frames or not.
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            segment.ask_until("10.0.0.2", VIP, 80);
        }
        assert_eq!(segment.ask("10.0.0.9", VIP, 80), None);
        let (status, said) = pen.ended();
        assert_eq!(status, None, "by a signal: {said}");
        let stuck = "thread 0 of dsr_if eth0 has not answered";
        assert!(said.contains(stuck) && said.contains("Pen ends"), "{said}");
    });
}
