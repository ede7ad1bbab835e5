//! The language as tables: line and reply, line and fault, settings and what is written.

use super::test_names::Table;
use super::*;
use crate::addr::Host;
use crate::config::Tls;

fn run(config: &mut Config, context: &mut Context, text: &str) -> Result<Done, Fault> {
    match parse(text, context.door)? {
        Some(line) => apply(config, context, &line, &Table),
        None => Ok(Done::default()),
    }
}

/// Runs lines on a fresh configuration and gives the last reply.
fn after(door: Door, lines: &[&str]) -> (Config, Result<Done, Fault>) {
    let mut config = Config::default();
    let mut context = match door {
        Door::Control => Context::control(&config),
        other => Context::starting(other),
    };
    let mut last = Ok(Done::default());
    for text in lines {
        last = run(&mut config, &mut context, text);
    }
    (config, last)
}

#[test]
fn metrics_are_off_unless_an_address_is_given() {
    for (line, reply) in [
        ("metrics", ""),
        ("metrics 127.0.0.1:9404", "127.0.0.1:9404\n"),
        ("metrics /run/m json", "{\"metrics\":\"/run/m\"}\n"),
        ("no metrics", ""),
        ("metrics json", "{\"metrics\":null}\n"),
        ("metrics_acl 3", "3\n"),
        ("metrics_control", ""),
    ] {
        let (_, done) = after(Door::Control, &[line]);
        assert_eq!(done.map(|d| d.reply).as_deref(), Ok(reply), "{line}");
    }
}

#[test]
fn replies() {
    let check = |lines: &[&str], reply: &str| {
        let (_, done) = after(Door::Control, lines);
        assert_eq!(done.map(|d| d.reply).as_deref(), Ok(reply), "{lines:?}");
    };
    for (line, reply) in [
        ("", ""),
        ("# blacklist 3", ""),
        ("blacklist", "30\n"),
        ("blacklist 6", "6\n"),
        ("  blacklist   8  \r", "8\n"),
        ("blacklist 8 extra words", "8\n"),
        ("blacklist 8 json", "{\"blacklist\":8}\n"),
        ("timeout", "5\n"),
        ("tracking 7", "7\n"),
        ("debug 2", "2\n"),
        ("client_acl 9", "9\n"),
        ("client_acl 10", "0\n"),
        ("control_acl -1", "0\n"),
        ("idle_timeout", "Idle timeout: 0 seconds\n"),
        ("idle_timeout 9", "Idle timeout: 9 seconds\n"),
        ("idle_timeout -3", "Idle timeout: 0 seconds\n"),
        ("pending_max 0", ""),
        ("pending_max", "100\n"),
        ("mode", "no hash no roundrobin no stubborn no weight no prio\n"),
        ("log", ""),
        ("geoip_db", ""),
        ("geoip_db /tmp/c.mmdb", "/tmp/c.mmdb\n"),
        ("no geoip_db", ""),
        ("log /tmp/x", "/tmp/x\n"),
        ("log json", "{\"log\":null}\n"),
        ("log /tmp/x json", "{\"log\":\"/tmp/x\"}\n"),
        ("web_stats json", "{\"web_stats\":null}\n"),
        ("no log", ""),
        ("web_stats", ""),
        ("control", ""),
        ("listen", ""),
        ("listen 8080", "8080\n"),
        ("listen 127.0.0.1:80 /run/x", "127.0.0.1:80 /run/x\n"),
        ("listen json", "{\"listen\":[]}\n"),
        ("exit", "Exit is not enabled; restart with -X flag\n"),
        ("upgrade", "error: upgrade is not enabled; restart with -X flag\n"),
        ("tarpit_acl", "tarpit_acl = -1"),
        ("tarpit_acl 4", "tarpit_acl = 4"),
        ("tarpit_acl 10", "tarpit_acl = 0"),
        ("tarpit_acl -1", "tarpit_acl = -1"),
        ("dsr_if", ""),
        ("dsr_if eth0", ""),
        ("source nohost", "unable to set source address to 'nohost'"),
        ("source 127.0.0.33", ""),
        ("http_forwarded", "append\n"),
        ("leaving_addresses", "close\n"),
        ("leaving_addresses keep", ""),
        ("http_forwarded keep", ""),
        ("user_timeout", "0\n"),
        ("user_timeout 30", "30\n"),
        ("no user_timeout", "0\n"),
        ("defer_accept 5", "5\n"),
        ("no defer_accept", "0\n"),
        ("rcvbuf 65536", "65536\n"),
        ("sndbuf 1", "4096\n"),
        ("sndbuf json", "{\"sndbuf\":0}\n"),
        ("congestion json", "{\"congestion\":null}\n"),
        ("route sni A.example. close", ""),
        ("route alpn h2 here", ""),
        ("no route", ""),
    ] {
        check(&[line], reply);
    }
    check(&["hash", "prio", "mode"], "hash no roundrobin no stubborn no weight prio\n");
    check(&["idle_timeout 9", "idle_timeout"], "Idle timeout: 9 seconds\n");
}

