//! Properties: any bytes are answered, and what is written parses back to the same settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::test_names::Table;
use super::*;
use crate::acl::{AccessList, Verdict, Whom};
use crate::addr::{Host, Listen, Names, Place};
use crate::config::{
    ControlAcl, Engine, Leaving, Mode, Process, Protocol, ServerConfig, ServerTls, ServiceConfig,
    Spread, Tls, TlsOptions, Trust,
};
use crate::connlog::{ConnectionLog, EventLog, Format, LogPlace, Template};
use crate::limits;
use crate::routes::{Route, To, When};
use crate::sandbox::{Level, Sandbox};
use crate::socket_options::Keepalive;

fn doors() -> impl Strategy<Value = Door> {
    prop_oneof![Just(Door::Option), Just(Door::File), Just(Door::Control)]
}

/// Words of the language and near misses, so that random lines get deep into the parser.
fn wordish() -> impl Strategy<Value = String> {
    let known: Vec<String> = table::all()
        .map(|s| s.word.to_owned())
        .chain(
            "no json route routes sni alpn server close *.a.example h2 permit deny country address port max name acl 0 1 -1 9 127.0.0.1 ::1/64 \
             255.0.255.0 localhost:80 [::1]:80:1:2:3:4 default / : . 99999999999999999999"
                .split(' ')
                .map(str::to_owned),
        )
        .collect();
    prop_oneof![4 => prop::sample::select(known), 1 => "\\PC{0,6}", 1 => ".{0,6}"]
}

fn number(which: Number) -> impl Strategy<Value = u32> {
    let (low, high) = which.range();
    prop_oneof![low..=high, Just(low), Just(high), low..=low.saturating_add(9).min(high)]
}

fn entry() -> impl Strategy<Value = Entry> {
    let whom = prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(a, mask)| Whom::v4(a.into(), mask.into())),
        (any::<u128>(), 0..=128_u8).prop_map(|(a, n)| Whom::v6(a.into(), n).unwrap()),
        "[A-Z]{2}".prop_map(|c| Whom::country(&c).unwrap()),
    ];
    (any::<bool>(), whom).prop_map(|(permit, whom)| Entry {
        verdict: if permit { Verdict::Permit } else { Verdict::Deny },
        whom,
    })
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        Just(Host::Unset),
        (1..=u32::MAX).prop_map(|a| Host::Ip(Ipv4Addr::from(a).into())),
        any::<u128>().prop_map(|a| Ipv6Addr::from(a).into()).prop_map(|a: IpAddr| match a {
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Host::Ip(Ipv6Addr::LOCALHOST.into()),
            ip => Host::Ip(ip),
        }),
        Just(Host::Name { name: "web.example".into(), ip: Table.host("web.example").unwrap() }),
        "/[a-z:./]{0,9}".prop_map(|p| Host::Unix(p.into())),
    ]
}

fn server_tls() -> impl Strategy<Value = ServerTls> {
    let trust = prop::sample::select(&[Trust::Off, Trust::Verify, Trust::Insecure][..]);
    let file = || prop::option::of("/[a-z.]{0,9}");
    let some = (trust, prop::option::of("[a-z]{1,5}\\.example"), file(), file(), file())
        .prop_map(|(trust, sni, ca, cert, key)| ServerTls { trust, sni, ca, cert, key });
    prop_oneof![Just(ServerTls::default()), some]
}

fn server() -> impl Strategy<Value = ServerConfig> {
    let n = || 0..=limits::SERVER_NUMBER_MAX;
    (host(), any::<u16>(), n(), n(), n(), n(), 0..10_u8, server_tls()).prop_map(
        |(host, port, max, hard, weight, prio, acl, tls)| ServerConfig {
            tls,
            host,
            port,
            max,
            hard,
            weight,
            prio,
            acl,
            name: None,
        },
    )
}

fn listens() -> impl Strategy<Value = Vec<Listen>> {
    prop::collection::btree_set(1..=u16::MAX, 0..3).prop_map(|ports| {
        ports
            .into_iter()
            .map(|p| match p % 3 {
                0 => Listen { text: p.to_string(), place: Place::Tcp(([0, 0, 0, 0], p).into()) },
                1 => Listen {
                    text: format!("::1:{p}"),
                    place: Place::Tcp((Ipv6Addr::LOCALHOST, p).into()),
                },
                _ => Listen {
                    text: format!("/run/{p}"),
                    place: Place::Unix(format!("/run/{p}").into()),
                },
            })
            .collect()
    })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let name = prop_oneof!["[a-z]{1,3}\\.example", "\\*\\.[a-z]{1,3}\\.example"];
    let when = prop_oneof![
        4 => name.prop_map(|n| When::sni(&n).unwrap()),
        2 => "[!-~]{1,9}".prop_map(|p| When::alpn(&p).unwrap()),
        1 => Just(When::Default),
    ];
    let to = prop_oneof![
        "[a-z]{1,5}[0-9]".prop_map(To::Service),
        (0..limits::SERVERS_MAX).prop_map(To::Server),
        Just(To::Here),
        Just(To::Close),
    ];
    let route = (when, to).prop_map(|(when, to)| Route { when, to });
    vec(route, 0..5).prop_map(|mut routes| {
        let mut seen = BTreeSet::new();
        routes.retain(|r| seen.insert(r.when.to_string()));
        routes
    })
}

