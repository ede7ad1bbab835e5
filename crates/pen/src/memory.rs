//! The memory budget: a thread looks at what is used and tells the workers how short it is.
//!
//! The budget is `mem_max`, or a share of the limit of Pen's control group. With neither the thread
//! sleeps for ever. It sleeps too while nothing happens: a worker that takes a turn wakes it, and the
//! thread goes back to sleep when it has seen no turn for a while. Files are opened before Pen goes into
//! its jail. Deliberately not here: what the stages are (`pen_core::memory`), what workers do then
//! (`worker/shedding.rs`).

mod gauge;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

use pen_core::event::{EventKey, Subject};
use pen_core::limits;
use pen_core::memory::{self, Allowance, Shedder, Stage};
use pen_core::report::memory::MemoryRow;
use pen_sys::heap;

use crate::logs::{Level, Logs};
use crate::shared::{Order, Pool};
pub use gauge::Gauge;

/// What the workers see of it, and the reports.
#[derive(Debug, Default)]
pub struct Memory {
    stage: AtomicU8,
    idle_s: AtomicU32,
    /// Looks of the thread at what is used.
    looks: AtomicU32,
    /// Bytes that closing connections shall free after the last one.
    excess: AtomicU64,
    /// A worker waits for the next look.
    wanted: AtomicBool,
    /// The thread sleeps until somebody wakes it.
    asleep: AtomicBool,
    /// Turns of workers since the thread looked; only whether there was one counts.
    stirred: AtomicBool,
    used: AtomicU64,
    limit: AtomicU64,
    configured: AtomicU64,
    /// Connections closed for want of memory.
    pub shed: AtomicU64,
    thread: std::sync::OnceLock<Thread>,
}

impl Memory {
    /// How short memory is.
    pub fn stage(&self) -> Stage {
        Stage::of_number(self.stage.load(Ordering::Relaxed))
    }

    /// Seconds after which idle connections end; 0 = as configured.
    pub fn idle_s(&self) -> u32 {
        self.idle_s.load(Ordering::Relaxed)
    }

    /// Which look it was that the last of these figures are from.
    pub fn looks(&self) -> u32 {
        self.looks.load(Ordering::Relaxed)
    }

    /// What each of `workers` may take until the next look. To be asked after [`Memory::looks`] has
    /// said that there was one.
    pub fn allowance(&self, workers: usize) -> Allowance {
        fence(Ordering::Acquire);
        Allowance::after_look(
            self.stage(),
            self.used.load(Ordering::Relaxed),
            self.budget(),
            workers,
        )
    }

    /// Bytes that closing connections shall free after the last look; 0 = none is closed.
    pub fn excess(&self) -> u64 {
        self.excess.load(Ordering::Relaxed)
    }

    /// A worker has used up what it may take: it is woken after the next look.
    pub fn want_look(&self) {
        self.wanted.store(true, Ordering::SeqCst);
        // With memory left nobody waits for long.
        if self.asleep.swap(false, Ordering::SeqCst) || self.stage() == Stage::Calm {
            self.wake();
        }
    }