#[test]
fn silent_commands() {
    for line in [
        "abort_on_error",
        "no abort_on_error",
        "ascii",
        "no ascii",
        "http",
        "no http",
        "tcp_nodelay",
        "no tcp_nodelay",
        "transparent",
        "no transparent",
        "transparent_fallback",
        "no transparent_fallback",
        "epoll",
        "poll",
        "select",
        "kqueue",
        "keepalive",
        "no keepalive",
        "keepalive idle 60 interval 10 count 3",
        "congestion bbr",
        "no congestion",
        "congestion",
        "dsr_standby",
        "no dsr_standby",
        "freebind",
        "no freebind",
        "leaving_addresses close",
        "leaving_addresses keep",
        "mptcp",
        "no mptcp",
        "dummy",
        "no dummy",
        "block",
        "no block",
        "delayed_forward",
        "no delayed_forward",
        "no log",
        "no web_stats",
        "ssl_ciphers HIGH",
        "ssl_option no_tlsv1",
        "ssl_client_renegotiation_interval 5",
        "acl 3 permit 127.0.0.1",
        "no acl 3",
        "peek",
        "tcp_fastclose up",
        "no source",
        "no emergency",
        "emergency 127.0.0.1:80",
        "forgetful",
        "server 1 address 127.0.0.9 port 7001 max 3 hard 4 weight 5 prio 6 acl 2",
        "server 1 tls verify sni Www.Example.org. ca /ca.pem cert /c.pem key /k.pem",
        "server abuse tls insecure",
        "no listen",
        "service mail",
        "server emergency port 5",
        "route sni *.example.org service web",
        "route alpn acme-tls/1 server 3",
        "route default close",
    ] {
        let (_, done) = after(Door::Control, &[line]);
        let done = done.unwrap_or_else(|f| panic!("{line}: {f}"));
        assert_eq!((done.reply.as_str(), &done.report), ("", &None), "{line}");
    }
}

#[test]
fn settings_of_tls() {
    let tls = |lines: &[&str]| {
        let (config, done) = after(Door::Control, lines);
        let done = done.unwrap_or_else(|f| panic!("{lines:?}: {f}"));
        (config.services[0].tls.clone(), done.reply, done.notices)
    };
    let (set, reply, _) = tls(&["ssl_certificate c.pem k.pem"]);
    assert_eq!((set.certificate.as_deref(), set.key.as_deref()), (Some("c.pem"), Some("k.pem")));
    assert_eq!(reply, "");
    assert_eq!(tls(&["ssl_certificate c.pem k.pem", "ssl_key"]).1, "k.pem\n");
    assert_eq!(tls(&["ssl_ca_file a", "ssl_ca_file json"]).1, "{\"ssl_ca_file\":\"a\"}\n");
    assert_eq!(tls(&["ssl_certificate c", "no ssl_certificate"]).0, Tls::default());
    assert_eq!(tls(&["ssl_alpn h2,http/1.1 x"]).0.alpn, ["h2", "http/1.1", "x"]);
    assert_eq!(tls(&["ssl_ciphers HIGH", "ssl_ciphers"]).1, "HIGH\n");
    let options = ["ssl_option no_tlsv1.2", "ssl_option cipher_server_preference"];
    let set = tls(&options).0.options;
    assert!(set.no_tls12 && set.server_preference && !set.no_tls13);
    assert_eq!(tls(&[options[0], options[1], "no ssl_option"]).0, Tls::default());
    assert!(!tls(&[options[0], options[1], "no ssl_option no_tlsv1.2"]).0.options.no_tls12);
    for (line, part) in [
        ("ssl_option no_tlsv1", "nothing older than TLS 1.2 is offered; it has no effect"),
        ("ssl_client_renegotiation_interval 5", "cannot renegotiate"),
        ("ssl_ciphers HIGH:RC4", "Pen does not offer 'RC4'"),
    ] {
        let notices = tls(&[line]).2;
        assert!(notices.iter().any(|n| n.contains(part)), "{line}: {notices:?}");
    }
    let (config, fault) = after(Door::Control, &[options[0], "ssl_option no_tlsv1.3"]);
    assert!(fault.unwrap_err().message.contains("no version would be left"));
    assert!(!config.services[0].tls.options.no_tls13);
}

