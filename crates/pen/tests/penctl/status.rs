//! What scripts see: replies, exit status, where the address comes from, commands from a file.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use pen_test::{Farm, Pen, Place, Sig, TestServer, acts, penctl_program, scaled, until};

fn penctl(words: &[&str]) -> Command {
    let mut command = Command::new(penctl_program());
    command.args(words).env_remove("PEN_CONTROL").stdin(Stdio::null());
    command
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run(words: &[&str]) -> (Option<i32>, String, String) {
    told(&penctl(words).output().unwrap())
}

fn piped(words: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = penctl(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    told(&child.wait_with_output().unwrap())
}

fn start() -> (Farm, Pen, String) {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    let control = pen.control().word();
    (farm, pen, control)
}

#[test]
fn each_outcome_has_its_status() {
    let (_farm, _pen, control) = start();
    let c = control.as_str();
    assert_eq!(run(&[c, "blacklist", "9"]), (Some(0), "9\n".to_owned(), String::new()));
    let (status, out, err) = run(&[c, "blacklits"]);
    assert_eq!((status, err.as_str()), (Some(3), ""), "{out}");
    assert!(out.starts_with("error: ") && out.contains("did you mean 'blacklist'?"), "{out}");
    let (status, out, err) = run(&[c, "tpo"]);
    assert!(status == Some(3) && out.starts_with("error: "), "{out}");
    assert_eq!(err, "penctl: 'tpo'; did you mean 'top'?\n");
    let (status, out, err) = run(&["--jsno", c, "pid"]);
    assert!(status == Some(2) && out.contains("usage") && err.contains("mean '--json'"), "{err}");
    let (status, out, _) = run(&["--timeout", "0", c, "pid"]);
    assert_eq!((status, out.as_str()), (Some(2), ""));
    let wrong = format!("{}x", c.strip_suffix('l').unwrap_or(c));
    let (status, out, err) = run(&[&wrong, "pid"]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.contains(&format!("did you mean '{c}'?")), "{err}");
    let (status, out, err) = run(&["servers"]);
    assert!(status == Some(0) && out.starts_with("usage: penctl "), "as in the original: {out}");
    assert!(err.contains("the address comes first"), "{err}");
}

#[test]
fn whether_it_is_ready_is_a_status() {
    let mut farm = Farm::banners(1);
    let other = TestServer::refusing("dead");
    let services = format!(
        "service mail\nlisten {}\nserver 0 address 127.0.0.1 port {}\n",
        Place::free().word(),
        other.place().port()
    );
    let pen = Pen::over(&farm).file(&services).start();
    let control = pen.control().word();
    let c = control.as_str();
    assert_eq!(run(&[c, "ready"]), (Some(0), "ready\n".to_owned(), String::new()));
    let (status, out, _) = run(&["--json", c, "ready"]);
    assert!(status == Some(0) && out.starts_with(r#"{"ready":true,"not_ready":[],"#), "{out}");
    pen.set("service mail server 0 blacklist 99");
    let no = (Some(1), "not ready\nmail: no_server\n".to_owned(), String::new());
    assert_eq!(run(&[c, "ready"]), no);
    assert_eq!(run(&[c, "ready", "mail"]), no);
    assert_eq!(run(&[c, "ready", "default"]).0, Some(0), "the others are not to blame");
    let (status, out, _) = run(&["--json", c, "ready"]);
    assert!(status == Some(1) && out.contains(r#""not_ready":["no_server"]"#), "{out}");
    let (status, out, _) = run(&[c, "ready", "nobody"]);
    assert!(status == Some(3) && out.contains("no service called 'nobody'"), "{out}");
    pen.set("service mail server 0 blacklist 0");
    assert_eq!(run(&[c, "ready"]).0, Some(0));
    farm[0].die();
    assert_eq!(pen.ask("127.0.0.1"), None);
    assert_eq!(run(&[c, "ready"]).1, "not ready\ndefault: no_server\n");
    let (status, _, err) = piped(&[c, "-"], "ready\npid\n");
    assert!(status == Some(1) && err.contains("line 1 is not so"), "{err}");
}

#[test]
fn a_pen_that_does_not_answer_or_drains_is_not_ready() {
    let (_farm, pen, control) = start();
    let c = control.as_str();
    let held = pen.client();
    assert!(!held.read_line().is_empty());
    pen.signal(Sig::Stop);
    // Until the queue of its door is full, and then as well.
    for _ in 0..3 {
        let (status, out, err) = run(&["--timeout", "1", c, "ready"]);
        assert!(status == Some(1) && out.is_empty() && err.contains("no answer"), "{out}{err}");
    }
    pen.signal(Sig::Cont);
    until("an answer", || (run(&[c, "ready"]).0 == Some(0)).then_some(()));
    pen.signal(Sig::Quit);
    let draining = "not ready\ndefault: draining\n";
    until("draining", || (run(&[c, "ready"]).1 == draining).then_some(()));
}

#[test]
fn json_is_asked_for_where_there_is_some_and_refusals_go_elsewhere() {
    let (_farm, _pen, control) = start();
    let c = control.as_str();
    let (status, out, _) = run(&["--json", c, "servers"]);
    assert!(status == Some(0) && out.starts_with(r#"{"service":"default","servers":["#), "{out}");
    assert_eq!(run(&[c, "blacklist", "8", "--json"]).1, "{\"blacklist\":8}\n", "also at the end");
    assert_eq!(run(&["--json", c, "blacklist", "8"]).1, "{\"blacklist\":8}\n");
    assert_eq!(run(&["--json", c, "roundrobin"]), (Some(0), String::new(), String::new()));
    assert_eq!(run(&["--json", c, "server", "0", "max", "5"]).0, Some(0));
    let (status, out, err) = run(&["--json", c, "explain", "nobody"]);
    assert_eq!((status, out.as_str()), (Some(3), ""));
    assert!(err.starts_with("error: explain: 'nobody' is no address"), "{err}");
}

#[test]
fn the_address_may_be_in_the_environment() {
    let (_farm, pen, control) = start();
    let env = |words: &[&str]| told(&penctl(words).env("PEN_CONTROL", &control).output().unwrap());
    assert_eq!(env(&["pid"]).1, format!("{}\n", pen.pid()));
    assert_eq!(env(&["server 0 max 7"]).0, Some(0));
    assert_eq!(pen.servers()[0].max, 7);
    assert_eq!(env(&["/no/such/socket", "pid"]).0, Some(1), "the command line wins");
    assert_eq!(env(&[]).0, Some(0), "the usage");
}

#[test]
fn commands_from_standard_input() {
    let (_farm, pen, control) = start();
    let c = control.as_str();
    let input = "# comment\n\nblacklist 7\r\n  server 0 name red \nservers json\n";
    let (status, out, err) = piped(&[c, "-"], input);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("7\n{\"service\"") && out.contains("\"red\""), "{out}");
    let (status, out, err) = piped(&[c, "-"], "blacklist 6\nserver 9 prot 1\nblacklist 5\n");
    assert_eq!(status, Some(3));
    assert!(out.starts_with("6\nerror: "), "{out}");
    assert!(err.ends_with("penctl: line 2 was refused; the rest was not sent\n"), "{err}");
    assert_eq!(pen.ctl("blacklist"), "6\n");
    let (status, _, err) = piped(&["/no/such/socket", "-"], "pid\n");
    assert!(status == Some(1) && err.contains("line 1: cannot connect"), "{err}");
}

#[test]
fn an_answer_is_not_waited_for_longer_than_said() {
    let silent = TestServer::start("silent", acts::listen_only());
    let start = std::time::Instant::now();
    let Place::Tcp(address) = silent.place() else { panic!("a port") };
    let (status, _, err) = run(&["--timeout", "1", &address.to_string(), "pid"]);
    assert!(
        status == Some(1) && err.contains("no answer from") && err.contains("1 seconds"),
        "{err}"
    );
    assert!(start.elapsed() < scaled(Duration::from_secs(9)));
}

#[test]
fn who_stops_reading_hears_no_complaint() {
    let (_farm, _pen, control) = start();
    let mut child =
        penctl(&[&control, "help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(told(&child.wait_with_output().unwrap()), (Some(0), String::new(), String::new()));
}
