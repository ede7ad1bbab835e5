//! What signals do.
//!
//! HUP opens the logs anew, reads the file of `-F` again over the current settings, wholly or not at
//! all, and reads certificates and the database of countries again if they have changed. USR1 shows the status. TERM and INT end the process, after draining if
//! `drain_timeout` says so; QUIT always drains. USR2 starts the program anew and lets it take over (`upgrade`).

use std::io;

use pen_core::config::Config;
use pen_core::difference::Difference;
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::report::text;
use pen_sys::signals::Signal;

use super::{Desk, Ending, ExitReason, perform, reports};
use crate::clock;
use crate::logs::Level;
use crate::shared::Order;

impl Desk {
    pub(super) fn take_signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.signals.take()? {
            match signal {
                Signal::Hup => self.reload(),
                Signal::Usr1 => self.show_status(),
                Signal::Term | Signal::Int => self.end(self.running.config.process.drain_timeout_s),
                Signal::Quit => self.drain(self.running.config.process.drain_timeout_s),
                Signal::Usr2 => self.upgrade(None),
            }
        }
        Ok(())
    }

    /// TERM: at once, or after waiting for connections; the second one waits no more.
    fn end(&mut self, drain_s: u32) {
        if drain_s == 0 || self.ending != Ending::No {
            self.ending = Ending::Now(ExitReason::Signal);
        } else {
            self.drain(drain_s);
        }
    }

    /// Accepts nobody any more and waits for the connections there are: at most `seconds`, 0 = as
    /// long as they last.
    fn drain(&mut self, seconds: u32) {
        if self.ending != Ending::No {
            return;
        }
        let until = (seconds != 0).then(|| clock::now().plus_s(seconds));
        self.ending = Ending::Draining { until };
        self.notify.stopping();
        self.running.logs.say(Level::Always, || {
            format!("draining: {} connections are left", self.running.connections())
        });
        self.running.board.drains();
        self.running.logs.event(Subject::new(EventKey::Draining), |e| {
            let left = self.running.connections();
            let text = format!("draining: {left} connections are left");
            e.with(Detail::Connections, left).saying(text)
        });
        self.running.close_doors();
        self.leave_doors_by(|| Order::Drain);
    }

    fn show_status(&self) {
        for service in &self.running.services {
            if service.live.load().config.web_stats.is_some() {
                if let Err(why) = reports::write_page(&self.running, service) {
                    self.running.warn(why);
                }
            } else {
                let shot = reports::snapshot(&self.running, service, reports::Depth::FULL);
                self.running.logs.say_lines(Level::Always, || text::report(&shot));
            }
        }
    }

    /// HUP.
    fn reload(&mut self) {
        self.notify.reloading();
        if let Err(why) = self.running.logs.reopen_all() {
            self.running.warn(why);
        }
        match self.origin.file.clone() {
            None => {
                self.renew_files();
                self.notify.ready("the logs are opened anew");
            }
            Some(file) => {
                if self.reloads.want() {
                    self.read_again(file);
                }
            }
        }
    }

    /// What is read again when its files have changed.
    fn renew_files(&mut self) {
        perform::renew_certificates(&mut self.running);
        match self.running.renew_countries() {
            Ok(None) => {}
            Ok(Some(news)) => {
                let subject = Subject::new(EventKey::CountriesReloaded);
                self.running.logs.event(subject, |e| e.saying(&*news));
                self.running.logs.say(Level::Always, || news);
            }
            Err(why) => self.running.warn(why),
        }
    }

    fn tell_reload(&self, file: &str, before: &Config, result: &Result<(), String>) {
        let logs = &self.running.logs;
        match result {
            Ok(()) => logs.event(Subject::new(EventKey::Reload), |e| {
                let found = Difference::between(before, &self.running.config);
                let text = format!("{file} was read again: {}", found.words());
                found.add_to(e.with(Detail::File, file)).saying(text)
            }),
            Err(why) => logs.event(Subject::new(EventKey::ReloadFailed), |e| {
                e.with(Detail::File, file).saying(format!("{why}; nothing has changed"))
            }),
        }
    }

    /// The file was read and its settings are true, or nothing has changed.
    pub(super) fn reloaded(&mut self, file: &str, before: &Config, result: Result<(), String>) {
        self.renew_files();
        if result.is_ok() {
            self.running.board.reloaded();
        }
        self.tell_reload(file, before, &result);
        let text = match result {
            Ok(()) => format!("{file} was read again"),
            Err(why) => format!("WARNING: {why}; nothing has changed"),
        };
        self.notify.ready(&text);
        self.running.logs.say(Level::Always, || text);
        if self.reloads.ended() {
            self.reload();
        }
    }
}
