//! Rows: what this build does not offer yet, and words that have lost their meaning.
//!
//! Switching off what is off is accepted; what would have an effect is refused.

use super::{Scope, Spec, not_offered};
use crate::command::Command;

pub(super) const ROWS: &[Spec] = &[
    Spec::new("dsr_if", &["dsr_if INTERFACE"], Scope::Service, "direct server return", |a| {
        Err(not_offered(a, "direct server return"))
    }),
    Spec::new("dsr_ip", &["dsr_ip ADDRESS"], Scope::Service, "direct server return", |a| {
        Err(not_offered(a, "direct server return"))
    })
    .hidden(),
    Spec::new(
        "tarpit_acl",
        &["tarpit_acl [N]"],
        Scope::Service,
        "the list of addresses that are a tarpit",
        |a| match a.next() {
            None | Some(("-1", _)) => Ok(Command::TarpitOff),
            Some(_) => Err(not_offered(a, "a tarpit")),
        },
    )
    .manual("-1 is off."),
    Spec::new("epoll", &["epoll"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("epoll"))
    })
    .hidden(),
    Spec::new("poll", &["poll"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("poll"))
    })
    .hidden(),
    Spec::new("select", &["select"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("select"))
    })
    .hidden(),
    Spec::new("kqueue", &["kqueue"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("kqueue"))
    })
    .hidden(),
    Spec::new("block", &["block", "no block"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("block"))
    })
    .no(|_| Ok(Command::Obsolete("block")))
    .hidden(),
    Spec::new(
        "delayed_forward",
        &["delayed_forward", "no delayed_forward"],
        Scope::Process,
        "old word, no effect",
        |_| Ok(Command::Obsolete("delayed_forward")),
    )
    .no(|_| Ok(Command::Obsolete("delayed_forward")))
    .hidden(),
];
