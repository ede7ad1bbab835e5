//! The command line of the benchmark.

use std::path::PathBuf;
use std::time::Duration;

use crate::load::Sources;

/// What `--help` says.
pub const USAGE: &str = "\
usage: pen-bench [OPTION ...]            run the benchmark
       pen-bench callgrind [OPTION ...]  count Pen's instructions per operation (wants valgrind)
       pen-bench table FOLDER ...        join results of several runs on one page

  --quick            3 rounds of 0.7 s, fewer idle connections and known clients
  --smoke            a few operations of everything; fails on a wrong or lost byte; no times
  --only NAME,...    workloads whose name begins so
  --balancers NAME,. balancers whose name begins so, in any case (direct, pen, haproxy, nginx, classic)
  --rounds N         rounds (5)
  --seconds S        length of a measurement (1.5)
  --threads N,...    threads of each balancer (1)
  --idle N           idle connections (10000, or what descriptors allow)
  --clients N        known clients of the workload 'clients' (1000000: about two minutes to fill)
  --syscalls         one more round with strace, for system calls per operation
  --pin              balancers on the first processors, load and servers on the others
  --netns            in a network namespace of its own, with known settings
  --pen FILE         Pen's binary (default: beside this one, built by cargo)
  --other FILE       another Pen to compare it with
  --out DIR          where results go (bench-results)
  --list             name the workloads
";

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    /// Assert correctness, measure nothing.
    pub smoke: bool,
    /// Beginnings of names of workloads; empty is all.
    pub only: Vec<String>,
    /// Beginnings of names of balancers, in lower case; empty is all.
    pub balancers: Vec<String>,
    /// Rounds.
    pub rounds: usize,
    /// Length of a measurement.
    pub window: Duration,
    /// Before it.
    pub warm_up: Duration,
    /// Threads of each balancer; one set of subjects for each number.
    pub threads: Vec<usize>,
    /// Idle connections.
    pub idle: usize,
    /// Known clients.
    pub clients: u32,
    /// Count system calls.
    pub syscalls: bool,
    /// In a network namespace of its own.
    pub netns: bool,
    /// Keep balancers and load apart.
    pub pin: bool,
    /// Pen's binary.
    pub pen: Option<PathBuf>,
    /// Another one, to compare with.
    pub other: Option<PathBuf>,
    /// Where results go.
    pub out: PathBuf,
    /// Name the workloads and do nothing.
    pub list: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            smoke: false,
            only: Vec::new(),
            balancers: Vec::new(),
            rounds: 5,
            window: Duration::from_millis(1500),
            warm_up: Duration::from_millis(300),
            threads: vec![1],
            idle: 10_000,
            clients: 1_000_000,
            syscalls: false,
            netns: false,
            pin: false,
            pen: None,
            other: None,
            out: PathBuf::from("bench-results"),
            list: false,
        }
    }
}

impl Options {
    /// Reads the words of a command line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--smoke" => options.make_small(true),
                "--quick" => options.make_small(false),
                "--syscalls" => options.syscalls = true,
                "--netns" => options.netns = true,
                "--pin" => options.pin = true,
                "--list" => options.list = true,
                "--only" => options.only = list(&value()?),
                "--balancers" => options.balancers = list(&value()?.to_lowercase()),
                "--rounds" => options.rounds = number::<usize>(&value()?)?.clamp(1, 1000),
                "--threads" => {
                    let all = list(&value()?);
                    let all: Result<Vec<_>, _> = all.iter().map(|n| number(n)).collect();
                    options.threads = all?.into_iter().map(|n: usize| n.clamp(1, 256)).collect();
                }
                "--seconds" => {
                    let seconds: f64 = number(&value()?)?;
                    options.window = Duration::from_secs_f64(seconds.clamp(0.1, 600.0));
                }
                "--idle" => options.idle = number(&value()?)?,
                "--clients" => options.clients = number::<u32>(&value()?)?.clamp(1, Sources::MOST),
                "--pen" => options.pen = Some(value()?.into()),
                "--other" => options.other = Some(value()?.into()),
                "--out" => options.out = value()?.into(),
                _ => return Err(format!("what is {word}?\n{USAGE}")),
            }
        }
        Ok(options)
    }

    fn make_small(&mut self, smoke: bool) {
        self.smoke = smoke;
        self.rounds = if smoke { 1 } else { 3 };
        self.window = Duration::from_millis(if smoke { 300 } else { 700 });
        self.warm_up = Duration::from_millis(if smoke { 50 } else { 200 });
        self.idle = if smoke { 200 } else { 2_000 };
        self.clients = if smoke { 500 } else { 100_000 };
    }

    /// Whether a workload is wanted.
    pub fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|o| workload.starts_with(o.as_str()))
    }

    /// Whether a balancer is wanted.
    pub fn wants_balancer(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.balancers.is_empty() || self.balancers.iter().any(|b| name.starts_with(b.as_str()))
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_are_understood() {
        let options = parse("--quick --only short,keep-1 --threads 1,2 --rounds 7").unwrap();
        assert!(options.wants("short-server") && options.wants("keep-1"));
        assert!(!options.wants("bulk-down-1"));
        assert_eq!((options.rounds, options.threads), (7, vec![1, 2]));
        assert!(parse("--rounds").is_err() && parse("--rounds x").is_err() && parse("x").is_err());
    }
}
