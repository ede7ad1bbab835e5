//! `penlogd`: takes entries of Pen and lines of web servers as datagrams and writes the lines with
//! their real clients.
//!
//! One thread that waits for datagrams, signals and room in its output, and for nothing else: a full
//! disk or a reader that stands still costs lines, which are counted, and never the process. HUP opens
//! the file anew, USR1 says the counts, TERM takes what has arrived, writes it and ends.
//! What a datagram means is `pen_core::consolidate`'s.

mod door;
mod outlet;
mod voice;

use std::ffi::OsString;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pen_core::cli::tools::penlogd::{self, Launch};
use pen_core::consolidate::{Consolidator, Outcome};
use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::near::shown;
use pen_sys::daemon::{self, Ready, Role};
use pen_sys::pidfile::PidFile;
use pen_sys::privileges::{self, User};
use pen_sys::signals::{self, Signal, Signals};
use pen_sys::{clock, localtime};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::ends;
use outlet::Outlet;
use voice::Voice;

const NAME: &str = "penlogd";

/// Runs with these arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let launch = match penlogd::parse(arguments) {
        Ok(launch) => launch,
        Err(stop) => return ends::stop(&stop),
    };
    let ready = if launch.foreground {
        Ready::foreground()
    } else {
        match daemon::detach() {
            Ok(Role::Child(ready)) => ready,
            Ok(Role::Parent(awaited)) => {
                let verdict = awaited.wait();
                if !verdict.text.is_empty() {
                    ends::complain(NAME, &verdict.text);
                }
                return ExitCode::from(verdict.status);
            }
            Err(e) => return ends::failure(NAME, &format!("cannot go to the background: {e}")),
        }
    };
    match House::open(&launch, &ready) {
        Ok(house) => serve(house, ready),
        Err(text) => {
            if ready.is_background() {
                ready.failed(1, &text);
                return ExitCode::FAILURE;
            }
            ends::failure(NAME, &text)
        }
    }
}

fn serve(mut house: House, ready: Ready) -> ExitCode {
    if let Err(e) = ready.ready() {
        return ends::failure(NAME, &format!("cannot let go of the terminal: {e}"));
    }
    let served = house.serve();
    house.end();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            house.voice.say(&text);
            ExitCode::FAILURE
        }
    }
}

/// Everything that is open.
struct House {
    socket: UdpSocket,
    drops: door::Drops,
    signals: Signals,
    outlet: Outlet,
    voice: Voice,
    pid_file: Option<PidFile>,
    table: Consolidator,
    debug: bool,
    datagram: Vec<u8>,
    lines: Vec<u8>,
}

impl House {
    /// The port is opened with the rights that are there; the files inside the jail as the user.
    fn open(launch: &Launch, ready: &Ready) -> Result<Self, String> {
        let user = launch.user.as_deref().map(look_up).transpose()?;
        let signals = signals::open().map_err(|e| format!("cannot handle signals: {e}"))?;
        let socket = door::open(&launch.place)?;
        let drops = door::Drops::of(&socket);
        let voice = Voice::open(ready.is_background());
        localtime::load();
        if let Some(jail) = &launch.jail {
            privileges::enter_jail(Path::new(jail))
                .map_err(|e| format!("cannot enter {}: {e}", shown(jail)))?;
        }
        if let Some(user) = &user {
            privileges::become_user(user, &[])
                .map_err(|e| format!("cannot become user {}: {e}", shown(&user.word)))?;
        }
        let outlet = Outlet::open(launch.log.as_deref(), launch.unbuffered)?;
        let pid_file = launch.pid_file.as_deref().map(|path| PidFile::write(Path::new(path)));
        Ok(Self {
            socket,
            drops,
            signals,
            outlet,
            voice,
            pid_file: pid_file.transpose()?,
            table: Consolidator::new(launch.entries),
            debug: launch.debug,
            datagram: vec![0; limits::PENLOGD_DATAGRAM_MAX],
            lines: Vec::new(),
        })
    }

