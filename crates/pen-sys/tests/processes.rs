//! What concerns a whole process: going to the background, changing the user, signals.
//!
//! Each case runs in a process of its own, started from this program with the case's name, because
//! it needs a single thread or cannot be undone. Cases that need root are skipped without it.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};

use pen_sys::capabilities::Capability;
use pen_sys::daemon::{Ready, Role, detach};
use pen_sys::{capabilities, descriptors, privileges, signals, sockets};

type Case = (&'static str, fn(), fn(&str));

const CASES: [Case; 12] = [
    ("background_ready", background_ready, see_background_ready),
    ("background_failed", background_failed, see_background_failed),
    ("background_silent", background_silent, see_background_silent),
    ("background_killed", background_killed, see_background_killed),
    ("background_threads", background_threads, see_background_threads),
    ("signals_are_read", signals_are_read, see_plain_success),
    ("user_is_changed", user_is_changed, see_user_is_changed),
    ("one_right_is_kept", one_right_is_kept, see_one_right_is_kept),
    ("root_keeps_its_name", root_keeps_its_name, see_root_keeps_its_name),
    ("jail_is_entered", jail_is_entered, see_jail_is_entered),
    ("rights_are_given_up", rights_are_given_up, see_rights_are_given_up),
    ("descriptors_are_closed", descriptors_are_closed, see_descriptors_are_closed),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, name] = arguments.as_slice()
        && flag == "--case"
    {
        let case = CASES.iter().find(|(n, ..)| n == name).expect("a case of the table");
        (case.1)();
        return ExitCode::SUCCESS;
    }
    // The flags of the usual harness (filters, --nocapture) mean nothing here, but for listing.
    if arguments.iter().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    for (name, _, see) in CASES {
        see(name);
        println!("case {name} ... done");
    }
    ExitCode::SUCCESS
}

/// Starts a case and returns its status (128 + number for a signal), output and error.
fn outcome(name: &str) -> (i32, String, String) {
    let program = std::env::current_exe().expect("own path");
    let output = Command::new(program)
        .args(["--case", name])
        .stdin(Stdio::null())
        .output()
        .expect("the case starts");
    let status = output.status.code().or(output.status.signal().map(|s| 128 + s));
    (
        status.expect("an end"),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn see_plain_success(name: &str) {
    let (status, out, err) = outcome(name);
    assert_eq!(status, 0, "{name}: {out}{err}");
}

fn skip_without_root(name: &str) -> bool {
    if privileges::is_root() {
        return false;
    }
    println!("case {name} skipped: needs root");
    true
}

/// Plays the parent as the daemon does; returns the child's handle.
fn into_background() -> Ready {
    match detach().expect("one thread") {
        Role::Parent(awaited) => {
            let verdict = awaited.wait();
            eprint!("{}", verdict.text);
            std::process::exit(verdict.status.into());
        }
        Role::Child(ready) => ready,
    }
}

fn background_ready() {
    let before = std::env::current_dir().expect("a directory");
    let ready = into_background();
    eprintln!("before ready");
    // A ready child has no output any more: the verdict goes to a file.
    let path =
        std::env::temp_dir().join(format!("pen-sys-ready-{}", std::os::unix::process::parent_id()));
    assert!(ready.is_background());
    ready.ready().expect("null device");
    eprintln!("after ready");
    let links: Vec<String> = (0..3)
        .map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("a link"))
        .map(|p| p.display().to_string())
        .collect();
    let same = std::env::current_dir().expect("a directory") == before;
    let own = rustix::process::getsid(None).expect("session") == rustix::process::getpid();
    std::fs::write(path.with_extension("new"), format!("{links:?} {same} {own}")).expect("write");
    std::fs::rename(path.with_extension("new"), path).expect("rename");
}

fn see_background_ready(name: &str) {
    let program = std::env::current_exe().expect("own path");
    let child = Command::new(program)
        .args(["--case", name])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the case starts");
    let path = std::env::temp_dir().join(format!("pen-sys-ready-{}", child.id()));
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "before ready\n");
    let mut tries = 0;
    while !path.exists() {
        tries += 1;
        assert!(tries < 500, "the child never wrote");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let text = std::fs::read_to_string(&path).expect("the child's file");
    std::fs::remove_file(&path).expect("removable");
    assert_eq!(text, r#"["/dev/null", "/dev/null", "/dev/null"] true true"#);
}

fn background_failed() {
    into_background().failed(2, "pen: no such thing\n");
    std::thread::sleep(std::time::Duration::from_millis(200));
}

fn see_background_failed(name: &str) {
    assert_eq!(outcome(name), (2, String::new(), "pen: no such thing\n".to_owned()));
}

fn background_silent() {
    let _ready = into_background();
    std::process::exit(7);
}

fn see_background_silent(name: &str) {
    let text = "the service ended with status 7 before it was ready";
    assert_eq!(outcome(name), (1, String::new(), text.to_owned()));
}

fn background_killed() {
    let _ready = into_background();
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

fn see_background_killed(name: &str) {
    let text = "the service was ended by SIGKILL before it was ready";
    assert_eq!(outcome(name), (1, String::new(), text.to_owned()));
}

fn background_threads() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || receiver.recv().is_err());
    let refused = detach().is_err();
    drop(sender);
    assert!(thread.join().expect("no panic"));
    print!("{refused}");
}

fn see_background_threads(name: &str) {
    assert_eq!(outcome(name), (0, "true".to_owned(), String::new()));
}

fn signals_are_read() {
    use rustix::process::{Signal as Number, getpid, kill_process};
    let mut signals = signals::open().expect("a descriptor");
    // A thread that starts later must not be the one that dies of them.
    let idle = std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_millis(300)));
    assert_eq!(signals.take().expect("readable"), None);
    let rows = [
        (Number::HUP, signals::Signal::Hup),
        (Number::INT, signals::Signal::Int),
        (Number::QUIT, signals::Signal::Quit),
        (Number::TERM, signals::Signal::Term),
        (Number::USR1, signals::Signal::Usr1),
        (Number::USR2, signals::Signal::Usr2),
    ];
    for (number, expected) in rows {
        kill_process(getpid(), number).expect("own process");
        kill_process(getpid(), number).expect("own process");
        assert_eq!(signals.take().expect("readable"), Some(expected));
        assert_eq!(signals.take().expect("readable"), None);
    }
    kill_process(getpid(), Number::PIPE).expect("own process");
    idle.join().expect("no panic");
}

