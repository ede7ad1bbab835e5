//! Command lines as tables.

use super::*;
use crate::command::test_names::Table;
use crate::command::{Done, Number};
use crate::config::{Config, Trust};

fn read(line: &[&str]) -> Result<Launch, Stop> {
    parse(line.iter().map(OsString::from))
}

fn configure(line: &[&str]) -> Result<(Config, String, Vec<String>), Stop> {
    let launch = read(line)?;
    let mut config = Config::default();
    let (mut stdout, mut notices) = (String::new(), launch.notices.clone());
    launch.apply_options(&mut config, &Table, &mut |_, _, done: Done| {
        stdout.push_str(&done.reply);
        notices.extend(done.notices);
        Ok(())
    })?;
    launch.apply_operands(&mut config, &Table, &[])?;
    Ok((config, stdout, notices))
}

#[test]
fn getopt_habits() {
    let same = |a: &[&str], b: &[&str]| assert_eq!(read(a).unwrap(), read(b).unwrap(), "{a:?}");
    same(&["-fdX", "80"], &["-f", "-d", "-X", "80"]);
    same(&["-x256", "80"], &["-x", "256", "80"]);
    same(&["-frx5", "80", "h"], &["80", "-f", "h", "-r", "-x", "5"]);
    same(&["80", "h", "-r"], &["-r", "80", "h"]);
    same(&["-p/run/pid", "80"], &["-p", "/run/pid", "80"]);
    same(&["-p", "-f", "80"], &["-p-f", "80"]);
    same(&["--demo=80"], &["--demo", "80"]);
    assert_eq!(read(&["80", "--", "-x", "--help"]).unwrap().operands, ["80", "-x", "--help"]);
    assert_eq!(read(&["-", "h"]).unwrap().operands, ["-", "h"]);
    assert_eq!(read(&["-p", "a", "-p", "b", "80"]).unwrap().pid_file.as_deref(), Some("b"));
    assert_eq!(read(&["--demo", "-f"]).unwrap().demo, Some(None));
    assert_eq!(read(&["-O", "# nothing", "80"]).unwrap().steps, []);
}

#[test]
fn wrong_options_are_named() {
    for (line, status, parts) in [
        (&["-f", "-y", "80"][..], 2, &["unknown option '-y'", "--help"][..]),
        (&["--live", "80"], 2, &["--live", "--check"]),
        (&["-fk", "80"], 2, &["'-k'", "did you mean '-K FILE'"]),
        (&["-\u{e9}"], 2, &["unknown option"]),
        (&["--chekc"], 2, &["'--chekc'", "did you mean '--check'?"]),
        (&["--check=1"], 2, &["--check takes no value"]),
        (&["--demo=x"], 2, &["--demo: 'x' is no port"]),
        (&["-t"], 2, &["option -t needs a value, T"]),
        (&["-t", "0", "80"], 2, &["option -t: '0' is out of range; it takes 1 to 315360000"]),
        (&["-T", "-1", "80"], 2, &["option -T: '-1' is out of range; it takes 0 to"]),
        (&["-x=5", "80"], 2, &["option -x: '=5' is not a number"]),
        (&["-x", "many"], 2, &["option -x: 'many' is not a number; it takes 0 to 8388608"]),
        (&["-m", "99999"], 2, &["option -m", "it takes 1 to 10000"]),
        (&["-l", "", "80"], 2, &["-l needs"]),
        (&["-F", "", "80"], 2, &["-F needs a value that is not empty"]),
        (&["-e", "", "80"], 2, &["-e needs a value that is not empty"]),
        (&["-fz", "80"], 2, &["did you mean '-Z', compat", "no effect? See pen --help"]),
        (&["-O", "blacklits 3"], 2, &["-O 'blacklits 3'", "did you mean 'blacklist'?"]),
        (&["-O", "servers"], 2, &["control socket only"]),
        (&["-L", "tls77", "80"], 1, &["'tls77'"]),
        (&["-E", "", "80"], 2, &["-E needs a value that is not empty"]),
        (&["-i", "svc"], 0, &["Windows"]),
        (&["80", "nohost:80"], 1, &["'nohost:80'", "unknown host"]),
        (&["99999"], 1, &["'99999': no such port"]),
        (&["80", "-e", "h:p:q:r"], 1, &["option -e: ", "'h:p:q:r'"]),
        (&["0", "127.0.0.1"], 1, &["'0': no such port"]),
        (&["/run/x", "127.0.0.1"], 1, &["the port is missing"]),
        (&["-O", "server 0 address nohost", "80"], 1, &["'server 0 address nohost'", "'nohost'"]),
    ] {
        let stop = configure(line).expect_err(&format!("{line:?}"));
        assert_eq!(stop.status, status, "{line:?}: {stop:?}");
        for part in parts {
            assert!(stop.stderr.contains(part), "{line:?}: {stop:?}");
        }
        assert_eq!(stop.stderr.lines().count(), 1);
        assert!(stop.stdout.is_empty());
    }
}

