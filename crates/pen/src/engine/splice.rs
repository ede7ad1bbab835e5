//! The splicing engine: from socket to socket through a pipe, without the bytes coming up into the
//! process. For flows that proved to be bulky; others are cheaper to copy.
//!
//! What is in the pipe is what the copying engine would call unsent. The pipe is given back whenever
//! it is empty and the source is dry, so a flow that pauses holds none.

use std::os::fd::BorrowedFd;

use pen_core::limits;
use pen_core::relay::Outcome;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use super::pipes::{Pipe, Pipes};
use super::{Flow, Pumped, Scratch};

/// A pipe at a flow, and what is in it.
#[derive(Debug)]
pub(super) struct Piped {
    pipe: Pipe,
    held: usize,
}

impl Piped {
    pub(super) fn new(pipe: Pipe) -> Self {
        Self { pipe, held: 0 }
    }

    /// Bytes in the pipe.
    pub(super) fn held(&self) -> usize {
        self.held
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

/// Moves bytes until something stops it. The flow has a pipe.
pub(super) fn pump(
    flow: &mut Flow,
    source: BorrowedFd<'_>,
    sink: BorrowedFd<'_>,
    scratch: &mut Scratch,
) -> Pumped {
    let pumped = run(flow, source, sink, scratch);
    if pumped == Pumped::Drained {
        release(flow, &mut scratch.pipes);
    }
    pumped
}

fn run(flow: &mut Flow, source: BorrowedFd<'_>, sink: BorrowedFd<'_>, scratch: &Scratch) -> Pumped {
    let (most, tight) = (scratch.one_read(limits::PIPE_SIZE), scratch.allowance.is_tight());
    for _ in 0..limits::READS_PER_TURN {
        if let Some(stop) = flush(flow, sink) {
            return stop;
        }
        match flow.source_end {
            Some(end) => return Pumped::Over(end),
            None if !flow.readable => return Pumped::Drained,
            None if flow.awaits_reader(tight, sink) => return Pumped::Blocked,
            None if most == 0 => return Pumped::Withheld,
            None => fill(flow, source, most),
        }
    }
    Pumped::More
}

/// Fills the pipe, which is empty, once, with so many bytes at most.
fn fill(flow: &mut Flow, source: BorrowedFd<'_>, most: usize) {
    let Some(piped) = flow.piped.as_mut() else { return };
    match splice(source, None, &piped.pipe.write, None, most, FLAGS) {
        Ok(0) => flow.source_end = Some(flow.end_of_source()),
        Ok(n) => {
            piped.held += n;
            flow.read += n as u64;
        }
        // The pipe was empty, so it is the source that has nothing.
        Err(Errno::AGAIN) => flow.readable = false,
        Err(Errno::INTR) => {}
        Err(_) => flow.source_end = Some(Outcome::SourceReset),
    }
}

/// Empties the pipe. `Some` if the direction cannot go on at the moment.
pub(super) fn flush(flow: &mut Flow, sink: BorrowedFd<'_>) -> Option<Pumped> {
    if flow.piped.as_ref()?.held > 0 {
        flow.hurry(sink);
    }
    let piped = flow.piped.as_mut()?;
    while piped.held > 0 {
        match splice(&piped.pipe.read, None, sink, None, piped.held, FLAGS) {
            Ok(n) => {
                piped.held = piped.held.saturating_sub(n);
                flow.written += n as u64;
            }
            Err(Errno::AGAIN) => return Some(Pumped::Blocked),
            Err(Errno::INTR) => {}
            Err(_) => return Some(Pumped::Over(Outcome::SinkReset)),
        }
    }
    None
}

/// Gives the flow's pipe back, or closes it if there are bytes in it that nobody will want.
pub(super) fn release(flow: &mut Flow, pipes: &mut Pipes) {
    match flow.piped.take() {
        Some(piped) if piped.held == 0 => pipes.give_back(piped.pipe),
        Some(_) => pipes.lost(),
        None => {}
    }
}
