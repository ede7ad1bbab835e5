//! The table: as JSON for programs, as Markdown for people.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::balancers::Kind;
use crate::matrix;
use crate::measure::Sample;
use crate::options::Options;
use crate::spread::Spread;
use crate::workloads::{Shape, Subject, Workload};

/// A figure of a sample, for columns.
pub(crate) type Pick = fn(&Sample) -> Option<f64>;

/// Everything a run found.
#[derive(Deserialize, Serialize)]
pub struct Report {
    machine: Vec<(String, String)>,
    programs: Vec<(String, String)>,
    rounds: usize,
    seconds_per_measurement: f64,
    /// In the order they were measured.
    pub workloads: Vec<Done>,
}

/// A workload that was measured.
#[derive(Deserialize, Serialize)]
pub struct Done {
    /// As `--only` knows it.
    pub name: String,
    says: String,
    /// Counted in GiB.
    pub is_bulk: bool,
    /// Connections that do nothing.
    pub is_idle: bool,
    /// Who did it.
    pub subjects: Vec<Figures>,
}

/// The samples of one subject, one per round.
#[derive(Deserialize, Serialize)]
pub struct Figures {
    /// In the tables.
    pub label: String,
    /// The label of what it is compared with.
    pub reference: String,
    /// The name of the balancer.
    pub balancer: String,
    /// One per round.
    pub samples: Vec<Sample>,
    /// Rounds without a sample, and why.
    pub failures: Vec<String>,
    /// Medians of the ratios to the reference, round by round.
    rate_ratio: Option<Spread>,
    /// The same of processor time.
    pub cpu_ratio: Option<Spread>,
    /// The same, to HAProxy tuned with as many threads.
    tuned_rate_ratio: Option<Spread>,
    tuned_cpu_ratio: Option<Spread>,
}

impl Figures {
    /// Without samples yet.
    pub fn new(subject: &Subject) -> Self {
        Self {
            label: subject.label.clone(),
            reference: subject.reference.clone(),
            balancer: subject.kind.name().into(),
            samples: Vec::new(),
            failures: Vec::new(),
            rate_ratio: None,
            cpu_ratio: None,
            tuned_rate_ratio: None,
            tuned_cpu_ratio: None,
        }
    }

    /// Notes what strace counted.
    pub fn set_syscalls(&mut self, calls: Option<f64>) {
        for sample in &mut self.samples {
            sample.syscalls = calls;
        }
    }

    /// A figure over all rounds.
    pub fn spread(&self, pick: Pick) -> Option<Spread> {
        Spread::of(self.samples.iter().filter_map(pick))
    }

    /// Lost and wrong answers, and operations done.
    pub fn errors(&self) -> (u64, u64, u64) {
        self.samples.iter().fold((0, 0, 0), |(lost, wrong, done), s| {
            (lost + s.lost, wrong + s.wrong, done + s.done)
        })
    }
}

impl Report {
    /// Without workloads yet.
    pub fn new(
        machine: Vec<(String, String)>,
        programs: Vec<(String, String)>,
        options: &Options,
    ) -> Self {
        Self {
            machine,
            programs,
            rounds: options.rounds,
            seconds_per_measurement: options.window.as_secs_f64(),
            workloads: Vec::new(),
        }
    }

    /// Adds a workload.
    pub fn add(&mut self, workload: &Workload, figures: Vec<Figures>) {
        let mut done = Done {
            name: workload.name.into(),
            says: workload.says.split_whitespace().collect::<Vec<_>>().join(" "),
            is_bulk: workload.shape.is_bulk(),
            is_idle: matches!(workload.shape, Shape::Idle { .. }),
            subjects: figures,
        };
        let tuned = Kind::HaproxyTuned.name();
        let ratios: Vec<_> = done
            .subjects
            .iter()
            .map(|s| {
                let reference = done.subjects.iter().find(|r| r.label == s.reference);
                let same = |r: &&Figures| r.balancer == tuned && r.reference == s.reference;
                let tuned = done.subjects.iter().find(same);
                [reference, tuned].map(|r| (ratio(s, r, |s| s.rate), ratio(s, r, |s| s.cpu_us)))
            })
            .collect();
        for (subject, [plain, tuned]) in done.subjects.iter_mut().zip(ratios) {
            (subject.rate_ratio, subject.cpu_ratio) = plain;
            (subject.tuned_rate_ratio, subject.tuned_cpu_ratio) = tuned;
        }
        self.workloads.push(done);
    }

    /// What went wrong with balancers that must not do anything wrong.
    pub fn faults(&self, names: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (workload, s) in
            self.workloads.iter().flat_map(|w| w.subjects.iter().map(move |s| (w, s)))
        {
            if !names.contains(&s.balancer.as_str()) {
                continue;
            }
            let (lost, wrong, done) = s.errors();
            if lost + wrong > 0 || done == 0 || !s.failures.is_empty() {
                found.push(format!(
                    "{}, {}: {done} done, {lost} lost, {wrong} wrong; {}",
                    workload.name,
                    s.label,
                    s.failures.join("; ")
                ));
            }
        }
        found
    }

    /// The table of the workload added last.
    pub fn last_table(&self) -> String {
        self.workloads.last().map(table).unwrap_or_default()
    }