    /// Until TERM; an error is the end of what the output was for.
    fn serve(&mut self) -> Result<(), String> {
        loop {
            self.wait()?;
            while let Some(signal) =
                self.signals.take().map_err(|e| format!("cannot read signals: {e}"))?
            {
                match signal {
                    Signal::Hup => self.reopen(),
                    Signal::Usr1 => self.report(),
                    Signal::Usr2 => {}
                    Signal::Term | Signal::Int | Signal::Quit => return Ok(()),
                }
            }
            self.take_some()?;
            self.release(Some(now()));
            if let Some(news) = self.outlet.work()? {
                self.voice.say(&news);
            }
        }
    }

    fn wait(&self) -> Result<(), String> {
        let mut fds = vec![
            PollFd::new(&self.socket, PollFlags::IN),
            PollFd::new(&self.signals, PollFlags::IN),
        ];
        let due = self.outlet.due();
        let out;
        if due.is_some_and(|left| left.is_zero()) {
            out = self.outlet.as_fd();
            fds.push(PollFd::new(&out, PollFlags::OUT));
        }
        let held = self.table.wait_ms(now()).map(Duration::from_millis);
        let flush = due.filter(|left| !left.is_zero());
        let timeout = held.into_iter().chain(flush).min().map(|left| Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(1),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(format!("cannot wait for datagrams: {e}")),
        }
    }

    /// Datagrams that have arrived, as many as one turn takes; answers whether there may be more.
    fn take_some(&mut self) -> Result<bool, String> {
        for _ in 0..limits::PENLOGD_DATAGRAMS_PER_TURN {
            let (n, sender) = match self.socket.recv_from(&mut self.datagram) {
                Ok(arrived) => arrived,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(format!("cannot receive: {e}")),
            };
            let sender = sender.ip().to_canonical();
            let (voice, debug) = (&mut self.voice, self.debug);
            let datagram = self.datagram.get(..n).unwrap_or_default();
            self.table.take(now(), sender, datagram, &mut self.lines, |outcome, line| {
                if debug {
                    voice.say(&described(outcome, line));
                }
            });
            self.outlet.take(&self.lines);
            self.lines.clear();
        }
        Ok(true)
    }

    /// Lines that have waited long enough; without a time all of them.
    fn release(&mut self, now: Option<Moment>) {
        let (voice, debug) = (&mut self.voice, self.debug);
        self.table.release(now, &mut self.lines, |outcome, line| {
            if debug {
                voice.say(&described(outcome, line));
            }
        });
        self.outlet.take(&self.lines);
        self.lines.clear();
    }

    fn reopen(&mut self) {
        if let Err(text) = self.outlet.reopen() {
            self.voice.say(&text);
        }
        self.report();
    }

    fn report(&mut self) {
        let dropped = self.drops.count();
        let text = format!(
            "{}, lost in the kernel's queue {}, not written {}",
            self.table.report(),
            dropped.map_or_else(|| "unknown".to_owned(), |n| n.to_string()),
            self.outlet.lost()
        );
        self.voice.say(&text);
    }

    /// Takes what has arrived, writes it, says the counts. A flood or a reader that stands still
    /// does not keep it from ending.
    fn end(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(limits::LAST_LINES_S);
        while Instant::now() < deadline && self.take_some() == Ok(true) {}
        self.release(None);
        self.outlet.finish(deadline);
        self.report();
        if let Some(Err(text)) = self.pid_file.take().map(PidFile::remove) {
            self.voice.say(&text);
        }
    }
}

fn now() -> Moment {
    Moment(clock::monotonic_ms())
}

fn look_up(word: &str) -> Result<User, String> {
    privileges::user(word).map_err(|e| format!("user {}: {e}", shown(word)))
}

fn described(outcome: Outcome, line: &[u8]) -> String {
    let what = match outcome {
        Outcome::Entry => "entry",
        Outcome::Replaced => "web line, client found",
        Outcome::Unchanged => "web line, no entry",
        Outcome::Junk => "junk",
    };
    format!("{what}: {}", shown(&String::from_utf8_lossy(line)))
}
