//! The filter of system calls: seccomp.
//!
//! What is refused fails with EPERM and never ends the process: a library that tries something new
//! goes on without it. Starting a process the way of `clone3` is answered with ENOSYS, because a
//! filter cannot see what it asks for; threads then start by `clone`. Calls of another architecture
//! end the process.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// How much is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// What a server of any kind has no use for once it runs.
    Dangerous,
    /// Everything but what is known to be needed.
    Unknown {
        /// Packet sockets are needed.
        packets: bool,
    },
}

/// What a filter says of one call: always, or if one of the rules fits.
type Listed = BTreeMap<i64, Vec<SeccompRule>>;

/// Families of sockets: Unix, internet, the kernel's tables of routes, packets.
const FAMILIES: [i32; 5] =
    [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];

/// Forbids this thread and those it starts later what `calls` says, for good. Needs
/// [`super::forbid_new_privileges`] first, and asks for it itself.
///
/// # Errors
/// The kernel has no such filters.
pub fn forbid_calls(calls: Calls) -> io::Result<()> {
    let processes = Listed::from([(libc::SYS_clone3, Vec::new())]);
    let enosys = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let first = compile(processes, SeccompAction::Allow, enosys)?;
    let eperm = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let last = match calls {
        Calls::Dangerous => compile(dangerous(), SeccompAction::Allow, eperm),
        Calls::Unknown { packets } => compile(needed(packets), eperm, SeccompAction::Allow),
    }?;
    // With the last one in force there may be no further filter.
    for program in [first, last] {
        apply_filter(&program).map_err(io::Error::other)?;
    }
    Ok(())
}

fn compile(listed: Listed, others: SeccompAction, these: SeccompAction) -> io::Result<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(listed, others, these, arch).map_err(io::Error::other)?;
    BpfProgram::try_from(filter).map_err(io::Error::other)
}

/// A rule that fits if all conditions do.
fn rule(conditions: impl IntoIterator<Item = (u8, SeccompCmpOp, u64)>) -> Vec<SeccompRule> {
    let conditions: Result<Vec<_>, _> = conditions
        .into_iter()
        .map(|(n, op, value)| SeccompCondition::new(n, SeccompCmpArgLen::Dword, op, value))
        .collect();
    // Six arguments there are, and none of our rules is empty; one that were would fit always.
    conditions.ok().and_then(|c| SeccompRule::new(c).ok()).into_iter().collect()
}

fn bits(flags: i32) -> u64 {
    u64::from(flags.cast_unsigned())
}

/// Its argument has all of these bits.
fn has(argument: u8, flags: i32) -> (u8, SeccompCmpOp, u64) {
    (argument, SeccompCmpOp::MaskedEq(bits(flags)), bits(flags))
}

/// Its argument has none of these bits.
fn lacks(argument: u8, flags: i32) -> (u8, SeccompCmpOp, u64) {
    (argument, SeccompCmpOp::MaskedEq(bits(flags)), 0)
}

fn dangerous() -> Listed {
    let mut listed: Listed = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    let others = FAMILIES.map(|family| (0, SeccompCmpOp::Ne, bits(family)));
    listed.insert(libc::SYS_socket, rule(others));
    // A process, or a thread in a namespace of its own.
    let mut clone = rule([lacks(0, libc::CLONE_THREAD)]);
    for namespace in NAMESPACES {
        clone.extend(rule([has(0, namespace)]));
    }
    listed.insert(libc::SYS_clone, clone);
    // Memory that can be written and executed, or that becomes executable: no code is made here.
    let write_and_execute = libc::PROT_WRITE | libc::PROT_EXEC;
    listed.insert(libc::SYS_mmap, rule([has(2, write_and_execute)]));
    listed.insert(libc::SYS_mprotect, rule([has(2, libc::PROT_EXEC)]));
    listed.insert(libc::SYS_pkey_mprotect, rule([has(2, libc::PROT_EXEC)]));
    let typing = TYPING.into_iter().flat_map(|request| rule([(1, SeccompCmpOp::Eq, request)]));
    listed.insert(libc::SYS_ioctl, typing.collect());
    #[cfg(target_arch = "x86_64")]
    x32(&mut listed);
    listed
}

