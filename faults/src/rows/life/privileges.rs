//! What it may still do once it runs as another user.

use std::fs;

use pen_test::{Farm, is_root};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        67,
        "rights after the start as user nobody",
        "user and groups given up, no capability, no new privileges, calls filtered, no core",
    )
};

fn run(stage: &Stage) -> Verdict {
    if !is_root() {
        return Verdict::skipped("this is not root");
    }
    let farm = Farm::banners(1);
    let mut setup = Setup::of(farm.words(""))
        .with(Subject::Pen, Scope::Global, "sandbox strict")
        .with(Subject::Haproxy, Scope::Global, "user nobody")
        .with(Subject::Haproxy, Scope::Global, "group nogroup")
        .with(Subject::Haproxy, Scope::Global, "chroot /var/empty");
    setup.user = "nobody";
    if stage.subject == Subject::Haproxy {
        // Its usual jail, which Debian's package of it does not make.
        fs::create_dir_all("/var/empty").expect("root may make a folder");
    }
    let balancer = stage.start(&setup);
    // nginx's master stays root; its workers carry the traffic.
    let worker = balancer.pids().last().copied().unwrap_or_else(|| balancer.pid());
    let status = fs::read_to_string(format!("/proc/{worker}/status")).expect("it lives");
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|l| l.split_once(':')).map_or("", |(_, v)| v.trim()).to_owned()
    };
    let ids: Vec<String> = field("Uid").split_whitespace().map(str::to_owned).collect();
    let core = limits.lines().find(|l| l.starts_with("Max core file size"));
    let no_core = core.is_some_and(|l| l.split_whitespace().nth(4) == Some("0"));
    let checks = [
        ("user", ids.len() == 4 && !ids.iter().any(|id| id == "0")),
        ("groups", field("Groups").is_empty()),
        ("capabilities", field("CapEff").trim_start_matches('0').is_empty()),
        ("no_new_privs", field("NoNewPrivs") == "1"),
        ("filter", field("Seccomp") == "2"),
        ("core", no_core),
    ];
    let missing: Vec<&str> = checks.iter().filter(|(_, ok)| !ok).map(|(name, _)| *name).collect();
    let figures = match missing.is_empty() {
        true => "all given up".to_owned(),
        false => format!("not: {}", missing.join(", ")),
    };
    Verdict::of(missing.is_empty(), figures)
}
