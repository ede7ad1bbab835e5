//! Faults and attacks, done to Pen, HAProxy, nginx and the classic pen alike; a table of what became of
//! each.
//!
//! See `faults/README.md`. Each case (a row and a balancer) is a process of its own in a network
//! namespace of its own, with a time limit; traffic stays inside, and everything ends with it. The same
//! binary plays the case (`case`), its servers (`serve`) and the soak (`soak`).
#![forbid(unsafe_code)]

mod case;
mod crowd;
mod dice;
mod dns;
mod exchange;
mod load;
mod options;
mod programs;
mod report;
mod rows;
mod running;
mod secure;
mod serve;
mod settings;
mod setup;
mod soak;
mod stage;
mod subject;
mod trial;
mod verdict;
mod visitors;
mod wall;
mod wire;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((first, rest)) if first == case::WORD => case::play(rest),
        Some((first, rest)) if first == soak::WORD => {
            said(soak::Options::parse(rest).and_then(|options| soak::enter(&options)))
        }
        Some((first, rest)) if first == soak::INSIDE => {
            said(soak::Options::parse(rest).and_then(|options| soak::run(&options)))
        }
        Some((first, rest)) if first == serve::WORD => serve::play(rest),
        _ => match Options::parse(words.into_iter()) {
            Ok(options) => run(&options),
            Err(text) => {
                eprintln!("{text}");
                ExitCode::from(2)
            }
        },
    }
}

fn said(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|text| {
        eprintln!("{text}");
        ExitCode::from(2)
    })
}

fn run(options: &Options) -> ExitCode {
    let rows = rows::wanted(options);
    if options.help {
        print!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    if options.list {
        rows.iter().for_each(|row| println!("{}", row.line()));
        return ExitCode::SUCCESS;
    }
    let programs = match programs::Programs::find() {
        Ok(programs) => programs,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    programs.notes().for_each(|note| println!("{note}"));
    println!("seed {}", options.seed);
    let results = case::all(&rows, options, &programs);
    if let Some(file) = &options.table
        && let Err(why) = report::write(file, &results, &programs, options)
    {
        eprintln!("{}: {why}", file.display());
        return ExitCode::from(2);
    }
    report::sum(&results)
}
