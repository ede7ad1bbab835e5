//! A page of the documentation as a list of steps: what the reader types, should see, and writes into
//! files.
//!
//! Fenced blocks say what they are:
//!
//! - `console run`: commands behind `# ` or `$ `, each followed by exactly what it prints. `...` stands
//!   for anything within a line, on a line of its own for any number of lines. Further words: `on=MACHINE,...`,
//!   `fails` (the status is not 0), `eventually` (asked again until the answer is the one shown).
//! - `conf file=PATH`, `conf append=PATH`: a file is written, or lines are added to one; `on=MACHINE`.
//! - `conf check`: settings that a file may hold; `pen --check` must be content with them.
//! - `text`: an illustration, nothing to type.
//! - `... not-run REASON`: the reason is printed by the test.
//!
//! Any other block, and anything indented like one, is an error: no example escapes.

/// What a page makes its reader do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Something is typed on a machine.
    Command(Command),
    /// A file is written, or made longer.
    File { machine: String, path: String, text: String, append: bool },
    /// Settings that must be right.
    Check { line: usize, machine: String, text: String },
    /// An example that is not run.
    NotRun { line: usize, reason: String },
}

/// Something typed, and what is seen then.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    pub line: usize,
    pub machine: String,
    pub text: String,
    pub expected: Vec<String>,
    pub fails: bool,
    pub eventually: bool,
}

/// What the first line of a block says of it.
#[derive(Default)]
struct Info {
    machine: String,
    file: Option<(String, bool)>,
    run: bool,
    check: bool,
    fails: bool,
    eventually: bool,
}

/// The steps of a page in their order; `machine` is meant where a block names none.
pub fn steps(page: &str, machine: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut before = "";
    while let Some((n, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            if line.starts_with("    ") && before.is_empty() {
                return Err(format!("line {}: an indented block; use a fence", n + 1));
            }
            before = line.trim();
            continue;
        };
        let mut body = Vec::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((m, text)) => body.push((m + 1, text)),
                None => return Err(format!("line {}: the block has no end", n + 1)),
            }
        }
        block(n + 1, info, &body, machine, &mut steps)?;
        before = "```";
    }
    Ok(steps)
}

fn block(
    line: usize,
    info: &str,
    body: &[(usize, &str)],
    machine: &str,
    steps: &mut Vec<Step>,
) -> Result<(), String> {
    if info == "text" {
        return Ok(());
    }
    if let Some((_, reason)) = info.split_once(" not-run") {
        if reason.trim().is_empty() {
            return Err(format!("line {line}: not run, without a reason"));
        }
        steps.push(Step::NotRun { line, reason: reason.trim().to_owned() });
        return Ok(());
    }
    let info = describe(line, info, machine)?;
    let text: String = body.iter().map(|(_, l)| format!("{l}\n")).collect();
    for machine in info.machine.split(',').map(str::to_owned) {
        match &info.file {
            Some((path, append)) => {
                let (path, text) = (path.clone(), text.clone());
                steps.push(Step::File { machine, path, text, append: *append });
            }
            None if info.check => {
                steps.push(Step::Check { line, machine, text: text.clone() });
            }
            None if info.run => commands(&info, &machine, body, steps)?,
            None => return Err(format!("line {line}: a block that is neither run nor a file")),
        }
    }
    Ok(())
}

fn describe(line: usize, words: &str, machine: &str) -> Result<Info, String> {
    let mut info = Info { machine: machine.to_owned(), ..Info::default() };
    for word in words.split_whitespace().skip(1) {
        match word.split_once('=') {
            None if word == "run" => info.run = true,
            None if word == "check" => info.check = true,
            None if word == "fails" => info.fails = true,
            None if word == "eventually" => info.eventually = true,
            Some(("on", name)) => name.clone_into(&mut info.machine),
            Some(("file", path)) => info.file = Some((path.to_owned(), false)),
            Some(("append", path)) => info.file = Some((path.to_owned(), true)),
            _ => return Err(format!("line {line}: what is '{word}'?")),
        }
    }
    Ok(info)
}

