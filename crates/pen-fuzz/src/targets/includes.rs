//! Files of commands that include each other, out of memory: loops, depths, files that are not there.
//!
//! An input is records of bytes, one for each file: `a`, `b`, `c` and so on; `a` is read. The file `endless`
//! is none, as no device is; no other exists.

use std::cell::Cell;

use pen_core::command::{Context, Door, Effect, apply, parse};
use pen_core::command_file::{self, FileFault, Files, Outcome, Unread};
use pen_core::config::Config;
use pen_core::limits;

use super::commands::Book;
use super::named;
use crate::{Choices, record};

const FILES_MAX: usize = 12;
/// Lines of a fuzzed file that are read, so that no input takes seconds.
const LINES_MAX: usize = 24;

struct Memory {
    files: Vec<Vec<u8>>,
    reads: Cell<usize>,
}

impl Memory {
    fn get(&self, path: &str) -> Result<&[u8], Unread> {
        let unread = |missing, message: &str| Unread { missing, message: message.to_owned() };
        if path == "endless" {
            return Err(unread(false, "it is no regular file"));
        }
        let at = match path.as_bytes() {
            [letter] => usize::from(letter.wrapping_sub(b'a')),
            _ => usize::MAX,
        };
        let missing = || unread(true, "No such file or directory");
        self.files.get(at).map(Vec::as_slice).ok_or_else(missing)
    }
}

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        self.reads.set(self.reads.get() + 1);
        self.get(path).map(<[u8]>::to_vec)
    }
}

/// Wholly or not at all; as many files as there may be and no more; a fault is one that is there; the same
/// as the lines one by one.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let mut files = Vec::new();
    while !choices.is_empty() && files.len() < FILES_MAX {
        let lines: Vec<&[u8]> = choices.record().split(|b| *b == b'\n').take(LINES_MAX).collect();
        files.push(lines.join(&b'\n'));
    }
    let memory = Memory { files, reads: Cell::new(0) };
    let mut config = Config::default();
    let context = Context::starting(Door::File);
    let read = command_file::read(&mut config, &context, "a", &Book, &memory);
    assert!(memory.reads.get() <= limits::INCLUDES_MAX, "{} files", memory.reads.get());
    if let Err(fault) = &read {
        assert_eq!(config, Config::default(), "{fault}");
        sound(fault, &memory);
    }
    let plain = Plain::new(&memory).read();
    match (read, plain) {
        (Ok(outcome), Ok((meant, plain))) => {
            assert_eq!(outcome, plain);
            assert_eq!(config, meant);
            assert_eq!(outcome.files.len(), memory.reads.get());
        }
        (Err(fault), Err(plain)) => {
            assert_eq!((fault.file.as_str(), fault.at.map(|at| at.0)), (plain.0.as_str(), plain.1));
        }
        (read, plain) => panic!("{read:?}, it should be {:?}", plain.map(|p| p.1)),
    }
}

/// It names a place that there is, in a line of text.
fn sound(fault: &FileFault, memory: &Memory) {
    let text = fault.to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
    let Some((line, column)) = fault.at else { return };
    let file = memory.get(&fault.file).unwrap_or_else(|_| panic!("{text}: there is no such file"));
    let found = file.split(|b| *b == b'\n').nth(line - 1);
    assert!(found.is_some_and(|found| (1..=found.len() + 4).contains(&column)), "{text}");
}

/// The lines one by one, with the files that are open in a stack.
struct Plain<'a> {
    memory: &'a Memory,
    open: Vec<Open<'a>>,
    config: Config,
    context: Context,
    outcome: Outcome,
}

struct Open<'a> {
    path: String,
    lines: Vec<&'a [u8]>,
    next: usize,
    /// The service of the line that included it.
    back: String,
}

/// A file and a line of it that cannot be done.
type Wrong = (String, Option<usize>);

impl<'a> Plain<'a> {
    fn new(memory: &'a Memory) -> Self {
        let (config, context) = (Config::default(), Context::starting(Door::File));
        Self { memory, open: Vec::new(), config, context, outcome: Outcome::default() }
    }

    fn open(&mut self, path: &str, service: Option<String>) -> Result<(), ()> {
        if self.open.len() == 8 || self.outcome.files.len() == 4_096 {
            return Err(());
        }
        let bytes = self.memory.get(path).map_err(drop)?;
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let back = self.context.service.clone();
        self.context.service = service.unwrap_or_else(|| back.clone());
        let lines = bytes.split(|b| *b == b'\n').collect();
        self.open.push(Open { path: path.to_owned(), lines, next: 0, back });
        self.outcome.files.push(path.to_owned());
        Ok(())
    }

    fn read(mut self) -> Result<(Config, Outcome), Wrong> {
        self.open("a", None).map_err(|()| ("a".to_owned(), None))?;
        while let Some(top) = self.open.last_mut() {
            let Some(line) = top.lines.get(top.next) else {
                self.context.service = top.back.clone();
                self.open.pop();
                continue;
            };
            top.next += 1;
            let (path, number, line) = (top.path.clone(), top.next, *line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.line(&path, number, line).map_err(|()| (path, Some(number)))?;
        }
        Ok((self.config, self.outcome))
    }

    fn line(&mut self, path: &str, number: usize, line: &[u8]) -> Result<(), ()> {
        let text = std::str::from_utf8(line).map_err(drop)?;
        let text = if text.len() > 4_096 { Err(()) } else { Ok(text) }?;
        let Some(line) = parse(text, Door::File).map_err(drop)? else { return Ok(()) };
        let mut done = apply(&mut self.config, &mut self.context, &line, &Book).map_err(drop)?;
        done.notices.iter_mut().for_each(|n| *n = format!("{path}:{number}: {n}"));
        for include in self.outcome.absorb(done, line.json) {
            let Effect::Include { service, path } = include else { continue };
            self.open(&path, Some(service))?;
        }
        Ok(())
    }
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let files = |all: &[&str]| all.iter().flat_map(|text| record(text.as_bytes())).collect();
    let both = |next: &str| format!("include {next}\n").repeat(10);
    let chain: Vec<String> =
        "bcdefghi".chars().map(|next| format!("include {next}\n")).chain([String::new()]).collect();
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    let (b, c, d, e) = (both("b"), both("c"), both("d"), both("e"));
    named([
        ("itself", files(&["blacklist 5\ninclude a\n"])),
        ("each-other", files(&["include b\n", "include a\n"])),
        ("seven-deep", files(&[&chain[..6], &["hash\n"]].concat())),
        ("too-deep", files(&chain)),
        ("missing", files(&["tracking 4\n  include nowhere\n"])),
        ("endless", files(&["include endless\n"])),
        ("none", Vec::new()),
        ("ten-times-ten", files(&[&b, &c, "\n"])),
        ("more-than-there-may-be", files(&[&b, &c, &d, &e, "\n"])),
        (
            "services",
            files(&[
                "service web include b\ntimeout 3\nservice mail\ninclude b\ntimeout 4\n",
                "\u{feff}# of any service\r\nlisten 127.0.0.1:80\r\nservice other\ntimeout 9",
            ]),
        ),
        ("a-fault-within", files(&["hash\ninclude b\n", "prio\nblacklist soon\n"])),
        ("lists", files(&["acl 2 permit 10.0.0.1\ninclude b\n", "acl 2 deny ::1\nno acl 2\n"])),
    ])
}
