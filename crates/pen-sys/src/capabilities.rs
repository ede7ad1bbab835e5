//! Single rights of root: which of them this thread has, and keeping some while the rest goes.
//!
//! The kernel keeps them per thread; a new thread has those of the one that starts it.

use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities,
};

/// A right that is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Reading and writing files whatever their permissions.
    DacOverride,
    /// Reading files and directories whatever their permissions.
    DacReadSearch,
    /// Replacing files of other users.
    Fowner,
    /// Socket options and routes that are root's.
    NetAdmin,
    /// Listening at ports below 1024.
    NetBindService,
    /// Raw sockets, and addresses this machine does not have: the smallest right that gives the
    /// latter.
    NetRaw,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DacOverride,
        Self::DacReadSearch,
        Self::Fowner,
        Self::NetAdmin,
        Self::NetBindService,
        Self::NetRaw,
    ];

    /// Its name in the manuals.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::Fowner => "CAP_FOWNER",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::NetRaw => "CAP_NET_RAW",
        }
    }

    fn bit(self) -> CapabilitySet {
        match self {
            Self::DacOverride => CapabilitySet::DAC_OVERRIDE,
            Self::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
            Self::Fowner => CapabilitySet::FOWNER,
            Self::NetAdmin => CapabilitySet::NET_ADMIN,
            Self::NetBindService => CapabilitySet::NET_BIND_SERVICE,
            Self::NetRaw => CapabilitySet::NET_RAW,
        }
    }
}

/// Those of `all` whose bits are set.
fn named(bits: CapabilitySet) -> Vec<Capability> {
    Capability::ALL.into_iter().filter(|c| bits.contains(c.bit())).collect()
}

/// What this thread may use, as far as [`Capability`] has names for it, and whether it may use
/// anything else.
///
/// # Errors
/// What capget says.
pub fn effective() -> io::Result<(Vec<Capability>, bool)> {
    let bits = capabilities(None)?.effective;
    let known: CapabilitySet = Capability::ALL.iter().map(|c| c.bit()).collect();
    Ok((named(bits), !(bits - known).is_empty()))
}

/// Leaves this thread, and those it starts later, no more than `kept` of what it has: permitted and
/// effective; nothing inheritable or ambient. What is in no set any more cannot be had back by
/// executing anything either, if this thread may still say so (CAP_SETPCAP). Threads that run already
/// keep what they have.
///
/// # Errors
/// What the kernel refused, or that something is left. Something may have been given up then.
pub fn give_up_all_but(kept: &[Capability]) -> io::Result<()> {
    let now = capabilities(None)?;
    let kept = permitted(kept)?;
    if now.effective.contains(CapabilitySet::SETPCAP) {
        narrow_bounding(kept)?;
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: none };
    match set_capabilities(None, sets) {
        // A service manager's filter: it has left what is to be left, and what is inheritable
        // counts when something is executed.
        Err(_) if kept.contains(now.permitted) => return Ok(()),
        changed => changed?,
    }
    // Gone with the inheritable ones already; kernels before 4.3 know none.
    let _ = clear_ambient_capability_set();
    if capabilities(None)? != sets {
        return Err(io::Error::other("the capabilities are not the wanted ones"));
    }
    Ok(())
}

fn narrow_bounding(kept: CapabilitySet) -> io::Result<()> {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(one) {
            Ok(true) if !kept.contains(one) => remove_capability_from_bounding_set(one)?,
            Ok(_) => {}
            // The kernel has no more of them.
            Err(_) => break,
        }
    }
    Ok(())
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
    if capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        // The user that is left may say it no more.
        narrow_bounding(kept)?;
    }
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