/// Line, part of the message, column.
const FAULTS: &[(&str, &str, usize)] = &[
    ("blacklits", "unknown command 'blacklits'; did you mean 'blacklist'?", 0),
    ("PID", "unknown command 'PID'; did you mean 'pid'?", 0),
    ("frobnicate now", "unknown command 'frobnicate'", 0),
    ("no frobnicate", "'frobnicate'", 3),
    ("no hsah", "did you mean 'hash'?", 3),
    ("no", "'no' needs", 0),
    ("no blacklist", "cannot take back 'blacklist'", 3),
    ("keepalive often", "keepalive: 'often' is none of idle, interval, count", 10),
    ("keepalive idle", "keepalive: 'idle' needs a number (1 to 32767)", 10),
    ("keepalive idle 0", "keepalive: '0' is out of range; it takes 1 to 32767", 15),
    ("keepalive count 128", "keepalive: '128' is out of range; it takes 1 to 127", 16),
    ("user_timeout 86401", "user_timeout: '86401' is out of range; it takes 0 to 86400", 13),
    ("defer_accept 3601", "defer_accept: '3601' is out of range; it takes 0 to 3600", 13),
    ("rcvbuf much", "rcvbuf: 'much' is not a number", 7),
    ("congestion b/b", "congestion: 'b/b' is not the name of a congestion control", 11),
    ("congestion sixteen-letters-", "is not the name of a congestion control", 11),
    ("blacklist soon", "blacklist: 'soon' is not a number; it takes 0 to 315360000", 10),
    ("conn_max 99999999999999999999", "'99999999999999999999' is out of range", 9),
    ("timeout 0", "timeout: '0' is out of range; it takes 1 to 315360000", 8),
    ("pending_max x", "it takes 1 to 1000000", 12),
    ("server", "'server' needs", 0),
    ("server 0", "server '0': needs a key", 7),
    ("server 0 port", "'port' needs a value", 9),
    ("server 0 max many", "'many' is not a number", 13),
    ("server 0 wieght 5", "unknown key 'wieght'; did you mean 'weight'?", 9),
    ("server 0 frob 1", "unknown key 'frob'; it takes acl, address, port", 9),
    ("server 0 tls", "'server' needs one of off, verify, insecure", 0),
    ("server 0 tls maybe", "'maybe' is none of off, verify, insecure", 13),
    ("server 0 sni", "'sni' needs a value", 9),
    ("server 0 sni a/b", "server sni: 'a/b' is no host name", 13),
    ("server 0 sni *.example", "is no host name", 13),
    ("server 0 ca", "'ca' needs a value", 9),
    ("close", "'close' needs the number of a connection", 0),
    ("close x", "'x' is not a number; it takes 0 to 2147483647", 6),
    ("server 0 max 5 address nohost", "server '0': cannot resolve 'nohost'", 23),
    ("server 0 max 5 port 99999", "no such port '99999'", 20),
    ("server 2000000000 port 1", "'2000000000' is out of range; it takes 0 to 16383", 7),
    ("server -1 port 5", "'-1' is out of range", 7),
    ("server web port 5", "no server called 'web'", 7),
    ("server 0 name 7", "not only digits", 14),
    ("server 0 name abuse", "meaning of its own", 14),
    ("server emergency blacklist 3", "servers of the table", 7),
    ("acl", "'acl' needs the number of a list (0 to 9)", 0),
    ("acl 1", "'acl' needs one of permit, deny", 0),
    ("acl 1 permit", "'acl' needs an address", 0),
    ("acl 1 allow 127.0.0.1", "acl: 'allow' is none of permit, deny", 6),
    ("acl 1 permit not-an-address", "'not-an-address' is not an address", 13),
    ("acl 1 permit 127.0.0.1 bogus", "'bogus' is not a mask", 23),
    ("acl 10 permit 127.0.0.1", "'10' is out of range; it takes 0 to 9", 4),
    ("acl -1 deny 127.0.0.1", "'-1' is out of range", 4),
    ("acl 0 permit ::1/200", "'200' is out of range; it takes 0 to 128", 13),
    ("acl 0 permit 10.0.0.0/33", "'33' is out of range; it takes 0 to 32", 13),
    ("acl 1 permit country", "country code", 0),
    ("acl 1 permit country SWE", "'SWE'", 21),
    ("no acl", "'acl' needs", 3),
    ("no acl 77", "'77'", 7),
    ("tcp_fastclose", "needs one of up, down, both, off", 0),
    ("tcp_fastclose upp", "did you mean 'up'?", 14),
    ("source", "'source' needs an address", 0),
    ("include", "'include' needs", 0),
    ("ssl_option", "'ssl_option' needs", 0),
    ("ssl_option bogus", "'bogus'", 11),
    ("ssl_ciphers RC4:aNULL", "ssl_ciphers: nothing is left of the list: 'RC4', 'aNULL'", 12),
    ("ssl_ciphers HIHG", "did you mean 'HIGH'?", 12),
    ("ssl_option no_tlsv1.4", "did you mean 'no_tlsv1", 11),
    ("no ssl_option bogus", "'bogus'", 14),
    ("ssl_client_certificate maybe", "'maybe' is none of off, optional, required", 23),
    ("ssl_alpn", "needs the name of a protocol", 0),
    ("ssl_alpn h2 h2", "'h2' is named twice", 12),
    ("ssl_alpn ,", "names no protocol", 9),
    ("ssl_handshake_timeout 0", "it takes 1 to", 22),
    ("ssl_handshakes_per_client 1000001", "it takes 1 to 1000000", 26),
    ("ssl_client_renegotiation_interval", "needs a number", 0),
    ("recent x", "'x' is not a number", 7),
    ("close x", "'x' is not a number", 6),
    ("connection", "needs the number of a connection", 0),
    ("dsr_if a/b", "dsr_if: 'a/b' is no name of an interface", 7),
    ("dsr_if sixteen-letters-", "is no name of an interface", 7),
    ("dsr_ip 0.0.0.0", "is no address of a machine", 7),
    ("tarpit_acl x", "tarpit_acl", 11),
    ("tarpit_rate 0", "tarpit_rate", 12),
    ("listen 127.0.0.1:99999", "'127.0.0.1:99999': no such port", 7),
    ("listen 80 0.0.0.0:80", "'0.0.0.0:80' is named twice", 10),
    ("emergency 127.0.0.1", "the port is missing", 10),
    ("workers 3", "workers: '3' comes too late", 0),
    ("sandbox strict /a", "sandbox: 'strict /a' comes too late; it is for the start only", 0),
    ("sandbox strict a", "sandbox: 'a' is no path from the root", 15),
    ("sandbox stric", "'stric' is none of off, on, strict; did you mean", 8),
    ("sandbox on /a", "sandbox: '/a' is a word too many", 11),
    ("service mial mode", "no service called 'mial'", 0),
    ("service a b/c", "unknown command 'b/c'", 10),
    ("service a/b mode", "only letters", 8),
    ("service a service b", "cannot stand", 10),
    ("no service mail", "there is none of this name", 11),
    ("no service default", "cannot be removed", 11),
    ("log a\u{1}b", "control characters", 4),
    ("route", "'route' needs one of sni, alpn, default", 0),
    ("route host a", "'host' is none of sni, alpn, default", 6),
    ("route sni", "'route' needs a host name", 0),
    ("route sni a..b close", "route: 'a..b' is no host name", 10),
    ("route sni a.*.b close", "elsewhere than as its first label", 10),
    ("route sni a", "'route' needs one of service, server, here, close", 0),
    ("route sni a to b", "'to' is none of service, server, here, close", 12),
    ("route sni a service", "needs the name of a service", 0),
    ("route sni a service b/c", "only letters", 20),
    ("route sni a server emergency", "it is not in the table", 19),
    ("route sni a server 16384", "out of range", 19),
    ("route default server web", "no server called 'web'", 21),
    ("no route sni a.example", "there is none for 'a.example'", 13),
    ("no route default", "there is none for 'default'", 9),
    ("no route any", "'any' is none of", 9),
    ("help blacklits", "did you mean 'blacklist'?", 5),
];

