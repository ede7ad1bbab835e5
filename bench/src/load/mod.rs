//! The load generator: one thread, one epoll, every byte checked, bounded in number and time.
//!
//! Closed loop: a fixed number of connections, each with one operation under way. Paced: operations
//! have a time at which they should begin, and their latency counts from that time, whether a
//! connection was free or not, so that a stall is not left out of the figures.

mod conn;
mod pace;
mod plan;
mod wire;

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::histogram::Histogram;
use crate::protocol::{PIECE, Pattern};
use conn::{Conn, Progress};
use pace::Pace;
pub use plan::{Kind, Plan, Sources};

const EVENTS: usize = 512;
/// Without any progress for this long the rest counts as lost.
const STALL: Duration = Duration::from_secs(3);
/// Errors after which a run without limit is given up.
const ERRORS_MAX: u64 = 200_000;
/// Connects that may fail before the run is given up.
const REFUSALS_MAX: u64 = 1_000;

/// When the figures of a run are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The window begins.
    Begin,
    /// The window ends.
    End,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Operations that ended well in the window.
    pub done: u64,
    /// Operations that ended well, warm-up and end included.
    pub done_in_all: u64,
    /// Bulk bytes moved in the window.
    pub bytes: u64,
    /// Bulk bytes moved, warm-up and end included.
    pub bytes_in_all: u64,
    /// Length of the window.
    pub seconds: f64,
    /// Operations whose answer never came or came short.
    pub lost: u64,
    /// Operations with a wrong byte or a byte too many.
    pub wrong: u64,
    /// Connects that failed.
    pub refused: u64,
    /// Latency of the operations of the window.
    pub latency: Histogram,
}

impl Tally {
    /// Everything that went wrong.
    pub fn errors(&self) -> u64 {
        self.lost + self.wrong + self.refused
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    WarmUp,
    Window,
    Ending,
}

/// A run under way.
struct Load<'a> {
    plan: &'a Plan,
    epoll: OwnedFd,
    conns: Vec<Option<Conn>>,
    pattern: Pattern,
    buffer: Vec<u8>,
    clock: Instant,
    stage: Stage,
    window: (u64, u64),
    last_progress: u64,
    started: u64,
    opened: u64,
    under_way: usize,
    /// Paced: connections without an operation.
    free: Vec<usize>,
    pace: Pace,
    tally: Tally,
}

/// Does what `plan` says; `mark` is called when the window begins and when it ends.
///
/// # Errors
/// No descriptors left. What the other side does wrong is in the tally.
pub fn run(plan: &Plan, mark: &mut dyn FnMut(Mark)) -> io::Result<Tally> {
    let mut load = Load {
        plan,
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        conns: (0..plan.connections).map(|_| None).collect(),
        pattern: Pattern::new(),
        buffer: vec![0; PIECE],
        clock: Instant::now(),
        stage: Stage::WarmUp,
        window: (0, u64::MAX),
        last_progress: 0,
        started: 0,
        opened: 0,
        under_way: 0,
        free: Vec::new(),
        pace: Pace::new(plan.kind),
        tally: Tally::default(),
    };
    load.go(mark)?;
    Ok(load.tally)
}

