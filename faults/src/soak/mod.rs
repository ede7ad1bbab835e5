//! The soak: all kinds of traffic at once for as long as wanted, and every half minute a fault from a
//! list, by chance that depends on the seed.
//!
//! What must hold: no wrong byte and no cut that looks complete, ever; nothing lost while there is no
//! fault; Pen lives, finds no defect in itself, and uses no more memory and descriptors at the end than at
//! the beginning. Measured while the traffic pauses, after each fault.

mod gauge;
mod options;
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
    let mut town = Town::new(&pen)?;
    let traffic = Traffic::begin(&town.map(), options.seed);
    let mut dice = Dice::new(options.seed);
    let (begun, mut gauge) = (Instant::now(), Gauge::default());
    let end = begun + Duration::from_secs(options.minutes * 60);
    // What is kept for the next time (ports, pipes, the largest tables) is there before the first look.
    for trouble in trouble::FILLING {
        trouble.happen(&mut town, &mut dice, TROUBLE / 2);
    }
    std::thread::sleep(RECOVERY);
    while Instant::now() < end {
        let beat = Instant::now();
        let trouble = Trouble::any(&mut dice);
        traffic.quiet.store(false, Ordering::SeqCst);
        let troubled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            trouble.happen(&mut town, &mut dice, TROUBLE);
        }));
        std::thread::sleep(RECOVERY);
        traffic.quiet.store(true, Ordering::SeqCst);
        std::thread::sleep((beat + BEAT).saturating_duration_since(Instant::now()));
        let look = traffic.paused(|| gauge.look(&mut town, begun.elapsed()));
        println!("{:6.1} min  {trouble:22} {look}  {}", minutes(begun), traffic.line());
        if troubled.is_err() {
            return Err(format!("the driver failed at {trouble}"));
        }
        if !town.lives() {
            println!("Pen has ended: {}", town.said_last());
            return Ok(ExitCode::FAILURE);
        }
    }
    let sum = traffic.end();
    println!("\nafter {:.1} minutes:", minutes(begun));
    sum.lines().for_each(|line| println!("  {line}"));
    println!("  {}", gauge.line());
    let faults = [sum.wrong(), gauge.wrong(begun.elapsed()), town.wrong()].concat();
    for fault in &faults {
        println!("WRONG: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn minutes(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() / 60.0
}
