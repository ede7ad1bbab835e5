//! The programs of a release, their hashes and the bill of materials: the same bytes wherever they are
//! built.
//!
//! What would tell where it was built is mapped away, in Rust and in C; the compiler is the one of
//! [`TOOLCHAIN`]. `again` builds the committed files twice in places of their own and compares.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sbom;

/// Names the compiler of releases; for rustup too, in its folder.
const TOOLCHAIN: &str = include_str!("../../dist/release/rust-toolchain.toml");
/// What is handed out.
pub const PROGRAMS: [&str; 5] = ["pen", "penctl", "penlog", "penlogd", "mergelogs"];
/// Packages that make them.
const PACKAGES: [&str; 2] = ["pen", "pen-tools"];
/// The word by which tests ask for defects: a release does not know it.
const HOOK: &[u8] = b"PEN_TEST_FAULT";

/// How programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As a release.
    Release,
    /// As for tests: what is built already need not be built again.
    Dev,
}

/// Builds the programs for a package. Answers where they are.
pub fn programs(root: &Path, profile: Profile) -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = root.join(target.unwrap_or_else(|| "target".into()));
    match profile {
        Profile::Release => {
            compile(root, &target)?;
            Ok(target.join("release"))
        }
        Profile::Dev => {
            let mut command = cargo();
            command.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
            run(command.current_dir(root))?;
            Ok(target.join("debug"))
        }
    }
}

/// Builds into `target/dist`. Answers what is wrong.
pub fn build(root: &Path) -> Vec<String> {
    let target = root.join("target");
    let done = right_compiler()
        .and_then(|()| compile(root, &target))
        .and_then(|()| collect(root, &target.join("release"), &target.join("dist")));
    done.err().into_iter().collect()
}

/// Builds what is committed in two places. Answers where they differ.
pub fn again(root: &Path) -> Vec<String> {
    let places = ["one", "another-place/deeper"].map(|name| root.join("target/twice").join(name));
    let built: Result<Vec<Vec<String>>, String> =
        places.iter().map(|place| once(root, place)).collect();
    match built.as_deref() {
        Ok([one, other]) if one == other => {
            println!("{}", one.join("\n"));
            Vec::new()
        }
        Ok(differ) => vec![format!("the two builds differ: {differ:#?}")],
        Err(why) => vec![why.clone()],
    }
}

fn once(root: &Path, place: &Path) -> Result<Vec<String>, String> {
    right_compiler()?;
    let fault = |e: std::io::Error| format!("{}: {e}", place.display());
    if place.exists() {
        fs::remove_dir_all(place).map_err(fault)?;
    }
    fs::create_dir_all(place).map_err(fault)?;
    let unpack = format!("git archive HEAD | tar -x -C '{}'", place.display());
    run(Command::new("sh").args(["-ec", &unpack]).current_dir(root))?;
    compile(place, &place.join("target"))?;
    hashes(&place.join("target/release"))
}

/// Whether this is the compiler of releases.
pub fn right_compiler() -> Result<(), String> {
    let output =
        Command::new("rustc").arg("--version").output().map_err(|e| format!("rustc: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let pinned = pinned().ok_or("dist/release/rust-toolchain.toml names no channel")?;
    if said.split_whitespace().nth(1) == Some(pinned) {
        return Ok(());
    }
    let said = said.trim();
    Err(format!(
        "releases are built by rustc {pinned}, this is {said}: in dist/release rustup takes the right one"
    ))
}

/// The version of the compiler of releases.
fn pinned() -> Option<&'static str> {
    let value = |line: &'static str| line.strip_prefix("channel = \"")?.strip_suffix('"');
    TOOLCHAIN.lines().find_map(value)
}

fn compile(source: &Path, target: &Path) -> Result<(), String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
        .ok_or("neither CARGO_HOME nor HOME is set")?;
    let places = [(source, "/pen"), (home.as_path(), "/cargo")];
    let flags = |option: &str| {
        let one = |(from, to): &(&Path, &str)| format!("{option}={}={to}", from.display());
        places.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--bins"]);
    command
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
        .current_dir(source)
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", flags("--remap-path-prefix"))
        .env("CFLAGS", flags("-ffile-prefix-map"))
        .env("SOURCE_DATE_EPOCH", "0");
    run(&mut command)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// What `command` prints; its own words are the error if it fails.
pub fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let (said, failed) = (text(&output.stdout), text(&output.stderr));
    Err(format!("{command:?}: {}\n{said}{failed}", output.status))
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(e) => Err(format!("{command:?}: {e}")),
    }
}

/// A line for each program, as `sha256sum` has it.
fn hashes(release: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("sha256sum").args(PROGRAMS).current_dir(release).output();
    let output = output.map_err(|e| format!("sha256sum: {e}"))?;
    if !output.status.success() {
        return Err(format!("sha256sum: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn collect(root: &Path, release: &Path, dist: &Path) -> Result<(), String> {
    let fault = |e: std::io::Error| format!("{}: {e}", dist.display());
    fs::create_dir_all(dist).map_err(fault)?;
    for program in PROGRAMS {
        let bytes = fs::read(release.join(program)).map_err(fault)?;
        if bytes.windows(HOOK.len()).any(|window| window == HOOK) {
            return Err(format!("{program} has defects on demand: it is no release"));
        }
        fs::copy(release.join(program), dist.join(program)).map_err(fault)?;
    }
    let sums = hashes(release)?.join("\n") + "\n";
    print!("{sums}");
    fs::write(dist.join("SHA256SUMS"), sums).map_err(fault)?;
    fs::write(dist.join("sbom.cdx.json"), sbom::make(root)?).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_of_releases_is_one_version_that_may_build_it() {
        let manifest = include_str!("../../Cargo.toml");
        let least = manifest.lines().find_map(|l| l.strip_prefix("rust-version = "));
        let parts = |text: &str| -> Vec<u32> {
            text.trim_matches('"').split('.').map(|part| part.parse().unwrap()).collect()
        };
        let (pinned, least) = (parts(pinned().unwrap()), parts(least.unwrap()));
        assert_eq!(pinned.len(), 3, "a channel moves on");
        assert!(pinned >= least, "{pinned:?} is older than {least:?}");
    }
}