#[test]
fn faults_name_the_word_and_change_nothing() {
    for &(line, part, column) in FAULTS {
        let (config, result) = after(Door::Control, &[line]);
        let fault = result.expect_err(line);
        assert!(fault.message.contains(part), "{line}: {fault}");
        assert_eq!(fault.column, column, "{line}: {fault}");
        assert!(!fault.message.contains('\n'), "{line}");
        assert_eq!(config, Config::default(), "{line}");
    }
    let (_, result) = after(Door::File, &["servers"]);
    assert!(result.unwrap_err().message.contains("control socket only"));
    let long = "x".repeat(5000);
    assert!(parse(&long, Door::Control).is_err());
    assert!(parse(&"x ".repeat(300), Door::Control).is_err());
}

#[test]
fn servers_by_number_and_name() {
    let (config, last) = after(
        Door::File,
        &[
            "server 2 address localhost port http name web",
            "server web max 7 blacklist 60",
            "server 0 address /run/back",
        ],
    );
    last.unwrap();
    let servers = &config.services[0].servers;
    assert_eq!(servers.len(), 3);
    assert_eq!((servers[2].port, servers[2].max), (80, 7));
    assert_eq!(servers[2].host.as_written(), "localhost");
    assert_eq!(servers[1], crate::config::ServerConfig::default());
    let (_, last) = after(Door::File, &["server 0 name a", "server 1 name a"]);
    assert!(last.unwrap_err().message.contains("'a' is taken"));
    let (_, last) = after(Door::File, &["server 3 blacklist 9"]);
    let sentence = Effect::Sentence { service: "default".into(), server: 3, seconds: 9 };
    assert_eq!(last.unwrap().effects, [sentence]);
    let (config, _) = after(Door::File, &["server 0 address 10.0.0.1", "server 0 address 0.0.0.0"]);
    assert_eq!(config.services[0].servers[0].host, Host::Unset);
}

