//! Tries what is forbidden.
//!
//! Each attempt is of a kind that comes to nothing even where it is permitted: it names nobody, points
//! nowhere, asks for something that does not exist, or opens and closes again. Only the error tells who
//! said no.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Who is to refuse something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The filter of system calls ([`super::forbid_calls`]).
    Calls,
    /// The rules for files ([`super::forbid_files`]), from this number of Landlock on.
    Files(i32),
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub what: &'static str,
    /// Who is to refuse it.
    pub guard: Guard,
    /// It was refused, as that guard refuses.
    pub refused: bool,
}

/// Tries everything that [`super::Calls::Dangerous`] forbids, one of a kind, and what is forbidden by
/// rules for files: under [`super::Files::Ordinary`] if `places` is `None`, otherwise under
/// [`super::Files::Only`] with these places, whether for reading or for writing.
///
/// Nothing is tried where this machine has nothing to try it on: no parent process, no `/dev/null`, no
/// directory elsewhere.
#[must_use]
pub fn attempt_forbidden(places: Option<&[&Path]>) -> Vec<Attempt> {
    let mut all = programs_and_memory();
    all.extend(kernel());
    all.extend([signal(), device()].into_iter().flatten());
    all.extend(places.into_iter().flat_map(elsewhere));
    all
}

const NOWHERE: *const libc::c_char = std::ptr::null();
const NOBODY: i64 = -1;
const NONE: i64 = 0;

/// What processes do to each other, and to their own memory and rights.
fn programs_and_memory() -> Vec<Attempt> {
    // SAFETY: no attempt hands the kernel memory of this process: pointers are null, descriptors and
    // ids are none, sizes are 0. If it is permitted, the kernel finds nothing to do.
    unsafe {
        vec![
            call("execute a program", || libc::syscall(libc::SYS_execve, NOWHERE, NONE, NONE)),
            call("start a process", || {
                // A signal table of one's own in shared memory: no kernel makes that.
                let nonsense = i64::from(libc::CLONE_SIGHAND);
                libc::syscall(libc::SYS_clone, nonsense, NONE, NONE, NONE, NONE)
            }),
            call("look into a process", || {
                libc::syscall(libc::SYS_ptrace, NOBODY, NONE, NONE, NONE)
            }),
            call("read another process", || {
                libc::syscall(libc::SYS_process_vm_readv, NOBODY, NONE, NONE, NONE, NONE, NOBODY)
            }),
            call("become another user", || {
                libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY)
            }),
            call("open a socket of another family", || {
                libc::syscall(libc::SYS_socket, i64::from(libc::AF_APPLETALK), NOBODY, NOBODY)
            }),
            call("make memory executable", || {
                libc::syscall(libc::SYS_mprotect, NOWHERE, NONE, i64::from(libc::PROT_EXEC))
            }),
            call("type into a terminal", || {
                // TIOCSTI
                libc::syscall(libc::SYS_ioctl, NOBODY, 0x5412_i64, NOWHERE)
            }),
        ]
    }
}

/// What is done to the kernel and to the machine.
fn kernel() -> Vec<Attempt> {
    // SAFETY: as above. A module of 0 bytes is none, a time at no address is no time, a mount at no
    // address is none.
    unsafe {
        vec![
            call("enter a namespace", || libc::syscall(libc::SYS_setns, NOBODY, NONE)),
            call("make a namespace", || libc::syscall(libc::SYS_unshare, NONE)),
            call("mount a file system", || {
                libc::syscall(libc::SYS_mount, NOWHERE, NOWHERE, NOWHERE, NONE, NOWHERE)
            }),
            call("make a device", || libc::syscall(libc::SYS_mknodat, NOBODY, NOWHERE, NONE, NONE)),
            call("load a module", || libc::syscall(libc::SYS_init_module, NOWHERE, NONE, NOWHERE)),
            call("program the kernel", || libc::syscall(libc::SYS_bpf, NOBODY, NOWHERE, NONE)),
            call("set the clock", || {
                libc::syscall(libc::SYS_clock_settime, i64::from(libc::CLOCK_REALTIME), NOWHERE)
            }),
            call("use the keys of the kernel", || libc::syscall(libc::SYS_keyctl, NOBODY)),
            call("use io_uring", || {
                libc::syscall(libc::SYS_io_uring_enter, NOBODY, NONE, NONE, NONE, NONE)
            }),
            call("watch the processor", || {
                libc::syscall(libc::SYS_perf_event_open, NOWHERE, NONE, NONE, NOBODY, NONE)
            }),
        ]
    }
}

fn call(what: &'static str, call: impl FnOnce() -> libc::c_long) -> Attempt {
    let refused = call() == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
    Attempt { what, guard: Guard::Calls, refused }
}

/// No signal at all, to the process that started this one: the kernel only says whether it might be.
fn signal() -> Option<Attempt> {
    let parent = rustix::process::getppid()?;
    let refused = rustix::process::test_kill_process(parent) == Err(Errno::PERM);
    Some(Attempt { what: "signal another process", guard: Guard::Files(6), refused })
}

/// A command to the device that knows none.
fn device() -> Option<Attempt> {
    let null = opened("/dev/null", OFlags::RDONLY).ok()?;
    // SAFETY: TCSBRK has a number behind it and no address.
    let answer = unsafe { libc::ioctl(null.as_raw_fd(), libc::TCSBRK, 1) };
    let refused = answer == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EACCES);
    Some(Attempt { what: "give a command to a device", guard: Guard::Files(5), refused })
}

/// Reading and writing where none of `places` is.
fn elsewhere(places: &[&Path]) -> Vec<Attempt> {
    let outside = |dir: &&str| {
        let real = Path::new(dir).canonicalize();
        real.is_ok_and(|dir| !places.iter().any(|place| dir.starts_with(place)))
    };
    let list = Some("/")
        .filter(outside)
        .map(|dir| opened(dir, OFlags::RDONLY | OFlags::DIRECTORY).err() == Some(Errno::ACCESS));
    // A file without a name is gone when it is closed. Not every file system has such.
    let mut dirs = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/"].into_iter().filter(outside);
    let write = dirs.find_map(|dir| match opened(dir, OFlags::WRONLY | OFlags::TMPFILE) {
        Err(Errno::ACCESS) => Some(true),
        Ok(_) => Some(false),
        Err(_) => None,
    });
    [("list a directory elsewhere", list), ("write to a directory elsewhere", write)]
        .into_iter()
        .filter_map(|(what, refused)| {
            Some(Attempt { what, guard: Guard::Files(1), refused: refused? })
        })
        .collect()
}

fn opened(path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
}
