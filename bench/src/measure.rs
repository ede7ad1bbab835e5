//! One measurement: a balancer, the server, the load, and what each of them cost.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::balancers::{Programs, Running, Secured, Task};
use crate::farm::Farm;
use crate::load::{self, Kind as LoadKind, Mark, Plan, Sources, Tally};
use crate::options::Options;
use crate::vitals::{self, Vitals};
use crate::workloads::{Shape, Subject};
use crate::{idle, strace, tls};

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
/// Nothing moves for this long before idle connections are looked at.
const SETTLE: Duration = Duration::from_millis(300);
/// Operations of a smoke run.
const SMOKE_OPERATIONS: u64 = 300;
/// Descriptors of a process that are not connections.
const DESCRIPTORS_ELSE: u64 = 200;

/// What one measurement came to. Per operation means per GiB for bulk.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sample {
    /// Operations per second, or GiB/s.
    pub rate: Option<f64>,
    /// The balancer's processor time per operation, in microseconds.
    pub cpu_us: Option<f64>,
    /// The load generator's.
    pub load_cpu_us: Option<f64>,
    /// The server's.
    pub server_cpu_us: Option<f64>,
    /// Share of one processor the balancer used.
    pub busy: Option<f64>,
    /// Processors that neither the balancer nor the load nor the server used: other programs, the
    /// kernel on its own account, the host of a virtual machine.
    pub others_busy: Option<f64>,
    /// Latency in microseconds.
    pub p50_us: Option<f64>,
    /// Latency in microseconds.
    pub p99_us: Option<f64>,
    /// Latency in microseconds.
    pub p999_us: Option<f64>,
    /// Anonymous memory of the balancer, in KiB.
    pub memory_kib: Option<f64>,
    /// Anonymous memory of the balancer per idle connection, in bytes.
    pub bytes_per_idle: Option<f64>,
    /// Processor time of the balancer at rest, in microseconds per second.
    pub rest_cpu_us: Option<f64>,
    /// Times per second a thread of the balancer woke up at rest.
    pub rest_wakeups: Option<f64>,
    /// System calls per operation, under strace.
    pub syscalls: Option<f64>,
    /// Operations that ended well.
    pub done: u64,
    /// Answers that never came or came short, connects that failed.
    pub lost: u64,
    /// Answers with a wrong byte.
    pub wrong: u64,
}

/// What stays the same for all measurements.
pub struct Stage<'a> {
    /// What is to be done.
    pub options: &'a Options,
    /// What can be started.
    pub programs: &'a Programs,
    /// The servers.
    pub farm: &'a Farm,
    /// For files.
    pub folder: &'a Path,
    /// What balancers show over TLS.
    pub certificates: &'a tls::Certificates,
}

