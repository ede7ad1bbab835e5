//! UDP through pen with real programs: dig and dnsperf at unbound, logger at rsyslog, SIPp at SIPp.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use pen_test::{
    Farm, Finished, Pen, Place, Program, Scratch, Sig, free_port, run, until, whole_lines,
};

use crate::{Real, find};

/// Whether somebody has a UDP socket at this port of 127.0.0.1.
fn is_bound(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/udp").expect("this is Linux");
    table.contains(&format!("0100007F:{port:04X} "))
}

impl Real {
    /// Starts `command` and waits until it receives datagrams at `place`.
    fn start_udp(command: Command, place: Place, scratch: Scratch) -> Self {
        let mut program = Program::start(command, &scratch);
        until("a real server to receive datagrams", || {
            assert_eq!(program.ended(), None, "it ended: {}", program.stderr());
            is_bound(place.port()).then_some(())
        });
        Self { program, place, scratch }
    }
}

fn words(servers: &[Real]) -> Vec<String> {
    servers.iter().map(|s| s.place.word()).collect()
}

/// A name server that knows its own name, and a large set of texts.
fn unbound(program: &PathBuf, name: &str) -> Real {
    let (scratch, place) = (Scratch::new(), Place::free());
    let large: String = (0..40)
        .map(|n| format!("local-data: 'large.test. TXT \"{n:02}{}\"'\n", "x".repeat(60)))
        .collect();
    let config = format!(
        "server:\n interface: 127.0.0.1\n port: {}\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n\
         use-syslog: no\n do-daemonize: no\n directory: \"{}\"\n access-control: 127.0.0.0/8 allow\n\
         max-udp-size: 4096\n edns-buffer-size: 4096\n local-zone: \"test.\" static\n\
         local-data: 'name.test. TXT \"{name}\"'\n local-data: 'a.test. A 192.0.2.1'\n{large}\
         remote-control:\n control-enable: no\n",
        place.port(),
        scratch.dir().display(),
    );
    let file = scratch.write("unbound.conf", &config);
    let mut command = Command::new(program);
    command.arg("-d").arg("-c").arg(file);
    Real::start_udp(command, place, scratch)
}

fn name_servers() -> Option<[Real; 2]> {
    let program = find("unbound")?;
    Some([unbound(&program, "u0"), unbound(&program, "u1")])
}

fn dig(program: &PathBuf, place: &Place, question: &[&str]) -> String {
    let port = place.port().to_string();
    let fixed = ["@127.0.0.1", "-p", &port, "+short", "+tries=1", "+time=5"];
    let Finished { code, stdout, stderr } = run(program, [&fixed, question].concat());
    assert_eq!(code, Some(0), "dig {question:?}: {stdout}{stderr}");
    stdout
}

#[test]
fn dig_asks_name_servers_over_udp_and_tcp() {
    let Some(program) = find("dig") else { return };
    let Some(servers) = name_servers() else { return };
    let [one, two] = &words(&servers)[..] else { unreachable!() };
    let port = free_port();
    let everywhere = Place::Tcp(([0, 0, 0, 0], port).into());
    let file = format!(
        "service dns-tcp\nlisten 0.0.0.0:{port}\nserver 0 address {}\nserver 1 address {}\n",
        at(one),
        at(two)
    );
    let pen = Pen::bare()
        .args(["-U", "-r"])
        .command("udp_answers 1")
        .listen(&everywhere)
        .servers([one, two])
        .file(&file)
        .start();
    let place = pen.place();
    let names: Vec<String> = (0..6).map(|_| dig(&program, place, &["TXT", "name.test"])).collect();
    for name in ["\"u0\"\n", "\"u1\"\n"] {
        assert_eq!(names.iter().filter(|n| *n == name).count(), 3, "{names:?}");
    }
    assert_eq!(dig(&program, place, &["+tcp", "A", "a.test"]), "192.0.2.1\n");
    // 2.6 kB in one datagram; without EDNS dig falls back to TCP by itself.
    for question in [&["+bufsize=4096", "TXT", "large.test"][..], &["+noedns", "TXT", "large.test"]]
    {
        assert_eq!(dig(&program, place, question).lines().count(), 40, "{question:?}");
    }
    // dig takes an answer only from the address it asked.
    let port = port.to_string();
    for to in ["127.0.0.1", "127.0.0.2", "127.77.0.9"] {
        let said =
            run(&program, [&format!("@{to}"), "-p", &port, "+short", "+tries=1", "A", "a.test"]);
        assert_eq!(said.stdout, "192.0.2.1\n", "{to}: {}", said.stderr);
    }
    assert!(pen.ctl("flows").starts_with("flows 0 "), "{}", pen.ctl("flows"));
}

