//! UDP: Pen beside nginx stream, the classic pen, dnsdist and a direct way.
//!
//! Three kinds of traffic, DNS-shaped so that dnsdist can take part, at a fixed pace: what is
//! compared is processor time per datagram, and what gets lost. Every round measures everybody once,
//! each beginning with another one.

mod settings;
mod traffic;

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::balancers::{free_port, in_path};
use crate::options::Options;
use crate::spread::Spread;
use crate::vitals;
use settings::{Subject, Task};
use traffic::{Farm, Kind, Outcome};

/// The name `--only` knows.
pub const NAME: &str = "udp";
/// One line for `--list`.
pub const SAYS: &str = "datagrams at 20,000 per second: questions of few sockets, of ever new ones, \
                        and datagrams without answers";
/// As long as any of them takes to start.
const READY: Duration = Duration::from_secs(10);

/// What one subject did in one kind of traffic, round by round.
#[derive(Default)]
struct Figures {
    cpu_per_datagram_ns: Vec<f64>,
    sent: u64,
    lost: u64,
    /// Rounds without figures: why.
    failures: Vec<String>,
}

/// Measures; answers whether Pen lost nothing where it must not.
///
/// # Errors
/// What could not be started or written.
pub fn run(options: &Options, pen: &Path) -> Result<bool, String> {
    let folder = options.out.join("work");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let folder = fs::canonicalize(folder).map_err(|e| e.to_string())?;
    let farm = Farm::start(2).map_err(|e| format!("the UDP servers: {e}"))?;
    let mut text = String::from(
        "| Traffic | Who | CPU per datagram, us | of nginx | lost | of |\n|---|---|---|---|---|---|\n",
    );
    let mut right = true;
    for kind in Kind::ALL {
        let subjects = Subject::present(kind, options, pen);
        let mut figures: Vec<Figures> = subjects.iter().map(|_| Figures::default()).collect();
        for round in 0..options.rounds {
            eprintln!("udp, {}: round {} of {}", kind.says(), round + 1, options.rounds);
            for turn in 0..subjects.len() {
                let at = (turn + round) % subjects.len();
                let (Some(subject), Some(figures)) = (subjects.get(at), figures.get_mut(at)) else {
                    continue;
                };
                if let Err(why) = measure(subject, kind, options, &farm, &folder, figures) {
                    figures.failures.push(why);
                }
            }
        }
        right &= rows(kind, &subjects, &figures, &mut text);
    }
    println!("{text}");
    let file = options.out.join("udp.md");
    fs::write(&file, &text).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("written: {}", file.display());
    Ok(right)
}

fn measure(
    subject: &Subject,
    kind: Kind,
    options: &Options,
    farm: &Farm,
    folder: &Path,
    figures: &mut Figures,
) -> Result<(), String> {
    let threads = options.threads.first().copied().unwrap_or(1);
    let running = Running::start(subject, kind, farm, folder, threads)?;
    let seconds = if options.smoke { Duration::from_millis(200) } else { options.window };
    let rate = if options.smoke { 500.0 } else { kind.rate() };
    let target = running.target;
    if !options.smoke {
        traffic::run(kind, target, farm, options.warm_up, rate).map_err(|e| e.to_string())?;
    }
    let before = running.pid().map(vitals::of);
    let outcome: Outcome =
        traffic::run(kind, target, farm, seconds, rate).map_err(|e| e.to_string())?;
    let cost = running.pid().map(vitals::of).zip(before).map(|(after, before)| after - before);
    figures.sent += outcome.sent;
    figures.lost += outcome.sent.saturating_sub(outcome.arrived);
    let passed = outcome.arrived * kind.datagrams_each();
    if let Some(cost) = cost.filter(|_| passed > 0) {
        figures.cpu_per_datagram_ns.push(cost.cpu_ns as f64 / passed as f64);
    }
    Ok(())
}

