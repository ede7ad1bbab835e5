//! `explain`: the state of the moment is gathered, the core answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pen_core::addr::ClientAddr;
use pen_core::config::Protocol;
use pen_core::explain::path::{self, End};
use pen_core::explain::{Question, Scene, excess, explain};
use pen_core::journey::Way;
use pen_core::moment::Moment;
use pen_core::report::explain::{self as report, Explained, Served, Wait};

use crate::clock;
use crate::publish::Running;
use crate::shared::Service;

/// The reply to `explain` about a client of `service`.
#[must_use]
pub fn reply(running: &Running, service: &Service, question: &Question, as_json: bool) -> String {
    let now = clock::now();
    let live = service.live.load();
    let by_frame = live.config.dsr.interface.is_some();
    if question.client == ClientAddr::Unix && (by_frame || live.config.protocol == Protocol::Udp) {
        return format!(
            "error: explain: service {} has no clients on Unix sockets\n",
            service.name
        );
    }
    let (passages, place) = if by_frame {
        let Some((live, answer)) = running.explain_frames(&service.name, question, now) else {
            return format!("error: explain: dsr_if of service {} does not run\n", service.name);
        };
        (Vec::new(), Some(Served { live, answer, waits: None }))
    } else {
        let known = |name: &str| {
            let found = running.service(name)?;
            let live = found.live.load_full();
            (name == service.name || live.config.protocol == Protocol::Tcp).then_some(live)
        };
        let (passages, end) = match excess(question, &live, &service.tables().arrivals, now) {
            // It is turned away before anything is asked of it.
            Some(_) if live.config.protocol == Protocol::Tcp => {
                (Vec::new(), End::At(service.name.clone(), Way::Free))
            }
            _ => path::follow(question, &service.name, known),
        };
        let place = match &end {
            End::Nowhere => None,
            End::At(name, way) => running.service(name).map(|at| {
                let led = name != &service.name;
                served(running, at, led, question, *way, now)
            }),
        };
        (passages, place)
    };
    let row = Explained {
        question,
        passages,
        place,
        asked: &service.name,
        by_hello: report::by_hello(question, &live),
        now,
    };
    if as_json { report::json(&row) } else { report::text(&row) }
}

/// What becomes of the client at the service that serves it.
fn served(
    running: &Running,
    service: &Arc<Service>,
    led: bool,
    question: &Question,
    way: Way,
    now: Moment,
) -> Served {
    let live = service.live.load_full();
    let (remembered, excess) = {
        let tables = service.tables();
        let remembered = tables.clients.look(question.client, now, live.config.tracking_s);
        (remembered, excess(question, &live, &tables.arrivals, now))
    };
    let scene = Scene { live: &live, cursor: &service.cursor, remembered, excess, now };
    let answer = explain(question, way, &scene);
    let waits = wait(running, service, led);
    Served { live, answer, waits }
}

/// What a client waits for before a server is chosen.
fn wait(running: &Running, service: &Service, led: bool) -> Option<Wait> {
    let live = service.live.load();
    if !led && live.config.listen.is_empty() {
        return Some(Wait::Listen);
    }
    // A new flow that finds no room takes that of the quietest one.
    if live.config.protocol == Protocol::Udp {
        return None;
    }
    if !service.room.has_some() || !running.pool.room.has_some() {
        return Some(Wait::ConnMax);
    }
    let pending = service.pending.load(Ordering::Relaxed);
    (pending >= live.config.pending_max).then_some(Wait::PendingMax)
}
