//! `cargo xtask release VERSION`: from a clean tree to a tag and everything that is handed out for it.
//!
//! First everything that can be wrong is looked at; `--dry-run` ends there and says what would be done.
//! Then version and date are set, committed and tagged, and `target/dist` is filled: the source archive,
//! the programs, the bill of materials, their hashes. Nothing is pushed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::version::{self, Version};
use crate::{programs, sbom};

#[cfg(test)]
mod tests;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    version: Version,
    dry_run: bool,
    /// The tag is signed.
    sign: bool,
    /// The sources of the dependencies go with ours.
    vendored: bool,
    /// Without programs: whoever builds packages from the archive needs none.
    source_only: bool,
}

impl Wish {
    /// From the words behind `release`.
    pub fn read(words: &[&str]) -> Result<Self, String> {
        let mut version = None;
        let (mut dry_run, mut sign, mut vendored, mut source_only) = (false, false, false, false);
        for word in words {
            match *word {
                "--dry-run" => dry_run = true,
                "--sign" => sign = true,
                "--vendored" => vendored = true,
                "--source-only" => source_only = true,
                word if word.starts_with('-') => {
                    return Err(format!("release: '{word}' is unknown"));
                }
                word if version.is_none() => version = Some(Version::read(word)?),
                word => return Err(format!("release: '{word}' is a word too many")),
            }
        }
        let version = version.ok_or("release: which version?")?;
        Ok(Self { version, dry_run, sign, vendored, source_only })
    }

    fn tag(&self) -> String {
        format!("v{}", self.version)
    }

    fn name(&self) -> String {
        format!("pen-{}", self.version)
    }
}

/// What prints the manuals knows their day.
const PRINTER: &str = "xtask/src/man/roff.rs";

/// A file with what it will hold.
type Edit = (PathBuf, String);

/// Makes a release. Answers what is wrong.
pub fn make(root: &Path, wish: &Wish) -> Vec<String> {
    let done = prepare(root, wish).and_then(|edits| match wish.dry_run {
        true => {
            say_plan(root, wish, &edits);
            Ok(())
        }
        false => perform(root, wish, &edits),
    });
    done.err().into_iter().collect()
}

/// Looks at everything that can be wrong, and makes the texts of the new version.
fn prepare(root: &Path, wish: &Wish) -> Result<Vec<Edit>, String> {
    let changed = git(root, &["status", "--porcelain"])?;
    if !changed.is_empty() {
        return Err(format!("the tree is not clean:\n{changed}"));
    }
    let tag = wish.tag();
    if git(root, &["rev-parse", "--quiet", "--verify", &format!("refs/tags/{tag}")]).is_ok() {
        return Err(format!("there is a tag {tag} already"));
    }
    if !wish.source_only {
        programs::right_compiler()?;
    }
    let read = |name: &str| fs::read_to_string(root.join(name)).map_err(|e| format!("{name}: {e}"));
    let manifest = read("Cargo.toml")?;
    let old = version::of_manifest(&manifest)?;
    let repeats = old == wish.version && !read("CHANGELOG.md")?.contains(&format!("\n## {old} "));
    if wish.version <= old && !repeats {
        return Err(format!("{} does not come after {old}", wish.version));
    }
    let names = members(root)?;
    let lock = |name: &str| {
        let text = version::lock(&read(name)?, &names, old, wish.version);
        Ok::<_, String>((name.into(), text))
    };
    let date = today()?;
    let changes = version::changes(&read("CHANGELOG.md")?, wish.version, &date)?;
    let mut edits: Vec<Edit> = vec![
        ("Cargo.toml".into(), version::manifest(&manifest, wish.version)?),
        lock("Cargo.lock")?,
        lock("fuzz/Cargo.lock")?,
        ("CHANGELOG.md".into(), changes),
        (PRINTER.into(), version::printer(&read(PRINTER)?, &date)?),
    ];
    for name in git(root, &["ls-files", "docs/man"])?.lines() {
        let made = version::page(&read(name)?, old, wish.version, &date);
        edits.push((name.into(), made.map_err(|why| format!("{name}: {why}"))?));
    }
    Ok(edits)
}

fn say_plan(root: &Path, wish: &Wish, edits: &[Edit]) {
    println!("nothing is done; a release of {} would", wish.version);
    for (name, text) in edits {
        let before = fs::read_to_string(root.join(name)).unwrap_or_default();
        let old: Vec<&str> = before.lines().collect();
        let count = text.lines().filter(|line| !old.contains(line)).count();
        println!("  change {} ({count} lines that are not there)", name.display());
    }
    println!("  commit that as 'Release {}'", wish.version);
    println!("  make the {} tag {}", if wish.sign { "signed" } else { "annotated" }, wish.tag());
    for name in products(wish) {
        println!("  make target/dist/{name}");
    }
}

/// The files that are handed out.
fn products(wish: &Wish) -> Vec<String> {
    let mut all = vec![format!("{}.tar.gz", wish.name())];
    if wish.vendored {
        all.push(format!("{}-vendored.tar.gz", wish.name()));
    }
    if !wish.source_only {
        all.extend(programs::PROGRAMS.map(str::to_owned));
    }
    all.push("sbom.cdx.json".to_owned());
    all.push("SHA256SUMS".to_owned());
    all
}

