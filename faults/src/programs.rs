//! Where the balancers are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::settings;
use crate::subject::Subject;

/// Programs that were found, and why one was not.
#[derive(Debug)]
pub struct Programs {
    found: Vec<(Subject, Result<PathBuf, String>, String)>,
}

impl Programs {
    /// Looks for all of them; Pen is `$PEN` or the one beside this program.
    ///
    /// # Errors
    /// Pen itself is missing, or what makes network namespaces.
    pub fn find() -> Result<Self, String> {
        if in_path("unshare").is_none() || in_path("ip").is_none() {
            return Err("network namespaces want unshare (util-linux) and ip (iproute2)".into());
        }
        let pen = pen().ok_or("pen is not built: run `cargo build`, or name it by PEN")?;
        let mut found = vec![described(Subject::Pen, Ok(pen), &["--version"])];
        let haproxy = in_path("haproxy").ok_or("Debian package haproxy is not installed".into());
        found.push(described(Subject::Haproxy, haproxy, &["-v"]));
        let module = Path::new(settings::NGINX_MODULE).exists();
        let nginx = in_path("nginx").filter(|_| module);
        let wanted = "Debian packages nginx and libnginx-mod-stream are not installed";
        found.push(described(Subject::Nginx, nginx.ok_or(wanted.into()), &["-v"]));
        found.push(classic());
        Ok(Self { found })
    }

    /// The program of a balancer, or why there is none.
    ///
    /// # Errors
    /// It was not found.
    pub fn of(&self, subject: Subject) -> Result<&Path, &str> {
        let entry = self.found.iter().find(|(s, _, _)| *s == subject);
        match entry {
            Some((_, Ok(path), _)) => Ok(path),
            Some((_, Err(why), _)) => Err(why),
            None => Err("not known"),
        }
    }

    /// Name and version of each, or why it is missing.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.found.iter().map(|(subject, path, version)| match path {
            Ok(_) => format!("{}: {version}", subject.name()),
            Err(why) => format!("{}: skipped: {why}", subject.name()),
        })
    }
}

type Entry = (Subject, Result<PathBuf, String>, String);

fn described(subject: Subject, path: Result<PathBuf, String>, ask: &[&str]) -> Entry {
    let version = path.as_ref().map(|p| first_line(p, ask)).unwrap_or_default();
    (subject, path, version)
}

fn pen() -> Option<PathBuf> {
    let named = std::env::var_os("PEN").map(PathBuf::from);
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("pen"));
    let pen = std::path::absolute(named.or_else(beside)?).ok()?;
    pen.is_file().then_some(pen)
}

fn classic() -> Entry {
    let path = PathBuf::from("/usr/bin/pen");
    let owner = first_line(Path::new("/usr/bin/dpkg-query"), &["-S", "/usr/bin/pen"]);
    let ours = first_line(&path, &["--version"]).contains("(Rust)");
    if !path.exists() || ours || !owner.starts_with("pen:") {
        let why = "/usr/bin/pen is not that of Debian's package pen".into();
        return (Subject::Classic, Err(why), String::new());
    }
    let version = first_line(Path::new("/usr/bin/dpkg-query"), &["-W", "-f", "${Version}", "pen"]);
    (Subject::Classic, Ok(path), version)
}

/// Where a program is.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|f| f.join(name)).find(|p| p.is_file())
}

/// The first line a program says.
fn first_line(path: &Path, words: &[&str]) -> String {
    let output = Command::new(path).args(words).stdin(Stdio::null()).output();
    let Ok(output) = output else { return "cannot be run".into() };
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
}
