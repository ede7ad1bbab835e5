//! The control socket and who may come in.
//!
//! A Unix socket is made with mode 0600 and lets in root and Pen's own user. Over TCP the access
//! list of `control_acl` decides; an empty one lets in loopback only.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::lchown;
use std::sync::Arc;

use pen_core::acl::{AccessList, Countries};
use pen_core::addr::{ClientAddr, Place};
use pen_core::config::Config;
use pen_core::limits;
use pen_sys::privileges::User;
use pen_sys::sockets::{self, Accepted, Binding, Peer, Seat, Transport};

use crate::listeners::stock::Kept;

/// Only the owner may connect.
const MODE: u32 = 0o600;

/// The listening control socket.
#[derive(Debug)]
pub struct ControlDoor {
    socket: Arc<OwnedFd>,
    tcp: bool,
    /// Given up for a visitor when there are no descriptors left: the operator is needed then.
    spare: Option<OwnedFd>,
    /// The name of a Unix socket that this process has made; it goes with the door.
    seat: Option<Seat>,
}

/// What a knock brought.
#[derive(Debug)]
pub enum Visitor {
    /// Somebody who may talk, with a name for the log.
    Welcome(OwnedFd, String),
    /// Somebody who may not; closed without a word.
    Refused(String),
    /// Nobody is there any more.
    Nobody,
    /// Descriptors or memory ran out; the visitor still waits.
    Shortage(io::Error),
}

impl ControlDoor {
    /// Opens the control socket at `place`; a Unix socket is given to `owner`, if there is one. `ours`: this
    /// process has that port already, and need not prove that it is free.
    ///
    /// # Errors
    /// The address is in use or cannot be had.
    pub fn open(place: &Place, owner: Option<&User>, ours: bool) -> io::Result<Self> {
        match place {
            Place::Tcp(address) => {
                let here = Binding::here(false);
                if !ours {
                    sockets::tcp_probe(*address, here)?;
                }
                let backlog = limits::CONTROL_BACKLOG;
                let socket = sockets::tcp_bind(*address, Transport::Tcp, backlog, here)?;
                Ok(Self::adopt(place, socket))
            }
            Place::Unix(path) => {
                let socket = sockets::unix_bind(path, limits::CONTROL_BACKLOG, Some(MODE))?;
                if let Some(User { uid, gid, .. }) = owner {
                    // The name itself, not what somebody may have put behind it.
                    lchown(path, Some(*uid), Some(*gid))?;
                }
                Ok(Self { seat: Seat::of(path), ..Self::adopt(place, socket) })
            }
        }
    }

    /// Somebody else has this socket too: its name stays.
    pub fn stay(&mut self) {
        self.seat.iter_mut().for_each(Seat::stay);
    }

    /// The control socket at `place` that somebody else opened.
    #[must_use]
    pub fn adopt(place: &Place, socket: OwnedFd) -> Self {
        let tcp = matches!(place, Place::Tcp(_));
        Self { socket: Arc::new(socket), tcp, spare: None, seat: None }
    }

    /// Its name among the listeners.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept { name: "control".to_owned(), socket: Arc::clone(&self.socket) }
    }

    /// What the operator should know about who is let in.
    #[must_use]
    pub fn caution(&self, config: &Config) -> Option<String> {
        let empty = access_list(config).is_none_or(|l| l.entries.is_empty());
        (self.tcp && empty).then(|| {
            let list = config.process.control_acl.list;
            format!("control: access list {list} is empty: only loopback addresses are let in")
        })
    }

    /// Keeps a descriptor (another one of `any`) for the next visitor, if there is one to be had. To be
    /// called as often as one has become free here, before clients of the services take it.
    pub fn keep_spare(&mut self, any: impl AsFd) {
        if self.spare.is_none() {
            self.spare = rustix::io::fcntl_dupfd_cloexec(any, 0).ok();
        }
    }

    /// Lets the next client in, or not.
    #[must_use]
    pub fn admit(&mut self, config: &Config, countries: Option<&dyn Countries>) -> Visitor {
        let accepted = match sockets::accept(&self.socket) {
            Accepted::Shortage(_) if self.spare.take().is_some() => sockets::accept(&self.socket),
            accepted => accepted,
        };
        let (socket, peer) = match accepted {
            Accepted::Client(socket, peer) => (socket, peer),
            Accepted::Nobody | Accepted::Gone => return Visitor::Nobody,
            Accepted::Shortage(e) | Accepted::Broken(e) => return Visitor::Shortage(e),
        };
        match peer {
            Peer::Ip(address) => {
                let ip = address.ip().to_canonical();
                if permits(config, countries, ip) {
                    Visitor::Welcome(socket, ip.to_string())
                } else {
                    Visitor::Refused(ip.to_string())
                }
            }
            Peer::Unix => {
                let ours = rustix::process::geteuid().as_raw();
                match sockets::peer_uid(&socket) {
                    Ok(uid) if uid == 0 || uid == ours => {
                        Visitor::Welcome(socket, format!("uid {uid}"))
                    }
                    Ok(uid) => Visitor::Refused(format!("uid {uid}")),
                    Err(e) => Visitor::Refused(format!("an unknown user ({e})")),
                }
            }
        }
    }
}

impl AsFd for ControlDoor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn permits(config: &Config, countries: Option<&dyn Countries>, ip: IpAddr) -> bool {
    match access_list(config) {
        Some(list) if !list.entries.is_empty() => {
            list.permits(ClientAddr::from_ip(ip), |ip| countries?.country(ip))
        }
        _ => ip.is_loopback(),
    }
}

fn access_list(config: &Config) -> Option<&AccessList> {
    let chosen = &config.process.control_acl;
    config.service(&chosen.service)?.acls.get(usize::from(chosen.list))
}

#[cfg(test)]
mod tests {
    use pen_core::acl::{Entry, Verdict, Whom};

    use super::*;

    #[derive(Debug)]
    struct Sweden;

    impl Countries for Sweden {
        fn country(&self, ip: IpAddr) -> Option<[u8; 2]> {
            ip.to_string().starts_with("192.0.2.").then_some(*b"SE")
        }
    }

    #[test]
    fn countries_may_control_if_they_are_known() {
        let mut config = Config::default();
        let whom = Whom::country("SE").unwrap();
        config.services[0].acls[0].entries = vec![Entry { verdict: Verdict::Permit, whom }];
        for (ip, expected) in [("192.0.2.1", true), ("127.0.0.1", false)] {
            let ip = ip.parse().unwrap();
            assert_eq!(permits(&config, Some(&Sweden), ip), expected);
            assert!(!permits(&config, None, ip));
        }
    }

    #[test]
    fn an_empty_list_lets_in_loopback_only() {
        let mut config = Config::default();
        let rows = [("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("192.0.2.1", false)];
        for list in [0, 9, 77] {
            config.process.control_acl.list = list;
            for (ip, expected) in rows {
                assert_eq!(permits(&config, None, ip.parse().unwrap()), expected, "{ip}");
            }
        }
        config.process.control_acl.service = "gone".to_owned();
        assert!(!permits(&config, None, "192.0.2.1".parse().unwrap()));
    }
}