#[test]
fn services_and_their_context() {
    let (config, last) = after(
        Door::File,
        &[
            "service mail",
            "blacklist 7",
            "service default blacklist 8",
            "tracking 9",
            "control_acl 3",
            "metrics_acl 4",
        ],
    );
    last.unwrap();
    assert_eq!((config.services[0].blacklist_s, config.services[0].tracking_s), (8, 0));
    assert_eq!((config.services[1].blacklist_s, config.services[1].tracking_s), (7, 9));
    let lists = [&config.process.control_acl, &config.process.metrics_acl];
    assert_eq!(lists.map(|l| (l.service.as_str(), l.list)), [("mail", 3), ("mail", 4)]);
    let (mut config, last) = after(Door::File, &["service mail", "no service mail", "blacklist 5"]);
    assert_eq!(last.unwrap().reply, "5\n");
    assert_eq!((config.services.len(), config.services[0].blacklist_s), (1, 5));
    config.services.push(crate::config::ServiceConfig::new("only"));
    assert_eq!(Context::control(&config).service, "only");
    config.services.push(crate::config::ServiceConfig::new("second"));
    assert_eq!(Context::control(&config).service, "default");
    for word in ["control_acl", "metrics_acl"] {
        let (_, last) = after(Door::File, &["service a", &format!("{word} 1"), "no service a"]);
        assert!(last.unwrap_err().message.contains(word));
    }
    for line in ["metrics 127.0.0.1", "metrics nosuch", "metrics 0", "metrics_acl 10"] {
        assert!(after(Door::File, &[line]).1.unwrap_err().message.contains("metrics"), "{line}");
    }
}

#[test]
fn a_file_replaces_lists_and_a_session_appends() {
    let mut config = Config::default();
    for door in [Door::Control, Door::File, Door::File, Door::Control] {
        let mut context = Context { door, ..Context::reload() };
        for line in ["acl 1 permit 10.0.0.1", "acl 1 deny 10.0.0.0/8"] {
            run(&mut config, &mut context, line).unwrap();
        }
    }
    assert_eq!(config.services[0].acls[1].entries.len(), 4);
}

