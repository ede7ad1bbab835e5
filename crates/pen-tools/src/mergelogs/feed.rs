//! One web server's log: the line that is next, and its time.

use std::io;

use pen_core::merge::ServerId;
use pen_core::moment::WallSeconds;
use pen_core::weblog::{Broken, WebLine, WebTime};

use super::complaints::Complaints;
use super::lines::{Lines, Read1};
use super::progress::Progress;

/// An open log.
pub(super) struct Feed {
    name: String,
    server: ServerId,
    lines: Lines,
    line: Vec<u8>,
    time: WebTime,
}

impl Feed {
    /// Opens it; nothing is read yet.
    pub(super) fn open(
        name: &str,
        server: ServerId,
        buffer: usize,
        stays_open: bool,
        progress: &Progress,
    ) -> Result<Self, String> {
        let lines = Lines::open(name, buffer, stays_open, progress.expect(name))
            .map_err(|e| format!("{name}: {e}"))?;
        let time = WebTime { wall: WallSeconds(0), zoned: false };
        Ok(Self { name: name.to_owned(), server, lines, line: Vec::new(), time })
    }

    /// Goes to the next web line; what is none is complained of. Answers whether there is one.
    pub(super) fn advance(&mut self, complaints: &mut Complaints) -> io::Result<bool> {
        loop {
            let what = self.lines.next(&mut self.line)?;
            let broken = match what {
                Read1::End => return Ok(false),
                Read1::Long => Broken::Long,
                Read1::Line if self.line.is_empty() || self.line == b"\r" => continue,
                Read1::Line => match time(&self.line) {
                    Ok(time) => {
                        self.time = time;
                        return Ok(true);
                    }
                    Err(broken) => broken,
                },
            };
            let why = broken.to_string();
            complaints.broken(&self.name, self.lines.number(), &why, &self.line);
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn server(&self) -> ServerId {
        self.server
    }

    /// The number of the last line read.
    pub(super) fn number(&self) -> u64 {
        self.lines.number()
    }

    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    pub(super) fn time(&self) -> WebTime {
        self.time
    }

    /// The line, for the time of writing it.
    pub(super) fn lend(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line)
    }

    /// The space of the line, for the next one.
    pub(super) fn take_back(&mut self, line: Vec<u8>) {
        self.line = line;
    }
}

fn time(line: &[u8]) -> Result<WebTime, Broken> {
    let web = WebLine::parse(line)?;
    let time = web.time()?;
    if web.has_client() { Ok(time) } else { Err(Broken::Client) }
}
