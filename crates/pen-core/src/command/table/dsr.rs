//! Rows: direct server return and the tarpit.

use super::{Number, Report, Scope, Spec, Switch, Target, number, off, on, report, unusable};
use crate::command::words::{Args, owned};
use crate::command::{Command, Fault, Word};
use crate::limits::INTERFACE_NAME_MAX;

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "dsr_if",
        &["dsr_if [INTERFACE] [json]", "no dsr_if"],
        Scope::Service,
        "direct server return on this interface",
        interface,
    )
    .no(|_| Ok(Command::Target(Target::DsrIf, Some(None))))
    .json()
    .manual(
        "Frames for the service's addresses that arrive on INTERFACE are passed on to the servers, \
         unchanged but for the hardware addresses, and the servers answer the clients directly: they \
         are on the same segment and have the service's address themselves. An address without a \
         port is every port of it. TCP, or UDP with protocol udp. Servers are chosen by the client's \
         address, with roundrobin by its port as well, in shares by weight; weight, hash, prio and \
         the limits have no meaning. It needs the capability CAP_NET_RAW when it is switched on. See \
         docs/dsr.md.",
    ),
    Spec::new(
        "dsr_ip",
        &["dsr_ip ADDRESS", "no dsr_ip"],
        Scope::Service,
        "the service's address, where listen says a port only",
        |a| a.need_word("an address").map(|w: Word| Command::DsrIp(Some(w))),
    )
    .no(|_| Ok(Command::DsrIp(None)))
    .manual("It has a meaning with dsr_if only."),
    Spec::new(
        "tarpit_acl",
        &["tarpit_acl [N]"],
        Scope::Service,
        "the list of addresses that are a tarpit",
        tarpit,
    )
    .manual(
        "-1, the default, is off. With dsr_if: IPv4 addresses that list N permits and that nobody \
         has look as if somebody had them; who connects hangs. An empty list is no tarpit. Addresses \
         of this machine, of the service and of its servers are never part of it.",
    ),
    Spec::new(
        "tarpit_check",
        &["tarpit_check", "no tarpit_check"],
        Scope::Service,
        "ask for an address before the tarpit answers for it",
        |_| Ok(on(Switch::TarpitCheck)),
    )
    .no(|_| Ok(off(Switch::TarpitCheck)))
    .since("0.1.0")
    .manual(
        "On by default. The first question for an address is not answered but asked again by Pen; \
         the next one is answered unless somebody has spoken up. Without it an address that exists \
         is left alone only once it has been heard.",
    ),
    Spec::new(
        "tarpit_rate",
        &["tarpit_rate [N]"],
        Scope::Service,
        "answers of the tarpit per second",
        |a| number(a, Number::TarpitRate),
    )
    .json()
    .since("0.1.0")
    .manual("1000 unless it is set. Further questions are dropped and counted."),
    Spec::new(
        "dsr_standby",
        &["dsr_standby", "no dsr_standby"],
        Scope::Service,
        "with dsr_if: another machine answers for the service's addresses",
        |_| Ok(on(Switch::DsrStandby)),
    )
    .no(|_| Ok(off(Switch::DsrStandby)))
    .since("0.2.0")
    .manual(
        "For one of a pair of machines, between which keepalived moves the service: nobody is told that \
         the addresses are here, and the tarpit is silent. Servers are looked for as always, and frames \
         that come all the same are passed on. no dsr_standby tells the segment at once that the addresses are \
         here now. Off by default. dist/keepalived/pen-notify switches it.",
    ),
    Spec::new(
        "dsr",
        &["dsr [json]"],
        Scope::Service,
        "count frames, and show the servers' hardware addresses",
        |_| report(Report::Dsr),
    )
    .json()
    .control_only()
    .since("0.1.0")
    .manual(
        "Prints the interface, frames forwarded and answered, why frames were dropped, and where \
         each server was found.",
    ),
];

fn interface(args: &mut Args<'_>) -> Result<Command, Fault> {
    let Some(word) = args.next() else { return Ok(Command::Target(Target::DsrIf, None)) };
    let unfit = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    if word.0.len() > INTERFACE_NAME_MAX || word.0.contains(unfit) || word.0.starts_with('.') {
        return Err(unusable(args, word, "is no name of an interface"));
    }
    Ok(Command::Target(Target::DsrIf, Some(Some(owned(word).text))))
}

fn tarpit(args: &mut Args<'_>) -> Result<Command, Fault> {
    if args.rest.len() == 0 {
        return Ok(Command::TarpitAcl(None));
    }
    let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
    args.need_number("a list", low, high).map(|n| Command::TarpitAcl(Some(n)))
}
