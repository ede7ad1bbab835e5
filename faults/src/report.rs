//! The table, and the sum of a run.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::case::Result;
use crate::options::Options;
use crate::programs::Programs;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// The marks in the page between which the table lies.
const BEGIN: &str = "<!-- table: begin -->\n";
const END: &str = "<!-- table: end -->";

/// Puts the table into a page.
///
/// # Errors
/// The page cannot be read or written, or has no marks.
pub fn write(
    file: &Path,
    results: &[Result<'_>],
    programs: &Programs,
    options: &Options,
) -> io::Result<()> {
    let page = fs::read_to_string(file)?;
    let marks =
        page.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) = marks.ok_or(io::Error::other("the marks of the table are missing"))?;
    let table = table(results, programs, options);
    fs::write(file, format!("{head}{BEGIN}{table}{END}{tail}"))
}

fn table(results: &[Result<'_>], programs: &Programs, options: &Options) -> String {
    let mut text = String::new();
    let length = if options.short { ", short form" } else { "" };
    let _ = writeln!(text, "Seed {}{length}.\n", options.seed);
    for note in programs.notes() {
        let _ = writeln!(text, "- {note}");
    }
    text += "\n| # | Fault | Expected | Pen | HAProxy | nginx | classic pen |\n|---|---|---|---|---|---|---|\n";
    for (row, verdicts) in results {
        let star = if row.starred { " ★" } else { "" };
        let _ = write!(text, "| {}{star} | {} | {} |", row.id(), row.title, row.expects);
        for subject in Subject::ALL {
            let verdict = verdicts.iter().find(|(s, _)| *s == subject).map(|(_, v)| v);
            let _ = write!(text, " {} |", verdict.map_or("not run".into(), cell));
        }
        text.push('\n');
    }
    text
}

fn cell(verdict: &Verdict) -> String {
    let figures = verdict.figures().replace('|', "/").replace('\n', " ");
    match verdict {
        Verdict::Holds(_) => format!("**holds**: {figures}"),
        Verdict::Fails(_) => format!("**fails**: {figures}"),
        Verdict::Without(_) => format!("– ({figures})"),
        Verdict::Skipped(_) => format!("skipped: {figures}"),
    }
}

/// Says the sum; the status is that of Pen's cases.
pub fn sum(results: &[Result<'_>]) -> ExitCode {
    let mut failed = false;
    println!();
    for subject in Subject::ALL {
        let verdicts = || results.iter().flat_map(|(row, all)| all.iter().map(move |v| (row, v)));
        let own = || verdicts().filter(|(_, (s, _))| *s == subject);
        let count = |word| own().filter(|(_, (_, v))| v.word() == word).count();
        if own().next().is_none() {
            continue;
        }
        println!(
            "{:11} holds {}, fails {}, without {}, skipped {}",
            subject.name(),
            count("holds"),
            count("FAILS"),
            count("without"),
            count("skipped")
        );
        if subject == Subject::Pen {
            failed |= count("FAILS") > 0;
            own().filter(|(_, (_, v))| v.word() == "skipped").for_each(|(row, (_, verdict))| {
                println!("skipped: row {}: {}", row.id(), verdict.figures());
            });
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
