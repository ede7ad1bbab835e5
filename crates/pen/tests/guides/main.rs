//! The guides, the examples of the manual pages and the README: every command in them is typed as it
//! stands there, on a machine of its own, and must print what the page shows.
//!
//! `stage/NAME.sh` makes what the reader of a page has already: addresses, servers. Its line `# needs:`
//! names the programs, `# machines:` the machines where one is not enough. Runs with `PEN_PEERS=1` and as
//! root only; then a missing program is a failure.
#![forbid(unsafe_code)]

mod machine;
mod page;
mod texts;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use machine::{Machines, Ran, possible};
use page::{Command, Step, agrees, steps};
use pen_test::scaled;

/// One test for each page.
macro_rules! pages {
    ($($test:ident: $path:literal,)*) => {
        const PAGES: &[&str] = &[$($path),*];
        $(#[test] fn $test() { walk($path); })*
    };
}

pages! {
    readme: "README.md",
    example_pen: "docs/examples/pen.1.md",
    example_pen_conf: "docs/examples/pen.conf.5.md",
    example_penctl: "docs/examples/penctl.1.md",
    example_penlog: "docs/examples/penlog.1.md",
    example_penlogd: "docs/examples/penlogd.1.md",
    example_mergelogs: "docs/examples/mergelogs.1.md",
    guide_quick_start: "docs/guides/quick-start.md",
    guide_http: "docs/guides/http.md",
    guide_https: "docs/guides/https.md",
    guide_smtp: "docs/guides/smtp.md",
    guide_ldap: "docs/guides/ldap.md",
    guide_dns: "docs/guides/dns.md",
    guide_databases: "docs/guides/databases.md",
    guide_pair: "docs/guides/pair.md",
    guide_logs: "docs/guides/logs.md",
    migration: "docs/migration.md",
    page_tls: "docs/tls.md",
    page_tls_routing: "docs/tls-routing.md",
    page_state: "docs/state.md",
    page_udp: "docs/udp.md",
    page_hardening: "docs/hardening.md",
    page_upgrade: "docs/upgrade.md",
    guide_watching: "docs/guides/watching.md",
    guide_tuning: "docs/guides/tuning.md",
    guide_troubleshooting: "docs/guides/troubleshooting.md",
}

/// After this long an answer that comes `eventually` is overdue.
const PATIENCE: Duration = Duration::from_secs(20);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path));
    text.unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What has to be there before a page can be followed.
struct Stage {
    script: String,
    machines: Vec<String>,
    needs: Vec<String>,
}

impl Stage {
    fn of(page: &str) -> Self {
        let name = Path::new(page).file_stem().and_then(|n| n.to_str()).expect("pages have names");
        let stage = |name: &str| {
            let path = format!("crates/pen/tests/guides/stage/{}.sh", name.to_lowercase());
            std::fs::read_to_string(root().join(path)).unwrap_or_default()
        };
        let script = stage(name);
        let words = |key: &str| -> Vec<String> {
            let line = script.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default();
            line.split_whitespace().map(str::to_owned).collect()
        };
        let (needs, mut machines) = (words("# needs:"), words("# machines:"));
        if machines.is_empty() {
            machines.push("pen".to_owned());
        }
        Self { script: stage("common") + &script, machines, needs }
    }

    /// The first program that is missing.
    fn missing(&self) -> Option<&str> {
        let places = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        let there = |name: &str| places.iter().any(|dir| Path::new(dir).join(name).exists());
        self.needs.iter().map(String::as_str).find(|name| !there(name))
    }
}

