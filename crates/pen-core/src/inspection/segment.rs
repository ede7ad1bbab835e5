//! What direct server return and the tarpit need of this host; what they need of servers is said, for
//! it cannot be seen from here.

use std::net::{IpAddr, Ipv4Addr};

use super::{Finding, caution, good, wrong};

/// What was found for a service with direct server return.
#[derive(Debug)]
pub struct Segment {
    /// The service.
    pub service: String,
    /// Its interface.
    pub interface: String,
    /// Whether it is up, or why it cannot be had.
    pub up: Result<bool, String>,
    /// Why frames cannot be heard, if they cannot.
    pub deaf: Option<String>,
    /// The service's addresses, and whether this machine has them.
    pub addresses: Vec<(IpAddr, bool)>,
    /// This machine forwards IPv4, IPv6 by itself.
    pub forwards: [bool; 2],
    /// The tarpit, if there is one.
    pub tarpit: Option<Tarpit>,
}

/// What was found for a tarpit.
#[derive(Debug)]
pub struct Tarpit {
    /// It asks for addresses before it answers for them.
    pub checks: bool,
    /// Addresses that it would answer for, and that this machine has seen somebody have.
    pub taken: Vec<Ipv4Addr>,
}

pub(super) fn findings(segment: &Segment) -> Vec<Finding> {
    let head = format!("service {}: dsr_if {}", segment.service, segment.interface);
    let mut all = vec![link(segment, &head), right(segment, &head)];
    all.extend(segment.addresses.iter().map(|(ip, held)| address(&head, *ip, *held)));
    all.extend(forwarding(segment, &head));
    all.extend(segment.addresses.iter().map(|(ip, _)| servers(&head, *ip)));
    all.extend(segment.tarpit.as_ref().map(|tarpit| pit(&head, tarpit)));
    all
}

fn link(segment: &Segment, head: &str) -> Finding {
    match &segment.up {
        Ok(true) => good(format!("{head}: the interface is up")),
        Ok(false) => wrong(
            format!("{head}: the interface is down, or has no link"),
            format!("ip link set {} up", segment.interface),
        ),
        Err(why) => wrong(format!("{head}: {why}"), "ip link show"),
    }
}

fn right(segment: &Segment, head: &str) -> Finding {
    match &segment.deaf {
        None => good(format!("{head}: this user may hear and send frames")),
        Some(why) => wrong(
            format!("{head}: {why}"),
            "start Pen as root with -u USER, or setcap cap_net_raw+ep on it",
        ),
    }
}

/// Who has the service's address answers for it, and takes what is meant for the servers.
fn address(head: &str, ip: IpAddr, held: bool) -> Finding {
    if !held {
        return good(format!("{head}: this machine does not have the service's address {ip}"));
    }
    let family = family(ip);
    wrong(
        format!(
            "{head}: this machine has the service's address {ip}: it would serve clients itself"
        ),
        format!(
            "ip {family}-o address show to {ip} | while read -r _ dev _ net _; do \
             ip address del \"$net\" dev \"$dev\"; done"
        ),
    )
}

/// What is for the service comes to this machine's hardware address; a kernel that forwards looks for
/// the service's address too, and tells clients that there is no such host.
fn forwarding(segment: &Segment, head: &str) -> Vec<Finding> {
    let has = |v4: bool| segment.addresses.iter().any(|(ip, _)| ip.is_ipv4() == v4);
    let [v4, v6] = segment.forwards;
    let per_family = [
        (v4 && (has(true) || segment.tarpit.is_some()), "ipv4", segment.interface.as_str()),
        (v6 && has(false), "ipv6", "all"),
    ];
    let forwards = per_family.into_iter().filter(|(forwards, ..)| *forwards);
    let finding = |(_, family, place): (bool, &str, &str)| {
        let text = format!(
            "{head}: the kernel forwards {family} beside Pen, and tells clients of the service \
             that it cannot be reached"
        );
        // With slashes, for a VLAN's name has a dot.
        wrong(text, format!("sysctl -w net/{family}/conf/{place}/forwarding=0"))
    };
    forwards.map(finding).collect()
}