fn at(word: &str) -> String {
    let (ip, port) = word.rsplit_once(':').expect("an address with a port");
    format!("{ip} port {port}")
}

/// dnsperf's questions sent and lost.
fn dnsperf(place: &Place, seconds: u32, clients: u32, act: impl FnOnce()) -> Option<(u64, u64)> {
    let program = find("dnsperf")?;
    let scratch = Scratch::new();
    let questions = scratch.write("questions", "a.test A\nname.test TXT\n");
    let mut command = Command::new(program);
    command.args(["-s", "127.0.0.1", "-p", &place.port().to_string(), "-Q", "2000", "-t", "1"]);
    command.args(["-l", &seconds.to_string(), "-c", &clients.to_string(), "-d"]).arg(questions);
    let running = Program::start(command, &scratch);
    act();
    let said = running.finished();
    let number = |what: &str| {
        let line = said.stdout.lines().find_map(|l| l.trim().strip_prefix(what));
        let word = line.and_then(|l| l.split_whitespace().next());
        word.and_then(|w| w.parse().ok()).unwrap_or_else(|| panic!("no {what}: {}", said.stdout))
    };
    Some((number("Queries sent:"), number("Queries lost:")))
}

#[test]
fn dnsperf_loses_nothing_and_little_when_a_name_server_dies() {
    let Some(servers) = name_servers() else { return };
    let pen =
        Pen::bare().args(["-U", "-r"]).command("udp_timeout 5").servers(words(&servers)).start();
    let Some((sent, lost)) = dnsperf(pen.place(), 2, 8, || ()) else { return };
    assert!(sent > 2_000 && lost == 0, "{lost} of {sent} lost");
    let [dying, staying] = servers;
    let killed = || {
        until("questions to both", || (pen.servers().iter().all(|s| s.conn > 0)).then_some(()));
        Sig::Kill.send(dying.program.pid());
    };
    let Some((sent, lost)) = dnsperf(pen.place(), 4, 8, killed) else { return };
    // What was under way, and a datagram per flow that brings the news: not more.
    assert!(sent > 4_000 && lost < 200, "{lost} of {sent} lost");
    let Some((sent, lost)) = dnsperf(pen.place(), 1, 8, || ()) else { return };
    assert!(lost == 0, "{lost} of {sent} lost afterwards; {}", pen.ctl("flows"));
    drop(staying);
}

/// An rsyslogd that writes each message to its file.
fn rsyslogd(program: &PathBuf) -> Real {
    rsyslogd_with(program, "%msg:::drop-last-lf%")
}

/// The same, writing these properties.
fn rsyslogd_with(program: &PathBuf, properties: &str) -> Real {
    let (scratch, place) = (Scratch::new(), Place::free());
    let file = scratch.path("messages").display().to_string();
    let config = format!(
        "module(load=\"imudp\")\ninput(type=\"imudp\" address=\"127.0.0.1\" port=\"{}\")\n\
         template(name=\"t\" type=\"string\" string=\"{properties}\\n\")\n\
         action(type=\"omfile\" file=\"{file}\" template=\"t\")\n",
        place.port()
    );
    let config = scratch.write("rsyslog.conf", &config);
    let mut command = Command::new(program);
    command.arg("-n").arg("-f").arg(config).arg("-i").arg(scratch.path("pid"));
    Real::start_udp(command, place, scratch)
}