fn commands(
    info: &Info,
    machine: &str,
    body: &[(usize, &str)],
    steps: &mut Vec<Step>,
) -> Result<(), String> {
    let mut found: Vec<Command> = Vec::new();
    for &(line, text) in body {
        let typed = text.strip_prefix("# ").or_else(|| text.strip_prefix("$ "));
        match (typed, found.last_mut()) {
            (_, Some(last)) if last.text.ends_with('\\') => {
                last.text.push('\n');
                last.text.push_str(text);
            }
            (Some(typed), _) => found.push(Command {
                line,
                machine: machine.to_owned(),
                text: typed.to_owned(),
                expected: Vec::new(),
                fails: info.fails,
                eventually: info.eventually,
            }),
            (None, Some(last)) => last.expected.push(text.trim_end().to_owned()),
            (None, None) => return Err(format!("line {line}: output of what?")),
        }
    }
    steps.extend(found.into_iter().map(Step::Command));
    Ok(())
}

/// Whether what was printed is what the page shows.
pub fn agrees(expected: &[String], printed: &[&str]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((dots, rest)), _) if dots == "..." => {
            agrees(rest, printed) || printed.split_first().is_some_and(|(_, p)| agrees(expected, p))
        }
        (Some((pattern, rest)), Some((line, more))) => {
            fits(pattern, line.trim_end()) && agrees(rest, more)
        }
        _ => false,
    }
}

/// Whether a line is the pattern, in which `...` stands for anything.
fn fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once("...") {
        None => pattern == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices().map(|(i, _)| i).chain([tail.len()]).any(|i| fits(rest, &tail[i..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Step, agrees, steps};

    fn typed(line: usize, machine: &str, text: &str, expected: &[&str]) -> Step {
        Step::Command(Command {
            line,
            machine: machine.to_owned(),
            text: text.to_owned(),
            expected: expected.iter().map(|&l| l.to_owned()).collect(),
            fails: false,
            eventually: false,
        })
    }

    #[test]
    fn blocks_become_steps() {
        let page = "text\n\n```console run\n# one \\\n  two\nseen\n\nmore\n$ three\n```\n\
                    ```conf append=/a on=b\nline\n```\n```console not-run it burns\n# x\n```\n\
                    ```text\nanything\n```\n";
        let file = Step::File {
            machine: "b".into(),
            path: "/a".into(),
            text: "line\n".into(),
            append: true,
        };
        let expected = vec![
            typed(4, "m", "one \\\n  two", &["seen", "", "more"]),
            typed(9, "m", "three", &[]),
            file,
            Step::NotRun { line: 14, reason: "it burns".into() },
        ];
        assert_eq!(steps(page, "m"), Ok(expected));
    }

    #[test]
    fn no_example_escapes() {
        for (page, wrong) in [
            ("```console\n# x\n```\n", "line 1: a block that is neither run nor a file"),
            ("```\nx\n```\n", "line 1: a block that is neither run nor a file"),
            ("a\n\n    indented\n", "line 3: an indented block; use a fence"),
            ("```console not-run\n```\n", "line 1: not run, without a reason"),
            ("```console run\n", "line 1: the block has no end"),
            ("```console run slowly\n```\n", "line 1: what is 'slowly'?"),
            ("```console run\nx\n```\n", "line 2: output of what?"),
        ] {
            assert_eq!(steps(page, "m"), Err(wrong.to_owned()), "{page}");
        }
    }

    #[test]
    fn dots_stand_for_anything() {
        let same = |expected: &str, printed: &str| {
            let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
            agrees(&expected, &printed.lines().collect::<Vec<_>>())
        };
        for (expected, printed) in [
            ("", ""),
            ("a", "a "),
            ("a...c", "abc"),
            ("a...", "a"),
            ("...", ""),
            ("a\n...\nd", "a\nb\nc\nd"),
        ] {
            assert!(same(expected, printed), "{expected} {printed}");
        }
        for (expected, printed) in [
            ("", "a"),
            ("a", ""),
            ("a", "ab"),
            ("a...c", "ab"),
            ("a\n...\nd", "a\nd\ne"),
            ("a", "a\nb"),
        ] {
            assert!(!same(expected, printed), "{expected} {printed}");
        }
    }
}