impl Load<'_> {
    fn now(&self) -> u64 {
        nanoseconds(self.clock.elapsed())
    }

    fn go(&mut self, mark: &mut dyn FnMut(Mark)) -> io::Result<()> {
        if self.plan.operations.is_some() {
            self.begin_window(mark);
        }
        for slot in 0..self.plan.connections {
            self.next_operation(slot)?;
        }
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        loop {
            self.stages(mark);
            if self.is_over() {
                break;
            }
            self.start_paced()?;
            let wait = self.wait_time();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))
            {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let token = event.data.u64();
                let (slot, serial) = ((token & 0xffff_ffff) as usize, token >> 32);
                let Some(Some(conn)) = self.conns.get_mut(slot) else { continue };
                if conn.serial != serial {
                    continue;
                }
                let progress = conn.on_event(event.flags, &mut self.buffer, &self.pattern);
                self.after(slot, progress)?;
            }
        }
        if self.stage == Stage::Window {
            self.end_window(mark);
        }
        self.tally.lost += (self.under_way + self.pace.waiting()) as u64;
        Ok(())
    }

    fn begin_window(&mut self, mark: &mut dyn FnMut(Mark)) {
        self.stage = Stage::Window;
        mark(Mark::Begin);
        self.window.0 = self.now();
    }

    fn end_window(&mut self, mark: &mut dyn FnMut(Mark)) {
        self.stage = Stage::Ending;
        self.window.1 = self.now();
        mark(Mark::End);
        self.tally.seconds = (self.window.1 - self.window.0) as f64 / 1e9;
    }

    fn stages(&mut self, mark: &mut dyn FnMut(Mark)) {
        if self.plan.operations.is_some() {
            return;
        }
        let now = self.now();
        if self.stage == Stage::WarmUp && now >= nanoseconds(self.plan.warm_up) {
            self.begin_window(mark);
        } else if self.stage == Stage::Window
            && now >= self.window.0 + nanoseconds(self.plan.window)
        {
            self.end_window(mark);
            self.pace.stop();
        }
    }

    fn may_start(&self) -> bool {
        match self.plan.operations {
            Some(limit) => self.started < limit,
            None => self.stage != Stage::Ending,
        }
    }

    fn is_over(&self) -> bool {
        let stalled = self.now() > self.last_progress + nanoseconds(STALL);
        let hopeless = self.tally.refused > REFUSALS_MAX || self.tally.errors() > ERRORS_MAX;
        let finished = !self.may_start() && self.under_way == 0 && self.pace.waiting() == 0;
        finished || stalled || hopeless
    }

    /// Until the next thing that no event announces.
    fn wait_time(&self) -> Timespec {
        let now = self.now();
        let stage_ends = match self.stage {
            _ if self.plan.operations.is_some() => u64::MAX,
            Stage::WarmUp => nanoseconds(self.plan.warm_up),
            Stage::Window => self.window.0 + nanoseconds(self.plan.window),
            Stage::Ending => u64::MAX,
        };
        let at = stage_ends
            .min(self.pace.next().unwrap_or(u64::MAX))
            .min(self.last_progress + nanoseconds(STALL) + 1_000_000);
        let wait = at.saturating_sub(now);
        Timespec {
            tv_sec: i64::try_from(wait / 1_000_000_000).unwrap_or(1),
            tv_nsec: i64::try_from(wait % 1_000_000_000).unwrap_or(0),
        }
    }

    /// Starts what is due on connections that are free.
    fn start_paced(&mut self) -> io::Result<()> {
        let now = self.now();
        self.pace.fall_due(now);
        while let Some(slot) = self.free.last().copied() {
            let Some(due) = self.pace.take() else { break };
            self.free.pop();
            self.start_on(slot, due)?;
        }
        Ok(())
    }

    /// The next operation of a slot, if there is to be one.
    fn next_operation(&mut self, slot: usize) -> io::Result<()> {
        if self.pace.is_on() {
            if !matches!(self.conns.get(slot), Some(Some(_))) {
                self.open(slot)?;
            }
            self.free.push(slot);
            return Ok(());
        }
        if !self.may_start() {
            return Ok(());
        }
        let due = self.now();
        self.start_on(slot, due)
    }

    fn open(&mut self, slot: usize) -> io::Result<()> {
        let serial = self.opened & 0xffff_ffff;
        let conn = Conn::open(&self.epoll, self.plan, slot, serial, self.opened)?;
        self.opened += 1;
        if let Some(place) = self.conns.get_mut(slot) {
            *place = Some(conn);
        }
        Ok(())
    }

    fn start_on(&mut self, slot: usize, due: u64) -> io::Result<()> {
        if !matches!(self.conns.get(slot), Some(Some(_))) {
            self.open(slot)?;
        }
        self.started += 1;
        self.under_way += 1;
        let id = self.started;
        let Some(Some(conn)) = self.conns.get_mut(slot) else { return Ok(()) };
        let progress = conn.start(self.plan, id, due, &self.pattern);
        self.after(slot, progress)
    }

    fn after(&mut self, slot: usize, progress: Progress) -> io::Result<()> {
        let Some(Some(conn)) = self.conns.get_mut(slot) else { return Ok(()) };
        let bytes = conn.take_moved();
        let (due, busy) = (conn.due, conn.is_busy());
        self.tally.bytes_in_all += bytes;
        if self.stage == Stage::Window {
            self.tally.bytes += bytes;
        }
        if bytes > 0 || progress != Progress::Going {
            self.last_progress = self.now();
        }
        let stays = match progress {
            Progress::Going => return Ok(()),
            Progress::Done { stays } if busy => {
                self.count_done(due);
                stays
            }
            _ if !busy => return self.replace(slot),
            Progress::Wrong => {
                self.tally.wrong += 1;
                false
            }
            Progress::Lost | Progress::Done { .. } => {
                self.tally.lost += 1;
                false
            }
            Progress::Refused => {
                self.tally.refused += 1;
                false
            }
        };
        self.under_way = self.under_way.saturating_sub(usize::from(busy));
        match self.conns.get_mut(slot) {
            Some(Some(conn)) if stays => conn.rest(),
            Some(place) => *place = None,
            None => {}
        }
        self.next_operation(slot)
    }

    /// A connection that was closed while nothing was asked of it.
    fn replace(&mut self, slot: usize) -> io::Result<()> {
        self.tally.lost += 1;
        if let Some(place) = self.conns.get_mut(slot) {
            *place = None;
        }
        self.free.retain(|s| *s != slot);
        self.next_operation(slot)
    }

    fn count_done(&mut self, due: u64) {
        self.tally.done_in_all += 1;
        if self.stage == Stage::Window {
            self.tally.done += 1;
        }
        if due >= self.window.0 && due < self.window.1 && self.stage != Stage::WarmUp {
            self.tally.latency.add(self.now().saturating_sub(due));
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
