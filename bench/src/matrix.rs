//! The whole of a run, or of several, on one page: a row per workload, a column per balancer.
//!
//! What a cell holds is the processor time per operation (per idle connection its memory); whoever
//! wants more looks at the tables of the workloads.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::balancers::Kind;
use crate::report::{Done, Figures, Pick, Report, middle, ratio};
use crate::spread::Spread;

/// Balancers in the order of the columns.
const COLUMNS: [Kind; 4] = [Kind::Haproxy, Kind::HaproxyTuned, Kind::Nginx, Kind::Classic];

/// Reads the results in these folders, joins them and answers the page.
///
/// # Errors
/// A file is missing or is none of ours.
pub fn join(folders: &[String]) -> Result<String, String> {
    let mut all: Option<Report> = None;
    for folder in folders {
        let path = Path::new(folder).join("results.json");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let report: Report =
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        match &mut all {
            Some(all) => all.workloads.extend(report.workloads),
            None => all = Some(report),
        }
    }
    all.map(|all| all.markdown()).ok_or_else(|| "table wants folders with results".into())
}

/// Both tables: beside others, and beside itself.
pub fn page(workloads: &[Done]) -> String {
    let mut text = String::from(
        "| | Pen | HAProxy | Pen / HAProxy | HAProxy tuned | Pen / tuned | nginx stream | classic pen |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for workload in workloads.iter().filter(|w| !is_beside_itself(w)) {
        for pen in workload.subjects.iter().filter(|s| s.balancer == Kind::Pen.name()) {
            for (what, pick, places) in figures_of(workload) {
                text += &row(workload, pen, what, pick, places);
            }
        }
    }
    let beside_itself: Vec<&Done> = workloads.iter().filter(|w| is_beside_itself(w)).collect();
    if !beside_itself.is_empty() {
        text += "\n| | CPU, us each | beside itself |\n|---|---|---|\n";
    }
    for subject in beside_itself.iter().flat_map(|w| &w.subjects) {
        let cpu = subject.spread(|s| s.cpu_us);
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            subject.label,
            middle(cpu, 1),
            range(subject.cpu_ratio)
        );
    }
    text
}

/// What a workload puts on the page: what it is, the figure, its places.
fn figures_of(workload: &Done) -> Vec<(&'static str, Pick, usize)> {
    if workload.is_idle {
        return vec![
            ("bytes each", |s| s.bytes_per_idle, 0),
            ("CPU at rest, us/s", |s| s.rest_cpu_us, 0),
        ];
    }
    if workload.is_bulk {
        return vec![("CPU, ms/GiB", |s| s.cpu_us.map(|us| us / 1000.0), 0)];
    }
    let mut all: Vec<(&'static str, Pick, usize)> = vec![("CPU, us each", |s| s.cpu_us, 1)];
    if workload.name == "rate" {
        all.extend::<[(&'static str, Pick, usize); 3]>([
            ("p50, us", |s| s.p50_us, 0),
            ("p99, us", |s| s.p99_us, 0),
            ("p99.9, us", |s| s.p999_us, 0),
        ]);
    }
    if workload.subjects.iter().any(|s| s.spread(|s| s.syscalls).is_some()) {
        all.push(("system calls each", |s| s.syscalls, 2));
    }
    all
}

fn row(workload: &Done, pen: &Figures, what: &str, pick: Pick, places: usize) -> String {
    let of = |kind: Kind| {
        let same_threads = |s: &&Figures| s.reference == pen.reference || kind == Kind::Classic;
        let all = workload.subjects.iter().filter(|s| s.balancer == kind.name());
        all.clone().find(same_threads)
    };
    let cell = |s: Option<&Figures>| match s {
        Some(s) if s.errors().0 + s.errors().1 > 0 => {
            format!("{} (loses answers)", middle(s.spread(pick), places))
        }
        s => s.map_or("n/a".into(), |s| middle(s.spread(pick), places)),
    };
    let [haproxy, tuned, nginx, classic] = COLUMNS.map(of);
    let threads = pen.label.strip_prefix(Kind::Pen.name()).unwrap_or_default();
    format!(
        "| {}{threads}: {what} | {} | {} | {} | {} | {} | {} | {} |\n",
        workload.name,
        cell(Some(pen)),
        cell(haproxy),
        range(ratio(pen, haproxy, pick)),
        cell(tuned),
        range(ratio(pen, tuned, pick)),
        cell(nginx),
        cell(classic),
    )
}

fn range(spread: Option<Spread>) -> String {
    spread.map_or("n/a".into(), |s| format!("{:.2} ({:.2} to {:.2})", s.median, s.min, s.max))
}

/// Workloads that compare a balancer with itself.
fn is_beside_itself(workload: &Done) -> bool {
    workload.subjects.iter().all(|s| s.reference.starts_with(&s.balancer) && s.label.contains(": "))
}
