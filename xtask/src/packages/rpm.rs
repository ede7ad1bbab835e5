//! Packages for Fedora and openSUSE, made by rpmbuild.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::layout::{self, Places};
use super::{Wanted, commit_date, stage};
use crate::programs::{self, Profile};

const fn places(docs: &'static str) -> Places {
    Places { units: "usr/lib/systemd/system", zsh: "usr/share/zsh/site-functions", docs }
}

/// Makes it in `target/packages`. Answers the files.
pub fn make(root: &Path, wanted: &Wanted) -> Result<Vec<PathBuf>, String> {
    let opensuse = wanted.family == "opensuse";
    let docs = if opensuse { "usr/share/doc/packages/pen" } else { "usr/share/doc/pen" };
    let name = format!("rpm-{}", wanted.family);
    let stage = stage(root, &name, &places(docs), wanted.profile)?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let there = stage.join("root/usr/share/licenses/pen").join(licence);
        layout::place(&root.join(licence), &there, 0o644)?;
    }
    let changes = stage.join("root").join(docs).join("CHANGELOG.md");
    layout::place(&root.join("CHANGELOG.md"), &changes, 0o644)?;
    let date = commit_date(root, "%ct")?;
    let mut build = Command::new("rpmbuild");
    build.args(["-bb", "--quiet"]).arg(root.join("dist/rpm/pen.spec"));
    build.args(["--define", &format!("_topdir {}", stage.display())]);
    build.args(["--define", &format!("pen_root {}", stage.join("root").display())]);
    build.args(["--define", &format!("pen_version {}", env!("CARGO_PKG_VERSION"))]);
    build.args(["--define", &format!("pen_release {}", wanted.revision)]);
    // "Sat, 21 Nov 2026 12:00:00 +0000" is "Sat Nov 21 2026" here.
    let day = commit_date(root, "%cd")?;
    let words: Vec<&str> = day.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [weekday, day, month, year, ..] = words.as_slice() else {
        return Err(format!("no date: {day}"));
    };
    build.args(["--define", &format!("pen_date {weekday} {month} {day:0>2} {year}")]);
    build.args(["--define", &format!("pen_docs /{docs}")]);
    build.args(["--define", "use_source_date_epoch_as_buildtime 1"]);
    // What every rpm reads that has these distributions' layout.
    let payload = if wanted.profile == Profile::Release { "w19" } else { "w1" };
    build.args(["--define", &format!("_binary_payload {payload}.zstdio")]);
    build.args(["--define", "_buildhost pen"]);
    if opensuse {
        build.args(["--define", "suse_version 1600"]);
    } else {
        build.args(["--define", "fedora 43"]);
    }
    build.env("SOURCE_DATE_EPOCH", date.trim());
    programs::said(&mut build)?;
    let machine = std::env::consts::ARCH;
    let version = env!("CARGO_PKG_VERSION");
    let made = stage.join("RPMS").join(machine);
    Ok(vec![made.join(format!("pen-{version}-{}.{machine}.rpm", wanted.revision))])
}
