//! Frames that are bent, for direct server return and the tarpit.

use std::process::Command;
use std::time::Duration;

use pen_test::{Host, Pattern, Program, Scratch, can_send_frames, run_here, send_frames};

use crate::rows::Row;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        46,
        "bent frames at direct server return and tarpit: ARP, options, fragments, flags",
        "no crash, frames out at most as many as in, the tarpit goes on",
    )
};

/// What it takes to be alone with the attacker on a segment: neither kernel answers for the balancer.
const SEGMENT: &str = "ip address add 10.0.0.50/16 dev eth0
echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6";

fn run(stage: &Stage) -> Verdict {
    if matches!(stage.subject, Subject::Haproxy | Subject::Nginx) {
        return Verdict::without("no direct server return, no tarpit");
    }
    if !can_send_frames() {
        return Verdict::skipped("raw frames want root and python3");
    }
    let attacker = Host::new("the attacker");
    attacker.cable("wire", "eth0");
    run_here(SEGMENT);
    // A server is on the attacker's machine too: somebody must answer for it.
    attacker.run(
        "ip address add 10.0.0.2/16 dev wire; ip address add 10.0.0.11/16 dev wire
        ip address add 10.0.0.100/32 dev lo; echo 1 > /proc/sys/net/ipv4/conf/wire/arp_ignore
        echo 1 > /proc/sys/net/ipv6/conf/wire/disable_ipv6",
    );
    let (mut program, _scratch) = balancer(stage);
    std::thread::sleep(Duration::from_millis(1_500));
    if program.ended().is_some() {
        return Verdict::skipped(format!("it does not start: {}", program.stderr().trim()));
    }
    // No bent frame can say that somebody has these addresses: too many bytes would have to fit.
    let caught = attacker.inside(|| hangs("10.0.7.200"));
    let frames = bent(&mac("eth0"), stage.seed, stage.of(200_000, 10_000));
    let before = traffic();
    for batch in frames.chunks(20_000) {
        attacker.inside(|| send_frames("wire", batch));
    }
    std::thread::sleep(Duration::from_millis(500));
    let after = traffic();
    let (sent, answered) = (after.0 - before.0, after.1 - before.1);
    let lives = program.ended().is_none();
    let still = lives && attacker.inside(|| hangs("10.0.7.201"));
    let right = lives && caught && still && answered <= sent && sent as usize >= frames.len() / 2;
    let text = format!(
        "{sent} frames in, {answered} out{}{}",
        if lives { "" } else { ", it died" },
        if caught && still { "" } else { ", the tarpit does not hold" }
    );
    Verdict::of(right, text)
}

fn balancer(stage: &Stage) -> (Program, Scratch) {
    let scratch = Scratch::new();
    let mut command = Command::new(&stage.program);
    command.args(["-f", "-u", "root", "-O", "dsr_if eth0"]);
    command.args(["-O", "acl 1 permit 10.0.0.0 255.255.0.0", "-O", "tarpit_acl 1"]);
    match stage.subject {
        Subject::Classic => command.args(["-S", "2", "10.0.0.100:80", "10.0.0.11:80"]),
        _ => command.args(["10.0.0.100:80", "10.0.0.11"]),
    };
    (Program::start(command, &scratch), scratch)
}

/// Whether somebody takes a connection there who is not there.
fn hangs(address: &str) -> bool {
    let to = (address.parse::<std::net::Ipv4Addr>().expect("an address"), 22).into();
    let from = ([10, 0, 0, 2], 0).into();
    (0..4).any(|_| pen_test::dial_from(from, to, Duration::from_secs(2)).is_ok())
}

/// Frames that came to the balancer's interface and that left it.
fn traffic() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
    let words: Vec<u64> = line
        .map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect())
        .unwrap_or_default();
    (words.get(1).copied().unwrap_or(0), words.get(9).copied().unwrap_or(0))
}

fn mac(interface: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/address"));
    let text = text.unwrap_or_default();
    text.trim().split(':').filter_map(|part| u8::from_str_radix(part, 16).ok()).collect()
}

