//! A release of a clone, in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Wish, archive, git, make};
use crate::programs::said as output;
use crate::version::{self, Version};

/// Removed when dropped.
struct Clone(PathBuf);

impl Drop for Clone {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A clone of what is committed; none where this is no repository.
fn clone(name: &str) -> Option<Clone> {
    let root = crate::root();
    if git(&root, &["rev-parse", "--verify", "HEAD"]).is_err() {
        println!("skipped: this is no repository of git");
        return None;
    }
    let path = std::env::temp_dir().join(format!("pen-release-{name}-{}", std::process::id()));
    let clone = Clone(path);
    let to = clone.0.display().to_string();
    let from = root.display().to_string();
    git(&root, &["clone", "--quiet", "--no-hardlinks", &from, &to]).expect("git clones");
    for (key, value) in [("user.name", "Tester"), ("user.email", "tester@example.org")] {
        git(&clone.0, &["config", key, value]).expect("git takes settings");
    }
    Some(clone)
}

/// The version after the one there is.
fn next(root: &Path) -> String {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("it is there");
    let now = version::of_manifest(&manifest).expect("it has one").to_string();
    let (rest, patch) = now.rsplit_once('.').expect("three numbers");
    format!("{rest}.{}", patch.parse::<u32>().expect("a number") + 1)
}

fn wish(words: &[&str]) -> Wish {
    Wish::read(words).expect("good words")
}

fn head(root: &Path) -> String {
    git(root, &["rev-parse", "HEAD"]).expect("a commit")
}

#[test]
fn words_are_understood_or_refused() {
    for words in [&[][..], &["--dry-run"], &["1.2"], &["1.2.3", "1.2.4"], &["1.2.3", "--quick"]] {
        assert!(Wish::read(words).is_err(), "{words:?}");
    }
    let wish = wish(&["--sign", "1.2.3", "--vendored"]);
    assert!(wish.sign && wish.vendored && !wish.dry_run && !wish.source_only);
    assert_eq!(wish.version, Version::read("1.2.3").expect("a version"));
}

#[test]
fn a_dry_run_touches_nothing_and_what_is_wrong_is_said() {
    let Some(clone) = clone("dry") else { return };
    let (root, version) = (clone.0.as_path(), next(&clone.0));
    let before = head(root);
    let found = make(root, &wish(&[&version, "--dry-run", "--source-only"]));
    assert_eq!(found, Vec::<String>::new());
    let found = make(root, &wish(&["0.0.1", "--source-only"]));
    assert!(found[0].contains("does not come after"), "{found:?}");
    git(root, &["tag", &format!("v{version}")]).expect("a tag");
    let found = make(root, &wish(&[&version, "--source-only"]));
    assert!(found[0].contains("already"), "{found:?}");
    assert_eq!(git(root, &["status", "--porcelain", "--ignored"]).as_deref(), Ok(""));
    fs::write(root.join("new.txt"), "x").expect("ours");
    let found = make(root, &wish(&[&version, "--source-only"]));
    assert!(found[0].contains("not clean") && found[0].contains("new.txt"), "{found:?}");
    assert_eq!(head(root), before);
}

#[test]
fn a_clone_is_released() {
    let Some(clone) = clone("made") else { return };
    let (root, version) = (clone.0.as_path(), next(&clone.0));
    let before = head(root);
    let found = make(root, &wish(&[&version, "--source-only"]));
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(git(root, &["status", "--porcelain"]).as_deref(), Ok(""));
    assert_eq!(git(root, &["rev-parse", "HEAD~"]), Ok(before));
    let tag = format!("v{version}");
    let kind = git(root, &["cat-file", "-t", &tag]);
    assert_eq!(kind.as_deref(), Ok("tag\n"), "an annotated one");
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("it is there");
    assert_eq!(version::of_manifest(&read("Cargo.toml")).expect("one").to_string(), version);
    assert!(read("CHANGELOG.md").contains(&format!("## Unreleased\n\n## {version} (20")));
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let entry = format!("name = \"pen-core\"\nversion = \"{version}\"\n");
        assert!(read(lock).contains(&entry), "{lock}");
    }
    assert!(read("docs/man/pen.1").contains(&format!(" \"pen {version}\" ")));
    let dist = root.join("target/dist");
    output(std::process::Command::new("sha256sum").arg("-c").arg("SHA256SUMS").current_dir(&dist))
        .expect("the sums are right");
    let sums = fs::read_to_string(dist.join("SHA256SUMS")).expect("sums");
    let name = format!("pen-{version}");
    assert!(sums.contains(&format!("  {name}.tar.gz\n")) && sums.contains("  sbom.cdx.json\n"));
    // The same again, byte for byte.
    let (first, again) = (dist.join(format!("{name}.tar.gz")), root.join("target/again.tar.gz"));
    archive(root, &tag, &name, &again).expect("once more");
    assert_eq!(fs::read(&first).ok(), fs::read(&again).ok());
    let list = output(std::process::Command::new("tar").arg("-tzf").arg(&first)).expect("a list");
    for file in ["Cargo.lock", "crates/pen/src/main.rs", "dist/ocsp/pen-ocsp-refresh"] {
        assert!(list.contains(&format!("\n{name}/{file}\n")), "{file}");
    }
    assert!(!list.contains("/.git/") && list.lines().all(|l| l.starts_with(&format!("{name}/"))));
}
