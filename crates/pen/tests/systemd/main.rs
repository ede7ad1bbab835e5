//! The shipped unit files under a real systemd: process 1 of namespaces of its own (`boot.sh`), where
//! the units start Pen in each mode with all their restrictions, answer a client, reload and stop.
//! And what systemd itself thinks of them.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pen_test::{Authority, Program, Scratch, is_root, pen_program, penctl_program, scaled};

const BOOT: &str = include_str!("boot.sh");
const PROBE: &str = include_str!("probe.sh");
/// The server of the probe's visits.
const ANSWER: &str = include_str!("answer.py");
/// The highest exposure that a shipped unit may have.
const EXPOSURE_MAX: f64 = 1.5;

fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/systemd")
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    found.is_ok_and(|output| output.status.success())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is ours");
    for entry in fs::read_dir(from).expect("it is there").flatten() {
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &there);
        } else {
            fs::copy(entry.path(), there).expect("the directory is ours");
        }
    }
}

/// What the machine of the probe is made of.
fn stage() -> Scratch {
    let scratch = Scratch::new();
    fs::copy(pen_program(), scratch.path("pen")).expect("pen is built");
    fs::copy(penctl_program(), scratch.path("penctl")).expect("penctl is built");
    copy(&dist(), &scratch.path("dist"));
    fs::create_dir_all(scratch.path("files/keys")).expect("the directory is ours");
    let identity = Authority::new("units").sign(&["localhost"]);
    identity.write(&scratch, "files/keys/pen.pem");
    scratch.write("files/plain.cfg", "listen 0.0.0.0:80\ndummy\nlog /var/log/pen/web.log\n");
    scratch.write(
        "files/tls.cfg",
        "listen 0.0.0.0:443\nssl_certificate /etc/pen/keys/pen.pem\ndummy\n",
    );
    scratch.write(
        "files/udp.cfg",
        "protocol udp\nlisten 0.0.0.0:53\nserver 0 address 198.51.100.9 port 5353\n",
    );
    scratch.write(
        "files/transparent.cfg",
        "listen 203.0.113.1:8080\ntransparent\nserver 0 address 198.51.100.9 port 9000\n",
    );
    scratch.write(
        "files/dsr.cfg",
        "listen 192.0.2.100:80\ndsr_if lan\nserver 0 address 192.0.2.9 port 80\n",
    );
    scratch.write(
        "files/restart.cfg",
        "drain_timeout 5\nworkers 2\nlisten 127.0.0.1:80 127.0.0.1:8081\ndummy\n\
         event_log text /var/log/pen/events\n",
    );
    scratch.write("boot.sh", BOOT);
    scratch.write("probe.sh", PROBE);
    scratch.write("answer.py", ANSWER);
    scratch
}

/// The outcome of the probe; nothing where no systemd can be booted, with the reason printed.
fn outcome() -> Option<String> {
    let systemd = Path::new("/lib/systemd/systemd").exists();
    // Of this machine's own: nothing else is found in the system that is booted.
    let python = Path::new("/usr/bin/python3").exists();
    if !is_root() || !has("unshare") || !has("ip") || !systemd || !python {
        eprintln!("skipped: needs root, unshare, ip, systemd and python3");
        return None;
    }
    let stage = stage();
    let mut command = Command::new("unshare");
    command.args(["-m", "-p", "-f", "-u", "-i", "-C", "-n", "--kill-child", "sh"]);
    command.arg(stage.path("boot.sh")).arg(stage.dir());
    let mut boot = Program::start(command, &stage);
    // It is a whole script: longer than anything that is waited for elsewhere.
    let patience = Instant::now() + scaled(Duration::from_secs(180));
    let mut end = None;
    let mut runs = true;
    while runs && end.is_none() {
        let text = || fs::read_to_string(stage.path("outcome")).unwrap_or_default();
        assert!(Instant::now() < patience, "the probe does not end: {}", text());
        std::thread::sleep(Duration::from_millis(100));
        runs = boot.ended().is_none();
        end = Some(text()).filter(|text| text.ends_with("end\n"));
    }
    if end.is_none() {
        eprintln!("skipped: no systemd can be booted here: {}", boot.stderr());
    }
    let said = fs::read_to_string(stage.path("said")).unwrap_or_default();
    println!("the probe said:\n{said}");
    end
}

