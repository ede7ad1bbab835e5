//! Lines of a file of any size, plain or compressed, with a bound for each line.
//!
//! When there are more files than descriptors, further ones are opened for each read and closed again;
//! a file that was replaced meanwhile is noticed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use pen_core::limits;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read1 {
    Line,
    /// It does not fit; its beginning is there.
    Long,
    End,
}

/// A file as lines.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    number: u64,
}

impl Lines {
    /// Opens a file; `-` is standard input. `read` counts the bytes taken from it.
    pub(super) fn open(
        path: &str,
        buffer: usize,
        stays_open: bool,
        read: Rc<Cell<u64>>,
    ) -> io::Result<Self> {
        let mut raw = Raw::open(path, stays_open, read)?;
        let mut start = [0; 2];
        let mut begun = 0;
        while let Some(space) = start.get_mut(begun..).filter(|space| !space.is_empty()) {
            match raw.read(space) {
                Ok(0) => break,
                Ok(n) => begun += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let gzip = begun == 2 && start == GZIP;
        let whole = Cursor::new(start).take(begun as u64).chain(raw);
        let reader: Box<dyn BufRead> = if gzip {
            let packed = BufReader::with_capacity(limits::MERGE_BUFFER_MIN.max(buffer / 4), whole);
            Box::new(BufReader::with_capacity(buffer, MultiGzDecoder::new(packed)))
        } else {
            Box::new(BufReader::with_capacity(buffer, whole))
        };
        Ok(Self { reader, number: 0 })
    }

    /// The next line, without its end, in place of what is in `line`.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Read1> {
        line.clear();
        let most = limits::MERGE_LINE_MAX as u64 + 1;
        self.reader.by_ref().take(most).read_until(b'\n', line)?;
        if line.is_empty() {
            return Ok(Read1::End);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(Read1::Line);
        }
        if line.len() <= limits::MERGE_LINE_MAX {
            // The last one has no end.
            return Ok(Read1::Line);
        }
        line.pop();
        self.reader.skip_until(b'\n')?;
        Ok(Read1::Long)
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// The bytes of a file.
struct Raw {
    path: String,
    file: Option<File>,
    stays_open: bool,
    /// Device and number of the file.
    identity: (u64, u64),
    offset: u64,
    count: Rc<Cell<u64>>,
}

impl Raw {
    fn open(path: &str, stays_open: bool, count: Rc<Cell<u64>>) -> io::Result<Self> {
        let path = if path == "-" { "/dev/stdin" } else { path };
        let file = File::open(path)?;
        let meta = file.metadata()?;
        // What is no plain file cannot be opened twice.
        let stays_open = stays_open || !meta.is_file();
        let identity = (meta.dev(), meta.ino());
        let file = stays_open.then_some(file);
        Ok(Self { path: path.to_owned(), file, stays_open, identity, offset: 0, count })
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let mut file = File::open(&self.path)?;
            let meta = file.metadata()?;
            if (meta.dev(), meta.ino()) != self.identity {
                return Err(io::Error::other("another file has taken its place"));
            }
            file.seek(SeekFrom::Start(self.offset))?;
            return Ok(self.file.insert(file));
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file()?.read(into)?;
        self.offset += n as u64;
        self.count.set(self.count.get() + n as u64);
        if !self.stays_open {
            self.file = None;
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use pen_test::Scratch;

    use super::*;

    fn all(path: &std::path::Path, stays_open: bool) -> Vec<(Read1, usize)> {
        let path = path.to_str().unwrap();
        let mut lines = Lines::open(path, 4_096, stays_open, Rc::default()).unwrap();
        let mut line = Vec::new();
        let mut seen = Vec::new();
        loop {
            match lines.next(&mut line).unwrap() {
                Read1::End => return seen,
                what => seen.push((what, line.len())),
            }
        }
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lines_of_every_kind_of_file() {
        let scratch = Scratch::new();
        let max = limits::MERGE_LINE_MAX;
        for len in [0, 1, max - 1, max, max + 1, 3 * max] {
            let text = format!("first\n\n{}\nlast", "x".repeat(len));
            let middle = match len {
                len if len > max => (Read1::Long, max),
                len => (Read1::Line, len),
            };
            let expected = [(Read1::Line, 5), (Read1::Line, 0), middle, (Read1::Line, 4)];
            let (a, b) = text.as_bytes().split_at(3);
            let gzip = [packed(a), packed(b)].concat();
            for bytes in [text.as_bytes(), &gzip] {
                let path = scratch.path("log");
                std::fs::write(&path, bytes).unwrap();
                for stays_open in [true, false] {
                    assert_eq!(all(&path, stays_open), expected, "{len}");
                }
            }
        }
        for (text, lines) in [("", 0), ("\n", 1), ("\x1f", 1)] {
            let path = scratch.write("log", text);
            assert_eq!(all(&path, true).len(), lines);
        }
    }

    #[test]
    fn a_file_that_is_replaced_or_cut_is_noticed() {
        let scratch = Scratch::new();
        let path = scratch.write("log", &"line\n".repeat(5_000));
        let mut lines = Lines::open(path.to_str().unwrap(), 4_096, false, Rc::default()).unwrap();
        let mut line = Vec::new();
        assert_eq!(lines.next(&mut line).unwrap(), Read1::Line);
        std::fs::rename(&path, scratch.path("log.1")).unwrap();
        scratch.write("log", "another\n");
        let why = std::iter::from_fn(|| Some(lines.next(&mut line))).find_map(Result::err).unwrap();
        assert!(why.to_string().contains("another file"));

        let whole = packed("line\n".repeat(5_000).as_bytes());
        std::fs::write(&path, whole.get(..whole.len() - 9).unwrap()).unwrap();
        let mut lines = Lines::open(path.to_str().unwrap(), 4_096, true, Rc::default()).unwrap();
        assert!(std::iter::from_fn(|| Some(lines.next(&mut line))).find_map(Result::err).is_some());
        assert!(lines.number() > 0);
    }
}