fn user_is_changed() {
    let nobody = privileges::user("nobody").expect("nobody exists");
    privileges::become_user(&nobody, &[]).expect("root may");
    privileges::become_user(&nobody, &[]).expect("already so");
    let root = privileges::user("root").expect("root exists");
    assert!(privileges::become_user(&root, &[]).is_err());
    assert!(privileges::enter_jail(std::path::Path::new("/")).is_err());
    print!("{}", std::fs::read_to_string("/proc/self/status").expect("own status"));
}

fn see_user_is_changed(name: &str) {
    if skip_without_root(name) {
        return;
    }
    let nobody = privileges::user("nobody").expect("nobody exists");
    let (status, out, err) = outcome(name);
    assert_eq!(status, 0, "{out}{err}");
    let ids = |id: u32| format!("\t{id}\t{id}\t{id}\t{id}");
    assert!(out.contains(&format!("Uid:{}\n", ids(nobody.uid))), "{out}");
    assert!(out.contains(&format!("Gid:{}\n", ids(nobody.gid))), "{out}");
    let groups = out.lines().find_map(|l| l.strip_prefix("Groups:")).expect("a line");
    assert_eq!(groups.trim(), "");
    assert_eq!(rights(&out), [0; 4], "{out}");
}

/// Inheritable, permitted, effective and ambient rights of a thread, from its status.
fn rights(status: &str) -> [u64; 4] {
    ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"].map(|field| {
        let line = status.lines().find_map(|l| l.strip_prefix(field)).expect("a line");
        u64::from_str_radix(line.trim(), 16).expect("a number")
    })
}

