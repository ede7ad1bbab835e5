//! Files that lines are appended to, and files of the kernel's that are short.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::clock;

/// Bytes that fit into a pipe that says there is room (PIPE_BUF of pipe(7)).
const PIECE: usize = 4_096;
/// Bytes that are read of a short file; the longest in use has some 3 KB.
const SHORT_MAX: usize = 8 * 1024;

/// Opens a file to append to, and makes it with the permissions 0640 less the umask if it is not there.
/// It is never waited for: a FIFO needs a reader, a terminal does not become this process's own.
///
/// # Errors
/// What the kernel says.
pub fn open_log(path: &Path) -> io::Result<File> {
    // Not blocking matters for FIFOs and terminals; it changes nothing for files.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Writes one piece to a descriptor that may be shared with others, so that it cannot be told not to
/// wait: the kernel is asked first whether there is room, for up to `patience_ms`. Answers the number of
/// bytes, which may be fewer than given.
///
/// # Errors
/// `AGAIN` without room; else what the kernel says.
pub fn write_piece(fd: impl AsFd, bytes: &[u8], patience_ms: u64) -> Result<usize, Errno> {
    let patience = clock::timespec(patience_ms);
    if poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&patience))? == 0 {
        return Err(Errno::AGAIN);
    }
    rustix::io::write(&fd, bytes.get(..PIECE).unwrap_or(bytes))
}

/// The text of a short file of the kernel's, from its beginning; the file may have been opened long ago.
#[must_use]
pub fn short_text(file: &File) -> Option<String> {
    let mut bytes = [0; SHORT_MAX];
    let n = file.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(bytes.get(..n)?).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn a_piece_is_written_where_there_is_room() {
        let (mut reader, writer) = io::pipe().unwrap();
        let some = [b'x'; 10_000];
        assert_eq!(write_piece(&writer, &some, 0), Ok(PIECE));
        let full = (0..1_000).find_map(|_| write_piece(&writer, &some, 0).err());
        assert_eq!(full, Some(Errno::AGAIN));
        assert!(reader.read(&mut vec![0; 64 * 1024]).unwrap() > 0);
        assert_eq!(write_piece(&writer, b"again", 1_000), Ok(5));
    }

    #[test]
    fn a_short_file_is_read_from_its_beginning_each_time() {
        let path = std::env::temp_dir().join(format!("pen-short-{}", std::process::id()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(b"one").unwrap();
        assert_eq!(short_text(&file).as_deref(), Some("one"));
        file.rewind().unwrap();
        file.write_all(b"two and more").unwrap();
        assert_eq!(short_text(&file).as_deref(), Some("two and more"));
    }
}
