//! Memory and descriptors in the course of a soak.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::time::Duration;

use super::town::Town;

/// What grows by more than this in an hour leaks.
const SLOPE_MAX_KIB: f64 = 1_024.0;
/// A run that is shorter says nothing about a slope in an hour: it may grow by so much at all.
const GROWTH_MAX_KIB: u64 = 2 * 1_024;
/// Sockets and others that may be there or not: sessions that are about to end.
const PLAY: usize = 4;
/// What two workers keep for the next time: 256 local ports for flows each, and 64 pipes for bulky streams
/// with two descriptors each. How many depends on how many there were at once.
const SPARE_MAX: (usize, usize) = (2 * 256, 2 * 2 * 64);
/// Of the same kinds, and not spare: a socket of each worker for clients' datagrams, and some room.
const NOT_SPARE: usize = 8;

/// Descriptors by their kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Descriptors {
    /// Sockets for datagrams.
    ports: usize,
    /// Other sockets.
    sockets: usize,
    /// Ends of pipes.
    pipes: usize,
    /// Files, and what else the kernel makes.
    others: usize,
}

impl Descriptors {
    fn of(pid: u32) -> Self {
        let ports = datagram_sockets();
        let mut found = Self::default();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            // One that has been closed since.
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            let link = link.to_string_lossy();
            let kind = match link.strip_prefix("socket:") {
                Some(inode) if ports.contains(inode) => &mut found.ports,
                Some(_) => &mut found.sockets,
                None if link.starts_with("pipe:") => &mut found.pipes,
                None => &mut found.others,
            };
            *kind += 1;
        }
        found
    }

    /// The most of each kind.
    fn most(self, other: Self) -> Self {
        Self {
            ports: self.ports.max(other.ports),
            sockets: self.sockets.max(other.sockets),
            pipes: self.pipes.max(other.pipes),
            others: self.others.max(other.others),
        }
    }

    /// What grew more than it may from `before`.
    fn grown(self, before: Self) -> Vec<String> {
        let growth = |kind, now: usize, most: usize| {
            (now > most).then(|| format!("{kind} grow: {now}, at most {most} were right"))
        };
        let (ports, pipes) = SPARE_MAX;
        let all = [
            growth("local ports", self.ports, ports + NOT_SPARE),
            growth("pipes", self.pipes, pipes + NOT_SPARE),
            growth("sockets", self.sockets, before.sockets + PLAY),
            growth("other descriptors", self.others, before.others + PLAY),
        ];
        all.into_iter().flatten().collect()
    }
}

impl fmt::Display for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ports, sockets, pipes, others } = self;
        write!(f, "{ports:3} ports, {sockets:3} sockets, {pipes:3} pipes, {others} others")
    }
}

/// The inodes, in brackets, of all sockets for datagrams in this namespace.
fn datagram_sockets() -> HashSet<String> {
    let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
    let tables = ["udp", "udp6"].into_iter().filter_map(|table| read(table).ok());
    let inode = |line: &str| Some(format!("[{}]", line.split_whitespace().nth(9)?));
    tables.flat_map(|t| t.lines().skip(1).filter_map(inode).collect::<Vec<_>>()).collect()
}

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    at: Duration,
    anonymous_kib: u64,
    descriptors: Descriptors,
    idle: bool,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = if self.idle { "" } else { " (not idle)" };
        write!(f, "{:7} KiB, {}{idle}", self.anonymous_kib, self.descriptors)
    }
}

/// All looks at one process.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    looks: Vec<Look>,
    /// Looks, also at processes before, at which connections had no clients.
    busy: usize,
}

impl Gauge {
    /// Looks, once nothing is connected.
    pub fn look(&mut self, town: &mut Town, at: Duration) -> Look {
        let idle = town.wait_idle();
        let vitals = town.vitals();
        let look = Look {
            at,
            anonymous_kib: vitals.map_or(0, |v| v.anonymous_kib),
            descriptors: Descriptors::of(town.pid()),
            idle,
        };
        self.busy += usize::from(!idle);
        if vitals.is_some() {
            self.looks.push(look);
        }
        look
    }

    /// Another process is looked at from now on.
    pub fn begin_anew(&mut self) {
        self.looks.clear();
    }

