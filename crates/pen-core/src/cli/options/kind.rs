//! What the options of `pen` do.

use super::super::opt::Meaning;
use crate::command::{Number, Switch, Target};

/// What an option does.
#[derive(Clone, Copy)]
pub enum Kind {
    Text(Text),
    Number(Number),
    Switch(Switch),
    HashAndForget,
    Target(Target),
    Line,
    Flag(Flag),
    /// The value may be left out.
    Demo,
    Help,
    Version,
    Old,
    Windows,
    /// `-L`
    Protocol,
    /// `-R`
    ClientCertificates,
    /// `-Z`
    Compatibility,
    Udp,
}

impl Meaning for Kind {
    fn value_is_optional(&self) -> bool {
        matches!(self, Self::Demo)
    }

    fn is_old(&self) -> bool {
        matches!(self, Self::Old)
    }
}

#[derive(Clone, Copy)]
pub enum Text {
    ConfigFile,
    Control,
    PidFile,
    User,
    Jail,
    Emergency,
    Abuse,
}

#[derive(Clone, Copy)]
pub enum Flag {
    Check,
    Debug,
    EnableExit,
    Foreground,
    Live,
}