fn walk(page: &str) {
    let stage = Stage::of(page);
    let steps = steps(&read(page), &stage.machines[0]).unwrap_or_else(|e| panic!("{page}: {e}"));
    for step in &steps {
        if let Step::NotRun { line, reason } = step {
            println!("{page}:{line}: not run: {reason}");
        }
    }
    if std::env::var_os("PEN_PEERS").is_none() {
        println!("skipped: PEN_PEERS is not set, {page} is not followed");
        return;
    }
    if let Err(reason) = possible() {
        println!("skipped: {page}: {reason}");
        return;
    }
    assert_eq!(stage.missing(), None, "PEN_PEERS is set but a program is not installed");
    let names: Vec<&str> = stage.machines.iter().map(String::as_str).collect();
    let mut machines = Machines::start(&names);
    for name in machines.names() {
        let ran = machines.run(&name, &format!("(set -e; {}\n)", stage.script));
        assert_eq!(ran.status, 0, "{page}: the stage of {name}: {}", ran.printed);
    }
    let wrong: Vec<String> = steps.iter().filter_map(|s| take(page, s, &mut machines)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Does a step. Returns what is not as the page says.
fn take(page: &str, step: &Step, machines: &mut Machines) -> Option<String> {
    match step {
        Step::Command(command) => type_in(page, command, machines),
        Step::File { machine, path, text, append } => {
            let how = if *append { ">>" } else { ">" };
            let ran = machines.run(machine, &format!("{} {how}'{path}'", print(text)));
            (ran.status != 0).then(|| format!("{page}: {path}: {}", ran.printed))
        }
        Step::Check { line, machine, text } => {
            let ask = format!("{} >checked.conf; pen --check -F checked.conf 8080", print(text));
            let ran = machines.run(machine, &ask);
            (ran.status != 0).then(|| format!("{page}:{line}: {}", ran.printed))
        }
        Step::NotRun { .. } => None,
    }
}

/// What prints a text.
fn print(text: &str) -> String {
    format!("printf '%s' '{}'", text.replace('\'', "'\\''"))
}

fn type_in(page: &str, command: &Command, machines: &mut Machines) -> Option<String> {
    let end = Instant::now() + scaled(PATIENCE);
    loop {
        let ran = machines.run(&command.machine, &command.text);
        let wrong = wrong(command, &ran);
        if wrong.is_some() && command.eventually && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        // Seen when the test fails, or with --nocapture: what a reader of the page would see.
        println!("{}:{}# {}\n{}", command.line, command.machine, command.text, ran.printed);
        return wrong.map(|wrong| {
            let expected = command.expected.join("\n");
            format!(
                "{page}:{}: on {}: {}: {wrong}\nprinted (status {}):\n{}\nthe page says:\n{expected}\n",
                command.line, command.machine, command.text, ran.status, ran.printed,
            )
        });
    }
}

/// What is not as the page says.
fn wrong(command: &Command, ran: &Ran) -> Option<&'static str> {
    let printed: Vec<&str> = ran.printed.lines().collect();
    if (ran.status != 0) != command.fails {
        return Some("it has another status");
    }
    (!agrees(&command.expected, &printed)).then_some("it prints something else")
}

#[test]
fn every_page_is_followed() {
    let subjects = ["hardening", "migration", "state", "tls", "tls-routing", "udp", "upgrade"];
    let mut found: Vec<String> = subjects.iter().map(|name| format!("docs/{name}.md")).collect();
    found.push("README.md".to_owned());
    for folder in ["docs/guides", "docs/examples"] {
        let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
        let names = entries.flatten().map(|e| format!("{folder}/{}", e.file_name().display()));
        found.extend(names.filter(|n| n.ends_with(".md")));
    }
    found.sort();
    let mut followed = PAGES.to_vec();
    followed.sort_unstable();
    assert_eq!(found, followed);
}

#[test]
fn manuals_are_clean() {
    if std::env::var_os("PEN_PEERS").is_none() {
        println!("skipped: PEN_PEERS is not set, mandoc and man are not looked for");
        return;
    }
    let pages: Vec<PathBuf> = std::fs::read_dir(root().join("docs/man"))
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(pages.len() >= 6, "{pages:?}");
    for page in pages {
        for words in [&["mandoc", "-T", "lint"][..], &["man", "-l", "--warnings"]] {
            let mut tool = std::process::Command::new(words[0]);
            tool.args(&words[1..]).arg(&page).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
            let output = tool.output().unwrap_or_else(|e| panic!("{}: {e}", words[0]));
            let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
            let found = match words[0] {
                "mandoc" => String::from_utf8_lossy(&output.stdout).into_owned() + &complaints,
                _ => complaints,
            };
            assert!(output.status.success() && found.is_empty(), "{}: {found}", page.display());
        }
    }
}