#[test]
fn the_units_start_a_working_pen_in_each_mode() {
    let Some(outcome) = outcome() else { return };
    println!("{outcome}");
    let has = |line: &str| assert!(outcome.lines().any(|l| l.starts_with(line)), "missing: {line}");
    let modes = ["plain", "strict", "tls", "udp", "transparent", "dsr", "socket", "instance"];
    for mode in modes {
        has(&format!("{mode} state active"));
        has(&format!("{mode} uid 61990"));
        has(&format!("{mode} reloaded active"));
        has(&format!("{mode} ended success"));
        // Bit 10 is CAP_NET_BIND_SERVICE, bit 13 CAP_NET_RAW.
        let (bits, name) = match mode {
            "socket" => ("0000000000000000", "none"),
            "transparent" | "dsr" => ("0000000000002400", "CAP_NET_BIND_SERVICE CAP_NET_RAW"),
            _ => ("0000000000000400", "CAP_NET_BIND_SERVICE"),
        };
        let rights = format!("{mode} rights {bits} 1 2");
        let threads = outcome.lines().filter(|l| l.starts_with(&format!("{mode} rights"))).count();
        let right = outcome.lines().filter(|l| l.starts_with(&rights)).count();
        assert!(right >= 3 && right == threads, "{right} of {threads} threads: {rights}");
        let level = if mode == "strict" { "strict" } else { "on" };
        has(&format!("{mode} sandbox sandbox {level} capabilities {name} "));
    }
    for mode in ["plain", "strict", "socket", "instance"] {
        has(&format!("{mode} http HTTP/1"));
    }
    has("plain log pen 640");
    has("tls tls 1");
    // What the server sees: Pen itself, and without Pen in between the client.
    has("udp visit question of 198.51.100.1");
    has("transparent visit 203.0.113.7");
    has("dsr visit 192.0.2.7");
    let flows = outcome.lines().find(|l| l.starts_with("udp flows")).unwrap_or_default();
    assert!(flows.contains(" opened 1 ") && flows.contains("to_clients datagrams 1 "), "{flows}");
    assert!(outcome.lines().any(|l| l.starts_with("dsr interface") && l.contains("lan")));
    for round in 1..=5 {
        has(&format!("restart round {round}"));
    }
    // Two workers at two addresses, and the control socket.
    has("restart kept 5");
    has("restart control ");
    has("restart unwanted 1");
    has("restart gone yes");
    has("restart fewer 3");
    has("restart failed 0");
    has("restart killed active");
    has("restart replaced active");
    has("restart heir serves");
    has("restart lost 0");
    has("restart wider active 3");
    has("restart http HTTP/1");
    has("restart ended success");
    has("restart dropped 0");
    has("broken started 1");
    has("broken result exit-code");
}

/// A root directory with `unit` and, if one is named, its drop-in.
fn installed(unit: &str, drop: Option<&str>) -> Scratch {
    let scratch = Scratch::new();
    let system = scratch.path("etc/systemd/system");
    fs::create_dir_all(system.join(format!("{unit}.d"))).expect("the directory is ours");
    fs::copy(dist().join(unit), system.join(unit)).expect("a shipped unit");
    if let Some(drop) = drop {
        let file = format!("{drop}.conf");
        fs::copy(dist().join("examples").join(&file), system.join(format!("{unit}.d")).join(file))
            .expect("a shipped example");
    }
    scratch
}

#[test]
fn systemd_finds_little_to_exploit() {
    if !has("systemd-analyze") {
        eprintln!("skipped: needs systemd-analyze");
        return;
    }
    let drops = ["socket", "tls", "transparent", "dsr", "strict", "apparmor"];
    let all = drops.map(|drop| ("pen.service", Some(drop)));
    for (unit, drop) in all.into_iter().chain([("pen.service", None), ("pen@.service", None)]) {
        let root = installed(unit, drop);
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--root"])
            .arg(root.dir())
            .arg(unit.replace("@.", "@web."))
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let score = text.lines().rev().find_map(|line| {
            let (_, rest) = line.split_once("Overall exposure level for ")?;
            rest.split_whitespace().nth(1)?.parse::<f64>().ok()
        });
        println!("{unit} {drop:?}: {score:?}");
        let score = score.unwrap_or_else(|| panic!("no score of {unit} {drop:?}: {output:?}"));
        assert!(score <= EXPOSURE_MAX, "{unit} {drop:?}: {score}\n{text}");
    }
}

#[test]
fn systemd_finds_nothing_wrong() {
    if !has("systemd-analyze") {
        eprintln!("skipped: needs systemd-analyze");
        return;
    }
    // It looks for the programs that units start, and for the manual pages that they name.
    let scratch = Scratch::new();
    for unit in ["pen.service", "pen@web.service", "pen.socket"] {
        let shipped = dist().join(unit.replace("@web.", "@."));
        let text = fs::read_to_string(shipped).expect("a shipped unit");
        let text = text.replace("/usr/bin/pen", &pen_program().display().to_string());
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("Documentation=man:"))
            .map(|line| format!("{line}\n"))
            .collect();
        scratch.write(unit, &text);
    }
    for unit in ["pen.service", "pen@web.service", "pen.socket"] {
        let output = Command::new("systemd-analyze")
            .args(["verify", "--recursive-errors=no"])
            .arg(scratch.path(unit))
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let ours: Vec<&str> = text.lines().filter(|l| l.contains("pen")).collect();
        assert!(output.status.success() && ours.is_empty(), "{unit}: {text}");
    }
}
