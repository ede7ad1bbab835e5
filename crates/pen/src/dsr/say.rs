//! What is said about servers and the interface, and what follows for the servers.

use std::net::IpAddr;

use pen_core::dsr::contact::News;
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::frames::Mac;
use pen_core::moment::Moment;
use pen_core::servers::ServerRef;

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
        if !view.scene.standby && view.scene.doors.iter().any(|door| door.0 == ip) {
            let text = || {
                format!(
                    "{service}: WARNING: {mac} on {} says that it has {ip}, the service's address; \
                     servers must not answer for it (arp_ignore and arp_announce, see dsr.md), \
                     another balancer must be stopped",
                    self.interface
                )
            };
            self.logs.event(Subject::new(EventKey::AddressConflict).at(service), |e| {
                e.address(ip.to_string()).with(Detail::Mac, mac.to_string()).saying(text())
            });
            self.logs.say_often(Topic::Segment, Level::Always, text);
            return;
        }
        let news = view.hear(ip, mac, now);
        match news {
            News::Back => self.tell_back(view, ip, now),
            News::Moved(_) => self.tell_moved(view, ip, mac),
            News::None | News::Learnt => {}
        }
        let text = match news {
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
                if server.load.tell_out(now) {
                    self.tell_out(view, *slot, ip);
                }
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

    fn tell_out(&self, view: &View, slot: u32, ip: IpAddr) {
        let (name, server) = (&view.service.name, ServerRef::Regular(slot));
        let subject = Subject::new(EventKey::ServerDown).at(name).server(server);
        self.logs.event(subject.because("no_answer"), |e| {
            let text =
                format!("{name}: server {slot} ({ip}) does not answer on {}", self.interface);
            e.address(ip.to_string()).saying(text)
        });
    }

    /// It takes clients when its sentence is over, which is a matter of seconds.
    fn tell_back(&self, view: &View, ip: IpAddr, now: Moment) {
        let live = view.service.live.load();
        let name = &view.service.name;
        for slot in view.slots(ip) {
            let server = ServerRef::Regular(*slot);
            let Some(since) = live.server(server).and_then(|s| s.load.tell_back()) else {
                continue;
            };
            let subject = Subject::new(EventKey::ServerUp).at(name).server(server);
            self.logs.event(subject.because("answered"), |e| {
                e.address(ip.to_string())
                    .with(Detail::DownS, now.since_s(since))
                    .with(Detail::BlacklistS, live.config.blacklist_s)
                    .saying(format!("{name}: server {slot} ({ip}) answers again"))
            });
        }
    }

    fn tell_moved(&self, view: &View, ip: IpAddr, mac: Mac) {
        let name = &view.service.name;
        for slot in view.slots(ip) {
            let subject = Subject::new(EventKey::ServerMoved).at(name);
            self.logs.event(subject.server(ServerRef::Regular(*slot)), |e| {
                e.address(ip.to_string())
                    .with(Detail::Mac, mac.to_string())
                    .saying(format!("{name}: server {slot} ({ip}) has another hardware address"))
            });
        }
    }

    /// A frame met a defect of Pen.
    pub(super) fn say_defect(&self, view: &View) {
        let (name, interface) = (&view.service.name, &self.interface);
        let text = || {
            format!(
                "dsr_if {interface}: a frame met a defect of Pen: it is dropped, the others go on"
            )
        };
        self.logs.say_often(Topic::Defect, Level::Always, || format!("{name}: {}", text()));
        self.logs.event(Subject::new(EventKey::Defect).at(name), |e| e.saying(text()));
    }

    fn tell_interface(&self, view: &View, key: EventKey, what: &str) {
        let (name, interface) = (&view.service.name, &self.interface);
        self.logs.event(Subject::new(key).at(name), |e| {
            e.address(&**interface).saying(format!("{name}: dsr_if {interface}: {what}"))
        });
    }

    /// The interface has changed.
    pub(super) fn say_link(&self, view: &View, what: &str) {
        self.tell_interface(view, EventKey::InterfaceChanged, what);
        self.logs.say_often(Topic::Segment, Level::Always, || {
            format!("{}: dsr_if {}: {what}", view.service.name, self.interface)
        });
    }

    /// The interface was made anew and cannot be heard.
    pub(super) fn say_deaf(&self, view: &View, why: &str) {
        self.tell_interface(view, EventKey::InterfaceLost, why);
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
