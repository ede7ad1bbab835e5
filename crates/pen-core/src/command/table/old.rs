//! Rows: words that have lost their meaning.

use super::{Scope, Spec};
use crate::command::Command;

pub(super) const ROWS: &[Spec] = &[
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
