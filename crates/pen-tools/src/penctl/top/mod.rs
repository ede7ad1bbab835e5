//! `penctl top`: servers, clients and events on the whole screen.
//!
//! One thread draws and hears keys and signals, another looks at Pen; only what changed on the page is
//! sent. Where standard output is no terminal, and with `--once`, one plain page is printed; on a
//! terminal that cannot place its cursor a plain page after each look.

mod canvas;
mod fetcher;
mod figures;
mod model;
mod page;
mod terminal;
mod view;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use pen_sys::notices::{self, Notice, Notices};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

use super::place::Link;
use super::{Status, Trouble, say};
use canvas::Canvas;
use fetcher::{Fetcher, Miss, look};
use model::Model;
use terminal::{Ability, Terminal};
use view::{Key, Sort, View};

/// Runs it.
pub(super) fn run(
    link: &Link<'_>,
    once: bool,
    interval_s: u32,
    service: Option<String>,
) -> Result<Status, Trouble> {
    let view =
        View { service, sort: Sort::default(), paused: false, help: false, above: 0, interval_s };
    let mut model = Model::default();
    // The first look is before the terminal is touched: who is not there, or knows no overview, gets
    // a sentence.
    match look(link) {
        Ok(overview) => model.take(overview, Instant::now()),
        Err(Miss::Unreachable(why)) => return Err(why.into()),
        Err(Miss::Refused(why)) => {
            crate::ends::complain(super::NAME, &format!("{}: {why}", link.place));
            return Ok(Status::Refused);
        }
    }
    if let Some(name) = view.service.as_ref()
        && !model.overview.services.iter().any(|s| s.service == *name)
    {
        let names = model.overview.services.iter().map(|s| s.service.as_str());
        let near = pen_core::near::hint(name, names);
        let name = pen_core::near::shown(name);
        crate::ends::complain(super::NAME, &format!("no service called {name}{near}"));
        return Ok(Status::Refused);
    }
    let ability = Ability::of(env);
    let pages = Pages { link, model, view, ability };
    match (once || !io::stdout().is_terminal(), ability.page) {
        (true, _) => pages.one(),
        (false, false) => pages.one_after_the_other(),
        (false, true) => Screen::open(pages)?.serve(),
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

struct Pages<'a> {
    link: &'a Link<'a>,
    model: Model,
    view: View,
    ability: Ability,
}

impl Pages<'_> {
    /// One plain page. Rates need a second look, a moment later.
    fn one(mut self) -> Result<Status, Trouble> {
        self.pause(Duration::from_secs(1));
        if let Ok(overview) = look(self.link) {
            self.model.take(overview, Instant::now());
        }
        self.print()?;
        Ok(Status::Done)
    }

    /// A plain page after each look, for ever.
    fn one_after_the_other(mut self) -> Result<Status, Trouble> {
        loop {
            self.print()?;
            say(b"\n")?;
            self.pause(Duration::from_secs(self.view.interval_s.into()));
            match look(self.link) {
                Ok(overview) => self.model.take(overview, Instant::now()),
                Err(Miss::Unreachable(why) | Miss::Refused(why)) => self.model.fail(why),
            }
        }
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn print(&self) -> Result<(), Trouble> {
        let (width, _) = terminal::size(env);
        let text = page::plain(&self.model, &self.view, width, self.ability.unicode);
        say(text.as_bytes())
    }
}

/// The whole screen.
struct Screen<'a> {
    pages: Pages<'a>,
    terminal: Terminal,
    notices: Notices,
    fetcher: Fetcher,
    /// What the terminal shows, as far as that is known.
    shown: Option<Canvas>,
    looked: Instant,
}

/// What is to be done after something happened.
enum Then {
    Draw,
    End(Status),
    /// Ended by this signal.
    Killed(i32),
}

impl<'a> Screen<'a> {
    fn open(pages: Pages<'a>) -> Result<Self, Trouble> {
        let cannot = |e: io::Error| format!("cannot use the terminal: {e}");
        // Before any thread, so that no other gets the signals.
        let notices = notices::open().map_err(cannot)?;
        let fetcher = Fetcher::start(pages.link.place.to_owned(), pages.link.timeout_s);
        Ok(Self {
            fetcher: fetcher.map_err(cannot)?,
            terminal: Terminal::open().map_err(cannot)?,
            pages,
            notices,
            shown: None,
            looked: Instant::now(),
        })
    }