fn perform(root: &Path, wish: &Wish, edits: &[Edit]) -> Result<(), String> {
    for (name, text) in edits {
        fs::write(root.join(name), text).map_err(|e| format!("{}: {e}", name.display()))?;
    }
    let undo = |why: String| format!("{why}\n'git checkout .' undoes what was changed");
    // The lock is what cargo would write.
    cargo(root, &["metadata", "--locked", "--format-version=1"]).map_err(undo)?;
    git(root, &["commit", "--quiet", "--all", "--message", &format!("Release {}", wish.version)])
        .map_err(undo)?;
    let (tag, kind) = (wish.tag(), if wish.sign { "--sign" } else { "--annotate" });
    let name = wish.name();
    let undo = |why: String| {
        format!("{why}\n'git tag -d {tag}; git reset --hard HEAD~' undoes the commit and the tag")
    };
    git(root, &["tag", kind, "--message", &name, &tag]).map_err(undo)?;
    fill(root, wish).map_err(undo)?;
    println!("{tag} is there; nothing is pushed: 'git push --follow-tags' does that");
    Ok(())
}

/// Fills `target/dist` from the tag.
fn fill(root: &Path, wish: &Wish) -> Result<(), String> {
    let dist = root.join("target/dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).map_err(|e| format!("{}: {e}", dist.display()))?;
    }
    fs::create_dir_all(&dist).map_err(|e| format!("{}: {e}", dist.display()))?;
    if !wish.source_only
        && let Some(why) = programs::build(root).into_iter().next()
    {
        return Err(why);
    }
    let (tag, name) = (wish.tag(), wish.name());
    archive(root, &tag, &name, &dist.join(format!("{name}.tar.gz")))?;
    if wish.vendored {
        vendored(root, &tag, &name, &dist.join(format!("{name}-vendored.tar.gz")))?;
    }
    let bill = sbom::make(root)?;
    fs::write(dist.join("sbom.cdx.json"), bill).map_err(|e| format!("sbom.cdx.json: {e}"))?;
    let summed: Vec<String> = products(wish).into_iter().filter(|n| n != "SHA256SUMS").collect();
    let sums = programs::said(Command::new("sha256sum").args(&summed).current_dir(&dist))?;
    print!("{sums}");
    fs::write(dist.join("SHA256SUMS"), sums).map_err(|e| format!("SHA256SUMS: {e}"))
}

/// What is committed, the same bytes each time: git takes times from the commit, gzip none.
fn archive(root: &Path, tag: &str, name: &str, to: &Path) -> Result<(), String> {
    let script = r#"git archive --format=tar --prefix="$2/" "$1" >"$3.tar" && gzip -9n "$3.tar" && mv "$3.tar.gz" "$3""#;
    shell(root, script, &[tag, name, &to.display().to_string()])
}

/// The same with the sources of the dependencies, and the settings by which cargo takes those: it must find
/// all of them without a network.
fn vendored(root: &Path, tag: &str, name: &str, to: &Path) -> Result<(), String> {
    let script = r#"
        stage=$(mktemp -d) && trap 'rm -rf "$stage"' EXIT
        git archive --format=tar --prefix="$2/" "$1" | tar -x -C "$stage"
        time=$(git log -1 --format=%ct "$1^{commit}")
        cd "$stage/$2"
        mkdir -p .cargo
        cargo vendor --locked --versioned-dirs vendor >"$stage/settings"
        cp "$stage/settings" .cargo/config.toml
        CARGO_HOME="$stage/home" cargo metadata --offline --locked --format-version=1 >"$stage/told"
        cd ..
        tar --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --mode=go-w \
            --format=gnu -cf archive.tar "$2"
        gzip -9n archive.tar && mv archive.tar.gz "$3""#;
    shell(root, script, &[tag, name, &to.display().to_string()])
}

fn shell(root: &Path, script: &str, words: &[&str]) -> Result<(), String> {
    programs::said(Command::new("sh").args(["-euc", script, "sh"]).args(words).current_dir(root))
        .map(drop)
}

/// The packages of the workspace.
fn members(root: &Path) -> Result<Vec<String>, String> {
    let said = cargo(root, &["metadata", "--no-deps", "--format-version=1"])?;
    let said: Value = serde_json::from_str(&said).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = said["packages"].as_array().ok_or("cargo metadata names no packages")?;
    Ok(packages.iter().filter_map(|p| p["name"].as_str()).map(str::to_owned).collect())
}

/// The day in UTC.
fn today() -> Result<String, String> {
    Ok(programs::said(Command::new("date").args(["-u", "+%F"]))?.trim().to_owned())
}

fn git(root: &Path, words: &[&str]) -> Result<String, String> {
    programs::said(Command::new("git").args(words).current_dir(root))
}

fn cargo(root: &Path, words: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    programs::said(Command::new(cargo).args(words).current_dir(root))
}
