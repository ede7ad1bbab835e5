//! Cases: one row and one balancer, in a process and a network namespace of their own.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::options::Options;
use crate::programs::Programs;
use crate::rows::{self, Row};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// The first word of a command line that plays a case.
pub const WORD: &str = "case";
/// What the line with the verdict begins with.
const MARK: &str = "verdict: ";
/// Room for many short connections, and what Linux does where nobody has changed it.
pub const PREPARE: &str = "ip link set lo up || exit 2
for s in net/ipv4/ip_local_port_range='32768 60999' net/core/somaxconn=4096 \
    net/ipv4/tcp_max_syn_backlog=4096 net/ipv4/tcp_congestion_control=cubic; do
    echo ${s#*=} 2>/dev/null > /proc/sys/${s%%=*}
done
exec \"$@\"";

/// What became of each balancer in one row.
pub type Result<'a> = (&'a Row, Vec<(Subject, Verdict)>);

/// Plays all that is wanted, and says each result when it is there.
pub fn all<'a>(rows: &[&'a Row], options: &Options, programs: &Programs) -> Vec<Result<'a>> {
    rows.iter()
        .map(|row| {
            println!("\n{}", row.line());
            let play = |subject| {
                let begun = Instant::now();
                let verdict = in_process(row, subject, options, programs);
                println!("  {:11} {verdict} ({} s)", subject.name(), begun.elapsed().as_secs());
                (subject, verdict)
            };
            (*row, options.subjects().map(play).collect())
        })
        .collect()
}

fn in_process(row: &Row, subject: Subject, options: &Options, programs: &Programs) -> Verdict {
    let program = match programs.of(subject) {
        Ok(program) => program,
        Err(why) => return Verdict::skipped(why),
    };
    match start(row, subject, options, program) {
        Ok(child) => ended(child, row.limit),
        Err(why) => Verdict::skipped(why),
    }
}

fn start(
    row: &Row,
    subject: Subject,
    options: &Options,
    program: &Path,
) -> std::result::Result<Child, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new("unshare");
    command.arg("--net");
    if !pen_test::is_root() {
        command.arg("--map-root-user");
    }
    command.args(["sh", "-c", PREPARE, "sh"]).arg(this).args([
        WORD,
        &row.id(),
        subject.word(),
        &options.seed.to_string(),
        if options.short { "short" } else { "long" },
    ]);
    command.arg(program).env("PEN", program).envs(row.environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.spawn().map_err(|e| format!("unshare: {e}"))
}

/// Waits for the verdict; who takes too long is killed with all he has started.
fn ended(mut child: Child, limit: Duration) -> Verdict {
    let group = Pid::from_child(&child);
    let said = [child.stdout.take().map(collect), child.stderr.take().map(collect)];
    let end = Instant::now() + limit;
    let in_time = loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => break false,
            Ok(Some(_)) | Err(_) => break true,
        }
    };
    // What it has started ends with it, even if it forgot something.
    let _gone = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
    let [out, err] = said.map(|s| s.and_then(|s| s.join().ok()).unwrap_or_default());
    let verdict = out.lines().rev().find_map(|line| Verdict::read(line.strip_prefix(MARK)?));
    match verdict {
        Some(verdict) => verdict,
        None if !in_time => Verdict::of(false, format!("no end after {} s", limit.as_secs())),
        None => Verdict::of(false, last_words(&err)),
    }
}

/// The text of the panic.
fn last_words(err: &str) -> String {
    let lines: Vec<&str> = err.lines().filter(|l| !l.starts_with("note: ")).collect();
    let panic = lines.iter().position(|l| l.contains("panicked at")).unwrap_or(0);
    lines.get(panic..).unwrap_or_default().join(" ").chars().take(300).collect()
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error counts.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Inside: plays the case that the words name.
pub fn play(words: &[String]) -> ExitCode {
    let [id, subject, seed, length, program] = words else { return ExitCode::from(2) };
    let row = rows::ALL.iter().copied().flatten().find(|row| row.id() == *id);
    let (Some(row), Some(subject), Ok(seed)) = (row, Subject::of(subject), seed.parse()) else {
        return ExitCode::from(2);
    };
    let stage = Stage { subject, seed, short: length == "short", program: program.into() };
    println!("{MARK}{}", (row.run)(&stage));
    ExitCode::SUCCESS
}
