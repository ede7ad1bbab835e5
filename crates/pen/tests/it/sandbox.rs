//! What Pen has given up when it runs, seen from outside; and that what it needs is left.

use std::fs;
use std::process::Command;

use pen_test::{
    Farm, Pen, PenBuilder, Place, Program, Scratch, Sig, is_root, over_tls, pen_program, run, until,
};

mod lacking;

/// CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW.
const OF_ROOT: u64 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 10 | 1 << 12 | 1 << 13;
/// CAP_NET_RAW.
const RAW: u64 = 1 << 13;

/// What the kernel says of one thread.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    effective: u64,
    permitted: u64,
    inheritable: u64,
    bounding: u64,
    ambient: u64,
    no_new_privs: u64,
    seccomp: u64,
    groups: String,
}

/// Of every thread of a process, by its name.
fn accounts(pid: u32) -> Vec<(String, Account)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("pen lives");
    tasks
        .flatten()
        .map(|task| {
            let status = fs::read_to_string(task.path().join("status")).expect("its account");
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.expect("every kernel tells this").trim().to_owned()
            };
            let bits = |name| u64::from_str_radix(&field(name), 16).expect("bits");
            let account = Account {
                effective: bits("CapEff:"),
                permitted: bits("CapPrm:"),
                inheritable: bits("CapInh:"),
                bounding: bits("CapBnd:"),
                ambient: bits("CapAmb:"),
                no_new_privs: bits("NoNewPrivs:"),
                seccomp: bits("Seccomp:"),
                groups: field("Groups:"),
            };
            (field("Name:"), account)
        })
        .collect()
}

fn expect(pen: &Pen, capabilities: u64) {
    let all = accounts(pen.pid());
    assert!(all.len() >= 3, "control, log and worker threads: {all:?}");
    for (name, account) in all {
        let expected = Account {
            effective: capabilities,
            permitted: capabilities,
            inheritable: 0,
            bounding: capabilities,
            ambient: 0,
            no_new_privs: 1,
            seccomp: 2,
            groups: account.groups.clone(),
        };
        assert_eq!(account, expected, "thread {name}");
    }
}

/// A pen that gives up being root.
fn as_nobody(farm: &Farm) -> PenBuilder {
    let builder = Pen::over(farm);
    // The pid file is the user's.
    let scratch = builder.path("");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(scratch, open).expect("the directory is ours");
    builder.args(["-u", "nobody"])
}

#[test]
fn the_control_socket_belongs_to_whom_pen_becomes() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let farm = Farm::banners(1);
    let pen = as_nobody(&farm).start();
    let Place::Unix(path) = pen.control() else { unreachable!("scenarios steer by a Unix socket") };
    let file = fs::symlink_metadata(path).expect("it is there");
    let process = fs::metadata(format!("/proc/{}", pen.pid())).expect("it runs");
    assert_eq!((file.uid(), file.permissions().mode() & 0o777), (process.uid(), 0o600));
    assert_ne!(file.uid(), 0);
}

#[test]
fn no_thread_keeps_what_it_does_not_need() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let farm = Farm::banners(1);
    for level in ["on", "strict"] {
        let pen = as_nobody(&farm).command(&format!("sandbox {level}")).start();
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
        expect(&pen, 0);
        for (name, account) in accounts(pen.pid()) {
            assert_eq!(account.groups, "", "thread {name}");
        }
        let reply = pen.ctl("sandbox");
        let head = format!("sandbox {level}\ncapabilities none\ngroups none\nno_new_privs yes\n");
        assert!(reply.starts_with(&head), "{reply}");
        assert!(pen.ctl("sandbox json").contains("\"no_new_privs\":true"));
    }
}

#[test]
fn transparent_keeps_one_right_and_root_keeps_six() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let farm = Farm::banners(1);
    let pen = as_nobody(&farm).command("transparent").command("sandbox on").start();
    expect(&pen, RAW);
    drop(pen);
    let pen = Pen::over(&farm).command("sandbox on").start();
    expect(&pen, OF_ROOT);
    let reply = pen.ctl("sandbox");
    assert!(reply.contains("CAP_NET_BIND_SERVICE CAP_NET_RAW\n"), "{reply}");
    drop(pen);
    let pen = Pen::over(&farm).command("sandbox strict").start();
    expect(&pen, 1 << 10);
}

#[test]
fn the_sandbox_can_be_left_open_but_not_later() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).command("sandbox off").start();
    for (name, account) in accounts(pen.pid()) {
        assert_eq!((account.no_new_privs, account.seccomp), (0, 0), "thread {name}");
    }
    let late = pen.ctl("sandbox on");
    assert!(late.starts_with("error: ") && late.contains("for the start only"), "{late}");
    assert!(pen.ctl("sandbox").starts_with("sandbox off\n"));
}

