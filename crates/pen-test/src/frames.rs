//! Raw frames on an interface, sent and heard by a small program of its own (`frames.py`), as root.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::place::Scratch;
use crate::program::{Program, is_root};
use crate::waiting::until;

const SCRIPT: &str = include_str!("frames.py");

/// Whether raw frames can be sent here; says why not.
#[must_use]
pub fn can_send_frames() -> bool {
    if !is_root() {
        println!("skipped: only root can send raw frames");
        return false;
    }
    let there = Command::new("python3").arg("--version").output().is_ok();
    if !there {
        println!("skipped: no python3 here, which sends raw frames");
    }
    there
}

fn script(way: &str, interface: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", SCRIPT, way, interface]);
    command
}

/// Sends frames as they are through an interface of the thread's network.
///
/// # Panics
/// When they cannot be sent.
pub fn send_frames(interface: &str, frames: &[Vec<u8>]) {
    let mut child = script("send", interface);
    let mut child = child.stdin(Stdio::piped()).spawn().expect("python3 starts");
    let lines: String = frames.iter().map(|frame| hex(frame) + "\n").collect();
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(lines.as_bytes()).expect("it reads to the end");
    drop(input);
    assert!(child.wait().is_ok_and(|status| status.success()), "frames cannot be sent");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "a String takes everything");
        text
    })
}

/// Hears what arrives at an interface.
#[derive(Debug)]
pub struct Ear {
    program: Program,
    _scratch: Scratch,
}

impl Ear {
    /// Hears an interface of the thread's network from here on.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn at(interface: &str) -> Self {
        let scratch = Scratch::new();
        let program = Program::start(script("hear", interface), &scratch);
        until("an ear", || program.stdout().starts_with("ready").then_some(()));
        Self { program, _scratch: scratch }
    }

    /// How often this frame, to its last byte, has arrived so far. Padding counts as well.
    #[must_use]
    pub fn heard(&self, frame: &[u8]) -> usize {
        let wanted = hex(frame);
        self.program.stdout().lines().filter(|line| *line == wanted).count()
    }

    /// Waits until it arrives.
    ///
    /// # Panics
    /// When it does not before the deadline.
    pub fn hears(&self, frame: &[u8]) {
        until(&format!("the frame {}", hex(frame)), || (self.heard(frame) > 0).then_some(()));
    }
}