#[test]
fn answers() {
    for (line, part) in [
        (&[][..], "usage: pen"),
        (&["-f", "--help", "-y"], "-t T "),
        (&["--version"], concat!("pen ", env!("CARGO_PKG_VERSION"), " (Rust)")),
    ] {
        let stop = read(line).unwrap_err();
        assert_eq!((stop.status, stop.stderr.as_str()), (0, ""));
        assert!(stop.stdout.contains(part), "{}", stop.stdout);
    }
}

#[test]
fn options_set_what_commands_set() {
    let (config, stdout, notices) = configure(&[
        "-rshWHaN",
        "-X",
        "-dd",
        "-b12",
        "-t4",
        "-T90",
        "-c33",
        "-x44",
        "-m",
        "0",
        "-q",
        "3",
        "-w",
        "/s",
        "-l",
        "h:1",
        "-C",
        "/c",
        "-O",
        "blacklist 21",
        "-o",
        "mode",
        "-S",
        "20",
        "-DnQP",
        "[::1]:http",
        "127.0.0.1:4001:5:6:7:8",
        "[::1]:99",
        "127.0.0.3",
        "/run/b",
        "-e",
        "127.0.0.9",
        "-B",
        "localhost:1",
    ])
    .unwrap();
    let s = &config.services[0];
    assert_eq!(stdout, "21\nhash roundrobin stubborn weight no prio\n");
    assert!(s.mode.hash && s.mode.roundrobin && s.mode.stubborn && s.mode.weight && s.http);
    assert!(s.mode.forgetful && !s.mode.prio && config.process.ascii);
    assert!(config.process.exit_enabled);
    assert_eq!((config.process.debug, config.process.control.as_deref()), (2, Some("/c")));
    assert_eq!((s.blacklist_s, s.timeout_s, s.tracking_s), (21, 4, 90));
    assert_eq!((s.clients_max, s.conn_max, s.accepts, s.backlog), (33, Some(44), 1, 50));
    assert_eq!((s.web_stats.as_deref(), s.log.as_deref()), (Some("/s"), Some("h:1")));
    assert_eq!(s.listen[0].place.to_string(), "[::1]:80");
    let ports: Vec<u16> = s.servers.iter().map(|s| s.port).collect();
    assert_eq!(ports, [4001, 99, 80, 1]);
    assert_eq!(s.emergency.as_ref().unwrap().port, 80);
    assert_eq!(s.abuse.as_ref().unwrap().host.as_written(), "localhost");
    for part in ["-S", "-D", "-n", "-Q", "-P", "accepts: 0", "backlog: 3"] {
        assert!(notices.iter().any(|n| n.contains(part)), "{part}: {notices:?}");
    }
}

#[test]
fn options_of_tls() {
    let line = "-E c.pem -K k.pem -G ca.pem -A /certs -R -Z -L ssl3 80 127.0.0.1";
    let line: Vec<&str> = line.split(' ').collect();
    let (config, stdout, notices) = configure(&line).unwrap();
    let tls = &config.services[0].tls;
    let files = [&tls.certificate, &tls.key, &tls.ca_file, &tls.ca_dir].map(|f| f.as_deref());
    assert_eq!(files, [Some("c.pem"), Some("k.pem"), Some("ca.pem"), Some("/certs")]);
    assert_eq!((tls.clients, tls.is_on()), (ClientCertificates::Required, true));
    assert_eq!(stdout, "");
    for part in ["option -Z: ", "option -L ssl3: TLS 1.2 and 1.3 are offered"] {
        assert!(notices.iter().any(|n| n.contains(part)), "{part}: {notices:?}");
    }
}

