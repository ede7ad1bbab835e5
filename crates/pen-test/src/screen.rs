//! A terminal with a program in it: what it would show, what is typed, how large it is.
//!
//! The program is the leader of a session of its own, with this terminal, as in a window (setsid(1)
//! does that).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use vt100::Parser;

use crate::program::Sig;
use crate::waiting::until;

/// A running terminal. Dropping it ends the program.
pub struct Screen {
    child: Child,
    master: OwnedFd,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    parser: Parser,
    bytes: Vec<u8>,
}

impl Screen {
    /// Runs a program with arguments and nothing in its environment but `env` and a path, in a terminal
    /// of so many columns and lines.
    ///
    /// # Panics
    /// When there are no terminals here, or no such program.
    #[must_use]
    pub fn start(program: &Path, args: &[&str], env: &[(&str, &str)], size: (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("our terminal");
        unlockpt(&master).expect("our terminal");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let end = rustix::fs::open(&name, flags, Mode::empty()).expect("its other end");
        let copy = || Stdio::from(end.try_clone().expect("descriptors"));
        set_size(&master, size);
        let mut command = Command::new("setsid");
        // Who runs tests in the background may have left the signals of keys ignored, and programs inherit that.
        command.args(["--ctty", "env", "--default-signal=INT,QUIT"]);
        command.arg(program).args(args).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(env.iter().copied());
        let child = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn();
        let child = child.expect("setsid(1) is there");
        let (columns, lines) = size;
        let parser = Parser::new(lines, columns, 0);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let (reader, into) = (master.try_clone().expect("descriptors"), Arc::clone(&seen));
        std::thread::spawn(move || read(File::from(reader), &into));
        Self { child, master, seen }
    }

    /// What it shows, line by line.
    #[must_use]
    pub fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Everything that was sent to it so far.
    #[must_use]
    pub fn sent(&self) -> Vec<u8> {
        self.seen().bytes.clone()
    }

    /// Waits until it shows `text`, and answers all of it.
    pub fn shows(&self, text: &str) -> String {
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(text, || Some(self.text()).filter(|all| all.contains(text)))
        }));
        found.unwrap_or_else(|_| panic!("it does not show {text:?} but:\n{}", self.text()))
    }

    /// Whether it shows the page for programs on the whole screen.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        self.seen().parser.screen().alternate_screen()
    }

    /// Whether the cursor is to be seen.
    #[must_use]
    pub fn has_cursor(&self) -> bool {
        !self.seen().parser.screen().hide_cursor()
    }

    /// Whether lines are edited and shown as they are typed, as a shell expects to find it.
    #[must_use]
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.master).expect("settings").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Types.
    pub fn press(&self, keys: &str) {
        let mut master = File::from(self.master.try_clone().expect("descriptors"));
        master.write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Makes it as large as that.
    pub fn resize(&self, size: (u16, u16)) {
        let (columns, lines) = size;
        self.seen().parser.screen_mut().set_size(lines, columns);
        set_size(&self.master, size);
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Sig) {
        signal.send(self.child.id());
    }

    /// Whether the program stands still.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        // The state follows the name, which is in parentheses.
        stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        until("the program in the terminal to end", || self.child.try_wait().ok().flatten())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut from: File, into: &Mutex<Seen>) {
    let mut bytes = [0; 4096];
    // The end of all who have it open is an error of its own here.
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
        seen.parser.process(&bytes[..n]);
        seen.bytes.extend_from_slice(&bytes[..n]);
    }
}

fn set_size(master: &OwnedFd, (columns, lines): (u16, u16)) {
    let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("a terminal has a size");
}
