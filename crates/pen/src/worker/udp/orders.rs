//! What the control thread asks of flows, and their timers.

use std::net::IpAddr;
use std::os::fd::AsRawFd;

use pen_core::connlog::What;
use pen_core::flow::{DropReason, Flow, FlowEnd, FlowId, FlowKey};
use pen_core::memory;
use pen_core::moment::Moment;
use pen_core::report::ConnectionRow;
use pen_core::servers::ServerRef;
use pen_sys::datagrams;

use super::super::Worker;
#[cfg(debug_assertions)]
use super::super::faults;
use super::super::leaving::{is, is_at};
use super::Scene;

impl Worker {
    /// Ends flows that were quiet for too long.
    pub(in super::super) fn look_at_flows(&mut self, station: u32) {
        self.with_scene(station, |worker, scene| {
            let shed_s = worker.pool.memory.idle_s();
            let timeout_s = memory::shorter(scene.live.config.udp_timeout_s, shed_s);
            while let Some((id, since)) = worker.udp.table(station).flows.quietest() {
                let due = since.plus_s(timeout_s);
                if worker.now < due {
                    return worker.due_by(due);
                }
                worker.contain_one(scene, id, |worker| {
                    #[cfg(debug_assertions)]
                    worker.flow(scene, id).inspect(|f| faults::at_flow_timer(f.visitor.peer.addr));
                    worker.end_flow(scene, id, FlowEnd::IdleTimeout);
                });
            }
        });
    }

    /// Settings changed: flows at servers that are out or gone go to others now.
    pub(in super::super) fn refresh_flows(&mut self, station: u32) {
        self.each_flow(
            station,
            |_| true,
            |worker, scene, id| {
                let flow = worker.flow(scene, id);
                if flow.is_some_and(|flow| !flow.journey.may_stay(scene.live, worker.now)) {
                    // Where it cannot go on it ends, and says so itself.
                    let _ = worker.move_flow(scene, id);
                }
            },
        );
    }

    /// A listening socket goes: nothing can be answered from it any more.
    pub(in super::super) fn close_flows_of(&mut self, station: u32, door: usize) {
        self.send_replies();
        self.with_scene(station, |worker, scene| {
            worker.count_kernel_drops(scene);
        });
        let sent_there = |f: &Flow| f.key.door as usize == door;
        self.each_flow(station, sent_there, |worker, scene, id| {
            worker.end_flow(scene, id, FlowEnd::ListenerClosed);
        });
        self.udp.doors.remove(&door);
    }

    /// An address has left the machine: flows end whose clients send to it, or that leave from it to
    /// their servers. Answers how many.
    pub(in super::super) fn end_flows_at(&mut self, station: u32, gone: IpAddr) -> u64 {
        let mut count = 0;
        self.with_scene(station, |worker, scene| {
            let doors: Vec<usize> = worker
                .doors
                .iter()
                .filter(|(_, d)| d.station == station && is_at(&*d.door.socket, gone))
                .map(|(key, _)| key)
                .collect();
            let sent_to = |key: &FlowKey| match key.local {
                Some((ip, _)) => is(ip, gone),
                None => doors.contains(&(key.door as usize)),
            };
            let ports = &worker.udp.ports;
            let leaves_from = |port| ports.socket(port).is_some_and(|socket| is_at(socket, gone));
            let dead = worker.flow_ids(station, |f| sent_to(&f.key) || leaves_from(f.port));
            for id in dead {
                count += 1;
                worker.contain_one(scene, id, |worker| {
                    worker.end_flow(scene, id, FlowEnd::AddressLeft);
                });
            }
        });
        count
    }

    /// The service goes.
    pub(in super::super) fn forget_flows(&mut self, station: u32) {
        self.each_flow(
            station,
            |_| true,
            |worker, scene, id| {
                worker.end_flow(scene, id, FlowEnd::Shutdown);
            },
        );
        self.with_scene(station, |worker, scene| {
            let counts = &mut worker.udp.table(station).counts;
            scene.service.datagrams.take_in(counts);
        });
        self.udp.tables.remove(&station);
    }

