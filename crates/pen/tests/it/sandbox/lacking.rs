//! Kernels that lack Landlock, a newer one, or seccomp: Pen runs, serves and says so.

use std::process::Command;

use pen_test::{Farm, Place, is_root, over_tls, pen_program, run};

use super::{accounts, as_nobody};

/// Kernels that lack something, as strace plays them: what they answer, what Pen says at the start, and
/// what `sandbox` says.
const LACKING: [(&str, &str, &str); 5] = [
    (
        "landlock_create_ruleset:error=ENOSYS",
        "this kernel has no rules for files (Landlock); Pen runs without",
        "system_calls_filtered yes\nlandlock none\n",
    ),
    (
        "landlock_create_ruleset:error=EOPNOTSUPP",
        "this kernel has no rules for files (Landlock); Pen runs without",
        "system_calls_filtered yes\nlandlock none\n",
    ),
    (
        "landlock_create_ruleset:retval=4:when=1",
        "Landlock 4 of this kernel does not refuse commands to devices (from 5, Linux 6.10), signals \
         to other processes (from 6, Linux 6.12); Pen runs without",
        "system_calls_filtered yes\nlandlock 4\n",
    ),
    (
        "seccomp:error=EINVAL",
        "this kernel has no filters of system calls (",
        "system_calls_filtered no\nlandlock ",
    ),
    (
        "landlock_create_ruleset,seccomp:error=ENOSYS",
        "this kernel has no rules for files (Landlock) and no filters of system calls (",
        "system_calls_filtered no\nlandlock none\n",
    ),
];

/// Why no kernel can be played here, if so.
fn unplayable() -> Option<&'static str> {
    if over_tls() {
        return Some("about the kernel, not about bytes");
    }
    if !is_root() {
        return Some("needs root");
    }
    let strace = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    (!strace.is_ok_and(|o| o.status.success())).then_some("needs strace, and that it may trace")
}

#[test]
fn what_the_kernel_lacks_is_said_and_pen_runs_without() {
    if let Some(why) = unplayable() {
        eprintln!("skipped: {why}");
        return;
    }
    let farm = Farm::banners(1);
    for (injection, said, reply) in LACKING {
        for level in ["on", "strict"] {
            let builder = as_nobody(&farm).command(&format!("sandbox {level}"));
            let pen = builder.injected(injection).start();
            assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"), "{injection}");
            let stderr = pen.stderr();
            let lines: Vec<&str> = stderr.lines().filter(|l| l.contains("sandbox")).collect();
            let [line] = lines.as_slice() else { panic!("{injection}: {stderr}") };
            let head = format!("WARNING: sandbox {level}: ");
            assert!(line.contains(&head) && line.contains(said), "{injection}: {line}");
            assert!(line.ends_with("; Pen runs without"), "{injection}: {line}");
            let account = pen.ctl("sandbox");
            assert!(account.starts_with(&format!("sandbox {level}\n")), "{account}");
            assert!(account.contains(reply), "{injection}: {account}");
            // What the reply says of system calls is what the kernel says of each thread.
            let filtered = if reply.contains("filtered yes") { 2 } else { 0 };
            for (name, account) in accounts(pen.pid()) {
                assert_eq!(account.seccomp, filtered, "{injection}: thread {name}");
                assert_eq!((account.no_new_privs, account.effective), (1, 0), "{injection}");
            }
        }
    }
}

#[test]
fn the_live_check_says_what_the_kernel_lacks() {
    if let Some(why) = unplayable() {
        eprintln!("skipped: {why}");
        return;
    }
    let place = Place::free().word();
    let check = |injection: &str| {
        let inject = format!("inject={injection}");
        let pen = pen_program().display().to_string();
        let words = ["-f", "-qq", "-o", "/dev/null", "-e", &inject, &pen, "--check", "--live"];
        run(&"strace".into(), words.into_iter().chain([&*place, "127.0.0.1:9"]))
    };
    let old = check("landlock_create_ruleset:retval=5:when=1");
    assert!(old.stdout.contains("good: sandbox on: 19 forbidden things were tried"), "{old:?}");
    let not = "caution: sandbox on: rules for files as far as Landlock 5 has them: not signals";
    assert!(old.stdout.contains(not), "{old:?}");
    let none = check("landlock_create_ruleset:error=ENOSYS");
    assert!(none.stdout.contains("good: sandbox on: 18 forbidden things were tried"), "{none:?}");
    assert!(none.stdout.contains("caution: sandbox on: this kernel has no rules"), "{none:?}");
    let open = check("seccomp:error=EINVAL");
    assert!(open.stdout.contains("this kernel filters no system calls"), "{open:?}");
    assert!(open.stdout.contains("good: sandbox on: 2 forbidden things were tried"), "{open:?}");
    // Said to be in force by a kernel that does nothing: the trial tells.
    let liar = check("seccomp:retval=0");
    assert!(liar.stdout.contains("wrong: sandbox on: not refused: execute a program"), "{liar:?}");
    let liar = check("landlock_restrict_self:retval=0");
    assert!(liar.stdout.contains("wrong: sandbox on: not refused: signal another"), "{liar:?}");
    assert!([old, none, open].iter().all(|checked| checked.code == Some(0)));
    assert_eq!(liar.code, Some(1));
}