#[test]
fn routes_are_replaced_one_by_one_and_by_a_file_as_a_whole() {
    let mut config = Config::default();
    let routes = |config: &Config| -> Vec<String> {
        config.services[0].routes.iter().map(ToString::to_string).collect()
    };
    let mut session = Context { door: Door::Control, ..Context::reload() };
    for line in [
        "server 1 port 1 name web",
        "route sni WWW.example.org. service a",
        "route default close",
        "route sni www.example.org server web",
        "route alpn h2 service b",
    ] {
        run(&mut config, &mut session, line).unwrap();
    }
    let all = ["sni www.example.org server 1", "default close", "alpn h2 service b"];
    assert_eq!(routes(&config), all);
    run(&mut config, &mut session, "no route default").unwrap();
    assert_eq!(routes(&config), [all[0], all[2]]);
    for _ in 0..2 {
        let mut file = Context::reload();
        run(&mut config, &mut file, "blacklist 7").unwrap();
        assert_eq!(routes(&config).len(), 2, "not mentioned, not touched");
        for line in ["route sni a.example close", "route sni b.example close"] {
            run(&mut config, &mut file, line).unwrap();
        }
        assert_eq!(routes(&config), ["sni a.example close", "sni b.example close"]);
        run(&mut config, &mut session, "route default service rest").unwrap();
        run(&mut config, &mut session, "no route sni a.example").unwrap();
    }
    run(&mut config, &mut Context::reload(), "no route").unwrap();
    assert!(routes(&config).is_empty());
    for n in 0..crate::limits::ROUTES_MAX {
        run(&mut config, &mut session, &format!("route sni n{n}.example close")).unwrap();
    }
    let fault = run(&mut config, &mut session, "route default close").unwrap_err();
    assert!(fault.message.contains("there are 4096 already"), "{fault}");
}

#[test]
fn tables_shrink_at_start_only() {
    let mut config = Config::default();
    for (starting, line, clients, connections) in [
        (true, "clients_max 33", 33, None),
        (true, "conn_max 44", 33, Some(44)),
        (false, "conn_max 10", 33, Some(44)),
        (false, "conn_max 45", 33, Some(45)),
        (false, "clients_max 5", 33, Some(45)),
        (true, "clients_max 0", 2048, Some(45)),
        (false, "conn_max 0", 2048, None),
        (false, "conn_max 3", 2048, None),
    ] {
        let mut context = Context { starting, ..Context::reload() };
        run(&mut config, &mut context, line).unwrap();
        let service = &config.services[0];
        assert_eq!((service.clients_max, service.conn_max), (clients, connections), "{line}");
    }
}

fn explain(client: &str, port: Option<u16>, sni: Option<&str>, alpn: &[&str]) -> Report {
    let client = crate::addr::ClientAddr::from_ip(client.parse().unwrap());
    let alpn: Vec<Vec<u8>> = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    let says = sni.is_some() || !alpn.is_empty();
    let hello = crate::hello::Hello { sni: sni.map(str::to_owned), alpn, versions: Vec::new() };
    Report::Explain(Box::new(Question { client, port, hello: says.then_some(hello) }))
}

#[test]
fn reports_and_effects() {
    for (line, report) in [
        ("servers", Report::Servers),
        ("services", Report::Services),
        ("routes", Report::Routes),
        ("status", Report::Status),
        ("recent", Report::Recent(300)),
        ("recent 5", Report::Recent(5)),
        ("connection -1", Report::Connection(-1)),
        ("socket 9", Report::Socket(9)),
        ("clients_max", Report::ClientsMax),
        ("conn_max 9", Report::ConnMax),
        ("idlers 4", Report::Idlers),
        ("memory", Report::Memory),
        ("sources", Report::Sources),
        ("spread", Report::Spread),
        ("overview", Report::Overview),
        ("ready", Report::Ready(None)),
        ("ready web json", Report::Ready(Some("web".to_owned()))),
        ("explain 192.0.2.7", explain("192.0.2.7", None, None, &[])),
        ("explain [::ffff:192.0.2.7] port 9", explain("192.0.2.7", Some(9), None, &[])),
        (
            "explain 2001:db8::1 sni A.Example. alpn h2 http/1.1 port 1 alpn x",
            explain("2001:db8::1", Some(1), Some("a.example"), &["h2", "http/1.1", "x"]),
        ),
        ("sandbox", Report::Sandbox),
        ("state json", Report::State),
        ("events", Report::Events(None)),
        ("events since 7 json", Report::Events(Some(7))),
        ("pid", Report::Pid),
    ] {
        let (_, done) = after(Door::Control, &[line]);
        assert_eq!(done.unwrap().report, Some(("default".into(), report)), "{line}");
    }
    let path = || "/a".to_owned();
    let service = || "default".to_owned();
    for (line, effect) in [
        ("write", Effect::Write(None)),
        ("write /a", Effect::Write(Some(path()))),
        ("include /a", Effect::Include { service: service(), path: path() }),
        ("state write", Effect::State(StateDeed::Write)),
        ("state read /a", Effect::State(StateDeed::Read(path()))),
        ("watch", Effect::Watch { since: None, json: false }),
        ("watch since 3 json", Effect::Watch { since: Some(3), json: true }),
        ("close 77", Effect::CloseConnection { service: service(), connection: 77 }),
    ] {
        assert_eq!(after(Door::Control, &[line]).1.unwrap().effects, [effect], "{line}");
    }
    assert!(parse("servers json", Door::Control).unwrap().unwrap().json);
    assert!(!parse("hash json", Door::Control).unwrap().unwrap().json);
    let (_, done) = after(Door::Control, &["service mail", "service mail servers"]);
    assert_eq!(done.unwrap().report, Some(("mail".into(), Report::Servers)));
    for line in ["service mail explain 1.2.3.4", "explain 1.2.3.4 service mail"] {
        let (_, done) = after(Door::Control, &["service mail", "service default", line]);
        let report = explain("1.2.3.4", None, None, &[]);
        assert_eq!(done.unwrap().report, Some(("mail".into(), report)), "{line}");
    }
}

