//! The licences of what others wrote and the programs contain, as those licences want it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::sbom;

/// How files with licences begin, in capitals.
const NAMES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT"];

/// Each library with its licence, and each text of a licence once, with who has it.
pub fn make(root: &Path) -> Result<String, String> {
    let mut text = String::from("Libraries of others that the programs of Pen contain.\n\n");
    let mut licences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for library in sbom::libraries(root)? {
        let sbom::Library { name, licence, directory } = &library;
        let _ = writeln!(text, "{name}: {licence}");
        for licence in texts(directory) {
            licences.entry(licence).or_default().push(name.clone());
        }
    }
    for (licence, of) in &licences {
        let _ = write!(text, "\n{}\n{}:\n\n{licence}\n", "-".repeat(78), of.join(", "));
    }
    Ok(text)
}

fn texts(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().to_uppercase();
            NAMES.iter().any(|start| name.starts_with(start))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.iter().filter_map(|path| fs::read_to_string(path).ok()).map(|t| t.trim().into()).collect()
}
