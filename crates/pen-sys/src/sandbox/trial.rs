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
    let none = 0_i64;
    // SAFETY: no attempt hands the kernel memory of this process: pointers are null, descriptors and
    // ids are none, sizes are 0. If it is permitted, the kernel finds nothing to do.
    unsafe {
        vec![
            attempt("execute a program", || libc::syscall(libc::SYS_execve, nowhere, none, none)),
            attempt("start a process", || {
                // A signal table of one's own in shared memory: no kernel makes that.
                let nonsense = i64::from(libc::CLONE_SIGHAND);
                libc::syscall(libc::SYS_clone, nonsense, none, none, none, none)
            }),
            attempt("look into a process", || {
                libc::syscall(libc::SYS_ptrace, nobody, none, none, none)
            }),
            attempt("read another process", || {
                libc::syscall(libc::SYS_process_vm_readv, nobody, none, none, none, none, nobody)
            }),
            attempt("enter a namespace", || libc::syscall(libc::SYS_setns, nobody, none)),
            attempt("make a namespace", || libc::syscall(libc::SYS_unshare, none)),
            attempt("make a device", || {
                libc::syscall(libc::SYS_mknodat, nobody, nowhere, none, none)
            }),
            attempt("use the keys of the kernel", || libc::syscall(libc::SYS_keyctl, nobody)),
            attempt("use io_uring", || {
                libc::syscall(libc::SYS_io_uring_enter, nobody, none, none, none, none)
            }),
            attempt("watch the processor", || {
                libc::syscall(libc::SYS_perf_event_open, nowhere, none, none, nobody, none)
            }),
            attempt("become another user", || {
                libc::syscall(libc::SYS_setresuid, nobody, nobody, nobody)
            }),
            attempt("open a socket of another family", || {
                libc::syscall(libc::SYS_socket, i64::from(libc::AF_APPLETALK), nobody, nobody)
            }),
            attempt("make memory executable", || {
                libc::syscall(libc::SYS_mprotect, nowhere, none, i64::from(libc::PROT_EXEC))
            }),
            attempt("type into a terminal", || {
                // TIOCSTI
                libc::syscall(libc::SYS_ioctl, nobody, 0x5412_i64, nowhere)
            }),
        ]
    }
}

fn attempt(what: &'static str, call: impl FnOnce() -> libc::c_long) -> Attempt {
    let refused = call() == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
    Attempt { what, refused }
}