/// The same calls by the numbers of x32, where the kernel has that: 0x40000000 more, and some of their
/// own.
#[cfg(target_arch = "x86_64")]
fn x32(listed: &mut Listed) {
    const BIT: i64 = 0x4000_0000;
    /// execve, ptrace, kexec_load, process_vm_readv, process_vm_writev, execveat, ioctl.
    const OWN: [i64; 7] = [520, 521, 528, 539, 540, 545, 514];
    let twins: Vec<(i64, Vec<SeccompRule>)> =
        listed.iter().map(|(call, rules)| (call | BIT, rules.clone())).collect();
    listed.extend(twins);
    listed.extend(OWN.map(|call| (call | BIT, Vec::new())));
}

fn needed(packets: bool) -> Listed {
    let mut listed: Listed = NEEDED.iter().map(|call| (*call, Vec::new())).collect();
    let families = FAMILIES.into_iter().filter(|f| packets || *f != libc::AF_PACKET);
    let sockets = families.flat_map(|family| rule([(0, SeccompCmpOp::Eq, bits(family))]));
    listed.insert(libc::SYS_socket, sockets.collect());
    listed.insert(libc::SYS_clone, rule([has(0, libc::CLONE_THREAD)]));
    // Code comes from files only: name services are libraries.
    let code = [lacks(2, libc::PROT_EXEC), lacks(2, libc::PROT_WRITE)];
    listed.insert(libc::SYS_mmap, code.into_iter().flat_map(|c| rule([c])).collect());
    listed.insert(libc::SYS_mprotect, rule([lacks(2, libc::PROT_EXEC)]));
    listed.insert(libc::SYS_ioctl, rule(TYPING.map(|request| (1, SeccompCmpOp::Ne, request))));
    listed
}

/// TIOCSTI and TIOCLINUX: words put into a terminal as if somebody had typed them.
const TYPING: [u64; 2] = [0x5412, 0x541C];

const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// What Pen never asks for once it runs, and whoever breaks in would.
const FORBIDDEN: &[i64] = &[
    // Other programs and processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    libc::SYS_process_madvise,
    // The file system as a whole.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_mknodat,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_fanotify_init,
    // Namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // The kernel: its code, its memory, its clock, its name.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_lookup_dcookie,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Keys of the kernel.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Other users, and other rights.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
];

/// What Pen, the library that resolves names and the one that does cryptography ask for.
const NEEDED: &[i64] = &[
    // Bytes.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_pipe2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    // Sockets; the call `socket` has its own rule.
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_eventfd2,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    // Files.
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_ftruncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_flock,
    libc::SYS_umask,
    libc::SYS_getcwd,
    // Memory; the calls `mmap` and `mprotect` have their own rules.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_membarrier,
    // Threads, signals, the end; `clone` has its own rule.
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_getcpu,
    libc::SYS_prctl,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_kill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Who and when.
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_getrusage,
    libc::SYS_getrlimit,
    libc::SYS_prlimit64,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both_needed_and_forbidden() {
        for call in FORBIDDEN {
            assert!(!NEEDED.contains(call), "system call {call}");
        }
        let by_rule = [libc::SYS_socket, libc::SYS_clone, libc::SYS_mmap, libc::SYS_mprotect];
        for call in by_rule.into_iter().chain([libc::SYS_ioctl]) {
            assert!(!NEEDED.contains(&call) && !FORBIDDEN.contains(&call), "system call {call}");
            assert!(dangerous()[&call].iter().len() > 0 && needed(true)[&call].iter().len() > 0);
        }
    }

    #[test]
    fn both_filters_compile() {
        let eperm = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        for listed in [dangerous(), needed(false)] {
            let program = compile(listed, SeccompAction::Allow, eperm.clone()).unwrap();
            // What the kernel takes.
            assert!(program.len() < 4096, "{}", program.len());
        }
    }
}
