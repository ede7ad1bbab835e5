//! The listeners that the service manager keeps over a restart: what Pen has told it of them.
//!
//! The store has names; sockets of one name come and go together. Deliberately not here: taking listeners
//! back at a start (`listeners::handed`).

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use pen_sys::notify::Notify;

use super::Desk;
use crate::listeners::stock::Kept;

/// What the service manager keeps. It does not keep sockets open here.
#[derive(Debug, Default)]
pub(super) struct Stored(Vec<(String, Weak<OwnedFd>)>);

impl Desk {
    /// The service manager keeps the listeners over a restart, if it is asked to.
    pub(super) fn store_listeners(&mut self) {
        if self.notify.is_heard() {
            let kept = self.listeners();
            self.stored.renew(&kept, &self.notify);
        }
    }

    /// What was kept and is not wanted any more.
    pub(super) fn forget_strays(&mut self) {
        for name in self.running.take_strays() {
            self.notify.forget(&name);
        }
    }
}

impl Stored {
    /// Tells the service manager what has changed.
    fn renew(&mut self, kept: &[Kept], notify: &Notify) {
        let (gone, fresh) = self.changes(kept);
        for name in &gone {
            notify.forget(name);
        }
        for new in fresh {
            notify.store(&new.name, new.socket.as_fd());
        }
        self.0 = kept.iter().map(|k| (k.name.clone(), Arc::downgrade(&k.socket))).collect();
    }

    /// The names to forget, and what is stored after that.
    fn changes<'a>(&self, kept: &'a [Kept]) -> (Vec<String>, Vec<&'a Kept>) {
        let same = |k: &Kept, (name, socket): &(String, Weak<OwnedFd>)| {
            k.name == *name && std::ptr::eq(Arc::as_ptr(&k.socket), socket.as_ptr())
        };
        let gone = self.0.iter().filter(|stored| !kept.iter().any(|k| same(k, stored)));
        let mut gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        gone.dedup();
        let is_known = |k: &Kept| self.0.iter().any(|stored| same(k, stored));
        let fresh = kept.iter().filter(|k| !is_known(k) || gone.contains(&k.name)).collect();
        (gone, fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str) -> Kept {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        Kept { name: name.to_owned(), socket: Arc::new(socket.into()) }
    }

    #[test]
    fn only_what_changes_is_told_and_one_name_goes_together() {
        let all = [kept("a"), kept("a"), kept("b")];
        let mut stored = Stored::default();
        let names = |(gone, fresh): (Vec<String>, Vec<&Kept>)| {
            (gone.join(" "), fresh.iter().map(|k| k.name.as_str()).collect::<Vec<_>>().join(" "))
        };
        let told = |gone: &str, fresh: &str| (gone.to_owned(), fresh.to_owned());
        assert_eq!(names(stored.changes(&all)), told("", "a a b"));
        stored.renew(&all, &Notify::default());
        assert_eq!(names(stored.changes(&all)), told("", ""));
        // A place that was left and listened to again, with other sockets.
        let again = [all[0].clone(), kept("a"), all[2].clone()];
        assert_eq!(names(stored.changes(&again)), told("a", "a a"));
        assert_eq!(names(stored.changes(&all[2..])), told("a", ""));
        assert_eq!(names(stored.changes(&[])), told("a b", ""));
    }
}