#[test]
fn hosts_to_resolve() {
    for (line, hosts) in [
        ("server 0 address localhost port 1", vec!["localhost"]),
        ("server 0 address ::1", vec![]),
        ("listen a:1 127.0.0.1:2 b:3 /x", vec!["a", "b"]),
        ("emergency web:80", vec!["web"]),
        ("source me", vec!["me"]),
        ("hash", vec![]),
    ] {
        let line = parse(line, Door::Control).unwrap().unwrap();
        assert_eq!(hosts_named(&line), hosts);
    }
}

#[test]
fn every_row_is_complete_and_every_form_begins_with_its_word() {
    let mut seen = BTreeSet::new();
    for spec in table::all() {
        assert!(seen.insert(spec.word), "{} stands twice", spec.word);
        assert!(!spec.help.is_empty() && !spec.help.ends_with('.'), "{}", spec.word);
        assert!(spec.manual.is_empty() || spec.manual.ends_with('.'), "{}", spec.word);
        let takes_no = spec.forms.iter().any(|f| f.starts_with("no "));
        assert_eq!(takes_no, spec.read_no.is_some(), "{}", spec.word);
        for form in spec.forms {
            let form = form.strip_prefix("no ").unwrap_or(form);
            assert_eq!(form.split(' ').next(), Some(spec.word));
        }
    }
    for number in Number::ALL {
        assert!(table::find(number.word()).is_some(), "{}", number.word());
    }
}

#[test]
fn another_emergency_server_is_spoken_to_in_the_same_way() {
    let tls = "server emergency tls insecure";
    let (config, _) =
        after(Door::Option, &[tls, "emergency 127.0.0.1:80", "emergency 127.0.0.2:80"]);
    let text = write::settings(&config, false);
    assert!(
        text.contains("server emergency acl 0 address 127.0.0.2 port 80 max 0 hard 0"),
        "{text}"
    );
    assert!(text.contains("tls insecure"), "{text}");
    let (config, _) = after(Door::Option, &[tls, "no emergency", "emergency 127.0.0.1:80"]);
    assert!(!write::settings(&config, false).contains("tls insecure"));
}

#[test]
fn written_routes_and_tls_of_servers() {
    let (config, last) = after(
        Door::Option,
        &[
            "server 2 tls verify sni Www.Example.org. ca /ca.pem cert /c.pem key /k.pem",
            "server 2 key -",
            "server emergency tls insecure",
            "route sni *.Example.org service web",
            "route default close",
        ],
    );
    last.unwrap();
    let text = write::settings(&config, false);
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "server 2 acl 0 address 0.0.0.0 port 0 max 0 hard 0 weight 0 prio 0 tls verify sni \
         www.example.org ca /ca.pem cert /c.pem",
        "server emergency acl 0 address 0.0.0.0 port 0 max 0 hard 0 weight 0 prio 0 tls insecure",
        "no route",
        "route sni *.example.org service web",
        "route default close",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
}

