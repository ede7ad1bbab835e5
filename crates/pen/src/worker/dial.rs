//! The first step to a server: a socket that leaves from the address it should, and a connect that
//! is under way.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use pen_core::addr::{Peer, Place};
use pen_core::config::ServiceConfig;
use pen_core::reasons::ConnectFailure;
use pen_core::servers::ServerRef;
use pen_core::transparent::{self, Departure, Obstacle};
use pen_sys::sockets::{self, NotTransparent, Options, Source, Target};
use rustix::io::Errno;

use super::Worker;
use crate::shared::Service;
use crate::socket_options;

/// Who is to be connected to whom.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) config: &'a ServiceConfig,
    pub(super) client: Peer,
    pub(super) server: ServerRef,
    /// Bytes for the server are there already.
    pub(super) bytes_follow: bool,
}

impl Worker {
    /// Starts a connect; the answer comes as an event.
    pub(super) fn dial(&self, call: Call<'_>, place: &Place) -> Result<OwnedFd, ConnectFailure> {
        let to = match place {
            Place::Unix(path) => {
                let begun = sockets::connect_start(Target::Unix(path));
                return started(begun.map(|(socket, _)| socket));
            }
            Place::Tcp(to) => *to,
        };
        let departure = transparent::departure(call.config, call.client.addr, to);
        match departure.map_err(|o| self.cannot_show(call, o))? {
            Departure::Own => started(start(call, to, Source::Any)),
            Departure::AsClient(ip) => self.dial_as_client(call, to, ip),
            Departure::From(ip) => self.dial_from(call, to, ip),
        }
    }

    /// A source address that this machine does not have (any more) is left out, as the classic does:
    /// that costs a message, not the service. Ports that ran out are another matter.
    fn dial_from(
        &self,
        call: Call<'_>,
        to: SocketAddr,
        ip: IpAddr,
    ) -> Result<OwnedFd, ConnectFailure> {
        match start(call, to, Source::Own(ip)) {
            Err(e) if e.kind() == io::ErrorKind::AddrNotAvailable && !sockets::is_ours(ip) => {
                self.say_foreign_source(call.service, ip);
            }
            other => return started(other),
        }
        let departure = transparent::without_source(call.config, call.client.addr, to);
        match departure.map_err(|o| self.cannot_show(call, o))? {
            Departure::AsClient(ip) => self.dial_as_client(call, to, ip),
            Departure::Own | Departure::From(_) => started(start(call, to, Source::Any)),
        }
    }

    fn dial_as_client(
        &self,
        call: Call<'_>,
        to: SocketAddr,
        ip: IpAddr,
    ) -> Result<OwnedFd, ConnectFailure> {
        let begun = start(call, to, Source::Foreign(ip));
        let Some(why) = begun.as_ref().err().and_then(NotTransparent::of) else {
            return started(begun);
        };
        self.say_not_transparent(call, &format!("the kernel refuses {why}"));
        match call.config.transparent_fallback {
            true => started(start(call, to, Source::Any)),
            false => Err(ConnectFailure::NotTransparent),
        }
    }

    fn cannot_show(&self, call: Call<'_>, obstacle: Obstacle) -> ConnectFailure {
        self.say_not_transparent(call, obstacle.words());
        ConnectFailure::NotTransparent
    }
}

fn start(call: Call<'_>, to: SocketAddr, from: Source) -> io::Result<OwnedFd> {
    let options = &Options { bytes_follow: call.bytes_follow, ..socket_options::of(call.config) };
    sockets::connect_start(Target::Tcp { to, from, options }).map(|(socket, _)| socket)
}

fn started(answer: io::Result<OwnedFd>) -> Result<OwnedFd, ConnectFailure> {
    answer.map_err(|e| failure_of(&e))
}

/// Whose fault an error of a connect is.
pub(super) fn failure_of(error: &io::Error) -> ConnectFailure {
    let Some(errno) = Errno::from_io_error(error) else {
        // A Unix server whose queue is full: busy, not dead.
        return ConnectFailure::LocalResources;
    };
    match errno {
        Errno::MFILE
        | Errno::NFILE
        | Errno::NOBUFS
        | Errno::NOMEM
        | Errno::ADDRNOTAVAIL
        | Errno::ADDRINUSE => ConnectFailure::LocalResources,
        Errno::TIMEDOUT => ConnectFailure::TimedOut,
        Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::HOSTDOWN | Errno::NETDOWN => {
            ConnectFailure::Unreachable
        }
        Errno::CONNRESET | Errno::PIPE => ConnectFailure::Reset,
        _ => ConnectFailure::Refused,
    }
}
