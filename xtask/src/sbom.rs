//! The bill of materials: every crate that is in the programs or builds them, as CycloneDX JSON.
//!
//! Made from what cargo says of the locked dependencies and from `Cargo.lock` (the hashes). The same
//! sources give the same bytes: there is no time and no random number in it. Deliberately not here:
//! crates that only tests need, and those of other systems than Linux.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// The packages that make programs.
const PROGRAMS: [&str; 2] = ["pen", "pen-tools"];
/// Their name as a whole.
const NAME: &str = "pen";
/// What they run on, as `cargo metadata` and `cargo tree` take it.
const TARGET: (&str, &str) =
    ("--filter-platform=x86_64-unknown-linux-gnu", "--target=x86_64-unknown-linux-gnu");

/// The text of the bill.
///
/// # Errors
/// A sentence: cargo cannot tell, or tells nonsense.
pub fn make(root: &Path) -> Result<String, String> {
    let (metadata, tree) = inquire(root)?;
    let lock =
        std::fs::read_to_string(root.join("Cargo.lock")).map_err(|e| format!("Cargo.lock: {e}"))?;
    let bill =
        bill(&metadata, &wanted(&tree), &checksums(&lock)).ok_or("cargo metadata lacks a part")?;
    let mut text = serde_json::to_string_pretty(&bill).map_err(|e| e.to_string())?;
    text.push('\n');
    Ok(text)
}

/// A library that is in the programs or builds them.
pub struct Library {
    /// Its name and version.
    pub name: String,
    /// Under which terms it may be used.
    pub licence: String,
    /// Where its sources are.
    pub directory: PathBuf,
}

/// All of them but those of Pen itself.
///
/// # Errors
/// As [`make`].
pub fn libraries(root: &Path) -> Result<Vec<Library>, String> {
    let (metadata, tree) = inquire(root)?;
    let wanted = wanted(&tree);
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lacks packages")?;
    let library = |package: &Value| {
        let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
        // What is of Pen itself comes from no registry.
        let other = package["source"].as_str().is_some() && wanted.contains(&(name, version));
        other.then(|| Library {
            name: format!("{name} {version}"),
            licence: package["license"].as_str().unwrap_or("see its text").to_owned(),
            directory: Path::new(package["manifest_path"].as_str().unwrap_or_default())
                .parent()
                .unwrap_or(root)
                .to_owned(),
        })
    };
    Ok(packages.iter().filter_map(library).collect())
}

/// What cargo says of all packages, and which the programs need.
fn inquire(root: &Path) -> Result<(Value, String), String> {
    let metadata =
        serde_json::from_str(&cargo(root, &["metadata", "--format-version=1", TARGET.0])?)
            .map_err(|e| format!("cargo metadata: {e}"))?;
    let tree = ["tree", "--edges=normal,build", "--prefix=none", "--format={p}", TARGET.1];
    let packages = PROGRAMS.iter().flat_map(|package| ["--package", package]);
    let tree = cargo(root, &tree.into_iter().chain(packages).collect::<Vec<_>>())?;
    Ok((metadata, tree))
}

fn cargo(root: &Path, words: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(words)
        .arg("--locked")
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo {words:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo {words:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("cargo {words:?}: {e}"))
}

/// Names and versions of a tree. The metadata also has packages that features leave out.
fn wanted(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name, rest.split_whitespace().next().unwrap_or_default()))
        .collect()
}

/// SHA-256 by name and version, of the packages that have one.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
    };
    lock.split("[[package]]")
        .filter_map(|block| {
            let key = (value(block, "name")?, value(block, "version")?);
            Some((key, value(block, "checksum")?))
        })
        .collect()
}

