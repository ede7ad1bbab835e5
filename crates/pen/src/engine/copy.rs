//! The copying engine: receive into the worker's scratch buffer, send from it.
//!
//! Reads until the source is dry, the sink is full or the turn is over. A direction reads modestly
//! until it proves to be bulky; that bounds what a slow reader can pin.

use std::os::fd::BorrowedFd;

use pen_core::limits;
use pen_core::relay::Outcome;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::{Flow, Pumped, Scratch, Tap, Unsent, splice};

/// What one attempt to write came to.
pub(super) enum Sent {
    All,
    Part(usize),
    SinkReset,
}

pub(super) fn pump(
    flow: &mut Flow,
    source: BorrowedFd<'_>,
    sink: BorrowedFd<'_>,
    scratch: &mut Scratch,
    mut tap: Option<&mut dyn Tap>,
) -> Pumped {
    if let Some(stop) = flush(flow, sink) {
        return stop;
    }
    if let Some(tap) = &mut tap
        && tap.resumed()
        && let Some(stop) = forward_tapped(flow, sink, scratch, 0, &mut **tap)
    {
        return stop;
    }
    for _ in 0..limits::READS_PER_TURN {
        if let Some(end) = flow.source_end {
            return Pumped::Over(end);
        }
        if tap.as_ref().is_some_and(|t| t.paused()) {
            return Pumped::Paused;
        }
        if !flow.readable {
            return Pumped::Drained;
        }
        let splices = flow.piped.is_some() || !scratch.allowance.is_tight();
        if tap.is_none() && splices && flow.piped(&mut scratch.pipes) {
            return splice::pump(flow, source, sink, scratch);
        }
        if flow.awaits_reader(scratch.allowance.is_tight(), sink) {
            return Pumped::Blocked;
        }
        let one_read = scratch.one_read(limits::SCRATCH);
        if one_read == 0 {
            return Pumped::Withheld;
        }
        let buffer = scratch.read.get_mut(..one_read).unwrap_or_default();
        let read = receive(flow, source, buffer);
        let stop = match &mut tap {
            _ if read == 0 && flow.source_end.is_none() => None,
            None => forward(flow, sink, scratch.read.get(..read).unwrap_or_default()),
            Some(tap) => forward_tapped(flow, sink, scratch, read, &mut **tap),
        };
        if let Some(stop) = stop {
            return stop;
        }
    }
    Pumped::More
}

/// Reads once; notes the end, an error or dryness in `flow`. Answers the number of bytes.
pub(super) fn receive(flow: &mut Flow, source: BorrowedFd<'_>, buffer: &mut [u8]) -> usize {
    let want = if flow.is_bulky() { limits::SCRATCH } else { limits::READ_MODEST };
    let want = want.min(buffer.len());
    let room = buffer.get_mut(..want).unwrap_or_default();
    if flow.early.is_some() {
        let n = early(flow, room);
        flow.read += n as u64;
        return n;
    }
    match recv(source, room, RecvFlags::empty()) {
        Ok((0, _)) => {
            flow.source_end = Some(flow.end_of_source());
            0
        }
        Ok((n, _)) => {
            flow.read += n as u64;
            if n < want && !flow.to_the_last {
                // Edge-triggered: what comes later announces itself.
                flow.readable = false;
                flow.source_end = flow.end_near.then(|| flow.end_of_source());
            }
            n
        }
        Err(Errno::AGAIN) => {
            flow.readable = false;
            0
        }
        Err(Errno::INTR) => 0,
        Err(_) => {
            flow.source_end = Some(Outcome::SourceReset);
            0
        }
    }
}

/// Takes what was read before it was known where to.
pub(super) fn early(flow: &mut Flow, room: &mut [u8]) -> usize {
    let Some(early) = flow.early.as_mut() else { return 0 };
    let rest = early.bytes.get(early.from..).unwrap_or_default();
    let n = rest.len().min(room.len());
    if let (Some(to), Some(from)) = (room.get_mut(..n), rest.get(..n)) {
        to.copy_from_slice(from);
    }
    early.from += n;
    if early.from >= early.bytes.len() {
        flow.early = None;
    }
    n
}

pub(super) fn forward(flow: &mut Flow, sink: BorrowedFd<'_>, bytes: &[u8]) -> Option<Pumped> {
    if bytes.is_empty() {
        return None;
    }
    flow.hurry(sink);
    // With the last bytes the end of stream follows at once, in the same packet.
    let last = flow.source_end == Some(Outcome::Ended);
    let flags = if last { SendFlags::MORE } else { SendFlags::empty() };
    match write(sink, bytes, flags) {
        Sent::All => {
            flow.written += bytes.len() as u64;
            None
        }
        Sent::Part(n) => {
            flow.written += n as u64;
            let rest = bytes.get(n..).unwrap_or_default();
            flow.unsent = Some(Box::new(Unsent { bytes: rest.into(), from: 0 }));
            Some(Pumped::Blocked)
        }
        Sent::SinkReset => Some(Pumped::Over(Outcome::SinkReset)),
    }
}

fn forward_tapped(
    flow: &mut Flow,
    sink: BorrowedFd<'_>,
    scratch: &mut Scratch,
    read: usize,
    tap: &mut dyn Tap,
) -> Option<Pumped> {
    let Scratch { read: buffer, tapped, .. } = scratch;
    tapped.clear();
    if let Err(reason) = tap.pass(buffer.get(..read).unwrap_or_default(), tapped) {
        return Some(Pumped::Refused(reason));
    }
    if flow.source_end.is_some() {
        tap.finish(tapped);
    }
    forward(flow, sink, tapped)
}

/// Writes what was left over. `Some` if the direction cannot go on at the moment.
pub(super) fn flush(flow: &mut Flow, sink: BorrowedFd<'_>) -> Option<Pumped> {
    let unsent = flow.unsent.as_mut()?;
    let bytes = unsent.bytes.get(unsent.from..).unwrap_or_default();
    match write(sink, bytes, SendFlags::empty()) {
        Sent::All => {
            flow.written += bytes.len() as u64;
            flow.unsent = None;
            None
        }
        Sent::Part(n) => {
            flow.written += n as u64;
            unsent.from += n;
            Some(Pumped::Blocked)
        }
        Sent::SinkReset => {
            flow.unsent = None;
            Some(Pumped::Over(Outcome::SinkReset))
        }
    }
}

pub(super) fn write(sink: BorrowedFd<'_>, bytes: &[u8], flags: SendFlags) -> Sent {
    let mut done = 0;
    loop {
        let rest = bytes.get(done..).unwrap_or_default();
        match send(sink, rest, flags | SendFlags::NOSIGNAL) {
            Ok(n) if n == rest.len() => return Sent::All,
            Ok(n) => done += n,
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => return Sent::Part(done),
            Err(Errno::INTR) => {}
            Err(_) => return Sent::SinkReset,
        }
    }
}

#[cfg(test)]
mod tests;
