//! Unix stream listeners.
//!
//! Only a stale socket (nobody accepts on it) is replaced; whatever else is at the path stays.
//! Two processes that start at the same path in the same instant may still race: the file system
//! offers no way to unlink a file only if it is still the one that was looked at.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, open, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

/// A listener at `path`. `mode`: the permissions of the socket's file, less those that the umask
/// forbids; the file never has more, not even for a moment. `None` is what the umask leaves.
///
/// # Errors
/// `AddrInUse` if somebody listens there, `AlreadyExists` if something there is no socket, or
/// what the kernel says.
pub fn unix_bind(path: &Path, backlog: u32, mode: Option<u32>) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let socket = stream()?;
    remove_stale(path, &address)?;
    if let Some(mode) = mode {
        // Linux gives the file the mode of the unbound socket.
        fchmod(&socket, Mode::from_raw_mode(mode))?;
    }
    bind(&socket, &address)?;
    listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// The name of a listening Unix socket in its folder, for whoever made it: it goes with this.
#[derive(Debug)]
pub struct Seat {
    folder: OwnedFd,
    name: OsString,
    /// Device and number of the file; `None` when it is to stay.
    file: Option<(u64, u64)>,
}

impl Seat {
    /// The seat of a socket that was just bound to `path`. It is found again after a chroot. `None` if that
    /// cannot be had; then the name stays behind, and the next start removes it.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(folder, flags, Mode::empty()).ok()?;
        let name = path.file_name()?.to_owned();
        let file = identity(&folder, &name);
        file.is_some().then_some(Self { folder, name, file })
    }

    /// The name stays: somebody else has the socket too.
    pub fn stay(&mut self) {
        self.file = None;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.file.is_some() && identity(&self.folder, &self.name) == self.file {
            // The folder may be somebody else's by now.
            let _ = unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

fn identity(folder: &OwnedFd, name: &OsStr) -> Option<(u64, u64)> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

pub(super) fn stream() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

fn remove_stale(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok(found) if !found.file_type().is_socket() => {
            let text = "something that is no socket is there; it is not touched";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(_) => {}
    }
    match connect(stream()?, address) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        // Gone since it was looked at.
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::ACCESS) => Err(io::ErrorKind::PermissionDenied.into()),
        // It answers, its queue is full, or it is of another type: somebody holds it.
        Ok(()) | Err(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "somebody listens on the socket that is there",
        )),
    }
}
