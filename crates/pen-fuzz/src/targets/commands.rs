//! Lines of commands, through every door; and settings, written and read again.
//!
//! The first byte says which door; each further line is a command.

use std::net::{IpAddr, Ipv4Addr};

use pen_core::addr::Names;
use pen_core::command::{Context, Door, Fault, apply, hosts_named, parse, write};
use pen_core::config::Config;

use super::named;
use crate::Choices;

/// Lines of one input.
const LINES_MAX: usize = 64;

/// Knows one name of a host and one of a port.
pub(super) struct Book;

impl Names for Book {
    fn port(&self, service: &str) -> Option<u16> {
        (service == "http").then_some(80)
    }

    fn host(&self, name: &str) -> Result<IpAddr, String> {
        match name {
            "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
            _ => Err("unknown host".to_owned()),
        }
    }
}

/// Every line is answered, a fault names a place in it and nothing that a terminal would obey; what
/// the lines come to can be written and read again.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (door, starting) = match choices.byte() % 4 {
        0 => (Door::Option, true),
        1 => (Door::File, true),
        2 => (Door::File, false),
        _ => (Door::Control, false),
    };
    let mut config = Config::default();
    let mut context = match door {
        Door::Control => Context::control(&config),
        _ => Context { starting, ..Context::starting(door) },
    };
    for line in String::from_utf8_lossy(choices.0).lines().take(LINES_MAX) {
        let before = config.clone();
        let done = match parse(line, door) {
            Ok(Some(parsed)) => {
                let _ = hosts_named(&parsed);
                apply(&mut config, &mut context, &parsed, &Book).map(drop)
            }
            Ok(None) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            check(line, &fault);
            assert_eq!(config, before, "a line that failed has changed something: {line}");
        }
    }
    reads_back(&config);
}

pub(super) fn check(line: &str, fault: &Fault) {
    let Fault { message, column } = fault;
    assert!(!message.is_empty() && !message.chars().any(char::is_control), "{message:?}");
    assert!(line.is_char_boundary(*column), "{message}: column {column} of {line:?}");
}

fn reads_back(config: &Config) {
    let text = write::settings(config, false);
    let mut again = Config::default();
    let mut context = Context::starting(Door::File);
    for line in text.lines() {
        assert!(!line.starts_with('#'), "a command has set what no command can say: {line}");
        let parsed = parse(line, Door::File);
        let Some(parsed) = parsed.unwrap_or_else(|f| panic!("{line}: {f}")) else { continue };
        apply(&mut again, &mut context, &parsed, &Book).unwrap_or_else(|f| panic!("{line}: {f}"));
    }
    // What is set by the command line only is in no file.
    again.process.exit_enabled = config.process.exit_enabled;
    again.process.control = config.process.control.clone();
    assert_eq!(&again, config, "{text}");
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let lines = |door: u8, text: &str| [&[door][..], text.as_bytes()].concat();
    let service = "listen 127.0.0.1:8080 [::1]:8080\nserver 0 address localhost port http max 4 hard 5\n\
                   server 1 name web-1 address ::1 port 99 weight 6 prio 7 acl 4\nhash\nno roundrobin\n\
                   emergency 127.0.0.9:80\nabuse [::1]:81\n";
    let lists = "acl 2 permit 10.0.0.0 255.0.0.0\nacl 2 deny ::1/64\nacl 5 permit country se\n\
                 client_acl 2\ncontrol_acl 5\nno acl 2\n";
    let dsr = "protocol udp\ndsr_if eth0\ndsr_ip 10.0.0.100\ntarpit_acl 1\nno tarpit_check\n\
               tarpit_rate 5\nudp_spread datagram\nudp_answers 1\nudp_timeout 5\n";
    let routes = "service web listen 80\nservice tls route sni *.example.org service web\n\
                  service tls route alpn h2 server 3\nroute default close\nno route\n";
    let logs = "connection_log json udp:127.0.0.1:514 start every 5\nconnection_log text syslog\n\
                connection_log template \"%{client} \\\"%{reason}\\\" %{tls_sni} %%\" /var/log/pen start\n\
                connection_log template \"%{reeson}\" stdout\nconnection_log text journal\n\
                connection_log json stdout evry 5\nconnection_log\nconnection_log off\n\
                event_log json journald\nevent_log text /a\nevent_log\nevent_log off\n\
                log udp:127.0.0.1:514\nlog /var/log/pen\nno log\n";
    let explain = "explain 10.0.0.1\nexplain ::1 port 99 sni a.example alpn h2 alpn http/1.1 service web\n\
                   explain unix\nexplain 10.0.0.1 port 0\nexplain 10.0.0.1 sni a..b\nexplain nobody\n\
                   explain 10.0.0.1 prt 5\n";
    let tls = "ssl_certificate /a.pem /a.key\nssl_key /a.key\nssl_ca_file /ca.pem\nssl_ca_dir /ca\n\
               ssl_crl /crl.pem\nssl_client_certificate required\nssl_ciphers HIGH:!aNULL\n\
               ssl_option no_tlsv1.2\nno ssl_option\nssl_sni_path /sni\nssl_sni_strict\n\
               ssl_ocsp_response /ocsp.der\nssl_alpn h2 http/1.1\nno ssl_tickets\nssl_early_data\n\
               ssl_handshake_timeout 9\nssl_handshakes_max 100\nno ssl_certificate\n";
    let whole = "workers 4\nmem_max 64\nsandbox strict /tmp /dev\nsandbox off\nsandbox\nengine splice\n\
                 state_file /state\nstate_interval 60\npid_file /pid\nuser nobody\njail /jail\n\
                 metrics 127.0.0.1:9100\ndrain_timeout 5\nlimit_conn 5\nlimit_rate 5\nlimit_burst 9\n\
                 server 0 delete\nserver 0 drain\nserver 1 max 5\nno server 1 acl\nfreebind\n\
                 sndbuf 4096\nsource 10.0.0.1\ntransparent\nhttp\nclient_acl 0\n";
    named([
        ("logs", lines(1, logs)),
        ("logs-asked-for", lines(3, logs)),
        ("explain", lines(3, explain)),
        ("tls", lines(1, tls)),
        ("the-process", lines(1, whole)),
        ("the-process-while-it-runs", lines(3, whole)),
        ("a-service", lines(1, service)),
        ("lists", lines(1, lists)),
        ("dsr-and-udp", lines(0, dsr)),
        ("routes", lines(2, routes)),
        (
            "control",
            lines(3, "servers json\nserver 0 blacklist 5\nclose 7\nrecent 9\nexit\nwrite\nmode\n"),
        ),
        (
            "faults",
            lines(
                3,
                "blcklist 3\nserver\nacl 2 permit 1.2.3\n  no  \nserver 0 port 99999999999\n\u{1b}[2J\n",
            ),
        ),
    ])
}
