//! System calls of a process and its children, counted by strace.
//!
//! strace slows a process down, so events come in larger batches than they would; that is why
//! nothing else is measured at the same time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{balancers, vitals};

/// strace needs as long to take hold of all threads.
const TAKE_HOLD: Duration = Duration::from_millis(300);

/// strace at work.
pub struct Counting {
    child: Child,
    file: PathBuf,
}

/// Begins to count.
///
/// # Errors
/// strace is missing.
pub fn attach(pid: u32, folder: &Path) -> Result<Counting, String> {
    let strace = balancers::in_path("strace").ok_or("strace is missing (Debian package strace)")?;
    let file = folder.join("strace.out");
    let _ = fs::remove_file(&file);
    let mut command = Command::new(strace);
    command.args(["-f", "-c", "-o"]).arg(&file);
    for pid in vitals::family(pid) {
        command.arg("-p").arg(pid.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|e| format!("strace: {e}"))?;
    std::thread::sleep(TAKE_HOLD);
    Ok(Counting { child, file })
}

impl Counting {
    /// Stops and answers how many there were.
    ///
    /// # Errors
    /// strace said nothing.
    pub fn finish(mut self) -> Result<u64, String> {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
        let text = fs::read_to_string(&self.file).map_err(|e| format!("strace: {e}"))?;
        total(&text).ok_or_else(|| "strace counted nothing".into())
    }
}

fn total(text: &str) -> Option<u64> {
    let line = text.lines().rev().find(|l| l.ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_total_is_found() {
        let text = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
100.00    0.000005           5         1           close
------ ----------- ----------- --------- --------- ----------------
100.00    0.000005           5       123         7 total
";
        assert_eq!(super::total(text), Some(123));
        assert_eq!(super::total(""), None);
    }
}