#[test]
fn inherited_descriptors_are_closed() {
    let farm = Farm::banners(1);
    let scratch = Scratch::new();
    let place = Place::free();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec 7</etc/passwd 9>left-open; exec \"$@\"", "sh"]);
    command.arg(pen_program()).args(["-f", "-p"]).arg(scratch.path("pid"));
    command.arg(place.word()).args(farm.words(""));
    let program = Program::start(command, &scratch);
    until("pen to start", || fs::read(scratch.path("pid")).ok().filter(|text| !text.is_empty()));
    let open = fs::read_dir(format!("/proc/{}/fd", program.pid())).expect("it lives");
    let files: Vec<_> = open.flatten().filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
    assert!(files.len() > 3, "{files:?}");
    for left in ["/etc/passwd", "left-open"] {
        assert!(!files.iter().any(|file| file.ends_with(left) || *file == *left), "{files:?}");
    }
}

#[test]
fn strict_leaves_the_places_that_the_settings_name() {
    let farm = Farm::banners(1);
    let more = Scratch::new();
    let elsewhere = Scratch::new();
    let builder = Pen::over(&farm).file(&format!("sandbox strict {}\n", more.dir().display()));
    let log = builder.path("web.log");
    let mut pen = builder.args(["-l".to_owned(), log.display().to_string()]).start();
    if pen.ctl("sandbox").contains("landlock none") {
        eprintln!("skipped: this kernel has no Landlock");
        return;
    }
    // Named at the start: the log and its rotation, the file of -F, a directory of its own.
    let client = pen.client();
    client.send("GET / HTTP/1.0\r\n\r\n").expect("pen reads");
    assert!(!client.read_line().is_empty());
    drop(client);
    until("the log", || fs::read(&log).ok().filter(|text| !text.is_empty()));
    fs::rename(&log, log.with_extension("1")).expect("the directory is ours");
    pen.signal(Sig::Hup);
    until("the log anew", || log.exists().then_some(()));
    pen.set("write");
    let page = more.path("page.html");
    let _ = pen.ctl(&format!("web_stats {}", page.display()));
    let _ = pen.ctl("status");
    assert!(page.exists(), "{}", pen.stderr());
    // Not named: a sentence that says why, and nothing else changes.
    let file = elsewhere.write("file", "debug 0\n").display().to_string();
    for line in [
        format!("log {file}"),
        format!("include {file}"),
        format!("write {file}"),
        format!("ssl_certificate {file}"),
    ] {
        let reply = pen.ctl(&line);
        assert!(reply.starts_with("error: "), "{line}: {reply}");
        assert!(reply.contains("'sandbox strict' leaves the places"), "{line}: {reply}");
    }
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "debug 0\n");
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    assert!(pen.runs());
}

#[test]
fn names_are_resolved_and_paths_found_in_every_sandbox() {
    if over_tls() {
        eprintln!("skipped: about settings, not about bytes");
        return;
    }
    let farm = Farm::banners(1);
    for level in ["on", "strict"] {
        let builder = Pen::bare().command(&format!("sandbox {level}"));
        let front = builder.path("front");
        let pen = builder.listen(&Place::Unix(front)).start();
        let word = farm.words("").remove(0);
        let port = word.rsplit(':').next().expect("a port");
        pen.set(&format!("server 0 address localhost port {port}"));
        assert!(pen.servers().first().is_some_and(|row| row.addr == "127.0.0.1"), "{level}");
        assert!(!pen.client().read_line().is_empty(), "{level}");
        let other = pen.path("other").display().to_string();
        assert_eq!(pen.ctl(&format!("listen {other}")), format!("{other}\n"), "{level}");
    }
}

#[test]
fn the_live_check_tries_what_is_forbidden() {
    let place = Place::free().word();
    for (level, tried) in [("on", 20), ("strict", 22)] {
        let command = format!("sandbox {level}");
        let words = ["--check", "--live", "-O", &command, &place, "127.0.0.1:9"];
        let checked = run(&pen_program(), words);
        if checked.stdout.contains("Landlock") && !checked.stdout.contains("rules for files by") {
            eprintln!("skipped: this kernel's Landlock is too old: {}", checked.stdout);
            continue;
        }
        let line =
            format!("good: sandbox {level}: {tried} forbidden things were tried, all were refused");
        assert!(checked.stdout.contains(&line), "{}{}", checked.stdout, checked.stderr);
    }
    let words = ["--check", "--live", "-O", "sandbox off", &place, "127.0.0.1:9"];
    let checked = run(&pen_program(), words);
    assert!(checked.stdout.contains("caution: sandbox off"), "{}", checked.stdout);
}

#[test]
fn core_files_can_be_had_after_a_change_of_user() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let farm = Farm::banners(1);
    // Whoever may read a process's memory owns its directory in /proc.
    let owner = |pen: &Pen| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(format!("/proc/{}/environ", pen.pid())).expect("it lives").uid()
    };
    let pen = as_nobody(&farm).start();
    assert_eq!(owner(&pen), 0, "its memory is root's business");
    drop(pen);
    let pen = as_nobody(&farm).command("abort_on_error").start();
    assert_ne!(owner(&pen), 0, "a core file can be written");
}