fn servers(head: &str, ip: IpAddr) -> Finding {
    let (quiet, net) = match ip {
        IpAddr::V4(_) => (
            "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 && ",
            "/32 dev lo",
        ),
        IpAddr::V6(_) => ("", "/128 dev lo nodad"),
    };
    caution(
        format!(
            "{head}: whether the servers have {ip} and are quiet about it cannot be seen from here; \
             on each of them"
        ),
        Some(format!("{quiet}ip {}address add {ip}{net}", family(ip))),
    )
}

fn pit(head: &str, tarpit: &Tarpit) -> Finding {
    let taken: Vec<String> = tarpit.taken.iter().map(Ipv4Addr::to_string).collect();
    match (tarpit.checks, taken.is_empty()) {
        (true, _) => {
            good(format!("{head}: the tarpit asks for an address before it answers for it"))
        }
        (false, true) => caution(
            format!("{head}: the tarpit does not ask whether somebody has an address"),
            Some("give Pen 'tarpit_check'".to_owned()),
        ),
        (false, false) => wrong(
            format!(
                "{head}: the tarpit would answer for addresses that somebody has: {}",
                taken.join(" ")
            ),
            "give Pen 'tarpit_check'",
        ),
    }
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "" } else { "-6 " }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{self, Caution, Good, Wrong};
    use super::*;

    fn segment() -> Segment {
        Segment {
            service: "web".to_owned(),
            interface: "eth0.5".to_owned(),
            up: Ok(true),
            deaf: None,
            addresses: vec![("10.0.0.100".parse().unwrap(), false)],
            forwards: [false, true],
            tarpit: None,
        }
    }

    #[test]
    fn a_host_as_it_must_be() {
        let all = findings(&segment());
        let verdicts: Vec<Verdict> = all.iter().map(|f| f.verdict).collect();
        assert_eq!(verdicts, [Good, Good, Good, Caution], "{all:?}");
        let last = all.last().unwrap().to_string();
        assert!(last.contains("arp_ignore=1") && last.ends_with("10.0.0.100/32 dev lo"), "{last}");
    }

    #[test]
    fn each_thing_that_is_missing_has_its_command() {
        let v6 = vec![("fd00::100".parse().unwrap(), true)];
        let pit = |checks, taken: &[Ipv4Addr]| Tarpit { checks, taken: taken.to_vec() };
        let rows: [(Segment, Verdict, &str); 9] = [
            (Segment { up: Ok(false), ..segment() }, Wrong, "do: ip link set eth0.5 up"),
            (Segment { up: Err("gone".to_owned()), ..segment() }, Wrong, "gone; do: ip link show"),
            (Segment { deaf: Some("no right".to_owned()), ..segment() }, Wrong, "cap_net_raw+ep"),
            (
                Segment { addresses: v6.clone(), ..segment() },
                Wrong,
                "ip -6 -o address show to fd00",
            ),
            (Segment { addresses: v6, ..segment() }, Wrong, "net/ipv6/conf/all/forwarding=0"),
            (
                Segment { forwards: [true, false], ..segment() },
                Wrong,
                "do: sysctl -w net/ipv4/conf/eth0.5/forwarding=0",
            ),
            (Segment { tarpit: Some(pit(true, &[])), ..segment() }, Good, "asks for an address"),
            (Segment { tarpit: Some(pit(false, &[])), ..segment() }, Caution, "'tarpit_check'"),
            (
                Segment { tarpit: Some(pit(false, &[[10, 0, 0, 2].into()])), ..segment() },
                Wrong,
                "that somebody has: 10.0.0.2; do:",
            ),
        ];
        for (segment, verdict, words) in rows {
            let all = findings(&segment);
            let found = all.iter().find(|f| f.to_string().contains(words));
            assert_eq!(found.map(|f| f.verdict), Some(verdict), "{words}: {all:?}");
        }
    }
}