#[test]
fn every_line_of_syslog_reaches_one_of_two_collectors() {
    const LINES: usize = 400;
    let Some(program) = find("rsyslogd") else { return };
    let Some(logger) = find("logger") else { return };
    let servers = [rsyslogd(&program), rsyslogd(&program)];
    let pen = Pen::bare()
        .args(["-U", "-r"])
        .command("udp_spread datagram")
        .servers(words(&servers))
        .start();
    let scratch = Scratch::new();
    let text: String = (0..LINES).map(|n| format!("line {n}\n")).collect();
    let lines = scratch.write("lines", &text).display().to_string();
    let port = pen.place().port().to_string();
    let said = run(
        &logger,
        ["-d", "-n", "127.0.0.1", "-P", &port, "--rfc3164", "-t", "test", "-f", &lines],
    );
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let read = |server: &Real| -> Vec<String> {
        let text = whole_lines(&server.scratch.path("messages"));
        text.lines().map(|l| l.trim().to_owned()).filter(|l| l.starts_with("line ")).collect()
    };
    let (one, two) = until("every line", || {
        let (one, two) = (read(&servers[0]), read(&servers[1]));
        (one.len() + two.len() >= LINES).then_some((one, two))
    });
    assert_eq!((one.len(), two.len()), (LINES / 2, LINES / 2));
    let all: BTreeSet<&String> = one.iter().chain(&two).collect();
    assert_eq!(all.len(), LINES, "a line twice");
}

#[test]
fn the_connection_log_reaches_a_collector_line_by_line() {
    const COUNT: usize = 300;
    let Some(program) = find("rsyslogd") else { return };
    let collector = rsyslogd_with(&program, "%rawmsg:::drop-last-lf%");
    let farm = Farm::banners(2);
    let target = format!("udp:127.0.0.1:{}", collector.place.port());
    let pen =
        Pen::over(&farm).args(["-r"]).command(&format!("connection_log json {target}")).start();
    for _ in 0..COUNT {
        assert!(pen.ask("127.0.0.1").is_some());
    }
    let lines = until("every line", || {
        let text = whole_lines(&collector.scratch.path("messages"));
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= COUNT).then_some(lines)
    });
    assert_eq!(lines.len(), COUNT);
    let at = |server: &str| {
        lines.iter().filter(|l| l.contains(&format!("\"server\":\"{server}\""))).count()
    };
    assert_eq!((at("0"), at("1")), (COUNT / 2, COUNT / 2));
    for line in &lines {
        let one: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(one["reason"].as_str().is_some_and(|r| r.ends_with("_finished")), "{line}");
    }
}

fn sipp_server(program: &PathBuf) -> Real {
    let (scratch, place) = (Scratch::new(), Place::free());
    let mut command = Command::new(program);
    let port = place.port().to_string();
    command.args(["-sn", "uas", "-i", "127.0.0.1", "-p", &port, "-nostdin"]);
    command.current_dir(scratch.dir());
    Real::start_udp(command, place, scratch)
}

#[test]
fn calls_over_sip_go_through() {
    let Some(program) = find("sipp") else { return };
    let servers = [sipp_server(&program), sipp_server(&program)];
    let pen = Pen::bare().args(["-U", "-r"]).servers(words(&servers)).start();
    // First one socket for all calls, then one for each, of which one may have the port of before.
    for (sockets, flows) in [("u1", 1), ("un", 40)] {
        let scratch = Scratch::new();
        let mut command = Command::new(&program);
        let place = pen.place().word();
        command.args(["-sn", "uac", &place, "-i", "127.0.0.1", "-t", sockets, "-nostdin"]);
        command.args(["-m", "40", "-r", "40", "-max_socket", "200", "-timeout", "30s"]);
        command.current_dir(scratch.dir());
        let said = Program::start(command, &scratch).finished();
        assert_eq!(said.code, Some(0), "{sockets}: {}{}", said.stdout, said.stderr);
        let reply: serde_json::Value = serde_json::from_str(&pen.ctl("flows json")).expect("json");
        assert!(reply["opened"].as_u64() >= Some(flows), "{sockets}: {reply}");
    }
    assert!(pen.servers().iter().all(|s| s.received > 0), "both took calls");
}
