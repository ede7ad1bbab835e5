//! Rounds: in each, every subject of a workload is measured once, and each round begins with another
//! one, so that a mood of the machine meets all of them.

use std::fs;

use crate::balancers::{Kind, Programs, Running};
use crate::farm::Farm;
use crate::measure::{Sample, Stage};
use crate::options::Options;
use crate::report::{self, Figures, Report};
use crate::workloads::{SERVERS_MOST, Shape, Subject, Workload};
use crate::{machine, pin, tls};

/// Runs the benchmark; answers whether everybody who must be right was.
///
/// # Errors
/// What could not be started or written.
pub fn run(options: &Options, programs: &Programs, workloads: &[Workload]) -> Result<bool, String> {
    let folder = options.out.join("work");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let machine = machine::facts();
    if options.pin {
        pin::keep_off(most_threads(workloads));
    }
    let farm = Farm::start(SERVERS_MOST).map_err(|e| format!("the server: {e}"))?;
    let certificates =
        tls::Certificates::make(&folder).map_err(|e| format!("certificates: {e}"))?;
    let stage =
        Stage { options, programs, farm: &farm, folder: &folder, certificates: &certificates };
    let mut report = Report::new(machine, programs.notes.clone(), options);
    for workload in workloads {
        let figures = all_rounds(&stage, workload);
        report.add(workload, figures);
        println!("{}", report.last_table());
        // After each workload, so that a run that is stopped has given something.
        report::write(&report, &options.out)?;
    }
    let wrong = report.faults(&[Kind::Pen.name(), Kind::Direct.name()]);
    for fault in &wrong {
        eprintln!("wrong: {fault}");
    }
    println!("written: {0}/results.json, {0}/results.md", options.out.display());
    Ok(wrong.is_empty())
}

fn most_threads(workloads: &[Workload]) -> usize {
    let all = workloads.iter().flat_map(|w| w.subjects.iter().map(|s| s.threads));
    all.max().unwrap_or(1)
}

fn all_rounds(stage: &Stage<'_>, workload: &Workload) -> Vec<Figures> {
    let present = |s: &&Subject| stage.programs.has(s.kind);
    let subjects: Vec<&Subject> = workload.subjects.iter().filter(present).collect();
    let mut figures: Vec<Figures> = subjects.iter().map(|s| Figures::new(s)).collect();
    let mut kept: Vec<Option<Running>> = subjects.iter().map(|_| None).collect();
    for round in 0..stage.options.rounds {
        eprintln!("{}: round {} of {}", workload.name, round + 1, stage.options.rounds);
        for turn in 0..subjects.len() {
            let n = (turn + round) % subjects.len();
            let (Some(subject), Some(figures), Some(kept)) =
                (subjects.get(n), figures.get_mut(n), kept.get_mut(n))
            else {
                continue;
            };
            match once(stage, workload, subject, kept) {
                Ok(sample) => figures.samples.push(sample),
                Err(why) => figures.failures.push(why),
            }
        }
    }
    if stage.options.syscalls {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            match calls(stage, workload, subject) {
                Ok(calls) => figures.set_syscalls(calls),
                Err(why) => eprintln!("{}: no system calls: {why}", subject.label),
            }
        }
    }
    figures
}

fn once(
    stage: &Stage<'_>,
    workload: &Workload,
    subject: &Subject,
    kept: &mut Option<Running>,
) -> Result<Sample, String> {
    let running = match kept.take() {
        Some(running) => running,
        None => stage.start(subject, workload.shape)?,
    };
    let sample = stage.measure(subject, &running, workload.shape);
    if workload.stays {
        *kept = Some(running);
    }
    sample
}

fn calls(stage: &Stage<'_>, workload: &Workload, subject: &Subject) -> Result<Option<f64>, String> {
    let plain = matches!(workload.shape, Shape::Load { idle: 0, .. }) && !workload.stays;
    if !plain || subject.kind == Kind::Direct {
        return Ok(None);
    }
    let running = stage.start(subject, workload.shape)?;
    stage.count_calls(subject, &running, workload.shape)
}
