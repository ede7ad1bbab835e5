//! Spreading clients over the workers.
//!
//! The kernel spreads them by a hash of their address, one listening socket per worker. For many
//! clients that is even; a few that stay may all be at one worker. So a worker with clearly more
//! connections than another hands a fresh client over before anything is done for it. Its place in
//! the service was taken when it was accepted and stays taken on the way.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pen_core::addr::Peer;
use pen_core::limits;
use pen_sys::sockets;

use super::Worker;
use super::station::Shared;
use crate::shared::{Mailbox, Newcomer, Order, Service};

impl Worker {
    /// Takes in a client, or hands it to a worker that has clearly fewer.
    pub(super) fn settle_in(&mut self, station: u32, service: &Shared, client: (OwnedFd, Peer)) {
        let pool = Arc::clone(&self.pool);
        let Some(mailbox) = self.less_busy().and_then(|n| pool.mailboxes.get(n)) else {
            return self.welcome(station, service, client);
        };
        // Counted there at once, so that the next client sees it; and as a pending connect, which
        // it is about to be.
        mailbox.connections.fetch_add(1, Ordering::Relaxed);
        service.pending.fetch_add(1, Ordering::SeqCst);
        let (socket, peer) = client;
        let newcomer = Newcomer { service: Arc::clone(service), socket, peer };
        if let Err(Newcomer { socket, peer, .. }) = mailbox.entrust(newcomer) {
            arrived(mailbox, service);
            self.welcome(station, service, (socket, peer));
        }
    }

    /// Takes in a client that another worker accepted.
    pub(super) fn take_over(&mut self, newcomer: Newcomer) {
        let Newcomer { service, socket, peer } = newcomer;
        let station = self.station_of(&service);
        // Without a spare descriptor the connect may still find one.
        let _ = self.keep_spare();
        self.welcome(station, &service, (socket, peer));
        self.pool.mailboxes.get(self.index).inspect(|m| arrived(m, &service));
        service.feed_starved(&self.pool);
    }

    /// Counts a connection that begins or ends here.
    pub(super) fn count(&self, change: impl Fn(&Mailbox) -> u32) {
        if let Some(mailbox) = self.pool.mailboxes.get(self.index) {
            change(mailbox);
        }
    }

    /// The thread ends: clients on their way to it see a reset, like all others.
    pub(super) fn turn_away(&self) {
        let Some(mailbox) = self.pool.mailboxes.get(self.index) else { return };
        for order in mailbox.close() {
            if let Order::TakeOver(Newcomer { service, socket, .. }) = order {
                sockets::reset(socket);
                arrived(mailbox, &service);
                service.leave(&self.pool);
            }
        }
    }

    /// A worker with clearly fewer connections than this one, if there is one. Not all are looked at
    /// where there are many: each look may cost a cache miss.
    fn less_busy(&mut self) -> Option<usize> {
        let all = &self.pool.mailboxes;
        let others = all.len().checked_sub(1).filter(|n| *n > 0)?;
        let mine = all.get(self.index)?.connections.load(Ordering::Relaxed);
        let margin = limits::SPREAD_MARGIN + mine / limits::SPREAD_SHARE;
        let enough = mine.checked_sub(margin)?;
        self.looked = (self.looked + limits::SPREAD_LOOKS) % others;
        let from = self.looked;
        let looks = (0..others.min(limits::SPREAD_LOOKS))
            .map(|n| (self.index + 1 + (from + n) % others) % all.len())
            .filter_map(|n| Some((all.get(n)?.connections.load(Ordering::Relaxed), n)));
        looks.min().filter(|(theirs, _)| *theirs < enough).map(|(_, n)| n)
    }
}

/// What was counted for a client on its way is taken back: it has been taken in, or turned away.
fn arrived(mailbox: &Mailbox, service: &Service) {
    mailbox.connections.fetch_sub(1, Ordering::Relaxed);
    service.pending.fetch_sub(1, Ordering::SeqCst);
}