fn one_right_is_kept() {
    use std::sync::mpsc::channel;
    let status = || std::fs::read_to_string("/proc/thread-self/status").expect("own status");
    let (go, wait) = channel::<()>();
    let early = std::thread::spawn(move || wait.recv().map(|()| rights(&status())));
    let nobody = privileges::user("nobody").expect("nobody exists");
    assert!(sockets::foreign_permitted(true).is_ok(), "root may");
    privileges::become_user(&nobody, &[Capability::NetRaw]).expect("root may");
    go.send(()).expect("the thread waits");
    assert_eq!(early.join().expect("no panic"), Ok([0; 4]), "a thread that ran before");
    let only = [0, 1 << 13, 1 << 13, 0];
    assert_eq!(rights(&status()), only);
    let late = std::thread::spawn(move || (rights(&status()), sockets::foreign_permitted(false)));
    let (late, permitted) = late.join().expect("no panic");
    assert_eq!(late, only, "a thread that starts later");
    assert!(permitted.is_ok());
}

fn see_one_right_is_kept(name: &str) {
    if !skip_without_root(name) {
        see_plain_success(name);
    }
}

fn root_keeps_its_name() {
    let root = privileges::user("root").expect("root exists");
    privileges::become_user(&root, &[]).expect("root may");
    assert!(privileges::is_root());
}

fn see_root_keeps_its_name(name: &str) {
    if !skip_without_root(name) {
        see_plain_success(name);
    }
}

fn rights_are_given_up() {
    capabilities::give_up_all_but(&[Capability::NetBindService, Capability::NetRaw])
        .expect("root may give up rights");
    let status = std::fs::read_to_string("/proc/self/status").expect("own account");
    // CAP_NET_BIND_SERVICE is bit 10, CAP_NET_RAW bit 13.
    for (name, bits) in [
        ("CapInh:", 0),
        ("CapPrm:", 0x2400),
        ("CapEff:", 0x2400),
        ("CapBnd:", 0x2400),
        ("CapAmb:", 0),
    ] {
        let value = status.lines().find_map(|l| l.strip_prefix(name)).expect("a line").trim();
        assert_eq!(u64::from_str_radix(value, 16), Ok(bits), "{name}");
    }
    let kept = vec![Capability::NetBindService, Capability::NetRaw];
    assert_eq!(capabilities::effective().expect("own account"), (kept, false));
    capabilities::give_up_all_but(&[Capability::NetAdmin]).expect("even more may be given up");
    assert_eq!(capabilities::effective().expect("own account"), (Vec::new(), false));
}

fn see_rights_are_given_up(name: &str) {
    if !skip_without_root(name) {
        see_plain_success(name);
    }
}

fn descriptors_are_closed() {
    // The harness of these cases has the standard ones only, and two of the case's own follow.
    let open = || {
        let all = std::fs::read_dir("/proc/self/fd").expect("own descriptors");
        all.flatten().filter_map(|f| f.file_name().to_str()?.parse().ok()).collect::<Vec<u32>>()
    };
    let dup = || rustix::io::dup(std::io::stdin()).expect("a descriptor");
    // Never dropped: the call closes them.
    let kept = std::mem::ManuallyDrop::new([dup(), dup(), dup()]);
    assert_eq!(open().iter().filter(|n| (3..6).contains(*n)).count(), 3, "{kept:?}");
    descriptors::close_inherited(1).expect("close_range");
    // Reading the directory takes the next number.
    assert_eq!(open(), [0, 1, 2, 3, 4]);
}

fn see_descriptors_are_closed(name: &str) {
    see_plain_success(name);
}

fn jail_is_entered() {
    let dir = std::env::temp_dir().join(format!("pen-sys-jail-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("creatable");
    std::fs::write(dir.join("inside"), "").expect("writable");
    let missing = dir.join("missing");
    assert!(privileges::enter_jail(&missing).is_err());
    privileges::enter_jail(&dir).expect("root may");
    assert!(std::path::Path::new("/inside").exists());
    assert!(std::path::Path::new("inside").exists());
    assert!(!std::path::Path::new("/etc").exists());
    std::fs::remove_file("/inside").expect("removable");
    // The directory itself is empty now; its name is out of sight from here.
    std::io::stdout().write_all(dir.as_os_str().as_encoded_bytes()).expect("writable");
}

fn see_jail_is_entered(name: &str) {
    if skip_without_root(name) {
        return;
    }
    let (status, out, err) = outcome(name);
    assert_eq!(status, 0, "{out}{err}");
    std::fs::remove_dir(out).expect("removable");
}
