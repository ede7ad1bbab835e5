//! Metrics: the overview in the text form of Prometheus (0.0.4) or of OpenMetrics (1.0).
//!
//! `families` is the one table of what there is; the text, its HELP and TYPE lines and the list in
//! `docs/metrics.md` are made from it. Labels are bounded: services, servers and reasons, never clients.
//! Names follow Prometheus: base units, `_total` behind what only grows. Deliberately not here: how
//! numbers are gathered, and who may read them.

mod families;
#[cfg(test)]
mod tests;

use std::fmt::{Display, Write};

use super::CertificateRow;
use super::overview::Overview;
use crate::tally::{Readings, Scale};

pub use families::FAMILIES;

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' own.
    Prometheus,
    /// OpenMetrics.
    OpenMetrics,
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; its samples end in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Facts as labels of a 1; its samples end in `_info`.
    Info,
    /// A distribution; its samples end in `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// The word in TYPE lines of OpenMetrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }
}

/// Samples that belong together.
pub struct Family {
    /// The name without the ending that its kind gives to samples.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
    read: fn(&Scene<'_>, &mut Samples<'_>),
}

impl Family {
    /// The name that dashboards and rules use (of a histogram the one before `_bucket`).
    #[must_use]
    pub fn sample_name(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Info => format!("{}_info", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

/// What the metrics are made from.
pub struct Scene<'a> {
    /// Everything that runs.
    pub overview: &'a Overview,
    /// The certificates in use.
    pub certificates: &'a [CertificateRow],
    /// The process, as the kernel sees it.
    pub facts: Facts,
}

/// The process, as the kernel sees it, and what only the daemon counts. What it does not tell is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Seconds of processor time.
    pub cpu_s: Option<f64>,
    /// Bytes of memory that are really there.
    pub resident: Option<u64>,
    /// Bytes of addresses.
    pub virtual_size: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Descriptors there may be.
    pub descriptors_max: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Messages to the operator that were lost.
    pub lost_messages: u64,
    /// Lines of service logs that were lost.
    pub lost_lines: u64,
    /// TLS handshakes and hellos of clients that are not over.
    pub handshakes: u32,
    /// Local ports towards UDP servers.
    pub udp_ports: u32,
}

/// The text with all families that have samples.
#[must_use]
pub fn text(scene: &Scene<'_>, form: Form) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for family in FAMILIES {
        let start = text.len();
        head(&mut text, family, form);
        let before = text.len();
        (family.read)(scene, &mut Samples { text: &mut text, family });
        if text.len() == before {
            text.truncate(start);
        }
    }
    if form == Form::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// The list for `docs/metrics.md`.
#[must_use]
pub fn markdown() -> String {
    let mut list = "| Metric | Kind | Labels | What it says |\n|---|---|---|---|\n".to_owned();
    for family in FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        let (name, kind) = (family.sample_name(), family.kind.word());
        // Writing into a string succeeds.
        let _ = writeln!(list, "| `{name}` | {kind} | {} | {} |", labels.join(", "), family.help);
    }
    list
}

fn head(text: &mut String, family: &Family, form: Form) {
    let (name, kind) = match form {
        Form::OpenMetrics => (family.name.to_owned(), family.kind.word()),
        // It knows no facts, and counters by their whole names.
        Form::Prometheus if family.kind == Kind::Info => (family.sample_name(), "gauge"),
        Form::Prometheus => (family.sample_name(), family.kind.word()),
    };
    // Writing into a string succeeds.
    let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n", family.help);
}

/// Where a family's samples go.
struct Samples<'a> {
    text: &'a mut String,
    family: &'static Family,
}

impl Samples<'_> {
    /// A sample with the values of the family's labels, in their order.
    fn put(&mut self, labels: &[&str], value: impl Display) {
        let ending = match self.family.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.line(ending, labels, None, value);
    }

    /// A sample, if there is a value.
    fn put_some(&mut self, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(&[], value);
        }
    }

    /// A distribution. `unit`: what the numbers are divided by to have the base unit.
    fn put_all(&mut self, labels: &[&str], scale: &Scale, unit: f64, readings: &Readings) {
        let ends = scale.iter().map(|end| format!("{:?}", *end as f64 / unit));
        let mut sum = 0;
        for (end, count) in ends.chain(["+Inf".to_owned()]).zip(readings.steps) {
            sum += count;
            self.line("_bucket", labels, Some(&end), sum);
        }
        self.line("_sum", labels, None, readings.sum as f64 / unit);
        self.line("_count", labels, None, sum);
    }

    fn line(&mut self, ending: &str, labels: &[&str], end: Option<&str>, value: impl Display) {
        debug_assert_eq!(labels.len(), self.family.labels.len(), "{}", self.family.name);
        self.text.push_str(self.family.name);
        self.text.push_str(ending);
        let named = self.family.labels.iter().copied().zip(labels.iter().copied());
        for (n, (name, value)) in named.chain(end.map(|end| ("le", end))).enumerate() {
            self.text.push(if n == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() || end.is_some() {
            self.text.push('}');
        }
        // Writing into a string succeeds.
        let _ = writeln!(self.text, " {value}");
    }
}

fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}
