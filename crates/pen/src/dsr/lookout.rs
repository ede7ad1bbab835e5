//! What the first thread does beside: asks servers for their hardware addresses, and looks at the
//! interface.

use std::net::IpAddr;

use pen_core::dsr::contact::Turn;
use pen_core::frames::{Built, arp, ndp};
use pen_core::limits;
use pen_core::moment::Moment;
use pen_sys::packets::{Offload, Outbox, PacketSocket, Parcel};

use super::view::View;
use super::{Shared, link, post};

#[derive(Default)]
pub(super) struct Lookout {
    outbox: Outbox,
    /// When servers are looked at again.
    servers_due: Moment,
    /// When the interface is looked at again.
    link_due: Moment,
    /// The interface is there.
    present: bool,
    announced: bool,
}

impl Lookout {
    /// Does what is due; answers when something will be again.
    pub(super) fn look(
        &mut self,
        shared: &Shared,
        view: &View,
        socket: &PacketSocket,
        now: Moment,
    ) -> Moment {
        if now >= self.link_due {
            self.link_due = now.plus_ms(limits::DSR_LINK_MS);
            if self.look_at_link(shared, view) {
                // With a view that knows it.
                return now;
            }
        }
        if view.scene.standby {
            self.announced = false;
        } else if self.present && !self.announced {
            self.announced = true;
            self.announce(view, socket);
        }
        if now >= self.servers_due && self.present {
            self.servers_due = now.plus_ms(limits::DSR_LOOK_MS);
            self.look_at_servers(shared, view, socket, now);
        }
        if self.present { self.servers_due.min(self.link_due) } else { self.link_due }
    }

    /// Answers whether the interface has changed; then there is another view.
    fn look_at_link(&mut self, shared: &Shared, view: &View) -> bool {
        let before = shared.link().clone();
        let seen = match link::look(&shared.interface) {
            Ok(seen) => seen,
            Err(why) => {
                self.present = false;
                if before.up {
                    shared.say_link(view, &format!("{why}; no frame is forwarded"));
                    shared.relink(link::Link { up: false, ..before });
                    return true;
                }
                return false;
            }
        };
        let back = seen.up && !self.present;
        self.present = seen.up;
        if back {
            self.announced = false;
            view.each_contact(|_, contact| contact.excuse());
        }
        if seen == before {
            return false;
        }
        for (changed, text) in [
            (before.up && !seen.up, "it is down; no frame is forwarded".to_owned()),
            (!before.up && seen.up, "it is up".to_owned()),
            (seen.index != before.index, "it was made anew".to_owned()),
            (
                seen.mac != before.mac,
                format!("its hardware address is {} now, it was {}", seen.mac, before.mac),
            ),
            (seen.mtu != before.mtu, format!("its MTU is {} now, it was {}", seen.mtu, before.mtu)),
        ] {
            if changed {
                shared.say_link(view, &text);
            }
        }
        if seen.mac != before.mac {
            self.announced = false;
        }
        shared.relink(seen);
        true
    }

    /// Tells the segment where the service is now, so that nobody goes on sending to who had its
    /// addresses before.
    fn announce(&mut self, view: &View, socket: &PacketSocket) {
        let own = view.scene.own;
        let frames: Vec<Built> = view
            .scene
            .doors
            .iter()
            .map(|door| match door.0 {
                IpAddr::V4(ip) => arp::announcement(own, ip),
                IpAddr::V6(ip) => ndp::announcement(own, ip),
            })
            .collect();
        self.send(view, socket, &frames);
    }

    fn look_at_servers(
        &mut self,
        shared: &Shared,
        view: &View,
        socket: &PacketSocket,
        now: Moment,
    ) {
        let mut questions = Vec::new();
        let mut lost = Vec::new();
        view.each_contact(|ip, contact| {
            if questions.len() >= limits::DSR_ASKS_PER_LOOK {
                return;
            }
            match contact.turn(now) {
                Turn::Rest => return,
                Turn::Ask => {}
                Turn::Lost => lost.push((ip, true)),
                Turn::StillLost => lost.push((ip, false)),
            }
            questions.push(match ip {
                IpAddr::V4(ip) => arp::request(view.scene.own, ip),
                IpAddr::V6(ip) => ndp::solicitation(view.scene.own, ip),
            });
        });
        for (ip, first) in lost {
            shared.blacklist(view, ip, first, now);
        }
        self.send(view, socket, &questions);
    }

    fn send(&mut self, view: &View, socket: &PacketSocket, frames: &[Built]) {
        let own = view.scene.own.0;
        let parcels: Vec<Parcel<'_>> = frames
            .iter()
            .filter_map(|built| {
                let to = *built.bytes().first_chunk::<6>()?;
                Some(Parcel::new(built.bytes(), (to, own), None, Offload::default()))
            })
            .collect();
        // What does not go is asked again.
        let _ = post::send(&mut self.outbox, socket, &parcels, &mut |_, _| {});
    }
}
