//! What the operator is told about flows.

use std::io;
use std::net::SocketAddr;

use pen_core::addr::Peer;
use pen_core::connlog::What;
use pen_core::flow::{DropReason, Flow, FlowEnd, FlowId};
use pen_core::reasons::ConnectFailure;
use pen_core::servers::{Server, ServerRef};
use pen_sys::datagrams::Received;

use super::super::Worker;
use super::Scene;
use crate::logs::{Level, Topic};
use crate::shared::Service;

impl Worker {
    pub(super) fn flow(&self, scene: Scene<'_>, id: FlowId) -> Option<&Flow> {
        self.udp.tables.get(&scene.station)?.flows.get(id)
    }

    /// Lines of the classic log, if the service has one.
    pub(super) fn log_flow(&mut self, scene: Scene<'_>, id: FlowId, got: &Received<'_>) {
        if self.stations.get(scene.station as usize).is_none_or(|s| s.log.is_none()) {
            return;
        }
        let Some(flow) = self.flow(scene, id) else { return };
        let (client, server) = (flow.visitor.peer.addr, flow.journey.server());
        let size = if got.joined == 0 { got.bytes.len() } else { got.joined };
        let each = got.bytes.chunks(size.max(1));
        self.log_datagrams(scene.station, client, server, each);
    }

    /// A line of the connection log, if the service has one.
    pub(super) fn record_flow(&mut self, scene: Scene<'_>, id: FlowId, what: What) {
        let station = self.stations.get(scene.station as usize);
        if !station.is_some_and(|s| s.collector.as_ref().is_some_and(|c| c.wants(what))) {
            return;
        }
        let Some(flow) = self.flow(scene, id) else { return };
        let record = self.of_flow(flow, scene.live, what);
        self.collect(scene.station, record);
    }

    pub(super) fn say_flow_begun(&self, scene: Scene<'_>, id: FlowId) {
        let Some(flow) = self.flow(scene, id) else { return };
        self.logs.say(Level::Debug(2), || {
            let Peer { addr, port } = flow.visitor.peer;
            let (name, number) = (&scene.service.name, flow.number);
            format!(
                "{name}: flow {number}: client {addr} port {port} goes to server {} ({})",
                server_word(flow.journey.server()),
                flow.server
            )
        });
    }

    pub(super) fn say_flow_moved(&self, scene: Scene<'_>, id: FlowId, to: ServerRef) {
        let Some(flow) = self.flow(scene, id) else { return };
        self.logs.say(Level::Debug(2), || {
            let (name, number) = (&scene.service.name, flow.number);
            let client = flow.visitor.peer.addr;
            format!(
                "{name}: flow {number}, client {client}: moved to server {to} ({})",
                flow.server
            )
        });
    }

    pub(super) fn say_flow_ended(&self, scene: Scene<'_>, id: FlowId, why: FlowEnd) {
        let Some(flow) = self.flow(scene, id) else { return };
        self.logs.say(Level::Debug(1), || {
            format!(
                "{}: flow {}: ended: {}; client {}, server {}, {} bytes to the server, {} to the client",
                scene.service.name,
                flow.number,
                why.word(),
                flow.visitor.peer.addr,
                server_word(flow.journey.server()),
                flow.moved.to_server,
                flow.moved.to_client,
            )
        });
    }

    pub(super) fn say_dropped(&self, scene: Scene<'_>, from: Option<SocketAddr>, why: DropReason) {
        self.logs.say(Level::Debug(2), || {
            let from = from.map_or_else(|| "nobody".to_owned(), |f| f.to_string());
            format!("{}: datagram from {from} dropped: {}", scene.service.name, why.word())
        });
    }

    pub(super) fn say_server_failed(
        &self,
        scene: Scene<'_>,
        (server, client): (Option<ServerRef>, Peer),
        failure: ConnectFailure,
        moves: bool,
    ) {
        let Scene { service, live, .. } = scene;
        self.logs.say_often(Topic::ServerFailed, Level::Always, || {
            let place = server.and_then(|s| live.server(s)).and_then(Server::place);
            let place = place.map(|p| format!(" ({p})")).unwrap_or_default();
            let what = match (moves, live.config.blacklist_s) {
                (true, s) if s > 0 => format!("blacklisted for {s} s, its flows move"),
                (true, _) => "not blacklisted, the flow moves".to_owned(),
                (false, _) => "there is no other, so it is kept".to_owned(),
            };
            format!(
                "{}: server {}{place}: datagrams {}, client {}; {what}",
                service.name,
                server_word(server),
                failure.word(),
                client.addr,
            )
        });
    }

    pub(super) fn say_no_port(&self, service: &Service, error: &io::Error) {
        self.logs.say_often(Topic::Shortage, Level::Always, || {
            format!(
                "{}: no local port for a further flow: {error}; the flow that was quiet longest ends",
                service.name
            )
        });
        self.tell_shortage(service, "local_ports", error);
    }
}

fn server_word(server: Option<ServerRef>) -> String {
    server.map_or_else(|| "none".to_owned(), |s| s.to_string())
}
