//! Tries what is forbidden.
//!
//! Each attempt is of a kind that comes to nothing even where it is permitted: it names nobody, points
//! nowhere, or asks for something that does not exist. Only the error tells who said no.

use std::io;

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub what: &'static str,
    /// It was refused as [`super::forbid_calls`] refuses.
    pub refused: bool,
}

/// Tries everything that [`super::Calls::Dangerous`] forbids, one of a kind.
#[must_use]
pub fn attempt_forbidden() -> Vec<Attempt> {
    let nowhere = std::ptr::null::<libc::c_char>();
    let nobody = -1_i64;
    // SAFETY: no attempt hands the kernel memory of this process: pointers are null, descriptors and
    // ids are none, sizes are 0. If it is permitted, the kernel finds nothing to do.
    unsafe {
        vec![
            attempt("execute a program", || libc::syscall(libc::SYS_execve, nowhere, 0, 0)),
            attempt("start a process", || {
                // A signal table of one's own in shared memory: no kernel makes that.
                let nonsense = libc::CLONE_SIGHAND;
                libc::syscall(libc::SYS_clone, nonsense, 0, 0, 0, 0)
            }),
            attempt("look into a process", || libc::syscall(libc::SYS_ptrace, nobody, 0, 0, 0)),
            attempt("read another process", || {
                libc::syscall(libc::SYS_process_vm_readv, nobody, 0, 0, 0, 0, nobody)
            }),
            attempt("enter a namespace", || libc::syscall(libc::SYS_setns, nobody, 0)),
            attempt("make a namespace", || libc::syscall(libc::SYS_unshare, 0)),
            attempt("make a device", || libc::syscall(libc::SYS_mknodat, nobody, nowhere, 0, 0)),
            attempt("use the keys of the kernel", || libc::syscall(libc::SYS_keyctl, nobody)),
            attempt("use io_uring", || libc::syscall(libc::SYS_io_uring_enter, nobody, 0, 0, 0, 0)),
            attempt("watch the processor", || {
                libc::syscall(libc::SYS_perf_event_open, nowhere, 0, 0, nobody, 0)
            }),
            attempt("become another user", || {
                libc::syscall(libc::SYS_setresuid, nobody, nobody, nobody)
            }),
            attempt("open a socket of another family", || {
                libc::syscall(libc::SYS_socket, libc::AF_APPLETALK, nobody, nobody)
            }),
            attempt("make memory executable", || {
                libc::syscall(libc::SYS_mprotect, nowhere, 0, libc::PROT_EXEC)
            }),
            attempt("type into a terminal", || {
                // TIOCSTI
                libc::syscall(libc::SYS_ioctl, nobody, 0x5412, nowhere)
            }),
        ]
    }
}

fn attempt(what: &'static str, call: impl FnOnce() -> libc::c_long) -> Attempt {
    let refused = call() == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
    Attempt { what, refused }
}
