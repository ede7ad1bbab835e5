//! The version of a release, where it stands in files: the workspace, its locks, the list of changes.
//!
//! Texts in, texts out; what is not as expected is a fault, never a guess.

use std::fmt;

/// A version as releases have it: three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl Version {
    /// From text such as `1.2.3`.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no version such as 1.2.3");
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let plain = digits && (part == "0" || !part.starts_with('0'));
            part.parse::<u32>().ok().filter(|_| plain).ok_or_else(wrong)
        };
        let parts = text.split('.').map(number).collect::<Result<Vec<_>, _>>()?;
        match parts.as_slice() {
            [major, minor, patch] => Ok(Self(*major, *minor, *patch)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The line of `[workspace.package]`, and the version in it.
fn version_line(manifest: &str) -> Result<(&str, Version), String> {
    let at = manifest.find("[workspace.package]").ok_or("Cargo.toml: no [workspace.package]")?;
    let section = manifest.get(at..).unwrap_or_default();
    let line = section.lines().skip(1).take_while(|l| !l.starts_with('['));
    let line = line.filter(|l| l.starts_with("version = \"")).last();
    let line = line.ok_or("Cargo.toml: no version in [workspace.package]")?;
    let text = line.trim_start_matches("version = \"").trim_end_matches('"');
    Ok((line, Version::read(text)?))
}

/// The version of the workspace.
pub fn of_manifest(manifest: &str) -> Result<Version, String> {
    version_line(manifest).map(|(_, version)| version)
}

/// The workspace's manifest with another version.
pub fn manifest(text: &str, new: Version) -> Result<String, String> {
    let (line, _) = version_line(text)?;
    Ok(text.replacen(line, &format!("version = \"{new}\""), 1))
}

/// A lock in which the workspace's packages, those of `names`, have another version.
pub fn lock(text: &str, names: &[String], old: Version, new: Version) -> String {
    let (old, new) = (format!("version = \"{old}\"\n"), format!("version = \"{new}\"\n"));
    let ours = |package: &str| {
        let name = package.lines().find_map(|l| l.strip_prefix("name = \""));
        let name = name.and_then(|name| name.strip_suffix('"'));
        // Packages of others say where they come from.
        !package.contains("\nsource = ") && name.is_some_and(|n| names.iter().any(|m| m == n))
    };
    let parts = text.split("[[package]]\n").map(|package| match ours(package) {
        true => package.replacen(&old, &new, 1),
        false => package.to_owned(),
    });
    parts.collect::<Vec<_>>().join("[[package]]\n")
}

/// The list of changes in which what was not released yet belongs to this version.
pub fn changes(text: &str, new: Version, date: &str) -> Result<String, String> {
    const HEAD: &str = "## Unreleased\n";
    let (before, after) = text.split_once(HEAD).ok_or("CHANGELOG.md: no section Unreleased")?;
    let section = after.split("\n## ").next().unwrap_or_default();
    if !section.lines().any(|line| line.starts_with("- ")) {
        return Err("CHANGELOG.md: nothing stands below Unreleased".to_owned());
    }
    if text.contains(&format!("\n## {new} ")) {
        return Err(format!("CHANGELOG.md: {new} has a section already"));
    }
    Ok(format!("{before}{HEAD}\n## {new} ({date})\n{after}"))
}

/// A manual page with another version and day in its first line.
pub fn page(text: &str, old: Version, new: Version, date: &str) -> Result<String, String> {
    let head = text.lines().find(|line| line.starts_with(".TH ")).ok_or("no line .TH")?;
    let mut words: Vec<String> = head.splitn(5, ' ').map(str::to_owned).collect();
    let [_, _, _, day, rest] = words.as_mut_slice() else {
        return Err(format!("'{head}' is no .TH with a day"));
    };
    date.clone_into(day);
    let (old, new) = (format!("\"pen {old}\""), format!("\"pen {new}\""));
    if !rest.starts_with(&old) {
        return Err(format!("'{head}' has another version than {old}"));
    }
    *rest = rest.replacen(&old, &new, 1);
    Ok(text.replacen(head, &words.join(" "), 1))
}

/// The printer of those pages with another day.
pub fn printer(text: &str, date: &str) -> Result<String, String> {
    let line = text.lines().find(|line| line.starts_with("const DATE: &str = \""));
    let line = line.ok_or("no line with DATE")?;
    Ok(text.replacen(line, &format!("const DATE: &str = \"{date}\";"), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::read(text).expect("a version")
    }

    #[test]
    fn versions_are_three_numbers_in_order() {
        assert!(version("0.10.0") > version("0.9.12"));
        assert_eq!(version("1.2.3").to_string(), "1.2.3");
        for wrong in ["", "1", "1.2", "1.2.3.4", "1.2.x", "v1.2.3", "1.2.03", "1.2.3-rc1", "1..3"] {
            assert!(Version::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_workspace_changes() {
        let text = "[package]\nversion = \"9.9.9\"\n[workspace.package]\nversion = \"0.1.0\"\n\
                    [workspace.dependencies]\nversion = \"1.0.0\"\n";
        let changed = manifest(text, version("0.2.0")).expect("it has one");
        assert_eq!(changed, text.replace("0.1.0", "0.2.0"));
        assert!(manifest("[workspace]\n", version("0.2.0")).is_err());
        let text = "[[package]]\nname = \"pen\"\nversion = \"0.1.0\"\ndependencies = []\n\n\
                    [[package]]\nname = \"other\"\nversion = \"0.1.0\"\nsource = \"registry\"\n\n\
                    [[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
        let changed = lock(text, &["pen".to_owned()], version("0.1.0"), version("0.2.0"));
        assert_eq!(changed, text.replacen("0.1.0", "0.2.0", 1));
    }

    #[test]
    fn pages_get_a_version_and_a_day() {
        let text = "x\n.TH PEN 1 2026-01-01 \"pen 0.1.0\" \"User Commands\"\ny\n";
        let made = |old: &str| page(text, version(old), version("0.2.0"), "2026-02-03");
        let expected = "x\n.TH PEN 1 2026-02-03 \"pen 0.2.0\" \"User Commands\"\ny\n";
        assert_eq!(made("0.1.0").as_deref(), Ok(expected));
        assert!(made("0.1.1").is_err());
        let made = printer("a\nconst DATE: &str = \"2026-01-01\";\nb\n", "2026-02-03");
        assert_eq!(made.as_deref(), Ok("a\nconst DATE: &str = \"2026-02-03\";\nb\n"));
    }

    #[test]
    fn changes_get_a_version_and_a_date() {
        let text = "# Changes\n\n## Unreleased\n\n### Added\n- a\n\n## 0.1.0 (2026-01-01)\n- b\n";
        let changed = changes(text, version("0.2.0"), "2026-02-03").expect("there is something");
        let head = "# Changes\n\n## Unreleased\n\n## 0.2.0 (2026-02-03)\n\n### Added\n- a\n";
        assert!(changed.starts_with(head), "{changed}");
        assert!(changes(&changed, version("0.3.0"), "x").is_err(), "nothing is left");
        assert!(changes(text, version("0.1.0"), "x").is_err(), "it is there");
    }
}
