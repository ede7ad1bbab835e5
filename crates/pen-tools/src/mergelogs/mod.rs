//! `mergelogs`: merges web servers' logs by time and gives each line its real client from Pen's log.
//!
//! Everything is streamed: a line of each log, a part of Pen's log around their time, and nothing
//! else is in memory. What cannot be merged is named with file and line and counted. The order and the
//! choice of entries are `pen_core::merge`'s.

mod complaints;
mod feed;
mod lines;
mod pen_log;
mod progress;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use pen_core::cli::tools::mergelogs::{self, Launch};
use pen_core::limits;
use pen_core::logline::RequestKey;
use pen_core::merge::{Batch, Heads, ServerId, Servers, Window};
use pen_core::near::shown;
use pen_core::weblog::{WebLine, WebTime};
use pen_sys::rlimit;

use crate::ends;
use complaints::Complaints;
use feed::Feed;
use pen_log::PenLog;
use progress::Progress;

const NAME: &str = "mergelogs";

/// Runs with these arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let launch = match mergelogs::parse(arguments) {
        Ok(launch) => launch,
        Err(stop) => return ends::stop(&stop),
    };
    match Merge::open(&launch).and_then(Merge::run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => ends::failure(NAME, &text),
    }
}

/// A merge under way.
struct Merge<'a> {
    launch: &'a Launch,
    feeds: Vec<Feed>,
    heads: Heads,
    servers: Servers,
    pen_log: PenLog,
    complaints: Complaints,
    progress: Progress,
    out: BufWriter<io::Stdout>,
    /// The line that is written.
    made: Vec<u8>,
}

impl<'a> Merge<'a> {
    /// Opens everything and reads the first line of each log.
    fn open(launch: &'a Launch) -> Result<Self, String> {
        let files = launch.inputs.len() + 1;
        let buffer = (limits::MERGE_BUFFERS / files)
            .clamp(limits::MERGE_BUFFER_MIN, limits::MERGE_BUFFER_MAX);
        let room = rlimit::raise_descriptors().saturating_sub(limits::MERGE_DESCRIPTOR_RESERVE);
        let mut complaints = Complaints::open(launch.rejects.as_deref())?;
        let mut progress = Progress::new();
        let pen_log = PenLog::open(&launch.pen_log, launch.shift_s, &progress)?;
        let mut servers = Servers::default();
        let (mut feeds, mut heads) = (Vec::new(), Heads::default());
        for (n, input) in (0_u64..).zip(&launch.inputs) {
            let server = servers.add(&input.server);
            let mut feed = Feed::open(&input.file, server, buffer, n < room, &progress)?;
            if feed.advance(&mut complaints).map_err(|e| format!("{}: {e}", input.file))? {
                heads.push(feed.time().wall, feeds.len());
            }
            feeds.push(feed);
        }
        progress.start();
        let out = BufWriter::with_capacity(limits::MERGE_BUFFER_MAX, io::stdout());
        let made = Vec::new();
        Ok(Self { launch, feeds, heads, servers, pen_log, complaints, progress, out, made })
    }

    /// Answers whether all files could be read to their end.
    fn run(mut self) -> Result<bool, String> {
        if self.launch.everything {
            self.against_everything()?
        } else {
            self.streaming()?
        }
        let flushed = self.out.flush();
        self.written(flushed)?;
        self.progress.end();
        self.complaints.report(&self.progress, self.launch.debug);
        Ok(self.complaints.all_read())
    }

    fn streaming(&mut self) -> Result<(), String> {
        let room = limits::MERGE_WINDOW_MAX;
        let mut window = Window::new(self.launch.jitter_s, room);
        while let Some(input) = self.heads.pop() {
            let Some(feed) = self.feeds.get(input) else { continue };
            let (time, server) = (feed.time(), feed.server());
            window.advance(time.wall);
            while window.wants_more() {
                let Some(found) = self.pen_log.next(&mut self.servers, &mut self.complaints)?
                else {
                    break;
                };
                window.add(found.wall, found.key, found.client);
            }
            let client = match WebLine::parse(feed.line()) {
                Ok(web) => {
                    window.nearest(keys(&self.servers, server, &web)).map(ToString::to_string)
                }
                Err(_) => None,
            };
            self.write(input, time, client)?;
            self.step(input)?;
        }
        self.complaints.crowded(window.crowded());
        Ok(())
    }