/// Frames made of good ones by changing a few bytes, cutting and lengthening.
fn bent(to: &[u8], seed: u64, count: usize) -> Vec<Vec<u8>> {
    let good = good(to);
    let dice = Pattern::new(seed).take(count * 16);
    let bend = |throw: &[u8]| {
        let number = |at: usize| usize::from(throw.get(at).copied().unwrap_or_default());
        let mut frame = good.get(number(0) % good.len()).cloned().unwrap_or_default();
        for n in 0..number(1) % 4 {
            // Behind the addresses of Ethernet, so that it still comes to the balancer.
            let at = 12 + number(2 + 2 * n) % frame.len().saturating_sub(12).max(1);
            if let Some(byte) = frame.get_mut(at) {
                *byte = u8::try_from(number(3 + 2 * n)).unwrap_or_default();
            }
        }
        match number(14) % 8 {
            0 => frame.truncate(14 + number(15) % frame.len()),
            1 => frame.extend(vec![0xaa; number(15) * 5]),
            _ => {}
        }
        frame
    };
    dice.chunks(16).map(bend).collect()
}

/// ARP requests, TCP with all kinds of flags, UDP, ICMP, options, fragments, IPv6, a VLAN.
fn good(to: &[u8]) -> Vec<Vec<u8>> {
    let ethernet = |to: &[u8], kind: [u8; 2], content: &[u8]| {
        [to, &[2, 0, 0, 0, 0, 9], &kind, content].concat()
    };
    let arp = |kind: u8, target: u8| {
        let from = [&[0, 1, 8, 0, 6, 4, 0, kind, 2, 0, 0, 0, 0, 9][..], &[10, 0, 0, 9]].concat();
        ethernet(&[0xff; 6], [8, 6], &[&from[..], &[0; 6], &[10, 0, 0, target]].concat())
    };
    let ip = |target: u8, protocol: u8, fragment: [u8; 2], options: &[u8], content: &[u8]| {
        let length = u16::try_from(20 + options.len() + content.len()).unwrap_or(u16::MAX);
        let words = u8::try_from(options.len() / 4).unwrap_or(0);
        let mut head = vec![0x45 + words, 0];
        head.extend(length.to_be_bytes());
        head.extend([0, 7]);
        head.extend(fragment);
        head.extend([64, protocol, 0, 0, 10, 0, 0, 9, 10, 0, 0, target]);
        head.extend(options);
        let sum = checksum(&head);
        head.splice(10..12, sum);
        ethernet(to, [8, 0], &[&head[..], content].concat())
    };
    let tcp = |flags: u8| {
        [&[4, 210, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 16, 0][..], &[0; 4]].concat()
    };
    let udp = [&[4, 210, 0, 80, 0, 12, 0, 0][..], b"data"].concat();
    let mut all = vec![arp(1, 100), arp(1, 200), arp(2, 200), arp(1, 11), arp(9, 210)];
    for target in [100, 200, 50] {
        for flags in [0x02, 0x10, 0x12, 0x04, 0x01, 0x3f, 0x00] {
            all.push(ip(target, 6, [0x40, 0], &[], &tcp(flags)));
        }
        all.push(ip(target, 17, [0, 0], &[], &udp));
        all.push(ip(target, 1, [0, 0], &[], &[8, 0, 0, 0, 0, 1, 0, 1]));
        all.push(ip(target, 6, [0, 0], &[7, 7, 4, 0, 0, 0, 0, 0], &tcp(0x02)));
        all.push(ip(target, 6, [0x20, 0], &[], &tcp(0x02)));
        all.push(ip(target, 17, [0x20, 1], &[], &udp));
        all.push(ip(target, 6, [0x1f, 0xff], &[], &tcp(0x02)));
    }
    let mut six = vec![0x60, 0, 0, 0, 0, 20, 6, 64];
    six.extend([0xfd; 32]);
    all.push(ethernet(to, [0x86, 0xdd], &[&six[..], &tcp(0x02)].concat()));
    let tagged =
        [&[0, 5, 8, 0][..], all.get(5).and_then(|f| f.get(14..)).unwrap_or_default()].concat();
    all.push(ethernet(to, [0x81, 0], &tagged));
    all
}

/// The checksum of an IP header.
fn checksum(head: &[u8]) -> [u8; 2] {
    let pairs = head.chunks(2).map(|pair| {
        u32::from(pair.first().copied().unwrap_or(0)) << 8
            | u32::from(pair.get(1).copied().unwrap_or(0))
    });
    let sum: u32 = pairs.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (!u16::try_from(sum).unwrap_or(0)).to_be_bytes()
}
