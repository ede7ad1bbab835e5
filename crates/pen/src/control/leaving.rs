//! Addresses that leave the machine: what is bound to them is closed (`leaving_addresses`), told once
//! for each with how much it was.
//!
//! Deliberately not here: how the kernel tells (`pen_sys::addresses`), and which have left for good
//! (`pen_core::addresses`).

use std::io;
use std::net::IpAddr;

use pen_core::addr::Place;
use pen_core::addresses::Addresses;
use pen_core::config::{Config, Leaving};
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::moment::Moment;
use pen_sys::addresses::{Addresses as Kernel, Told};

use crate::clock;
use crate::gather::ask;
use crate::logs::Level;
use crate::publish::Running;
use crate::shared::{Closed, Order};

/// The addresses of the machine as they come and go.
#[derive(Debug)]
pub(super) struct Watch {
    kernel: Kernel,
    known: Addresses,
}

impl Watch {
    /// From here on.
    pub(super) fn new(kernel: Kernel) -> io::Result<Self> {
        let mut known = Addresses::default();
        known.listing();
        kernel.list()?;
        Ok(Self { kernel, known })
    }

    /// What rings when something is told.
    pub(super) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// When [`Watch::look`] has something to do.
    pub(super) fn due(&self) -> Option<Moment> {
        self.known.due()
    }

    /// Hears what the kernel tells.
    pub(super) fn hear(&mut self) -> io::Result<()> {
        let (now, mut missed, known) = (clock::now(), false, &mut self.known);
        self.kernel.hear(|told| match told {
            Told::Came(ip, interface, prefix) => known.came((ip, interface, prefix)),
            Told::Left(ip, interface, prefix) => known.left((ip, interface, prefix), now),
            Told::Listed => known.listed(now),
            Told::Missed => missed = true,
        })?;
        if missed {
            known.listing();
            self.kernel.list()?;
        }
        Ok(())
    }

    /// Closes what is bound to addresses that have left for good.
    pub(super) fn look(&mut self, running: &Running, now: Moment) {
        for ip in self.known.gone(now) {
            if running.config.process.leaving == Leaving::Close {
                close(running, ip);
            }
        }
    }
}

fn close(running: &Running, ip: IpAddr) {
    let (closed, _) = ask(&running.pool, |reply| Order::AddressLeft { address: ip, reply });
    let sum = closed.into_iter().fold(Closed::default(), Closed::and);
    if sum == Closed::default() && !is_listened_on(&running.config, ip) {
        // Machines have many addresses that are none of Pen's business.
        return;
    }
    let Closed { connections, flows } = sum;
    let text = format!(
        "address {ip} has left this machine; {connections} connections and {flows} flows that used it \
         are closed"
    );
    running.logs.event(Subject::new(EventKey::AddressLeft), |e| {
        e.with(Detail::Connections, connections)
            .with(Detail::Flows, flows)
            .saying(&*text)
            .address(ip.to_string())
    });
    running.logs.say(Level::Always, || text);
}

fn is_listened_on(config: &Config, ip: IpAddr) -> bool {
    let mut places = config.services.iter().flat_map(|s| &s.listen).map(|listen| &listen.place);
    places.any(|place| matches!(place, Place::Tcp(address) if address.ip() == ip))
}