#[test]
fn the_first_operand_gives_way_to_listen() {
    let (config, ..) =
        configure(&["-O", "listen 127.0.0.1:81", "ignored", "127.0.0.1:1", "127.0.0.2"]).unwrap();
    let s = &config.services[0];
    assert_eq!(s.listen[0].text, "127.0.0.1:81");
    assert_eq!(s.servers.iter().map(|s| s.port).collect::<Vec<_>>(), [1, 81]);

    let launch = read(&["nohost:nothing", "127.0.0.2"]).unwrap();
    let file = [crate::listen_word::resolve("127.0.0.1:82", &Table).unwrap()];
    let mut config = Config::default();
    assert_eq!(launch.apply_operands(&mut config, &Table, &file), Ok(false));
    assert_eq!(config.services[0].servers[0].port, 82);
    assert!(config.services[0].listen.is_empty());
    let mut config = Config::default();
    assert_eq!(read(&["83"]).unwrap().apply_operands(&mut config, &Table, &[]), Ok(true));
}

#[test]
fn server_words_keep_what_they_cannot_say() {
    let (config, ..) =
        configure(&["-O", "server 0 acl 3 name web max 9", "80", "127.0.0.1"]).unwrap();
    let server = &config.services[0].servers[0];
    assert_eq!((server.acl, server.name.as_deref(), server.max), (3, Some("web"), 0));
    // Or clients' bytes would go to a server in plain text, against what is written.
    let tls = |which: &str| format!("server {which} tls verify sni inside ca our.pem");
    let (table, outside) = (tls("0"), tls("emergency"));
    let words = ["-O", &table, "-O", &outside, "-e", "127.0.0.2:81", "80", "127.0.0.1"];
    let (config, ..) = configure(&words).unwrap();
    let service = &config.services[0];
    for server in [&service.servers[0], service.emergency.as_ref().unwrap()] {
        let tls = (server.tls.trust, server.tls.sni.as_deref(), server.tls.ca.as_deref());
        assert_eq!(tls, (Trust::Verify, Some("inside"), Some("our.pem")));
    }
    assert_eq!(service.emergency.as_ref().unwrap().port, 81);
}

#[test]
fn options_mean_the_service_of_the_command_line() {
    let (config, ..) =
        configure(&["-O", "service mail", "-b", "7", "-O", "blacklist 8", "80"]).unwrap();
    let times: Vec<u32> = config.services.iter().map(|s| s.blacklist_s).collect();
    assert_eq!(times, [7, 8]);
}

#[test]
fn hosts_to_resolve() {
    let launch = read(&["a:80", "b", "127.0.0.1", "[::1]", "-e", "c:1", "-O", "source d"]).unwrap();
    let mut hosts = launch.hosts_named();
    hosts.sort();
    assert_eq!(hosts, ["a", "b", "c", "d"]);
}

#[test]
fn the_option_table_is_sound() {
    let mut seen = std::collections::BTreeSet::new();
    for opt in OPTIONS {
        assert!(seen.insert((opt.letter, opt.long)), "{}", opt.form());
        assert!(opt.letter.is_some() != opt.long.is_some() && !opt.help.is_empty());
        assert!(help().contains(&opt.form()));
    }
    let Config { services, .. } = Config::default();
    for opt in OPTIONS {
        if let Kind::Number(which) = opt.meaning
            && which != Number::ConnMax
        {
            let default = which.get(&crate::config::Process::default(), &services[0]);
            assert!(opt.help.contains(&format!("({default}")), "{}", opt.form());
        }
    }
    for letter in "BCFHNOPTUWXabcdefhijlmpqrstuwxEKGAZRLDnQSo".chars() {
        assert!(seen.contains(&(Some(letter), None)), "-{letter}");
    }
    let step = Step::Set(Command::Number(Number::Timeout, Some(4)));
    assert_eq!(read(&["-t4", "80"]).unwrap().steps, [step]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn any_words_are_answered(words in proptest::collection::vec("[-a-zA-Z0-9:=/\\[\\]\\PC]{0,8}", 0..6)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(stop) = configure(&words) {
            assert!(stop.stderr.lines().count() <= 1);
        }
    }
}