fn choices(service: &mut ServiceConfig, bits: u32) {
    let bit = |n: u32| bits & (1 << n) != 0;
    service.mode = Mode {
        hash: bit(0),
        roundrobin: bit(1),
        stubborn: bit(2),
        weight: bit(3),
        prio: bit(4),
        forgetful: bit(5),
    };
    service.dummy = bit(6);
    service.peek = bit(7);
    service.http = bit(8);
    service.tcp_nodelay = bit(9);
    service.dsr.interface = bit(20).then(|| if bit(21) { "json" } else { "eth0.5" }.to_owned());
    service.dsr.ip = bit(22).then_some(Ipv4Addr::new(10, 0, 0, 100).into());
    service.dsr.tarpit_acl = bit(23).then_some(u8::from(bit(24)) * 9);
    service.dsr.tarpit_check = bit(25);
    service.dsr.standby = bit(27);
    service.sockets.mptcp = bit(10);
    service.sockets.freebind = bit(26);
    service.transparent = bit(20);
    service.transparent_fallback = bit(21);
    service.sockets.congestion = bit(19).then(|| "bbr".to_owned());
    service.tcp_fastclose = [FastClose::Off, FastClose::Up, FastClose::Down, FastClose::Both]
        [(bits >> 11) as usize % 4];
    service.engine = [Engine::Auto, Engine::Copy, Engine::Splice][(bits >> 12) as usize % 3];
    service.http_forwarded =
        [Forwarded::Append, Forwarded::Replace, Forwarded::Keep][(bits >> 13) as usize % 3];
    service.protocol = if bit(19) { Protocol::Udp } else { Protocol::Tcp };
    service.udp_spread = if bit(20) { Spread::Datagram } else { Spread::Flow };
    service.source = bit(15).then(|| Ipv4Addr::LOCALHOST.into());
    service.connection_log = bit(17).then(|| ConnectionLog {
        format: match bits % 3 {
            0 => Format::Text,
            1 => Format::Json,
            _ => Format::Template(
                Template::read(r#"%{client}  \"%{tls_sni}\" \\ 100%% \t%{reason}"#).unwrap(),
            ),
        },
        place: LogPlace::read(["/var/log/x", "syslog", "udp:[::1]:514"][(bits >> 7) as usize % 3])
            .unwrap(),
        start: bit(18),
        every_s: if bit(19) { limits::LOG_EVERY_MAX_S } else { 0 },
    });
    service.log = bit(16).then(|| "127.0.0.1:514".to_owned());
    service.web_stats = bit(17).then(|| "json".to_owned());
}

fn tls() -> impl Strategy<Value = Tls> {
    let file = || prop::option::of(prop_oneof![4 => "/[a-z./]{0,9}", 1 => Just("json".to_owned())]);
    let lists = ["HIGH:!AES128", "ECDHE+AESGCM:@STRENGTH", "TLS_AES_128_GCM_SHA256,AES256:DES"];
    let ciphers = prop::option::of(prop::sample::select(lists.to_vec()));
    let files = (file(), file(), file(), file(), file(), file(), file());
    (files, ciphers, any::<u32>(), vec("[a-z/.0-9]{1,9}", 0..3)).prop_map(
        |((certificate, key, ca_file, ca_dir, crl, sni_path, ocsp_response), list, bits, alpn)| {
            let bit = |n: u32| bits & (1 << n) != 0;
            let mut alpn = alpn;
            alpn.sort();
            alpn.dedup();
            Tls {
                certificate,
                key,
                ca_file,
                ca_dir,
                crl,
                sni_path,
                ocsp_response,
                alpn,
                clients: ClientCertificates::WORDS[bits as usize % 3].1,
                ciphers: list.map(|l| Ciphers::parse(l).unwrap()),
                options: TlsOptions {
                    no_tls12: bit(4) && bit(5),
                    no_tls13: bit(4) && !bit(5),
                    server_preference: bit(6),
                },
                sni_strict: bit(7),
                early_data: bit(8),
                tickets: bit(9),
                ..Tls::default()
            }
        },
    )
}

fn keepalive() -> impl Strategy<Value = Option<Keepalive>> {
    let within = |high: u32| prop::option::of(1..=high);
    let seconds = || within(limits::KEEPALIVE_MAX_S);
    prop::option::of(
        (seconds(), seconds(), within(limits::KEEPALIVE_COUNT_MAX))
            .prop_map(|(idle_s, interval_s, count)| Keepalive { idle_s, interval_s, count }),
    )
}

fn service() -> impl Strategy<Value = ServiceConfig> {
    let numbers: Vec<_> = Number::ALL
        .iter()
        .filter(|n| !n.of_process())
        .map(|n| number(*n).prop_map(|v| (*n, v)))
        .collect();
    let outside = || prop::option::of(server());
    (
        (vec(server(), 0..5), outside(), outside(), listens(), keepalive(), routes()),
        numbers,
        any::<u32>(),
        vec((0..10_usize, entry()), 0..8),
        prop::option::of(0..5_usize),
        tls(),
    )
        .prop_map(
            |(
                (servers, emergency, abuse, listen, keepalive, routes),
                numbers,
                bits,
                entries,
                named,
                tls,
            )| {
                let mut service = ServiceConfig {
                    servers,
                    emergency,
                    abuse,
                    listen,
                    tls,
                    routes,
                    ..ServiceConfig::new("default")
                };
                for (which, value) in numbers {
                    let value = which.adjust(i64::from(value)).value;
                    which.set(&mut Process::default(), &mut service, value, true);
                }
                service.sockets.keepalive = keepalive;
                choices(&mut service, bits);
                for (list, entry) in entries {
                    let AccessList { entries } = &mut service.acls[list];
                    entries.push(entry);
                }
                if let Some(server) = named.and_then(|n| service.servers.get_mut(n)) {
                    server.name = Some("web-1".into());
                }
                service
            },
        )
}

fn sandbox() -> impl Strategy<Value = Sandbox> {
    (0..3_usize, vec("/[a-z/]{0,9}", 0..3)).prop_map(|(n, also)| match n {
        0 => Sandbox::default(),
        1 => Sandbox { level: Level::Off, also: Vec::new() },
        _ => Sandbox { level: Level::Strict, also },
    })
}

fn config() -> impl Strategy<Value = Config> {
    let geoip_db = prop::option::of("/[a-z./]{0,9}");
    let process = (
        any::<bool>(),
        any::<bool>(),
        0..=9_u32,
        prop::option::of(1..=256_u32),
        0..10_u8,
        geoip_db,
        sandbox(),
    );
    let web = (listens(), 0..4_usize, 0..10_u8, any::<bool>());
    let numbers = (
        number(Number::DrainTimeout),
        number(Number::MemMax),
        number(Number::Watchdog),
        number(Number::StateInterval),
    );
    (vec(service(), 1..4), process, 0..4_usize, numbers, web).prop_map(
        |(
            mut services,
            (abort_on_error, ascii, debug, workers, list, geoip_db, sandbox),
            at,
            (drain_timeout_s, mem_max_mib, watchdog_s, state_interval_s),
            (mut metrics, readers, readers_list, metrics_control),
        )| {
            for (n, service) in services.iter_mut().enumerate().skip(1) {
                service.name = format!("s{n}");
            }
            let named = |at| services.get(at).unwrap_or(&services[0]).name.clone();
            let (service, readers) = (named(at), named(readers));
            let process = Process {
                abort_on_error,
                ascii,
                debug,
                workers,
                drain_timeout_s,
                mem_max_mib,
                watchdog_s,
                state_interval_s,
                state_file: geoip_db.clone(),
                leaving: if ascii { Leaving::Close } else { Leaving::Keep },
                event_log: geoip_db
                    .is_some()
                    .then_some(EventLog { json: ascii, place: LogPlace::Journald }),
                geoip_db,
                sandbox,
                control_acl: ControlAcl { service, list },
                metrics: metrics.pop(),
                metrics_acl: ControlAcl { service: readers, list: readers_list },
                metrics_control,
                ..Process::default()
            };
            Config { process, services }
        },
    )
}

fn read(config: &mut Config, text: &str) {
    let mut context = Context::starting(Door::File);
    for line in text.lines() {
        let parsed = parse(line, Door::File).unwrap_or_else(|f| panic!("{line}: {f}"));
        if let Some(parsed) = parsed {
            apply(config, &mut context, &parsed, &Table).unwrap_or_else(|f| panic!("{line}: {f}"));
        }
    }
}

fn run(bytes: &[u8], door: Door) {
    let text = String::from_utf8_lossy(bytes);
    let mut config = Config::default();
    let mut context = Context { door, ..Context::reload() };
    let fault = match parse(&text, door) {
        Ok(Some(line)) => {
            let _ = hosts_named(&line);
            apply(&mut config, &mut context, &line, &Table).err()
        }
        Ok(None) => None,
        Err(fault) => Some(fault),
    };
    if let Some(fault) = fault {
        assert!(fault.message.chars().all(|c| !c.is_control()), "{fault}");
        assert!(fault.column <= text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200), door in doors()) {
        run(&bytes, door);
    }

    #[test]
    fn any_words_are_answered(words in vec(wordish(), 0..9), door in doors()) {
        run(words.join(" ").as_bytes(), door);
    }

    #[test]
    fn what_is_written_reads_back(config in config()) {
        let mut again = Config::default();
        read(&mut again, &write::settings(&config, false));
        prop_assert_eq!(&again, &config);
        read(&mut again, &write::settings(&config, false));
        prop_assert_eq!(again, config);
    }
}
