//! What is said about servers and the interface, and what follows for the servers.

use std::net::IpAddr;

use pen_core::dsr::contact::News;
use pen_core::frames::Mac;
use pen_core::moment::Moment;

use super::Shared;
use super::view::View;
use crate::logs::{Level, Topic};

impl Shared {
    /// Somebody says of itself that it is at `mac`.
    pub(super) fn heard(&self, view: &View, ip: IpAddr, mac: Mac, now: Moment) {
        if let (IpAddr::V4(ip), Some(_)) = (ip, &view.scene.tarpit) {
            self.tarpit().hear(ip, now);
        }
        let service = &view.service.name;
        if view.scene.doors.iter().any(|door| door.0 == ip) {
            self.logs.say_often(Topic::Segment, Level::Always, || {
                format!(
                    "{service}: WARNING: {mac} on {} says that it has {ip}, the service's address; \
                     servers must not answer for it (arp_ignore and arp_announce, see dsr.md), \
                     another balancer must be stopped",
                    self.interface
                )
            });
            return;
        }
        let text = match view.hear(ip, mac, now) {
            News::None => return,
            News::Learnt => format!("is at {mac}"),
            News::Back => format!("answers again, at {mac}"),
            News::Moved(before) => format!("is at {mac} now, it was at {before}"),
        };
        self.logs.say_often(Topic::Segment, Level::Always, || {
            let servers = servers(view, ip);
            format!("{service}: {servers} {text}")
        });
    }

    /// The server at `ip` leaves questions unanswered: it is blacklisted. `first` says that this is
    /// news.
    pub(super) fn blacklist(&self, view: &View, ip: IpAddr, first: bool, now: Moment) {
        let live = view.service.live.load();
        for slot in view.slots(ip) {
            let number = usize::try_from(*slot).unwrap_or(usize::MAX);
            if let Some(server) = live.servers.get(number) {
                server.load.fail(now);
            }
        }
        if !first {
            return;
        }
        self.logs.say_often(Topic::ServerFailed, Level::Always, || {
            format!(
                "{}: {} does not answer on {}; it is left out until it does, and blacklisted for \
                 {} s from then",
                view.service.name,
                servers(view, ip),
                self.interface,
                live.config.blacklist_s
            )
        });
    }

    /// The interface has changed.
    pub(super) fn say_link(&self, view: &View, what: &str) {
        self.logs.say_often(Topic::Segment, Level::Always, || {
            format!("{}: dsr_if {}: {what}", view.service.name, self.interface)
        });
    }

    /// The interface was made anew and cannot be heard.
    pub(super) fn say_deaf(&self, view: &View, why: &str) {
        self.logs.say_often(Topic::Segment, Level::Always, || {
            format!(
                "{}: dsr_if {}: it was made anew, and cannot be heard: {why}; restart Pen",
                view.service.name, self.interface
            )
        });
    }
}

/// `server 0 (10.0.0.11)`
fn servers(view: &View, ip: IpAddr) -> String {
    let slots: Vec<String> = view.slots(ip).iter().map(u32::to_string).collect();
    let word = if slots.len() == 1 { "server" } else { "servers" };
    format!("{word} {} ({ip})", slots.join(", "))
}
