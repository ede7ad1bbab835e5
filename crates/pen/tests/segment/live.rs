//! What `pen --check --live` says of a host with direct server return, and that its commands mend it.

use pen_test::{in_own_network, pen_program, run, run_here};

const CABLE: &str = "ip link add eth0 type veth peer name eth1 && ip link set eth1 up && \
                     ip link set eth0 up && ip address add 10.0.0.50/24 dev eth0";

/// The lines of the report, and the status.
fn inspect(words: &[&str]) -> (Vec<String>, Option<i32>) {
    let fixed = ["--check", "--live", "-u", "root", "-O", "dsr_if eth0"];
    let end = run(&pen_program(), [&fixed[..], words, &["10.0.0.100:80", "10.0.0.11"]].concat());
    (end.stdout.lines().map(str::to_owned).collect(), end.code)
}

fn wrong(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("wrong: ")).collect()
}

#[test]
fn the_commands_of_the_report_mend_the_host() {
    in_own_network("live::the_commands_of_the_report_mend_the_host", CABLE, || {
        run_here("sysctl -q -w net.ipv4.ip_forward=0");
        let (lines, code) = inspect(&[]);
        assert_eq!((wrong(&lines), code), (vec![], Some(0)), "{lines:?}");
        assert!(lines.iter().any(|l| l.contains("arp_ignore=1")), "{lines:?}");
        assert!(!lines.iter().any(|l| l.contains("listening address")), "{lines:?}");

        run_here(
            "ip address add 10.0.0.100/24 dev eth0; ip address add 10.0.0.100/32 dev lo; \
             sysctl -q -w net.ipv4.ip_forward=1; ip link set eth0 down",
        );
        let (lines, code) = inspect(&[]);
        let found = wrong(&lines);
        assert_eq!((found.len(), code), (3, Some(1)), "{lines:?}");
        for (line, said) in found.iter().zip(["is down", "has the service's address", "forwards"]) {
            let (text, command) = line.split_once("; do: ").unwrap();
            assert!(text.contains(said), "{line}");
            run_here(command);
        }
        let (lines, code) = inspect(&[]);
        assert_eq!((wrong(&lines), code), (vec![], Some(0)), "{lines:?}");
    });
}

#[test]
fn a_tarpit_over_somebody() {
    in_own_network("live::a_tarpit_over_somebody", CABLE, || {
        run_here(
            "sysctl -q -w net.ipv4.ip_forward=0; \
             ip neigh replace 10.0.0.7 lladdr 02:00:00:00:00:07 dev eth0 nud reachable",
        );
        let list = ["-O", "acl 1 permit 10.0.0.0 255.255.255.0", "-O", "tarpit_acl 1"];
        let (lines, code) = inspect(&list);
        assert_eq!((wrong(&lines), code), (vec![], Some(0)), "{lines:?}");
        let (lines, code) = inspect(&[&list[..], &["-O", "no tarpit_check"]].concat());
        let found = wrong(&lines);
        assert_eq!((found.len(), code), (1, Some(1)), "{lines:?}");
        assert!(found[0].contains("that somebody has: 10.0.0.7; do: "), "{found:?}");
    });
}

#[test]
fn the_right_that_is_missing_is_named() {
    in_own_network("live::the_right_that_is_missing_is_named", CABLE, || {
        let pen = pen_program().display().to_string();
        let words = ["--bounding-set", "-net_raw", &pen, "--check", "--live", "-u", "root"];
        let words = [&words[..], &["-O", "dsr_if eth0", "10.0.0.100:80", "10.0.0.11"]].concat();
        let Ok(end) = std::process::Command::new("setpriv").args(words).output() else {
            println!("skipped: no setpriv here (util-linux)");
            return;
        };
        let said = String::from_utf8_lossy(&end.stdout);
        let named = |l: &str| l.starts_with("wrong: ") && l.contains("CAP_NET_RAW");
        assert!(said.lines().any(named), "{said}");
    });
}