fn bill(
    metadata: &Value,
    wanted: &BTreeSet<(&str, &str)>,
    checksums: &BTreeMap<(String, String), String>,
) -> Option<Value> {
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()?
        .iter()
        .filter(|p| {
            let (name, version) = (p["name"].as_str(), p["version"].as_str());
            name.zip(version).is_some_and(|package| wanted.contains(&package))
        })
        .filter_map(|p| Some((p["id"].as_str()?, p)))
        .collect();
    let graph = graph(metadata, &packages)?;
    let roots: Vec<&str> = packages
        .iter()
        .filter(|(_, p)| p["name"].as_str().is_some_and(|name| PROGRAMS.contains(&name)))
        .map(|(id, _)| *id)
        .collect();
    let needed = reached(&roots, &graph);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in &needed {
        let package = packages.get(id)?;
        components.push(component(package, checksums)?);
        let on: BTreeSet<String> = graph
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|id| reference(packages.get(id)?))
            .collect();
        dependencies.push(json!({ "ref": reference(package)?, "dependsOn": on }));
    }
    let version = packages.get(roots.first()?)?["version"].as_str()?;
    let all: BTreeSet<String> =
        roots.iter().filter_map(|id| reference(packages.get(id)?)).collect();
    let whole = format!("{NAME}-{version}");
    dependencies.push(json!({ "ref": whole, "dependsOn": all }));
    Some(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": whole, "name": NAME, "version": version,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Who needs whom, to run or to be built.
fn graph<'a>(
    metadata: &'a Value,
    packages: &BTreeMap<&str, &Value>,
) -> Option<BTreeMap<&'a str, Vec<&'a str>>> {
    let needed = |dep: &&Value| {
        let kinds = dep["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|k| k["kind"].as_str() != Some("dev")))
    };
    let nodes = metadata["resolve"]["nodes"].as_array()?.iter();
    nodes
        .map(|node| {
            let deps = node["deps"].as_array()?.iter().filter(needed);
            let deps = deps.filter_map(|d| d["pkg"].as_str());
            let deps = deps.filter(|id| packages.contains_key(id)).collect();
            Some((node["id"].as_str()?, deps))
        })
        .collect()
}

/// Everything that `roots` need, and they themselves.
fn reached<'a>(roots: &[&'a str], graph: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = roots.to_vec();
    while let Some(id) = next.pop() {
        if found.insert(id) {
            next.extend(graph.get(id).into_iter().flatten());
        }
    }
    found
}

/// What a package is called in the bill: its package URL.
fn reference(package: &Value) -> Option<String> {
    Some(format!("pkg:cargo/{}@{}", package["name"].as_str()?, package["version"].as_str()?))
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Option<Value> {
    let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
    let purl = reference(package)?;
    let mut component = json!({
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
    });
    if let Some(license) = package["license"].as_str() {
        // What some old packages write for OR.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(sum) = checksums.get(&(name.to_owned(), version.to_owned())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    Some(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_is_whole_and_the_same_each_time() {
        let root = crate::root();
        let text = make(&root).unwrap();
        assert_eq!(text, make(&root).unwrap());
        let bill: Value = serde_json::from_str(&text).unwrap();
        let components = bill["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|c| c["name"] == name);
        let rustls = named("rustls").unwrap();
        assert_eq!(rustls["hashes"][0]["content"].as_str().unwrap().len(), 64);
        assert!(rustls["licenses"][0]["expression"].as_str().unwrap().contains("MIT"));
        for absent in ["ring", "proptest", "windows-sys", "pen-test", "rcgen"] {
            assert!(named(absent).is_none(), "{absent} is in no program");
        }
        let known: BTreeSet<&str> =
            components.iter().map(|c| c["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(known.len(), components.len(), "each once");
        for dependency in bill["dependencies"].as_array().unwrap() {
            for on in dependency["dependsOn"].as_array().unwrap() {
                assert!(known.contains(on.as_str().unwrap()), "{on} is listed");
            }
        }
        for component in
            components.iter().filter(|c| !c["name"].as_str().unwrap().starts_with("pen"))
        {
            assert!(!component["hashes"].is_null(), "{component} can be compared");
        }
    }
}