/// Appends the rows of one kind of traffic; answers whether Pen lost no more than the direct way.
fn rows(kind: Kind, subjects: &[Subject], figures: &[Figures], text: &mut String) -> bool {
    let of = |wanted: Subject| subjects.iter().position(|s| s.same(&wanted));
    let nginx = of(Subject::Nginx).and_then(|n| figures.get(n));
    for (subject, figures) in subjects.iter().zip(figures) {
        let cpu = Spread::of(figures.cpu_per_datagram_ns.iter().map(|ns| ns / 1_000.0));
        let ratio = nginx.and_then(|nginx| ratio(figures, nginx));
        let (kind, name) = (kind.says(), subject.name());
        let (cpu, ratio) = (shown(cpu), shown(ratio));
        let why = figures.failures.first().map_or(String::new(), |why| format!(" ({why})"));
        let _ = writeln!(
            text,
            "| {kind} | {name}{why} | {cpu} | {ratio} | {} | {} |",
            figures.lost, figures.sent
        );
    }
    let nothing = Figures::default();
    let whose = |n: Option<usize>| n.and_then(|n| figures.get(n)).unwrap_or(&nothing);
    let direct = whose(of(Subject::Direct));
    let pen = whose(subjects.iter().position(|s| matches!(s, Subject::Pen(_))));
    for why in pen.failures.iter().chain(&direct.failures) {
        eprintln!("wrong: {}: {why}", kind.says());
    }
    if pen.lost > direct.lost {
        let (pen, direct) = (pen.lost, direct.lost);
        eprintln!("wrong: {}: Pen lost {pen} datagrams, the direct way {direct}", kind.says());
    }
    pen.lost <= direct.lost && pen.failures.is_empty() && direct.failures.is_empty()
}

/// Round by round, unless one of them has none of some round.
fn ratio(mine: &Figures, other: &Figures) -> Option<Spread> {
    let (mine, other) = (&mine.cpu_per_datagram_ns, &other.cpu_per_datagram_ns);
    let paired = mine.len() == other.len();
    Spread::of(mine.iter().zip(other).map(|(m, o)| m / o)).filter(|_| paired)
}

fn shown(spread: Option<Spread>) -> String {
    spread.map_or("-".into(), |s| format!("{:.2} ({:.2} to {:.2})", s.median, s.min, s.max))
}

/// A balancer that runs; it is stopped when this goes.
struct Running {
    child: Option<Child>,
    target: SocketAddr,
}

impl Running {
    fn start(
        subject: &Subject,
        kind: Kind,
        farm: &Farm,
        folder: &Path,
        threads: usize,
    ) -> Result<Self, String> {
        let servers = farm.servers();
        let first = servers.first().copied().ok_or("no server")?;
        if matches!(subject, Subject::Direct) {
            return Ok(Self { child: None, target: first });
        }
        let listen = free_port().map_err(|e| e.to_string())?;
        let task = Task { kind, listen, servers: &servers, threads, folder };
        let (program, words) = subject.command(&task).map_err(|e| e.to_string())?;
        let out = fs::File::create(folder.join("udp.out")).map_err(|e| e.to_string())?;
        let again = out.try_clone().map_err(|e| e.to_string())?;
        // Whatever happens to this process, none of them outlives it.
        let mut command = match in_path("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "TERM", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(words).stdin(Stdio::null()).stdout(out).stderr(again);
        let child = command.spawn().map_err(|e| format!("{}: {e}", subject.name()))?;
        let running = Self { child: Some(child), target: listen.into() };
        running.wait_until_ready(kind, farm).map_err(|why| format!("{}: {why}", subject.name()))?;
        Ok(running)
    }

    fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn wait_until_ready(&self, kind: Kind, farm: &Farm) -> Result<(), String> {
        let begin = Instant::now();
        while begin.elapsed() < READY {
            if traffic::passes(kind, self.target, farm).map_err(|e| e.to_string())? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("nothing comes through".into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let _ = kill_process(Pid::from_child(child), Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
