//! House rules that a machine can check. They run as a test and as `cargo xtask tidy`.
//!
//! What clippy and the compiler can check (lints, long functions, missing docs) is not here.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, tests apart.
const LINES_MAX: usize = 800;
/// Words that have a better one here: server, service.
const BANNED_WORDS: [&str; 4] = ["backend", "backends", "upstream", "upstreams"];
/// Places where one of them is another program's own word.
const FOREIGN_WORDS: [(&str, &str); 3] = [
    // A keyword of nginx's configuration.
    ("faults/src/settings.rs", "upstream"),
    ("bench/src/settings.rs", "upstream"),
    ("bench/src/udp/settings.rs", "upstream"),
];
/// Names that say nothing about what is inside.
const BANNED_MODULES: [&str; 6] = ["utils", "util", "helpers", "common", "manager", "misc"];
/// Our own crates that each may know.
const ARROWS: [(&str, &[&str]); 5] = [
    ("pen-core", &[]),
    ("pen-sys", &[]),
    ("pen-tools", &["pen-core", "pen-sys", "pen-test"]),
    ("pen-test", &[]),
    ("pen-fuzz", &["pen-core"]),
];

/// Everything that breaks a rule, one line each, with its file.
pub fn findings(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz", "bench", "faults"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    for file in &files {
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        match fs::read_to_string(file) {
            Ok(text) => source(&name, &text, &mut found),
            Err(error) => found.push(format!("{name}: {error}")),
        }
    }
    arrows(root, &mut found);
    limits(root, &mut found);
    commands(&mut found);
    found.extend(crate::man::check(root));
    found
}

/// Rust files below `folder`; build products are left out.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

fn source(name: &str, text: &str, found: &mut Vec<String>) {
    let path = Path::new(name);
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).and_then(|s| s.to_str());
    let is_test = stem.ends_with("tests") || folder == Some("tests");
    if !text.starts_with("//!") {
        found.push(format!("{name}: does not begin with '//!' and what it is"));
    }
    if !is_test && text.lines().count() > LINES_MAX {
        found.push(format!("{name}: more than {LINES_MAX} lines"));
    }
    if BANNED_MODULES.contains(&stem) || folder.is_some_and(|f| BANNED_MODULES.contains(&f)) {
        found.push(format!("{name}: a module's name says what is inside"));
    }
    let own = name.ends_with("xtask/src/tidy.rs");
    for (n, line) in text.lines().enumerate().filter(|_| !own) {
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let foreign = FOREIGN_WORDS.contains(&(name, word));
            if !foreign && BANNED_WORDS.contains(&word.to_ascii_lowercase().as_str()) {
                found.push(format!("{name}:{}: '{word}' has a better word here", n + 1));
            }
        }
    }
    let is_root = matches!(stem, "main" | "lib") || folder == Some("bin");
    if is_root && !name.contains("pen-sys/") && !text.contains("#![forbid(unsafe_code)]") {
        found.push(format!("{name}: does not forbid unsafe code"));
    }
}

/// Who may know whom.
fn arrows(root: &Path, found: &mut Vec<String>) {
    for (krate, allowed) in ARROWS {
        let name = format!("crates/{krate}/Cargo.toml");
        let Ok(text) = fs::read_to_string(root.join(&name)) else {
            found.push(format!("{name}: cannot be read"));
            continue;
        };
        for line in text.lines().filter(|l| l.starts_with("pen")) {
            let other = line.split(['.', ' ', '=']).next().unwrap_or(line);
            if !allowed.contains(&other) {
                found.push(format!("{name}: {krate} must not know {other}"));
            }
        }
    }
}

/// Each limit says what it is.
fn limits(root: &Path, found: &mut Vec<String>) {
    let name = "crates/pen-core/src/limits.rs";
    let text = fs::read_to_string(root.join(name)).unwrap_or_default();
    let mut before = "";
    let mut seen = 0;
    for line in text.lines() {
        if line.starts_with("pub const") {
            seen += 1;
            if !before.starts_with("///") {
                found.push(format!("{name}: no reason for {line}"));
            }
        }
        before = line;
    }
    if seen == 0 {
        found.push(format!("{name}: no limits found"));
    }
}

fn commands(found: &mut Vec<String>) {
    for spec in pen_core::command::table::all() {
        if spec.help.is_empty() || spec.forms.is_empty() {
            found.push(format!("command '{}': no help or no form", spec.word));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let found = super::findings(&crate::root());
        assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    }

    #[test]
    fn rules_are_noticed() {
        let mut found = Vec::new();
        super::source("crates/x/src/misc.rs", "fn backend() {}\n", &mut found);
        assert_eq!(found.len(), 3, "{found:?}");
        let mut found = Vec::new();
        super::source("crates/x/src/lib.rs", "//! x\n", &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
