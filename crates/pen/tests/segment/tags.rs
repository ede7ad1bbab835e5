//! VLAN tags on a real wire: the kernel takes the outermost out of what arrives, and Pen puts it back.

use pen_fuzz::draft::{CLIENT, Draft, OWN, TAG, TWO_TAGS, arp, frame, v4, v6};
use pen_test::{Ear, can_send_frames, in_own_network, send_frames, until};

use crate::hall::{SERVERS, SWITCH, Segment, VIP};

/// The service's last byte.
const SERVICE: u8 = 100;
const SERVER_MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 1, 0], [2, 0, 0, 0, 1, 1]];

fn set_mac(host: &pen_test::Host, mac: [u8; 6]) {
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    host.run(&format!("ip link set eth0 address {mac}"));
}

/// A segment whose hardware addresses are those of the frames; only where frames can be sent.
fn on_segment(test: &str, look: impl FnOnce(&Segment)) {
    if !can_send_frames() {
        return;
    }
    in_own_network(test, SWITCH, || {
        let segment = Segment::new();
        set_mac(&segment.client, CLIENT);
        set_mac(&segment.pen, OWN);
        for (server, mac) in segment.servers.iter().zip(SERVER_MACS) {
            set_mac(server, mac);
        }
        look(&segment);
    });
}

/// The frame as Pen passes it on: two hardware addresses are others, and nothing else.
fn passed_on(frame: &[u8], to: [u8; 6]) -> Vec<u8> {
    [&to[..], &OWN, &frame[12..]].concat()
}

#[test]
fn tags_are_kept_on_the_way_to_servers() {
    let test = "tags::tags_are_kept_on_the_way_to_servers";
    on_segment(test, |segment| {
        let both = format!("listen {VIP}:80 [{}]:80", v6(SERVICE));
        let pen = segment.pen(&[&["-r", "-U", "-O", &both, "81"][..], &SERVERS[..]].concat());
        pen.finds(2);
        let ears: Vec<Ear> =
            segment.servers.iter().map(|host| host.inside(|| Ear::at("eth0"))).collect();
        let talks = [(v4(2), v4(SERVICE)), (v6(2), v6(SERVICE))];
        let frames: Vec<Vec<u8>> = [&[][..], &TAG, &TWO_TAGS]
            .into_iter()
            .flat_map(|tags| (0..6).map(move |port| (tags, (40_000 + port, 80))))
            .flat_map(|(tags, ports)| {
                talks.map(|(from, to)| Draft::udp(from, to, ports).tagged(tags).frame())
            })
            .collect();
        segment.client.inside(|| send_frames("eth0", &frames));
        pen.shows(&format!("forwarded frames {} ", frames.len()));
        for sent in frames {
            let heard = || -> usize {
                let ears = ears.iter().zip(SERVER_MACS);
                ears.map(|(ear, mac)| ear.heard(&passed_on(&sent, mac))).sum()
            };
            until(&format!("a server to hear {sent:02x?}"), || (heard() > 0).then_some(()));
            assert_eq!(heard(), 1, "more than one out: {sent:02x?}");
        }
    });
}

#[test]
fn questions_with_tags_are_answered_with_them() {
    let test = "tags::questions_with_tags_are_answered_with_them";
    on_segment(test, |segment| {
        let pen = segment.pen(&[&[VIP][..], &SERVERS[..]].concat());
        pen.finds(2);
        let ear = segment.client.inside(|| Ear::at("eth0"));
        for tags in [&[][..], &TAG, &TWO_TAGS] {
            let question = frame([0xff; 6], tags, 0x0806, &arp(1, 2, SERVICE));
            segment.client.inside(|| send_frames("eth0", std::slice::from_ref(&question)));
            let mut answer =
                [&CLIENT[..], &OWN, tags, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &OWN].concat();
            answer.extend([10, 0, 0, SERVICE]);
            answer.extend(CLIENT);
            answer.extend([10, 0, 0, 2]);
            ear.hears(&answer);
        }
    });
}
