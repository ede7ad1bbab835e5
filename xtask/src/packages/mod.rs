//! Packages for Debian and for the distributions of RPM: `cargo xtask deb`, `cargo xtask rpm`.
//!
//! What is installed where is laid out here, once, below one directory; the distributions' own tools
//! (debhelper, rpmbuild) make packages of it, with the descriptions in `dist/debian` and `dist/rpm`. Deliberately
//! not here: what happens when a package is installed, which those tools know best.

mod deb;
mod layout;
mod notices;
mod rpm;

use std::path::{Path, PathBuf};

use crate::programs::{self, Profile};

/// What is asked for.
pub struct Wanted<'a> {
    /// How the programs are built.
    profile: Profile,
    /// Which package of these sources it is, counted from 1.
    revision: u32,
    /// The distribution whose layout is wanted, where there are several.
    family: &'a str,
}

/// Makes the package of `kind`. Answers what is wrong.
pub fn make(root: &Path, kind: &str, words: &[&str]) -> Vec<String> {
    let made = Wanted::read(words).and_then(|wanted| match kind {
        "deb" => deb::make(root, &wanted),
        _ => rpm::make(root, &wanted),
    });
    match made {
        Ok(files) => {
            for file in files {
                println!("{}", file.display());
            }
            Vec::new()
        }
        Err(why) => vec![why],
    }
}

impl<'a> Wanted<'a> {
    fn read(words: &[&'a str]) -> Result<Self, String> {
        let mut wanted = Self { profile: Profile::Release, revision: 1, family: "fedora" };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match (*word, words.next()) {
                ("--profile", Some(&"release")) => wanted.profile = Profile::Release,
                ("--profile", Some(&"dev")) => wanted.profile = Profile::Dev,
                ("--revision", Some(number)) => {
                    wanted.revision =
                        number.parse().map_err(|_| format!("--revision {number}: no number"))?;
                }
                ("--layout", Some(family @ (&"fedora" | &"opensuse"))) => wanted.family = family,
                (word, value) => return Err(format!("{word} {}?", value.unwrap_or(&""))),
            }
        }
        Ok(wanted)
    }
}

/// A fresh directory below `target` with the programs built and everything laid out in its `root`.
fn stage(
    root: &Path,
    name: &str,
    places: &layout::Places,
    profile: Profile,
) -> Result<PathBuf, String> {
    let programs = programs::programs(root, profile)?;
    let stage = root.join("target/packages").join(name);
    let fault = |e: std::io::Error| format!("{}: {e}", stage.display());
    if stage.exists() {
        std::fs::remove_dir_all(&stage).map_err(fault)?;
    }
    layout::lay_out(root, &programs, &stage.join("root"), places)?;
    Ok(stage)
}

/// When what is committed was committed: packages have that date, so that they can be made again.
fn commit_date(root: &Path, format: &str) -> Result<String, String> {
    let format = format!("--format={format}");
    let show = ["show", "--no-patch", "--date=rfc2822", &format];
    programs::said(std::process::Command::new("git").args(show).arg("HEAD").current_dir(root))
}
