//! `upgrade` and USR2, as the process sees it that is to be replaced.
//!
//! Until the new process says that it is ready nothing changes here; then nobody is accepted any more, and
//! this process waits for its connections and ends. What can go wrong ends the attempt, not the service.

use std::io;
use std::os::fd::OwnedFd;

use pen_core::config::Protocol;
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::limits;
use pen_core::moment::Moment;
use pen_sys::launcher::Launcher;
use pen_sys::parcels;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::{Desk, Ending, UPGRADE};
use crate::clock;
use crate::listeners::stock::Kept;
use crate::logs::Level;
use crate::shared::Order;
use crate::upgrade::{self, Answer};

/// What it takes to be replaced.
#[derive(Debug)]
pub struct Means {
    /// What starts the new process; or why there is nothing that could.
    pub launcher: Result<Launcher, String>,
    /// The pid file, which goes over.
    pub pid_file: Option<OwnedFd>,
}

/// A new process that is not ready yet.
#[derive(Debug)]
pub(super) struct Upgrade {
    way: OwnedFd,
    /// The session that waits for the outcome.
    asker: Option<usize>,
    /// When it is given up.
    due: Moment,
}

impl Upgrade {
    pub(super) fn due(&self) -> Moment {
        self.due
    }

    /// A session is over; its number will be somebody else's.
    pub(super) fn forget(&mut self, key: usize) {
        self.asker = self.asker.filter(|asker| *asker != key);
    }
}

impl Desk {
    /// Starts the program anew. `asker`: the session that is told what becomes of it.
    pub(super) fn upgrade(&mut self, asker: Option<usize>) {
        let begun = match (&self.means.launcher, &self.upgrade) {
            (_, Some(_)) => Err("one runs already".to_owned()),
            _ if self.ending != Ending::No => Err("Pen is about to end".to_owned()),
            (Err(why), None) => Err(why.clone()),
            (Ok(launcher), None) => {
                self.begin_upgrade(launcher).map_err(|e| format!("cannot hand listeners over: {e}"))
            }
        };
        match begun {
            Ok(way) => {
                let due = clock::now().plus_s(limits::UPGRADE_READY_S);
                self.upgrade = Some(Upgrade { way, asker, due });
                let logs = &self.running.logs;
                logs.say(Level::Always, || "upgrade: the program is started anew".to_owned());
            }
            Err(why) => self.upgrade_failed(asker, &why),
        }
    }

    fn begin_upgrade(&self, launcher: &Launcher) -> io::Result<OwnedFd> {
        let (ours, theirs) = parcels::pair()?;
        let kept: Vec<Kept> =
            self.listeners().into_iter().chain(self.running.web_listener()).collect();
        upgrade::bequeath(&ours, &kept, self.means.pid_file.as_ref())?;
        epoll::add(&self.epoll, &ours, EventData::new_u64(UPGRADE), EventFlags::IN)?;
        launcher.start(&theirs)?;
        Ok(ours)
    }

    /// Listeners that outlive the process: those of services and the control socket.
    pub(super) fn listeners(&self) -> Vec<Kept> {
        self.running.listeners().into_iter().chain(self.door.as_ref().map(|d| d.kept())).collect()
    }

    /// The new process has said something, or has ended.
    pub(super) fn hear_successor(&mut self) {
        let Some(upgrade) = &self.upgrade else { return };
        match upgrade::answer(&upgrade.way) {
            Ok(Answer::Ready { pid, version }) => self.step_back(pid, &version),
            Ok(Answer::Failed(why)) => self.give_upgrade_up(&why),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => self.give_upgrade_up(&e.to_string()),
        }
    }

    /// Gives the attempt up if it takes too long.
    pub(super) fn look_at_upgrade(&mut self, now: Moment) {
        if self.upgrade.as_ref().is_some_and(|u| u.due <= now) {
            let seconds = limits::UPGRADE_READY_S;
            self.give_upgrade_up(&format!("it was not ready in {seconds} seconds"));
        }
    }

    /// The new process does not take over: it ends, and this one goes on.
    pub(super) fn give_upgrade_up(&mut self, why: &str) {
        let Some(upgrade) = self.upgrade.take() else { return };
        if let Ok(launcher) = &self.means.launcher {
            // Without a launcher there is nothing that it could have started.
            let _ = launcher.end();
        }
        self.upgrade_failed(upgrade.asker, why);
    }

    fn upgrade_failed(&mut self, asker: Option<usize>, why: &str) {
        let text = format!("upgrade: {why}; process {} goes on", std::process::id());
        self.running.logs.event(Subject::new(EventKey::UpgradeFailed), |e| e.saying(&*text));
        self.running.logs.say(Level::Always, || format!("WARNING: {text}"));
        if let Some(key) = asker {
            self.answer(key, format!("error: {text}\n"));
        }
    }

    /// The new process serves: this one accepts nobody any more and waits for what it has.
    fn step_back(&mut self, pid: u32, version: &str) {
        let Some(Upgrade { way, asker, .. }) = self.upgrade.take() else { return };
        let now = clock::now();
        let flows = self.running.config.services.iter().any(|s| s.protocol == Protocol::Udp);
        self.stays_until = flows.then(|| now.plus_s(limits::UPGRADE_LINGER_S));
        let drain_s = match self.running.config.process.drain_timeout_s {
            0 => limits::UPGRADE_DRAIN_S,
            seconds => seconds,
        };
        self.ending = Ending::Draining { until: Some(now.plus_s(drain_s)) };
        self.replaced = true;
        self.notify.main_process(pid);
        self.running.board.drains();
        self.leave_doors();
        self.leave_doors_by(|| Order::Yield);
        upgrade::yield_to(&way);
        let (own, left) = (std::process::id(), self.running.connections());
        let text = format!(
            "upgraded: process {pid} (version {version}) serves; process {own} waits for the {left} \
             connections that it has"
        );
        self.running.logs.event(Subject::new(EventKey::Upgraded), |e| {
            e.with(Detail::Pid, pid)
                .with(Detail::Version, version)
                .with(Detail::Connections, left)
                .saying(&*text)
        });
        self.running.logs.say(Level::Always, || text.clone());
        if let Some(key) = asker {
            self.answer(key, format!("{text}\n"));
        }
    }

    /// The sockets are open in the new process too: they are taken out of what this one looks at before
    /// they are closed. Who waits there, or watches here, is the new one's guest.
    fn leave_doors(&mut self) {
        if let Some(mut door) = self.door.take() {
            door.stay();
            let _ = epoll::delete(&self.epoll, &door);
        }
        (self.door_armed, self.door_opens) = (false, None);
        let guests = self.sessions.iter().filter(|(_, s)| s.is_watching());
        let guests: Vec<usize> = guests.map(|(key, _)| key).collect();
        for key in guests {
            self.drop_session(key, "another process serves");
        }
        self.running.yield_frames_and_page();
        self.running.close_doors();
    }
}