    /// Many lines at a time, in their order, through all of Pen's log.
    fn against_everything(&mut self) -> Result<(), String> {
        let mut waiting: Vec<(usize, WebTime, Vec<u8>)> = Vec::new();
        let (mut batch, mut bytes) = (Batch::default(), 0);
        loop {
            let next = self.heads.pop();
            if let Some(feed) = next.and_then(|input| self.feeds.get(input)) {
                let (time, server, line) = (feed.time(), feed.server(), feed.line().to_vec());
                if let Ok(web) = WebLine::parse(&line) {
                    batch.want(time.wall, keys(&self.servers, server, &web));
                }
                bytes += line.len();
                waiting.push((next.unwrap_or_default(), time, line));
            }
            let full = waiting.len() >= limits::MERGE_BATCH_LINES;
            if (next.is_none() || full || bytes >= limits::MERGE_BATCH_BYTES) && !waiting.is_empty()
            {
                self.pass(std::mem::take(&mut batch), std::mem::take(&mut waiting))?;
                bytes = 0;
            }
            match next {
                Some(input) => self.step(input)?,
                None => return Ok(()),
            }
        }
    }

    fn pass(
        &mut self,
        mut batch: Batch,
        waiting: Vec<(usize, WebTime, Vec<u8>)>,
    ) -> Result<(), String> {
        self.pen_log.rewind()?;
        while let Some(found) = self.pen_log.next(&mut self.servers, &mut self.complaints)? {
            if let Some(key) = found.key {
                batch.meet(found.wall, key, found.client);
            }
        }
        for (input, time, line) in waiting {
            let Some(server) = self.feeds.get(input).map(Feed::server) else { continue };
            let Ok(web) = WebLine::parse(&line) else { continue };
            let client = batch.found(time.wall, keys(&self.servers, server, &web));
            let client = client.map(ToString::to_string);
            self.write_line(server, &web, time, client)?;
        }
        Ok(())
    }

    fn write(&mut self, input: usize, time: WebTime, client: Option<String>) -> Result<(), String> {
        let Some(feed) = self.feeds.get_mut(input) else { return Ok(()) };
        let (server, line) = (feed.server(), feed.lend());
        let result = match WebLine::parse(&line) {
            Ok(web) => self.write_line(server, &web, time, client),
            Err(_) => Ok(()),
        };
        if let Some(feed) = self.feeds.get_mut(input) {
            feed.take_back(line);
        }
        result
    }

    fn write_line(
        &mut self,
        server: ServerId,
        web: &WebLine<'_>,
        time: WebTime,
        client: Option<String>,
    ) -> Result<(), String> {
        if self.launch.debug {
            let request = shown(&String::from_utf8_lossy(web.request()));
            let found = client.as_deref().unwrap_or("no entry");
            let word = self.servers.word(server);
            ends::complain(NAME, &format!("{} {word} {request}: {found}", time.wall.0));
        }
        self.complaints.merged(client.is_some(), time.zoned);
        let client = client.as_deref().unwrap_or(self.servers.word(server));
        self.made.clear();
        web.append_at(&mut self.made, client, time);
        self.made.push(b'\n');
        let written = self.out.write_all(&self.made);
        self.written(written)
    }

    /// The next line of a log.
    fn step(&mut self, input: usize) -> Result<(), String> {
        self.progress.tick(self.complaints.lines());
        let Some(feed) = self.feeds.get_mut(input) else { return Ok(()) };
        match feed.advance(&mut self.complaints) {
            Ok(true) => self.heads.push(feed.time().wall, input),
            Ok(false) => {}
            Err(e) => self.complaints.broke_off(feed.name(), feed.number(), &e),
        }
        Ok(())
    }

    /// A reader that has gone ends the program quietly.
    fn written(&self, result: io::Result<()>) -> Result<(), String> {
        match result {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(e) => Err(format!("cannot write: {e}")),
            Ok(()) => Ok(()),
        }
    }
}

/// What the entry of a line can be found by.
fn keys(servers: &Servers, server: ServerId, web: &WebLine<'_>) -> Vec<RequestKey> {
    web.spellings().map(|request| servers.key(server, &request)).collect()
}
