//! The watchdog: from time to time every thread that moves bytes or frames is asked for a sign of life,
//! workers through their mailboxes, threads of `dsr_if` by their bells. The service manager is told that
//! Pen lives when all have answered, so it hears of the slowest.
//!
//! On only with `watchdog T` or with the service manager's `WatchdogSec`: else nobody wakes up for it.
//! Deliberately not here: the control thread itself, which only the service manager can watch.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pen_core::event::{EventKey, Subject};
use pen_core::limits;
use pen_core::moment::Moment;

use super::Desk;
use super::contain::end_badly;
use crate::logs::Level;

/// What the watchdog remembers.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// How long the service manager waits, if it does.
    manager_ms: Option<u64>,
    /// The question that was asked last; 0 before the first.
    round: u64,
    asked: Moment,
    /// When the answers are looked at.
    due: Option<Moment>,
    /// It was said that somebody does not answer.
    said: bool,
}

impl Watchdog {
    pub(super) fn new(manager_ms: Option<u64>) -> Self {
        Self { manager_ms, ..Self::default() }
    }

    pub(super) fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Milliseconds between two questions, if any are asked: the service manager gets three words in
    /// the time that it waits, and `watchdog_s` is kept to the half.
    fn every_ms(&self, watchdog_s: u32) -> Option<u64> {
        let own = (watchdog_s > 0).then(|| u64::from(watchdog_s) * 500);
        let manager = self.manager_ms.map(|ms| (ms / 3).max(1));
        own.into_iter().chain(manager).min()
    }
}

impl Desk {
    /// Looks at the answers, and asks anew.
    pub(super) fn watch_threads(&mut self, now: Moment) {
        let watchdog_s = self.running.config.process.watchdog_s;
        let Some(every) = self.watchdog.every_ms(watchdog_s) else {
            self.watchdog = Watchdog::new(self.watchdog.manager_ms);
            return;
        };
        match self.watchdog.due {
            // A command may have made it more frequent.
            Some(due) if now < due => {
                self.watchdog.due = Some(due.min(now.plus_ms(every)));
                return;
            }
            None => self.notify.alive(),
            // Whoever looks so late was not running itself: the machine slept, or the process was
            // stopped, and the workers with it.
            Some(due) if now.since_ms(due) > every => {}
            Some(_) => {
                let silent = self.silent_threads();
                if !silent.is_empty() {
                    return self.nobody_home(&silent, now, every, watchdog_s);
                }
                if self.watchdog.said {
                    let ms = now.since_ms(self.watchdog.asked);
                    let logs = &self.running.logs;
                    logs.say(Level::Always, || format!("all threads answer again, after {ms} ms"));
                }
                self.notify.alive();
            }
        }
        let watchdog = &mut self.watchdog;
        watchdog.round += 1;
        watchdog.said = false;
        (watchdog.asked, watchdog.due) = (now, Some(now.plus_ms(every)));
        let round = watchdog.round;
        self.running.ask_all(round);
    }

    /// Who has not answered.
    fn silent_threads(&self) -> Vec<String> {
        let mailboxes = self.running.pool.mailboxes.iter().enumerate();
        let silent =
            mailboxes.filter(|(_, m)| m.answered.load(Ordering::Relaxed) != self.watchdog.round);
        let workers = silent.map(|(number, _)| format!("worker {number}"));
        workers.chain(self.running.silent_posts()).collect()
    }

    /// Somebody has not answered. The service manager hears nothing; with `watchdog` Pen ends itself.
    fn nobody_home(&mut self, silent: &[String], now: Moment, every: u64, watchdog_s: u32) {
        let ms = now.since_ms(self.watchdog.asked);
        let who = silent.join(", ");
        let ends = watchdog_s > 0 && ms >= u64::from(watchdog_s) * 1_000;
        if ends || !self.watchdog.said {
            self.watchdog.said = true;
            let then = if ends { "; Pen ends" } else { "" };
            let text = format!("{who} has not answered for {ms} ms: it is stuck{then}");
            self.running.logs.event(Subject::new(EventKey::Defect), |e| e.saying(&text));
            self.running.logs.say(Level::Always, || text);
        }
        if ends {
            end_badly(&Arc::clone(&self.running.pool), || {
                let patience = Duration::from_millis(limits::LAST_MOMENT_MS);
                let _ = self.running.logs.flush(patience);
            });
        }
        self.watchdog.due = Some(now.plus_ms(every));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_unless_somebody_wants_it() {
        assert_eq!(Watchdog::new(None).every_ms(0), None);
        assert_eq!(Watchdog::new(None).every_ms(10), Some(5_000));
        assert_eq!(Watchdog::new(Some(30_000)).every_ms(0), Some(10_000));
        assert_eq!(Watchdog::new(Some(30_000)).every_ms(4), Some(2_000));
        assert_eq!(Watchdog::new(Some(1)).every_ms(0), Some(1));
    }
}
