//! A local port for a flow: one that leaves from the address it should; or why there is none.

use std::net::{IpAddr, SocketAddr};

use pen_core::addr::Peer;
use pen_core::flow::{DropReason, FlowEnd, FlowId};
use pen_core::limits;
use pen_core::reasons::{CloseReason, ConnectFailure};
use pen_core::select::Visitor;
use pen_core::servers::ServerRef;
use pen_core::transparent::{self, Departure, Obstacle};
use pen_sys::datagrams::{self, Origin};
use pen_sys::sockets::{self, NotTransparent};

use super::super::Worker;
use super::super::dial::Call;
use super::Scene;

/// What a port is wanted for.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) client: Peer,
    pub(super) server: ServerRef,
    pub(super) at: SocketAddr,
    /// The flow it is for, if it is there already.
    pub(super) mover: Option<FlowId>,
}

impl Worker {
    /// A port for one more flow at the server, if need be in exchange for flows that were quiet
    /// longest, but not for the one that wishes.
    pub(super) fn port_for(&mut self, scene: Scene<'_>, wish: Wish) -> Result<u64, ConnectFailure> {
        let config = &scene.live.config;
        let departure = transparent::departure(config, wish.client.addr, wish.at);
        let mut departure = departure.map_err(|o| self.flow_cannot_show(scene, wish, o))?;
        for _ in 0..limits::UDP_PORT_TRIES {
            let origin = origin_of(departure, wish.at);
            let Self { udp, pool, epoll, .. } = self;
            let found = udp.change(|udp| match udp.ports.free_for(origin, wish.at) {
                Some(port) => Ok(port),
                None => udp.ports.open(origin, pool, epoll),
            });
            let error = match found {
                Ok(port) => {
                    // Until a flow uses it.
                    udp.hand.port = Some((port, wish.at));
                    return Ok(port);
                }
                Err(error) => error,
            };
            if let Some(why) = NotTransparent::of(&error) {
                self.say_not_transparent(call(scene, wish), &format!("the kernel refuses {why}"));
                if !config.transparent_fallback {
                    return Err(ConnectFailure::NotTransparent);
                }
                departure = Departure::Own;
                continue;
            }
            // A source address that this machine does not have (any more) is left out, as with TCP.
            if let Departure::From(ip) = departure
                && error.kind() == std::io::ErrorKind::AddrNotAvailable
                && !sockets::is_ours(ip)
            {
                self.say_foreign_source(scene.service, ip);
                let next = transparent::without_source(config, wish.client.addr, wish.at);
                departure = next.map_err(|o| self.flow_cannot_show(scene, wish, o))?;
                continue;
            }
            self.say_no_port(scene.service, &error);
            let quietest = self.udp.table(scene.station).flows.quietest();
            match quietest {
                Some((victim, _)) if Some(victim) != wish.mover => {
                    self.end_flow(scene, victim, FlowEnd::Recycled);
                }
                _ => break,
            }
        }
        Err(ConnectFailure::LocalResources)
    }

    /// The journey of a flow ended without a server.
    pub(super) fn refuse_flow(
        &self,
        scene: Scene<'_>,
        visitor: &Visitor,
        reason: CloseReason,
    ) -> DropReason {
        if reason == CloseReason::NotTransparent {
            self.say_cannot_be_shown(scene.service, visitor.peer);
        }
        self.tell_no_server(scene.service, visitor.peer, reason);
        drop_reason(reason)
    }

    fn flow_cannot_show(&self, scene: Scene<'_>, wish: Wish, why: Obstacle) -> ConnectFailure {
        self.say_not_transparent(call(scene, wish), why.words());
        ConnectFailure::NotTransparent
    }
}

fn call(scene: Scene<'_>, wish: Wish) -> Call<'_> {
    let Scene { service, live, .. } = scene;
    let (config, client, server) = (&live.config, wish.client, wish.server);
    Call { service, config, client, server, bytes_follow: false }
}

fn origin_of(departure: Departure, server: SocketAddr) -> Origin {
    let own = |ip: IpAddr| Origin { ip, foreign: false };
    match departure {
        Departure::Own => own(datagrams::any(server.ip())),
        Departure::From(ip) => own(ip),
        Departure::AsClient(ip) => Origin { ip, foreign: true },
    }
}

fn drop_reason(reason: CloseReason) -> DropReason {
    match reason {
        CloseReason::ClientDenied => DropReason::ClientDenied,
        CloseReason::Stubborn => DropReason::Stubborn,
        CloseReason::OutOfResources => DropReason::NoPort,
        CloseReason::NotTransparent => DropReason::NotTransparent,
        _ => DropReason::NoServer,
    }
}
