//! The soak: all kinds of traffic at once for as long as wanted, and every half minute a fault from a
//! list, by chance that depends on the seed.
//!
//! What must hold: no wrong byte and no cut that looks complete, ever; nothing lost while there is no
//! fault; Pen lives, finds no defect in itself, and uses no more memory and descriptors at the end than at
//! the beginning. Measured while the traffic pauses, after each fault.

mod deeds;
mod gauge;
mod options;
mod services;
mod town;
mod traffic;
mod trouble;

use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::case::PREPARE;
use crate::dice::Dice;
use crate::programs::Programs;
use crate::subject::Subject;

pub use options::Options;

use gauge::Gauge;
use town::Town;
use traffic::Traffic;
use trouble::Trouble;

/// The first word of a command line for the soak.
pub const WORD: &str = "soak";
/// The same within the namespace.
pub const INSIDE: &str = "soak-inside";
/// From one fault to the next.
const BEAT: Duration = Duration::from_secs(30);
/// How long a fault lasts.
const TROUBLE: Duration = Duration::from_secs(8);
/// After it everything must be well again.
const RECOVERY: Duration = Duration::from_secs(9);

/// Runs the soak in a network namespace of its own.
pub fn enter(options: &Options) -> Result<ExitCode, String> {
    let programs = Programs::find()?;
    let pen = programs.of(Subject::Pen)?;
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", PREPARE, "sh"]).arg(this);
    command.args([INSIDE, "--seed", &options.seed.to_string()]);
    command.args(["--minutes", &options.minutes.to_string()]).env("PEN", pen);
    let status = command.stdin(Stdio::null()).status().map_err(|e| format!("unshare: {e}"))?;
    let code = status.code().and_then(|c| u8::try_from(c).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The soak itself.
pub fn run(options: &Options) -> Result<ExitCode, String> {
    let pen = Programs::find()?.of(Subject::Pen)?.to_owned();
    println!("soak: seed {}, {} minutes", options.seed, options.minutes);
    let town = Town::new(&pen)?;
    let traffic = Traffic::begin(&town.map(), options.seed);
    let (begun, length) = (Instant::now(), Duration::from_secs(options.minutes * 60));
    let mut soak =
        Soak { town, traffic, dice: Dice::new(options.seed), gauge: Gauge::default(), begun };
    // Every soak has this one, and most of it is of the process that has taken over.
    let mut next = Trouble::Upgrade;
    while begun.elapsed() < length {
        soak.beat(next)?;
        if !soak.town.lives() {
            println!("Pen has ended: {}", soak.town.said_last());
            return Ok(ExitCode::FAILURE);
        }
        next = Trouble::any(&mut soak.dice, begun.elapsed() < length / 4);
    }
    Ok(soak.end())
}

struct Soak {
    town: Town,
    traffic: Traffic,
    dice: Dice,
    gauge: Gauge,
    begun: Instant,
}

impl Soak {
    /// A fault, and a look when it is over.
    fn beat(&mut self, trouble: Trouble) -> Result<(), String> {
        let beat = Instant::now();
        self.traffic.quiet.store(trouble.is_hidden(), Ordering::SeqCst);
        let troubled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            trouble.happen(&mut self.town, &mut self.dice, TROUBLE);
            if trouble == Trouble::Upgrade {
                self.traffic.quiet.store(false, Ordering::SeqCst);
                self.begin_process();
            }
        }));
        std::thread::sleep(RECOVERY);
        self.traffic.quiet.store(true, Ordering::SeqCst);
        std::thread::sleep((beat + BEAT).saturating_duration_since(Instant::now()));
        let at = self.begun.elapsed();
        let look = self.traffic.paused(|| self.gauge.look(&mut self.town, at));
        println!("{:6.1} min  {trouble:18} {look}  {}", minutes(at), self.traffic.line());
        if troubled.is_err() {
            return Err(format!("the driver failed at {trouble}"));
        }
        Ok(())
    }

    /// What a new process keeps for the next time (ports, pipes, the largest tables) is there before the
    /// first look at it.
    fn begin_process(&mut self) {
        self.gauge.begin_anew();
        for trouble in trouble::FILLING {
            trouble.happen(&mut self.town, &mut self.dice, TROUBLE / 2);
        }
    }

    fn end(self) -> ExitCode {
        let time = self.begun.elapsed();
        let sum = self.traffic.end();
        println!("\nafter {:.1} minutes:", minutes(time));
        sum.lines().for_each(|line| println!("  {line}"));
        println!("  {}", self.gauge.line());
        let faults = [sum.wrong(), self.gauge.wrong(time), self.town.wrong()].concat();
        for fault in &faults {
            println!("WRONG: {fault}");
        }
        if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}
