//! What is installed where: one list for all packages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::notices;
use crate::{programs, sbom};

/// Where distributions differ.
pub struct Places {
    /// Units of systemd.
    pub units: &'static str,
    /// Completions of zsh.
    pub zsh: &'static str,
    /// Documentation.
    pub docs: &'static str,
}

/// Lays everything out below `to`.
pub fn lay_out(root: &Path, programs: &Path, to: &Path, places: &Places) -> Result<(), String> {
    for program in programs::PROGRAMS {
        place(&programs.join(program), &to.join("usr/bin").join(program), 0o755)?;
    }
    let dist = root.join("dist");
    place(&dist.join("ocsp/pen-ocsp-refresh"), &to.join("usr/bin/pen-ocsp-refresh"), 0o755)?;
    for unit in ["pen-ocsp-refresh.service", "pen-ocsp-refresh.timer"] {
        place(&dist.join("ocsp").join(unit), &to.join(places.units).join(unit), 0o644)?;
    }
    for (from, there) in [
        ("etc/pen.cfg", "etc/pen/pen.cfg"),
        ("logrotate/pen", "etc/logrotate.d/pen"),
        ("apparmor/pen", "etc/apparmor.d/pen"),
        ("sysusers/pen.conf", "usr/lib/sysusers.d/pen.conf"),
        ("tmpfiles/pen.conf", "usr/lib/tmpfiles.d/pen.conf"),
    ] {
        place(&dist.join(from), &to.join(there), 0o644)?;
    }
    let docs = to.join(places.docs);
    for (from, there) in [
        ("dist/systemd", to.join(places.units)),
        ("dist/systemd/examples", docs.join("examples")),
        ("dist/init", docs.join("examples/init")),
        ("dist/prometheus", docs.join("examples/prometheus")),
        ("dist/grafana", docs.join("examples/grafana")),
        ("dist/completions/bash", to.join("usr/share/bash-completion/completions")),
        ("dist/completions/zsh", to.join(places.zsh)),
        ("dist/completions/fish", to.join("usr/share/fish/vendor_completions.d")),
        ("docs", docs.join("docs")),
        ("docs/guides", docs.join("docs/guides")),
    ] {
        files(&root.join(from), &there)?;
    }
    for entry in list(&root.join("docs/man"))? {
        let name = entry.file_name();
        let section = Path::new(&name).extension().unwrap_or_default().to_string_lossy();
        let there = to.join(format!("usr/share/man/man{section}")).join(&name);
        place(&entry.path(), &there, 0o644)?;
    }
    place(&root.join("README.md"), &docs.join("README.md"), 0o644)?;
    write(&docs.join("sbom.cdx.json"), &sbom::make(root)?)?;
    write(&docs.join("THIRD-PARTY"), &notices::make(root)?)
}

/// The files of a directory, without those below it; pictures stay away.
fn files(from: &Path, to: &Path) -> Result<(), String> {
    for entry in list(from)? {
        let picture = entry.path().extension().is_some_and(|e| e == "png");
        if entry.path().is_file() && !picture {
            place(&entry.path(), &to.join(entry.file_name()), 0o644)?;
        }
    }
    Ok(())
}

fn list(directory: &Path) -> Result<Vec<fs::DirEntry>, String> {
    let entries = fs::read_dir(directory).and_then(Iterator::collect);
    entries.map_err(|e| format!("{}: {e}", directory.display()))
}

pub(super) fn place(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    let placed = fs::create_dir_all(to.parent().unwrap_or(to))
        .and_then(|()| fs::copy(from, to))
        .and_then(|_| fs::set_permissions(to, fs::Permissions::from_mode(mode)));
    placed.map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}

pub(super) fn write(to: &Path, text: &str) -> Result<(), String> {
    let written = fs::create_dir_all(to.parent().unwrap_or(to)).and_then(|()| fs::write(to, text));
    written.map_err(|e| format!("{}: {e}", to.display()))
}
