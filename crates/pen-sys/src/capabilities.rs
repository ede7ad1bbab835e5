//! Single rights of root: which of them this thread has, and keeping some while the rest goes.
//!
//! The kernel keeps them per thread; a new thread has those of the one that starts it.

use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities,
};

/// A right that is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Raw sockets, and addresses this machine does not have: the smallest right that gives the
    /// latter.
    NetRaw,
}

impl Capability {
    /// Its name in the manuals.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NetRaw => "CAP_NET_RAW",
        }
    }

    fn bit(self) -> CapabilitySet {
        match self {
            Self::NetRaw => CapabilitySet::NET_RAW,
        }
    }
}

/// What of `wanted` this thread may have when it has become another user.
pub(crate) fn permitted(wanted: &[Capability]) -> io::Result<CapabilitySet> {
    let wanted: CapabilitySet = wanted.iter().map(|c| c.bit()).collect();
    Ok(capabilities(None)?.permitted & wanted)
}

/// Runs `change`, which gives up the user root, and leaves this thread exactly `kept`, permitted and
/// effective; that is verified. Other threads lose everything.
pub(crate) fn through(
    kept: CapabilitySet,
    change: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    set_keep_capabilities(!kept.is_empty())?;
    change()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: none };
    set_capabilities(None, sets)?;
    set_keep_capabilities(false)?;
    if capabilities(None)? != sets {
        return Err(io::Error::other("the capabilities are not the wanted ones"));
    }
    Ok(())
}
