//! Pen beside HAProxy, nginx, the classic pen and a direct connection, interleaved in one run.
//!
//! See `bench/README.md`. Everything stays on loopback, is bounded in number and time, and ends with
//! this process. The same binary is the server (`serve`).
#![forbid(unsafe_code)]

mod balancers;
mod callgrind;
mod farm;
mod histogram;
mod idle;
mod load;
mod machine;
mod matrix;
mod measure;
mod netns;
mod options;
mod pin;
mod protocol;
mod report;
mod run;
mod server;
mod settings;
mod spread;
mod strace;
mod tls;
mod udp;
mod vitals;
mod workloads;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use options::Options;

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

fn dispatch() -> Result<ExitCode, String> {
    let mut words = std::env::args().skip(1).peekable();
    match words.peek().map(String::as_str) {
        Some("serve") => {
            let addresses = words.nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
            server::serve(addresses).map_err(|e| e.to_string()).map(|()| ExitCode::SUCCESS)
        }
        Some("--help" | "-h") => {
            print!("{}", options::USAGE);
            Ok(ExitCode::SUCCESS)
        }
        Some("callgrind") => {
            let options = Options::parse(words.skip(1))?;
            callgrind::run(&options, &pen(&options)?).map(|()| ExitCode::SUCCESS)
        }
        Some("table") => {
            let folders: Vec<String> = words.skip(1).collect();
            print!("{}", matrix::join(&folders)?);
            Ok(ExitCode::SUCCESS)
        }
        _ => bench(&Options::parse(words)?),
    }
}

fn bench(options: &Options) -> Result<ExitCode, String> {
    let workloads = workloads::all(options);
    if options.list {
        for workload in &workloads {
            println!("{:14} {}", workload.name, workload.says);
        }
        println!("{:14} {}", udp::NAME, udp::SAYS);
        return Ok(ExitCode::SUCCESS);
    }
    let pen = pen(options)?;
    if options.netns && !netns::is_inside() {
        return netns::enter();
    }
    let mut programs = balancers::Programs::find(&pen, options.other.as_deref());
    if options.pin {
        programs.pin = pin::list(options.threads.iter().copied().max().unwrap_or(1));
    }
    for (name, note) in &programs.notes {
        println!("{name}: {note}");
    }
    let mut right = workloads.is_empty() || run::run(options, &programs, &workloads)?;
    if options.wants(udp::NAME) {
        right &= udp::run(options, &pen)?;
    }
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Pen's binary: the given one, or the one beside this, built first if cargo runs us.
fn pen(options: &Options) -> Result<PathBuf, String> {
    if let Some(pen) = &options.pen {
        return Ok(pen.clone());
    }
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "pen", "--bin", "pen"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().map_err(|e| format!("cargo: {e}"))?;
        if !status.success() {
            return Err("Pen cannot be built".into());
        }
    }
    let here = std::env::current_exe().map_err(|e| e.to_string())?;
    let pen = here.with_file_name("pen");
    if pen.exists() { Ok(pen) } else { Err(format!("{} is missing", pen.display())) }
}