impl Stage<'_> {
    /// Starts a subject, and fills its client table.
    ///
    /// # Errors
    /// It does not start or loses connections while it is filled.
    pub fn start(&self, subject: &Subject, shape: Shape) -> Result<Running, String> {
        let task = Task {
            kind: subject.kind,
            threads: subject.threads,
            servers: self.farm.servers(subject.servers),
            bulk: shape.is_bulk(),
            clients_max: subject.clients.map(|_| self.options.clients.max(2_048)),
            log: subject.log,
            tls: self
                .clients(subject, 1)?
                .map(|(key, clients)| Secured { file: self.certificates.file(key), clients }),
        };
        let running = self.programs.start(&task, self.folder)?;
        if let Some(count) = subject.clients {
            let plan = Plan {
                targets: running.targets.clone(),
                sources: Some(Sources { count, in_order: true }),
                tls: None,
                kind: LoadKind::ShortServer,
                connections: 64,
                warm_up: Duration::ZERO,
                window: Duration::ZERO,
                operations: Some(count.into()),
            };
            let tally = load::run(&plan, &mut |_| {}).map_err(|e| e.to_string())?;
            if tally.errors() > 0 {
                return Err(format!("{} errors while clients were introduced", tally.errors()));
            }
        }
        Ok(running)
    }

    /// Measures a running subject once.
    ///
    /// # Errors
    /// No descriptors; idle connections could not be opened. What the balancer does wrong to
    /// others is in the sample.
    pub fn measure(
        &self,
        subject: &Subject,
        running: &Running,
        shape: Shape,
    ) -> Result<Sample, String> {
        match shape {
            Shape::Idle { connections } => self.at_rest(subject, running, connections),
            Shape::Load { kind, connections, idle } => {
                let plan = self.plan(subject, running, kind, connections)?;
                let held = self.hold(subject, running, possible(idle))?;
                if !held.is_empty() {
                    std::thread::sleep(SETTLE);
                }
                self.under_load(running, &plan, shape)
            }
        }
    }

    /// The clients of a subject with TLS, for so many connections at once.
    fn clients(
        &self,
        subject: &Subject,
        connections: usize,
    ) -> Result<Option<(tls::Key, tls::Clients)>, String> {
        let Some(variant) = subject.tls else { return Ok(None) };
        let clients = tls::Clients::new(self.certificates, variant, connections)?;
        Ok(Some((variant.key, clients)))
    }

    /// Idle connections.
    fn hold(
        &self,
        subject: &Subject,
        running: &Running,
        count: usize,
    ) -> Result<Vec<TcpStream>, String> {
        let held = match self.clients(subject, 1)? {
            Some((_, clients)) => tls::open(&running.targets, count, &clients),
            None => idle::open(&running.targets, count),
        };
        held.map_err(|e| format!("idle connections: {e}"))
    }

    fn plan(
        &self,
        subject: &Subject,
        running: &Running,
        kind: LoadKind,
        connections: usize,
    ) -> Result<Plan, String> {
        let paced = matches!(kind, LoadKind::Paced(_));
        let operations = if kind == LoadKind::Keep { 10 } else { 1 } * SMOKE_OPERATIONS;
        let operations = if kind.is_bulk() { connections as u64 * 3 } else { operations };
        Ok(Plan {
            targets: running.targets.clone(),
            sources: subject.clients.map(|count| Sources { count, in_order: false }),
            tls: self.clients(subject, connections)?.map(|(_, clients)| clients),
            kind,
            connections,
            warm_up: self.options.warm_up,
            window: self.options.window,
            operations: (self.options.smoke && !paced).then_some(operations),
        })
    }

    fn under_load(&self, running: &Running, plan: &Plan, shape: Shape) -> Result<Sample, String> {
        let look = || [self.look(running.pid()), vitals::of(self.farm.pid()), own()];
        let (mut before, mut after) = ([Vitals::default(); 3], [Vitals::default(); 3]);
        let mut machine = [0_u64; 2];
        let tally = load::run(plan, &mut |mark| match mark {
            Mark::Begin => (before, machine[0]) = (look(), vitals::whole_machine_ns()),
            Mark::End => (after, machine[1]) = (look(), vitals::whole_machine_ns()),
        });
        let whole = machine[1].saturating_sub(machine[0]) as f64 / 1000.0;
        let tally = tally.map_err(|e| format!("load: {e}"))?;
        let amount = match shape.is_bulk() {
            true => tally.bytes as f64 / GIB,
            false => tally.done as f64,
        };
        let [balancer, server, load] = [0, 1, 2].map(|n| {
            let spent = after.get(n).map_or(0, |v| v.cpu_ns);
            spent.saturating_sub(before.get(n).map_or(0, |v| v.cpu_ns)) as f64 / 1000.0
        });
        let per = |us: f64| (amount > 0.0).then_some(us / amount);
        let seconds = tally.seconds.max(1e-9);
        let is_balancer = running.pid().is_some();
        Ok(Sample {
            rate: Some(amount / seconds),
            cpu_us: per(balancer).filter(|_| is_balancer),
            load_cpu_us: per(load),
            server_cpu_us: per(server),
            others_busy: Some((whole - balancer - server - load).max(0.0) / 1e6 / seconds),
            busy: is_balancer.then_some(balancer / 1e6 / seconds),
            memory_kib: is_balancer.then_some(after[0].anonymous_kib as f64),
            ..base(&tally)
        })
    }

    fn at_rest(
        &self,
        subject: &Subject,
        running: &Running,
        connections: usize,
    ) -> Result<Sample, String> {
        let empty = self.look(running.pid());
        let held = self.hold(subject, running, possible(connections))?;
        std::thread::sleep(SETTLE);
        let before = self.look(running.pid());
        std::thread::sleep(self.options.window);
        let after = self.look(running.pid());
        let (grown, rest) = (before - empty, after - before);
        let seconds = self.options.window.as_secs_f64();
        let is_balancer = running.pid().is_some();
        let some = |value: f64| is_balancer.then_some(value);
        Ok(Sample {
            memory_kib: some(before.anonymous_kib as f64),
            bytes_per_idle: some(grown.anonymous_kib as f64 * 1024.0 / held.len().max(1) as f64),
            rest_cpu_us: some(rest.cpu_ns as f64 / 1000.0 / seconds),
            rest_wakeups: some(rest.sleeps as f64 / seconds),
            done: held.len() as u64,
            ..Sample::default()
        })
    }

    /// System calls per operation, in a run of its own.
    ///
    /// # Errors
    /// strace is missing or could not look.
    pub fn count_calls(
        &self,
        subject: &Subject,
        running: &Running,
        shape: Shape,
    ) -> Result<Option<f64>, String> {
        let (Shape::Load { kind, connections, .. }, Some(pid)) = (shape, running.pid()) else {
            return Ok(None);
        };
        let plan = self.plan(subject, running, kind, connections)?;
        let counting = strace::attach(pid, self.folder)?;
        let tally = load::run(&plan, &mut |_| {}).map_err(|e| format!("load: {e}"))?;
        let calls = counting.finish()?;
        let amount = match shape.is_bulk() {
            true => tally.bytes_in_all as f64 / GIB,
            false => tally.done_in_all as f64,
        };
        Ok((amount > 0.0).then_some(calls as f64 / amount))
    }

    fn look(&self, pid: Option<u32>) -> Vitals {
        pid.map(vitals::of).unwrap_or_default()
    }
}

fn base(tally: &Tally) -> Sample {
    Sample {
        p50_us: tally.latency.quantile_us(0.5),
        p99_us: tally.latency.quantile_us(0.99),
        p999_us: tally.latency.quantile_us(0.999),
        done: tally.done_in_all,
        lost: tally.lost + tally.refused,
        wrong: tally.wrong,
        ..Sample::default()
    }
}

fn own() -> Vitals {
    let pid = std::process::id();
    vitals::of_alone(pid)
}

/// Idle connections that descriptors allow: a balancer needs two for each.
fn possible(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = limit.current.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_ELSE) / 2;
    wanted.min(usize::try_from(limit).unwrap_or(usize::MAX))
}
