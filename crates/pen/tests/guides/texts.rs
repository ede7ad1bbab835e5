//! What holds for the texts of the documentation without running anything: links lead somewhere,
//! differences have reasons, pages are in the index.

use std::path::{Path, PathBuf};

use crate::root;

/// All pages of the repository.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"]
            .iter()
            .map(|name| root().join(name))
            .collect();
    pages.extend(below(&root().join("docs")));
    pages.push(root().join("bench/README.md"));
    pages
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The anchor that a heading gets in a browser.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Whether a page has a heading for the anchor.
fn has(page: &Path, wanted: &str) -> bool {
    text(page)
        .lines()
        .any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == wanted)
}

#[test]
fn every_link_leads_somewhere() {
    let (mut links, mut wrong) = (0, Vec::new());
    for page in pages() {
        let folder = page.parent().expect("a file lies in a folder");
        for rest in text(&page).split("](").skip(1) {
            let target = rest.split([')', '\n', ' ']).next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            links += 1;
            let (file, part) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() { page.clone() } else { folder.join(file) };
            if !there.exists() || (!part.is_empty() && !has(&there, part)) {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(links > 50, "{links} links");
}

#[test]
fn every_difference_has_a_reason() {
    let page = text(&root().join("docs/migration.md"));
    let tables = page.split("\n\n").filter(|part| part.starts_with("| The classic |"));
    let rows: Vec<&str> = tables.flat_map(str::lines).collect();
    assert!(rows.len() > 80, "{} rows", rows.len());
    for row in rows {
        // A bar in a command is written \|.
        let cells: Vec<String> =
            row.replace("\\|", "/").split('|').map(|c| c.trim().into()).collect();
        assert!(cells.len() == 5 && cells[1..4].iter().all(|c| !c.is_empty()), "{row}");
    }
}

#[test]
fn every_page_is_in_the_index() {
    let index = text(&root().join("docs/README.md"));
    for page in below(&root().join("docs")) {
        let name = page.strip_prefix(root().join("docs")).expect("it lies there").display();
        let name = name.to_string();
        // Examples are read in the manuals.
        if name != "README.md" && !name.starts_with("examples/") {
            assert!(index.contains(&format!("]({name})")), "docs/README.md does not name {name}");
        }
    }
}