#[test]
fn written_settings() {
    let (mut config, last) = after(
        Door::Option,
        &[
            "listen 127.0.0.1:8080",
            "server 0 address 127.0.0.1 port 4001 max 4 hard 5 weight 6 prio 7 acl 4",
            "server 1 address ::1 port 99",
            "acl 2 permit 10.0.0.0 255.0.0.0",
            "acl 2 deny 10.1.2.3",
            "acl 4 deny ::1/64",
            "acl 4 permit fe80::2",
            "acl 5 permit country se",
            "acl 6 deny 10.0.0.5 255.0.255.255",
            "acl 7 deny ::ffff:10.0.0.5",
            "hash",
            "log 127.0.0.1:514",
            "idle_timeout 13",
            "geoip_db /var/c.mmdb",
        ],
    );
    last.unwrap();
    config.process.exit_enabled = true;
    config.process.control = Some("/run/ctl".into());
    let facts = write::Facts {
        time: "2026-01-02 03:04:05",
        foreground: true,
        pid_file: Some("/p"),
        file: "/f",
        listen_operand: true,
        ..write::Facts::default()
    };
    let text = write::write(&config, &facts);
    assert!(text.starts_with(
        "# Generated by pen 2026-01-02 03:04:05\n\
         # pen -f -X -p '/p' -F '/f' -C /run/ctl 127.0.0.1:8080\nno acl 0\n"
    ));
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "acl 2 permit 10.0.0.0 255.0.0.0",
        "acl 2 deny 10.1.2.3 255.255.255.255",
        "acl 4 deny ::1/64",
        "acl 4 permit fe80::2/128",
        "acl 5 permit country SE",
        "acl 6 deny 10.0.0.5 255.0.255.255",
        "acl 7 deny 10.0.0.5 255.255.255.255",
        "server 0 acl 4 address 127.0.0.1 port 4001 max 4 hard 5 weight 6 prio 7",
        "server 1 acl 0 address ::1 port 99 max 0 hard 0 weight 0 prio 0",
        "hash",
        "log 127.0.0.1:514",
        "idle_timeout 13",
        "geoip_db /var/c.mmdb",
        "no stubborn",
        "tcp_fastclose off",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
    assert!(!lines.iter().any(|l| l.starts_with("listen") || l.starts_with("service")));
    assert!(write::settings(&config, false).contains("\nlisten 127.0.0.1:8080\n"));
    config.services[0].log = Some("/a b".into());
    assert!(
        write::settings(&config, true).contains("\n# cannot be written as a command: log /a b\n")
    );
}

#[test]
fn logs_of_connections_and_events() {
    let set = [
        ("connection_log text /var/log/pen/conn.log", "text /var/log/pen/conn.log"),
        ("connection_log json syslog start every 60", "json syslog start every 60"),
        (
            "connection_log json udp:loghost:514 every 60 start",
            "json udp:loghost:514 start every 60",
        ),
        (
            r#"connection_log template "%{client}  -  \"%{tls_sni}\"" stdout"#,
            r#"template "%{client}  -  \"%{tls_sni}\"" stdout"#,
        ),
        (r#"connection_log template "" ./x"#, r#"template "" ./x"#),
        ("connection_log off", "off"),
        ("no connection_log", "off"),
    ];
    for (line, reply) in set {
        let (_, done) = after(Door::Control, &[line, "connection_log"]);
        assert_eq!(done.unwrap().reply, format!("{reply}\n"), "{line}");
    }
    let (config, done) = after(Door::Control, &["event_log json journald", "event_log json"]);
    assert_eq!(done.unwrap().reply, "{\"event_log\":\"json journald\"}\n");
    assert!(config.process.event_log.is_some());
    let faults = [
        ("connection_log txet /x", "did you mean 'text'", 15),
        ("connection_log text", "needs a target", 0),
        ("connection_log text sylog", "did you mean 'syslog'", 20),
        ("connection_log text udp:host", "after 'udp:' comes HOST:PORT", 20),
        ("connection_log text /x strat", "did you mean 'start'", 23),
        ("connection_log text /x every 0", "out of range", 29),
        ("connection_log template %{client} /x", "it stands in quotes", 24),
        (r#"connection_log template "a /x"#, "its end, a quote, is missing", 24),
        (r#"connection_log template "a  %{sevrer}" /x"#, "did you mean 'server'", 28),
        ("event_log template /x", "is none of off, text, json", 10),
    ];
    for (line, why, column) in faults {
        let fault = parse(line, Door::Control).unwrap_err();
        assert!(fault.message.contains(why), "{line}: {fault}");
        assert_eq!(fault.column, column, "{line}");
    }
}