    /// All of it for people.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Pen and others, measured\n\n");
        for (name, value) in self.machine.iter().chain(&self.programs) {
            let _ = writeln!(text, "- {name}: {value}");
        }
        let _ = writeln!(
            text,
            "- {} rounds, {} s per measurement; median (least to most); CPU is the balancer's, all \
             threads and processes, user and system; ratios are medians of the ratios within a \
             round, rate / CPU\n",
            self.rounds, self.seconds_per_measurement
        );
        text += &matrix::page(&self.workloads);
        text.push('\n');
        for workload in &self.workloads {
            text += &table(workload);
            text.push('\n');
        }
        text
    }
}

/// The median of what a subject has, divided by what its reference has in the same round.
pub(crate) fn ratio(subject: &Figures, reference: Option<&Figures>, pick: Pick) -> Option<Spread> {
    let reference = &reference?.samples;
    if reference.len() != subject.samples.len() {
        return None;
    }
    let pairs = subject.samples.iter().zip(reference);
    Spread::of(pairs.filter_map(|(s, r)| Some(pick(s)? / pick(r).filter(|v| *v > 0.0)?)))
}

fn table(workload: &Done) -> String {
    let mut text = format!("## {}: {}\n\n", workload.name, workload.says);
    if workload.is_idle {
        text += "| | connections | user memory each, bytes | CPU at rest, us/s | wake-ups/s | \
                 memory, KiB |\n|---|---|---|---|---|---|\n";
    } else if workload.is_bulk {
        text += "| | GiB/s | CPU ms/GiB | ratio | to tuned | load, server: ms/GiB | busy + others | memory, KiB | \
                 calls/GiB | done | errors |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
    } else {
        text += "| | per second | CPU us each | ratio | to tuned | p50 / p99 / p99.9, us | load, server: us \
                 each | busy + others | memory, KiB | calls each | done | errors |\n\
                 |---|---|---|---|---|---|---|---|---|---|---|---|\n";
    }
    for subject in &workload.subjects {
        text += &row(workload, subject);
    }
    text
}

fn row(workload: &Done, s: &Figures) -> String {
    let (lost, wrong, done) = s.errors();
    let mut errors = match lost + wrong {
        0 => "none".to_owned(),
        _ => format!("**{lost} lost, {wrong} wrong**"),
    };
    if let Some(why) = s.failures.first() {
        errors = format!("{errors}; {} rounds failed: {why}", s.failures.len());
    }
    if workload.is_idle {
        let cells = [
            cell(s.spread(|s| s.bytes_per_idle), 0),
            cell(s.spread(|s| s.rest_cpu_us), 0),
            cell(s.spread(|s| s.rest_wakeups), 1),
            cell(s.spread(|s| s.memory_kib), 0),
        ];
        let each = done / s.samples.len().max(1) as u64;
        let failed = if s.failures.is_empty() { String::new() } else { format!(" ({errors})") };
        return format!("| {}{failed} | {each} | {} |\n", s.label, cells.join(" | "));
    }
    let bulk = workload.is_bulk;
    let (places, scale): (usize, f64) = if bulk { (2, 1000.0) } else { (0, 1.0) };
    let mut cells = vec![
        s.label.clone(),
        cell(s.spread(|s| s.rate), places),
        cell(scaled(s.spread(|s| s.cpu_us), scale), 1),
        format!("{} / {}", middle(s.rate_ratio, 2), cell(s.cpu_ratio, 2)),
        format!("{} / {}", middle(s.tuned_rate_ratio, 2), middle(s.tuned_cpu_ratio, 2)),
    ];
    if !bulk {
        let middles = [
            middle(s.spread(|s| s.p50_us), 0),
            middle(s.spread(|s| s.p99_us), 0),
            middle(s.spread(|s| s.p999_us), 0),
        ];
        cells.push(middles.join(" / "));
    }
    cells.push(format!(
        "{}, {}",
        middle(scaled(s.spread(|s| s.load_cpu_us), scale), 1),
        middle(scaled(s.spread(|s| s.server_cpu_us), scale), 1)
    ));
    cells.push(format!(
        "{} + {}",
        middle(s.spread(|s| s.busy), 2),
        middle(s.spread(|s| s.others_busy), 2)
    ));
    cells.push(middle(s.spread(|s| s.memory_kib), 0));
    cells.push(middle(s.spread(|s| s.syscalls), if bulk { 0 } else { 2 }));
    cells.push(done.to_string());
    cells.push(errors);
    format!("| {} |\n", cells.join(" | "))
}

fn scaled(spread: Option<Spread>, by: f64) -> Option<Spread> {
    let s = spread?;
    Some(Spread { median: s.median / by, min: s.min / by, max: s.max / by })
}

fn cell(spread: Option<Spread>, places: usize) -> String {
    match spread {
        Some(s) => format!("{:.places$} ({:.places$} to {:.places$})", s.median, s.min, s.max),
        None => "n/a".into(),
    }
}

/// The median alone.
pub(crate) fn middle(spread: Option<Spread>, places: usize) -> String {
    spread.map_or("n/a".into(), |s| format!("{:.places$}", s.median))
}

/// Writes both forms.
///
/// # Errors
/// A file cannot be written.
pub fn write(report: &Report, folder: &Path) -> Result<(), String> {
    let json = serde_json::to_string_pretty(report).map_err(|e| e.to_string())?;
    let put = |name: &str, text: String| {
        fs::write(folder.join(name), text).map_err(|e| format!("{name}: {e}"))
    };
    put("results.json", json)?;
    put("results.md", report.markdown())
}