    fn serve(mut self) -> Result<Status, Trouble> {
        // The second look follows soon, for without it there are no rates.
        let mut next = Duration::from_millis(500);
        loop {
            if self.draw().is_err() {
                return Err(Trouble::NobodyReads);
            }
            if !self.pages.view.paused && self.looked.elapsed() >= next {
                self.looked = Instant::now();
                self.fetcher.order();
                next = Duration::from_secs(self.pages.view.interval_s.into());
            }
            next = next.min(Duration::from_secs(self.pages.view.interval_s.into()));
            let wait = next.saturating_sub(self.looked.elapsed());
            match self.wait(wait)? {
                Then::Draw => {}
                Then::End(status) => return Ok(status),
                Then::Killed(number) => {
                    drop(self);
                    return Err(Trouble::Killed(number));
                }
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let Pages { model, view, ability, .. } = &self.pages;
        let page = page::screen(model, view, terminal::size(env), ability.unicode);
        let changes = page.changes(self.shown.as_ref(), ability.colours);
        self.shown = Some(page);
        if changes.is_empty() { Ok(()) } else { self.terminal.show(&changes) }
    }

    /// Waits for something to happen, `time` at most.
    fn wait(&mut self, time: Duration) -> Result<Then, Trouble> {
        let keyboard = io::stdin();
        let time = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(1),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let keys = if keyboard.is_terminal() { PollFlags::IN } else { PollFlags::empty() };
        let mut ends = [
            PollFd::from_borrowed_fd(self.notices.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.fetcher.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(keyboard.as_fd(), keys),
        ];
        match poll(&mut ends, Some(&time)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(format!("cannot wait: {e}").into()),
        }
        let [notices, fetched, keys] = ends.map(|end| end.revents());
        if !fetched.is_empty() {
            self.take_answer();
        }
        if !notices.is_empty() {
            return self.take_notices();
        }
        if keys.intersects(PollFlags::IN) {
            return Ok(self.take_keys());
        }
        // The terminal has gone.
        let gone = keys.intersects(PollFlags::HUP | PollFlags::ERR) && keyboard.is_terminal();
        Ok(if gone { Then::End(Status::Done) } else { Then::Draw })
    }

    fn take_answer(&mut self) {
        match self.fetcher.answer() {
            None => {}
            Some(Ok(overview)) => self.pages.model.take(overview, Instant::now()),
            Some(Err(Miss::Unreachable(why) | Miss::Refused(why))) => self.pages.model.fail(why),
        }
    }

    fn take_keys(&mut self) -> Then {
        let mut bytes = [0_u8; 256];
        let n = match rustix::io::read(io::stdin(), &mut bytes) {
            Ok(0) => return Then::End(Status::Done),
            Ok(n) => n,
            Err(Errno::INTR | Errno::AGAIN) => return Then::Draw,
            Err(_) => return Then::End(Status::Done),
        };
        let bytes = bytes.get(..n).unwrap_or_default();
        let keys = Key::read(bytes);
        if keys.is_empty() {
            self.pages.view.help = false;
        }
        for key in keys {
            if key == Key::Redraw {
                self.shown = None;
            }
            let Pages { view, model, .. } = &mut self.pages;
            if !view.press(key, model) {
                return Then::End(Status::Done);
            }
        }
        Then::Draw
    }

    fn take_notices(&mut self) -> Result<Then, Trouble> {
        let cannot = |e: io::Error| Trouble::Failed(format!("cannot use the terminal: {e}"));
        while let Some(notice) = self.notices.take().map_err(cannot)? {
            match notice {
                Notice::Resize => self.shown = None,
                Notice::Interrupt => return Ok(Then::End(Status::Done)),
                Notice::End(number) => return Ok(Then::Killed(number)),
                Notice::Stop => {
                    terminal::restore();
                    // The shell takes over here, until it continues us.
                    let stopped = kill_process(getpid(), Signal::STOP);
                    stopped.map_err(|e| cannot(e.into()))?;
                    self.terminal.enter().map_err(cannot)?;
                    self.shown = None;
                }
                Notice::Continue => self.shown = None,
            }
        }
        Ok(Then::Draw)
    }
}
