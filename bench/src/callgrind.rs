//! Instructions of Pen per operation, counted by valgrind: the same on every day and machine.
//!
//! Each kind of operation is done a small and a large number of times by a Pen of its own; the
//! difference of the instructions divided by the difference of the operations leaves out the start.
//! What the kernel does is not counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::balancers::{self, Kind, Task};
use crate::farm::Farm;
use crate::load::{self, Kind as LoadKind, Plan};
use crate::options::Options;
use crate::settings;

const SERVERS: u32 = 2;
const MIB: u64 = 1024 * 1024;

/// What is counted: name, operation, connections, operations of the small and the large run.
const COUNTED: [(&str, LoadKind, usize, [u64; 2]); 4] = [
    ("short connection, server closes", LoadKind::ShortServer, 16, [200, 2_200]),
    ("short connection, client closes", LoadKind::ShortClient, 16, [200, 2_200]),
    ("request, 64 connections", LoadKind::Keep, 64, [500, 10_500]),
    ("MiB to the client, 1 connection", LoadKind::Down(MIB), 1, [8, 72]),
];

/// Counts and prints; profiles stay in the output folder.
///
/// # Errors
/// valgrind is missing, or Pen did something wrong.
pub fn run(options: &Options, pen: &Path) -> Result<(), String> {
    let valgrind = balancers::in_path("valgrind");
    let valgrind = valgrind.ok_or("valgrind is missing (Debian package valgrind)")?;
    fs::create_dir_all(&options.out).map_err(|e| e.to_string())?;
    let farm = Farm::start(SERVERS).map_err(|e| e.to_string())?;
    println!("| instructions of user code per | |\n|---|---|");
    for (name, kind, connections, runs) in COUNTED {
        let mut counted = [0_u64; 2];
        for (operations, count) in runs.into_iter().zip(&mut counted) {
            let file =
                options.out.join(format!("callgrind.{}.{operations}", name.replace(' ', "-")));
            *count = instructions(&valgrind, pen, &farm, (kind, connections, operations), &file)?;
        }
        let [few, many] = runs;
        let each = counted[1].saturating_sub(counted[0]) / (many - few).max(1);
        println!("| {name} | {each} |");
    }
    println!("profiles: callgrind_annotate {}/callgrind.*", options.out.display());
    Ok(())
}

fn instructions(
    valgrind: &Path,
    pen: &Path,
    farm: &Farm,
    (kind, connections, operations): (LoadKind, usize, u64),
    file: &PathBuf,
) -> Result<u64, String> {
    let listen = balancers::free_port().map_err(|e| e.to_string())?;
    let task = Task {
        kind: Kind::Pen,
        threads: 1,
        servers: farm.servers(SERVERS),
        bulk: false,
        clients_max: None,
        log: None,
        tls: None,
    };
    let words = settings::words(&task, listen, Path::new(".")).map_err(|e| e.to_string())?;
    let out = format!("--callgrind-out-file={}", file.display());
    let child = Command::new(valgrind)
        .args(["--tool=callgrind", "--quiet", &out])
        .arg(pen)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    let running = balancers::Running::new(child, listen.into(), None)?;
    let plan = Plan {
        targets: running.targets.clone(),
        sources: None,
        tls: None,
        kind,
        connections,
        warm_up: Duration::ZERO,
        window: Duration::ZERO,
        operations: Some(operations),
    };
    let tally = load::run(&plan, &mut |_| {}).map_err(|e| e.to_string())?;
    drop(running);
    if tally.errors() > 0 {
        return Err(format!("{} errors", tally.errors()));
    }
    let text = fs::read_to_string(file).map_err(|e| e.to_string())?;
    let line = text.lines().find_map(|l| l.strip_prefix("totals:"));
    let line = line.or_else(|| text.lines().find_map(|l| l.strip_prefix("summary:")));
    line.and_then(|n| n.trim().parse().ok()).ok_or_else(|| "callgrind wrote no total".into())
}
