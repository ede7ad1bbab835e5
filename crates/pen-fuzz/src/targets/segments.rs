//! Direct server return as a whole, and its tarpit: frames in the order in which they arrive.
//!
//! The first byte is the setup. Then come steps: one byte says what, and how many milliseconds pass
//! before; a frame is a record, a server's standing two bytes.

use std::cell::RefCell;
use std::net::IpAddr;

use pen_core::moment::Moment;

use super::named;
use crate::draft::{self, Draft, TAG, TWO_TAGS, arp, v4, v6};
use crate::segment::{Fate, PORT, SERVICE, Segment, Setup, TAKEN};
use crate::{Choices, record};

/// Steps of one input.
const STEPS_MAX: usize = 64;

pub fn dsr(data: &[u8]) {
    play(data);
}

/// The same with the tarpit's setups only; frames out are counted against frames in.
pub fn tarpit(data: &[u8]) {
    play(data);
}

/// A segment is used again: its tables are large. So many times, then its clock has come far.
const USES_MAX: u64 = 50_000;

fn play(data: &[u8]) {
    thread_local! {
        static SEGMENT: RefCell<Option<(Segment, u64)>> = const { RefCell::new(None) };
    }
    let setup = Setup::of(Choices(data).byte());
    SEGMENT.with_borrow_mut(|place| {
        let used = place.take().filter(|(_, uses)| *uses < USES_MAX);
        let (mut segment, uses) = used.unwrap_or_else(|| (Segment::new(setup, Moment(0)), 0));
        let now = Moment((uses + 1) * 20_000_000);
        segment.begin_again(setup, now);
        steps(&mut segment, Choices(data.get(1..).unwrap_or_default()), now);
        *place = Some((segment, uses + 1));
    });
}

fn steps(segment: &mut Segment, mut choices: Choices<'_>, mut now: Moment) {
    let (mut came, mut went) = (0, 0);
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            break;
        }
        let step = choices.byte();
        now = now.plus_ms(u64::from(step >> 1) * 17);
        if step & 1 == 1 {
            let (slot, bits) = (choices.byte() % crate::segment::SERVERS, choices.byte());
            segment.set_standing(slot.into(), bits);
            continue;
        }
        came += 1;
        went += usize::from(segment.take(choices.record(), now) != Fate::Dropped);
    }
    assert!(went <= came, "more frames out than in");
}

/// An input of frames in a row, which come `gap` steps of 17 ms apart.
fn story(setup: u8, gap: u8, frames: &[Vec<u8>]) -> Vec<u8> {
    let steps = frames.iter().flat_map(|f| [vec![gap << 1], record(f)].concat());
    std::iter::once(setup).chain(steps).collect()
}

/// Frames that real machines send to a service: what mutations begin with.
#[must_use]
pub fn frames() -> Vec<Vec<u8>> {
    let (client, service, client6, service6) = (v4(2), v4(SERVICE), v6(2), v6(SERVICE));
    let ports = (40_000, PORT);
    let answer = Draft::tcp(service, client, (PORT, 40_000), 16);
    let answer6 = Draft::udp(service6, client6, (PORT, 40_000));
    let group = IpAddr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, SERVICE]);
    let own_mac = [1, 1, 2, 0, 0, 0, 0, 200];
    let part = |offset, more, draft: Draft| Draft { part: Some((offset, more, 77)), ..draft };
    let mut all: Vec<Vec<u8>> = [
        Draft::tcp(client, service, ports, 2),
        Draft::tcp(client, service, ports, 16),
        Draft::tcp(client, service, ports, 24),
        Draft::tcp(client, service, ports, 17),
        Draft::tcp(client6, service6, ports, 2),
        Draft::tcp(client6, service6, ports, 24),
        Draft::udp(client, service, ports),
        Draft::udp(client6, service6, ports),
        Draft::tcp(client, service, ports, 2).tagged(&TAG),
        Draft::udp(client6, service6, ports).tagged(&TWO_TAGS),
        part(0, true, Draft::udp(client, service, ports)),
        part(1_480, false, Draft::udp(client, service, ports)),
        part(0, true, Draft::udp(client6, service6, ports)),
        part(1_448, false, Draft::udp(client6, service6, ports)),
        Draft::error((3, 4), &answer),
        Draft::error((2, 0), &answer6),
        Draft::tcp(client, v4(200), (40_000, 22), 2),
        Draft::tcp(client, v4(TAKEN), (40_000, 22), 2),
        Draft::neighbour(135, client6, group, service6, &own_mac),
        Draft::neighbour(136, v6(11), client6, v6(11), &[2, 1, 2, 0, 0, 0, 1, 0]),
    ]
    .iter()
    .map(Draft::frame)
    .collect();
    for target in [SERVICE, 200, TAKEN, 11] {
        all.push(draft::frame([0xff; 6], &[], 0x0806, &arp(1, 7, target)));
    }
    all.push(draft::frame(draft::OWN, &TAG, 0x0806, &arp(2, 200, 50)));
    all
}

pub fn services() -> Vec<(String, Vec<u8>)> {
    let all = frames();
    let standing = |slot, bits| vec![1, slot, bits];
    let syn = story(0, 0, all.get(..1).unwrap_or_default());
    let tail = |from: &[u8]| from.get(1..).unwrap_or_default().to_vec();
    let moves = [vec![1], tail(&syn), standing(0, 3), standing(1, 1), tail(&syn)].concat();
    named([
        ("tcp", story(1, 1, &all)),
        ("tcp-with-port", story(3, 1, &all)),
        ("udp", story(0, 1, &all)),
        ("udp-with-port", story(2, 1, &all)),
        ("servers-come-and-go", moves),
        ("one-segment", story(1, 0, all.get(..1).unwrap_or_default())),
        ("fragments", story(2, 0, all.get(10..14).unwrap_or_default())),
        ("errors", story(1, 0, all.get(14..16).unwrap_or_default())),
    ])
}

pub fn tarpits() -> Vec<(String, Vec<u8>)> {
    let question = draft::frame([0xff; 6], &[], 0x0806, &arp(1, 7, 200));
    let tagged = draft::frame([0xff; 6], &TAG, 0x0806, &arp(1, 7, 201));
    let taken = draft::frame([0xff; 6], &[], 0x0806, &arp(1, 7, TAKEN));
    let spoken = draft::frame(draft::OWN, &[], 0x0806, &arp(2, 200, 50));
    let syn = Draft::tcp(v4(2), v4(200), (40_000, 22), 2).frame();
    let ack = Draft::tcp(v4(2), v4(200), (40_000, 22), 16).frame();
    let plain = Draft { payload: vec![], ..Draft::tcp(v4(2), v4(201), (1, 2), 2) };
    let mut bare = Draft::tcp(v4(2), v4(200), (40_000, 22), 16);
    bare.payload.truncate(20);
    bare.payload.iter_mut().skip(12).zip([0x50, 2]).for_each(|(b, v)| *b = v);
    let again: Vec<Vec<u8>> = std::iter::repeat_n(syn.clone(), 12).collect();
    let visit = [question.clone(), question.clone(), syn.clone(), ack.clone()];
    named([
        ("asked-then-answered", story(4, 20, &visit)),
        ("answered-at-once", story(0, 1, &visit)),
        ("tags", story(0, 1, &[tagged.clone(), tagged])),
        ("somebody-has-it", story(4, 20, &[question.clone(), spoken, question, taken])),
        ("without-options", story(0, 1, &[bare.frame(), plain.frame()])),
        ("at-the-rate", story(8, 1, &again)),
        ("other-flags", story(0, 1, &[ack])),
    ])
}