    /// KiB per hour by least squares, the first quarter left out: what is made once is made there.
    fn slope(&self) -> f64 {
        let looks = self.looks.get(self.looks.len() / 4..).unwrap_or_default();
        let count = looks.len() as f64;
        let hours = |look: &Look| look.at.as_secs_f64() / 3_600.0;
        let mean = |of: &dyn Fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / count.max(1.0);
        let (mean_x, mean_y) = (mean(&hours), mean(&|l| l.anonymous_kib as f64));
        let apart = |l: &Look| hours(l) - mean_x;
        let up: f64 = looks.iter().map(|l| apart(l) * (l.anonymous_kib as f64 - mean_y)).sum();
        let across: f64 = looks.iter().map(|l| apart(l) * apart(l)).sum();
        if across > 0.0 { up / across } else { 0.0 }
    }

    fn quarter(&self, last: bool) -> &[Look] {
        let quarter = (self.looks.len() / 4).max(1).min(self.looks.len());
        let from = if last { self.looks.len() - quarter } else { 0 };
        self.looks.get(from..from + quarter).unwrap_or_default()
    }

    fn descriptors(&self, last: bool) -> Descriptors {
        self.quarter(last)
            .iter()
            .map(|l| l.descriptors)
            .fold(Descriptors::default(), Descriptors::most)
    }

    fn memory(&self, last: bool) -> u64 {
        self.quarter(last).iter().map(|l| l.anonymous_kib).max().unwrap_or(0)
    }

    /// The figures in a line.
    pub fn line(&self) -> String {
        format!(
            "memory {} KiB in the first quarter, {} in the last, slope {:+.0} KiB/h; \
             {} in the first, {} in the last; {} looks at the last process",
            self.memory(false),
            self.memory(true),
            self.slope(),
            self.descriptors(false),
            self.descriptors(true),
            self.looks.len()
        )
    }

    /// What is not as it should be after that time.
    pub fn wrong(&self, time: Duration) -> Vec<String> {
        let mut wrong = Vec::new();
        let long = time >= Duration::from_secs(3_300);
        if long && self.slope() > SLOPE_MAX_KIB {
            wrong.push(format!("memory grows by {:.0} KiB/h", self.slope()));
        }
        if self.memory(true) > self.memory(false) + GROWTH_MAX_KIB {
            wrong.push("memory grows".into());
        }
        wrong.extend(self.descriptors(true).grown(self.descriptors(false)));
        if self.busy > 0 {
            wrong.push(format!("connections without clients at {} looks", self.busy));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(growth_kib: u64, growth: Descriptors) -> Gauge {
        let look = |n: usize| Look {
            at: Duration::from_secs(30 * n as u64),
            anonymous_kib: 10_000 + n as u64 % 3 + growth_kib * n as u64 / 120,
            descriptors: Descriptors {
                ports: 400 + growth.ports * n / 120,
                sockets: 30 + growth.sockets * n / 120,
                pipes: 60 + growth.pipes * n / 120,
                others: 20 + growth.others * n / 120,
            },
            idle: true,
        };
        Gauge { looks: (0..120).map(look).collect(), busy: 0 }
    }

    #[test]
    fn what_is_flat_is_right_and_what_grows_is_found() {
        let (hour, none) = (Duration::from_secs(3_600), Descriptors::default());
        assert!(gauge(0, none).wrong(hour).is_empty());
        let slope = gauge(2_000, none).slope();
        assert!((1_950.0..2_050.0).contains(&slope), "{slope}");
        assert_eq!(gauge(2_000, none).wrong(hour).len(), 1);
        // In a short run the same numbers are a slope of nothing, and more is too much there as well.
        assert!(gauge(2_000, none).wrong(hour / 12).is_empty());
        assert_eq!(gauge(5_000, none).wrong(hour / 12), ["memory grows"]);
    }

    #[test]
    fn descriptors_are_bound_by_their_kind() {
        let grown = |growth| gauge(0, growth).wrong(Duration::from_secs(300));
        let none = Descriptors::default();
        let kept = Descriptors { ports: 100, pipes: 180, ..none };
        assert!(grown(kept).is_empty(), "{:?}", grown(kept));
        for leak in [
            Descriptors { ports: 200, ..none },
            Descriptors { pipes: 300, ..none },
            Descriptors { sockets: 10, ..none },
            Descriptors { others: 10, ..none },
        ] {
            assert_eq!(grown(leak).len(), 1, "{leak:?}");
        }
    }

    #[test]
    fn this_process_has_descriptors_of_each_kind() {
        let _port = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let _socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let _pipe = std::io::pipe().expect("a pipe");
        let _file = fs::File::open("/dev/null").expect("it is there");
        let found = Descriptors::of(std::process::id());
        assert!(found.ports >= 1 && found.sockets >= 1, "{found:?}");
        assert!(found.pipes >= 2 && found.others >= 1, "{found:?}");
    }
}
