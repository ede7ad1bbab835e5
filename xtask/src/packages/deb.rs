//! The Debian package, made by debhelper.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::layout::{self, Places};
use super::{Wanted, commit_date, stage};
use crate::programs::{self, Profile};

/// Higher than every version of the classic, whose package has the same name.
const EPOCH: u32 = 1;

const PLACES: Places = Places {
    units: "lib/systemd/system",
    zsh: "usr/share/zsh/vendor-completions",
    docs: "usr/share/doc/pen",
};

/// Makes it in `target/packages`. Answers the files.
pub fn make(root: &Path, wanted: &Wanted) -> Result<Vec<PathBuf>, String> {
    let stage = stage(root, "deb", &PLACES, wanted.profile)?;
    let debian = stage.join("debian");
    for entry in
        ["control", "copyright", "NEWS", "pen.postinst", "pen.postrm", "pen.prerm", "rules"]
    {
        let mode = if entry == "rules" { 0o755 } else { 0o644 };
        layout::place(&root.join("dist/debian").join(entry), &debian.join(entry), mode)?;
    }
    layout::place(&root.join("CHANGELOG.md"), &stage.join("CHANGELOG.md"), 0o644)?;
    layout::write(&debian.join("changelog"), &changelog(root, wanted.revision)?)?;
    layout::write(&debian.join("source/format"), "3.0 (quilt)\n")?;
    let date = commit_date(root, "%ct")?;
    let mut build = Command::new("dpkg-buildpackage");
    build.args(["-b", "-us", "-uc"]).current_dir(&stage).env("SOURCE_DATE_EPOCH", date.trim());
    if wanted.profile == Profile::Dev {
        build.env("PEN_PACK_QUICKLY", "1");
    }
    programs::said(&mut build)?;
    let (version, kind) = (version(wanted.revision), architecture()?);
    let name = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
    Ok(vec![root.join("target/packages").join(format!("pen_{name}_{kind}.deb"))])
}

fn version(revision: u32) -> String {
    format!("{EPOCH}:{}-{revision}", env!("CARGO_PKG_VERSION"))
}

fn architecture() -> Result<String, String> {
    programs::said(Command::new("dpkg").arg("--print-architecture")).map(|s| s.trim().to_owned())
}

fn changelog(root: &Path, revision: u32) -> Result<String, String> {
    let control = std::fs::read_to_string(root.join("dist/debian/control"))
        .map_err(|e| format!("dist/debian/control: {e}"))?;
    let maintainer = control.lines().find_map(|line| line.strip_prefix("Maintainer: "));
    Ok(format!(
        "pen ({}) unstable; urgency=medium\n\n  * A new version; /usr/share/doc/pen/changelog.gz says \
         what it brings.\n\n -- {}  {}\n",
        version(revision),
        maintainer.ok_or("dist/debian/control names no maintainer")?,
        commit_date(root, "%cd")?.trim()
    ))
}
