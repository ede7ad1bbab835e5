//! Through the client tables, a part at a time: workers need them for every new connection.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pen_core::clients::{ClientEntry, Merging};
use pen_core::limits;
use pen_core::report::state::{ReadRow, Written};
use pen_core::state::{Harvest, Intake, Known, Left, Scanner, Writer};

use super::file::{self, Draft};
use crate::clock;
use crate::shared::Service;

/// Writes what the tables of these services remember to the file at `path`.
///
/// # Errors
/// Why not, without the path.
pub(super) fn write(path: &Path, services: &[Arc<Service>]) -> Result<Written, String> {
    let mut draft = Draft::begin(path)?;
    let mut writer = Writer::new(clock::now(), clock::wall_ms());
    let (mut rows, mut piece) = (Vec::new(), Vec::new());
    for service in services {
        let config = Arc::clone(&service.live.load().config);
        let mut first = 0;
        while let Some(next) = copy(service, first, config.tracking_s, &mut rows) {
            if first == 0 {
                writer.service(&config.name, &config.servers);
            }
            first = next;
            for row in &rows {
                if let Some(server) = row.server {
                    writer.client(row.addr, row.last_seen, server);
                }
            }
            if writer.bytes() > limits::STATE_FILE_MAX {
                return Err(format!("it would be larger than {} bytes", limits::STATE_FILE_MAX));
            }
            writer.take(&mut piece);
            draft.write(&piece)?;
            pause();
        }
    }
    let (clients, last) = (writer.clients(), writer.finish());
    draft.write(&last)?;
    let bytes = draft.finish()?;
    Ok(Written { ago_s: 0, clients, bytes, took_ms: 0 })
}

/// Copies rows of a table from slot `first` on, in place of those in `rows`. Answers the slot after
/// them, `None` where the table ends.
fn copy(
    service: &Service,
    first: u32,
    tracking_s: u32,
    rows: &mut Vec<ClientEntry>,
) -> Option<u32> {
    let next = first.saturating_add(limits::CLIENTS_AT_ONCE);
    rows.clear();
    let tables = service.tables();
    rows.extend(tables.clients.entries(first..next, clock::now(), tracking_s));
    (first < tables.clients.used()).then_some(next)
}

/// Has the tables of these services take in what the file at `path` remembers.
///
/// # Errors
/// Why not, without the path; the tables are as before.
pub(super) fn read(path: &Path, services: &[Arc<Service>]) -> Result<ReadRow, String> {
    let known = services.iter().map(|service| {
        let max = service.tables().clients.max();
        Known::new(&service.live.load().config, max)
    });
    let mut intake = Intake::new(known.collect(), clock::now(), clock::wall_ms());
    let mut scanner = Scanner::default();
    let wrong = |fault: pen_core::state::Fault| fault.to_string();
    file::read(path, |piece| scanner.feed(piece, &mut |item| intake.take(item)).map_err(wrong))?;
    scanner.finish().map_err(wrong)?;
    Ok(merge(intake.finish(), services))
}

fn merge(harvest: Harvest, services: &[Arc<Service>]) -> ReadRow {
    let Left { no_service, no_server, expired, no_room } = harvest.left;
    let mut row = ReadRow {
        age_s: harvest.age_s,
        no_service,
        no_server,
        expired,
        no_room,
        ..ReadRow::default()
    };
    for (name, clients) in harvest.clients {
        let Some(service) = services.iter().find(|service| service.name == name) else { continue };
        let mut merging = Merging::new(clients);
        while !service.tables().clients.merge(&mut merging, limits::CLIENTS_AT_ONCE) {
            pause();
        }
        row.clients += merging.merged.taken;
        row.known += merging.merged.kept;
        row.no_room += merging.merged.no_room;
    }
    row
}

/// Leaves the tables to the workers for a moment: a lock that is taken again at once is never theirs.
fn pause() {
    thread::sleep(Duration::from_micros(limits::STATE_PAUSE_US));
}