    /// A worker takes a turn: something may be allocated. One load, ten times a second more.
    pub fn stir(&self) {
        if self.stirred.load(Ordering::Relaxed) {
            return;
        }
        // The thread looks at one before it sleeps and the worker at the other after it stirred, both
        // in one order for all: one of them sees.
        self.stirred.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Sets what `mem_max` says, in bytes; 0 = a share of the limit.
    pub fn configure(&self, bytes: u64) {
        if self.configured.swap(bytes, Ordering::Relaxed) != bytes {
            self.asleep.store(false, Ordering::SeqCst);
            self.wake();
        }
    }

    /// Bytes that may be used; 0 = any number.
    fn budget(&self) -> u64 {
        let limit = self.limit.load(Ordering::Relaxed);
        let configured = self.configured.load(Ordering::Relaxed);
        memory::budget(configured, (limit != 0).then_some(limit))
    }

    /// For reports.
    pub fn row(&self) -> MemoryRow {
        MemoryRow {
            used: self.used.load(Ordering::Relaxed),
            budget: self.budget(),
            limit: self.limit.load(Ordering::Relaxed),
            stage: self.stage().word(),
            idle_s: self.idle_s(),
            shed: self.shed.load(Ordering::Relaxed),
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// Starts the thread. It ends with the process.
///
/// # Errors
/// No threads left.
pub fn watch(pool: &Arc<Pool>, gauge: Gauge, logs: &Logs) -> io::Result<()> {
    pool.memory.limit.store(gauge.limit().unwrap_or(0), Ordering::Relaxed);
    let guard =
        Guard { pool: Arc::clone(pool), gauge, shedder: Shedder::default(), logs: logs.clone() };
    let thread = thread::Builder::new().name("pen-memory".to_owned()).spawn(move || guard.run())?;
    // It is set once: the thread is started once.
    let _ = pool.memory.thread.set(thread.thread().clone());
    Ok(())
}

struct Guard {
    pool: Arc<Pool>,
    gauge: Gauge,
    shedder: Shedder,
    logs: Logs,
}

impl Guard {
    fn run(mut self) {
        loop {
            let budget = self.pool.memory.budget();
            let stage = self.look(budget);
            let memory = &self.pool.memory;
            let stirred = memory.stirred.swap(false, Ordering::Relaxed);
            if budget == 0 || stage == Stage::Calm && !stirred {
                self.sleep(budget == 0);
            } else {
                thread::park_timeout(Duration::from_millis(limits::MEMORY_LOOK_MS));
                if memory.wanted.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(limits::MEMORY_LOOK_AGAIN_MS));
                }
            }
        }
    }

    /// Sleeps until a worker takes a turn, or for as long as there is no budget.
    fn sleep(&self, for_good: bool) {
        let memory = &self.pool.memory;
        if for_good {
            return thread::park();
        }
        memory.asleep.store(true, Ordering::SeqCst);
        if memory.stirred.load(Ordering::SeqCst) || memory.wanted.load(Ordering::SeqCst) {
            return memory.asleep.store(false, Ordering::SeqCst);
        }
        while memory.asleep.load(Ordering::SeqCst) {
            thread::park();
        }
    }

    /// Looks once, and tells the workers what is new.
    fn look(&mut self, budget: u64) -> Stage {
        let memory = &self.pool.memory;
        let was = memory.stage();
        let Some((used, stage)) = self.measure(was, budget) else { return was };
        let idle_s = memory::idle_s(stage, used, budget);
        let excess = self.shedder.after_look(stage, used, budget);
        let idle_was = memory.idle_s.swap(idle_s, Ordering::Relaxed);
        memory.used.store(used, Ordering::Relaxed);
        memory.stage.store(stage as u8, Ordering::Relaxed);
        memory.excess.store(excess, Ordering::Relaxed);
        // Who sees this sees the figures.
        memory.looks.fetch_add(1, Ordering::Release);
        if stage != was {
            self.say(stage, used, budget);
        }
        let wanted = memory.wanted.swap(false, Ordering::SeqCst);
        if stage != was || idle_s != idle_was || excess > 0 || wanted {
            for mailbox in &self.pool.mailboxes {
                mailbox.post(Order::Memory);
            }
        }
        stage
    }

    /// Bytes in use, and how short that is. What was freed counts as used until the system has it back.
    fn measure(&self, was: Stage, budget: u64) -> Option<(u64, Stage)> {
        let gauge = || self.gauge.used().map(|used| (used, was.after(used, budget)));
        if was == Stage::Calm {
            let now = gauge()?;
            if now.1 == Stage::Calm {
                return Some(now);
            }
        }
        heap::trim();
        gauge()
    }

    fn say(&self, stage: Stage, used: u64, budget: u64) {
        let text = || {
            if budget == 0 {
                return format!("memory: {}: nobody sets a limit any more", stage.word());
            }
            let percent = memory::percent(used, budget);
            let (used, budget) = (used >> 20, budget >> 20);
            format!(
                "memory: {}: {used} MiB of {budget} MiB in use ({percent} %); {}",
                stage.word(),
                stage.doing()
            )
        };
        self.logs.event(Subject::new(EventKey::Memory).because(stage.word()), |e| e.saying(text()));
        self.logs.say(Level::Always, text);
    }
}

#[cfg(test)]
mod tests;