    /// Ends a flow by its number. Answers whether there was one.
    pub(in super::super) fn close_flow(&mut self, station: u32, number: u32) -> bool {
        let mut found = false;
        self.each_flow(
            station,
            |f| f.number == number,
            |worker, scene, id| {
                found = true;
                worker.end_flow(scene, id, FlowEnd::OperatorClosed);
            },
        );
        found
    }

    /// Adds up what flows moved, and appends their rows if wanted.
    pub(in super::super) fn report_flows(
        &mut self,
        station: u32,
        mut rows: Option<&mut Vec<ConnectionRow>>,
    ) {
        self.with_scene(station, |worker, scene| {
            worker.count_kernel_drops(scene);
            // Who asks for no rows asks often, and most flows are quiet.
            let all = rows.is_some();
            for id in worker.flow_ids(station, |flow| all || !flow.is_settled()) {
                let row = worker.contain_one(scene, id, |worker| {
                    worker.settle_flow(scene, id);
                    worker.flow_row(station, id)
                });
                if let (Some(rows), Some(Some(row))) = (rows.as_mut(), row) {
                    rows.push(row);
                }
            }
            let counts = &mut worker.udp.table(station).counts;
            scene.service.datagrams.take_in(counts);
        });
    }

    fn flow_row(&self, station: u32, id: FlowId) -> Option<ConnectionRow> {
        let flow = self.udp.tables.get(&station)?.flows.get(id)?;
        let down = self.doors.get(flow.key.door as usize);
        let up = self.udp.ports.socket(flow.port);
        Some(ConnectionRow {
            slot: flow.number,
            state: 2,
            downfd: down.map_or(-1, |d| d.door.socket.as_raw_fd()),
            upfd: up.map_or(-1, |s| s.as_raw_fd()),
            pending_down: 0,
            pending_up: 0,
            client: i64::from(flow.client.slot),
            server: ServerRef::number_or_none(flow.journey.server()),
            age_s: self.now.since_s(flow.opened),
            idle_s: self.now.since_s(flow.active),
            asked_ms: None,
            connected_ms: None,
            first_byte_ms: None,
            tls: None,
        })
    }

    fn count_kernel_drops(&mut self, scene: Scene<'_>) {
        let doors = self.stations.get(scene.station as usize).map(|s| s.doors.clone());
        for key in doors.unwrap_or_default() {
            let (Some(facts), Some(door)) = (self.udp.doors.get_mut(&key), self.doors.get(key))
            else {
                continue;
            };
            let now = datagrams::dropped(&*door.door.socket);
            let new = now.wrapping_sub(std::mem::replace(&mut facts.drops_seen, now));
            let counts = &mut self.udp.table(scene.station).counts;
            counts.drop(DropReason::ReceiveQueueFull, u64::from(new));
        }
    }

    /// Lines of the connection log about flows that are open for long.
    pub(in super::super) fn record_long_flows(
        &mut self,
        station: u32,
        came: impl Fn(Moment) -> bool,
    ) {
        self.each_flow(
            station,
            |f| came(f.opened),
            |worker, scene, id| {
                worker.record_flow(scene, id, What::Open);
            },
        );
    }

    /// Does something for each flow that is wanted. A defect that one meets is its own.
    fn each_flow(
        &mut self,
        station: u32,
        wanted: impl Fn(&Flow) -> bool,
        mut act: impl FnMut(&mut Self, Scene<'_>, FlowId),
    ) {
        self.with_scene(station, |worker, scene| {
            for id in worker.flow_ids(station, wanted) {
                worker.contain_one(scene, id, |worker| act(worker, scene, id));
            }
        });
    }

    fn flow_ids(&self, station: u32, wanted: impl Fn(&Flow) -> bool) -> Vec<FlowId> {
        let Some(table) = self.udp.tables.get(&station) else { return Vec::new() };
        let flows = &table.flows;
        flows.ids().filter(|id| flows.get(*id).is_some_and(&wanted)).collect()
    }

    /// Nothing happens for a station without datagrams.
    pub(super) fn with_scene(&mut self, station: u32, act: impl FnOnce(&mut Self, Scene<'_>)) {
        if !self.udp.tables.contains_key(&station) {
            return;
        }
        let Some(service) = self.station_service(station) else { return };
        let live = service.live.load();
        act(self, Scene { station, service: &service, live: &live });
    }
}
