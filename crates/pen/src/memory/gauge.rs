//! How much memory is used, and what limit the control group sets.
//!
//! Where the group has a limit its own figure counts, without the file pages that the kernel can take
//! back; that includes what the kernel holds for Pen's sockets where it is charged to the group
//! (version 2). Where it has none the resident anonymous memory of the process counts. The files stay
//! open: in a jail they have no path.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use pen_sys::files::short_text;

/// What is read.
#[derive(Debug)]
pub struct Gauge {
    /// Of the group, if it has a limit.
    group: Option<Group>,
    /// `/proc/self/statm`
    process: Option<File>,
    page: u64,
}

#[derive(Debug)]
struct Group {
    limit: u64,
    usage: File,
    stat: File,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The files of limit and usage.
    fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::One => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            Self::Two => ("memory.max", "memory.current"),
        }
    }

    /// Words of `memory.stat` before figures of file pages.
    fn file_pages(self) -> [&'static str; 2] {
        match self {
            Self::One => ["total_inactive_file", "total_active_file"],
            Self::Two => ["inactive_file", "active_file"],
        }
    }
}

/// Version 1 says "no limit" with a number near the highest.
const NO_LIMIT: u64 = 1 << 60;

impl Gauge {
    /// Looks up the group and opens the files.
    #[must_use]
    pub fn open() -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self {
            group: tightest(&groups, &mounts),
            process: File::open("/proc/self/statm").ok(),
            page: rustix::param::page_size() as u64,
        }
    }

    /// The limit of the group in bytes.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.group.as_ref().map(|group| group.limit)
    }

    /// Bytes in use; none where nobody can tell.
    #[must_use]
    pub fn used(&self) -> Option<u64> {
        let resident = self.resident();
        let group = self.group.as_ref().and_then(Group::used);
        // A process never uses more than its group; where it seems so, its group is another now.
        group.max(resident)
    }

    fn resident(&self) -> Option<u64> {
        let text = short_text(self.process.as_ref()?)?;
        let mut pages = text.split_whitespace().skip(1).map(str::parse);
        let (resident, shared): (u64, u64) = (pages.next()?.ok()?, pages.next()?.ok()?);
        Some(resident.saturating_sub(shared) * self.page)
    }
}

impl Group {
    /// A group's files, if it has a limit.
    fn open(at: &Path, version: Version) -> Option<Self> {
        let (limit, usage) = version.files();
        let limit = fs::read_to_string(at.join(limit)).ok()?.trim().parse().ok()?;
        if limit >= NO_LIMIT {
            return None;
        }
        let (usage, stat) =
            (File::open(at.join(usage)).ok()?, File::open(at.join("memory.stat")).ok()?);
        Some(Self { limit, usage, stat, version })
    }

    fn used(&self) -> Option<u64> {
        let usage: u64 = short_text(&self.usage)?.trim().parse().ok()?;
        let stat = short_text(&self.stat).unwrap_or_default();
        let pages = self.version.file_pages();
        let of_files = stat.lines().filter_map(|line| {
            let (word, number) = line.split_once(' ')?;
            pages.contains(&word).then(|| number.parse::<u64>().ok())?
        });
        Some(usage.saturating_sub(of_files.sum()))
    }
}

/// The group with the lowest limit of Pen's own and those above it.
fn tightest(groups: &str, mounts: &str) -> Option<Group> {
    let places = groups.lines().filter_map(|line| place(line, mounts));
    let chain = places.flat_map(|(root, own, version)| {
        let ancestors: Vec<PathBuf> =
            own.ancestors().take_while(|a| a.starts_with(&root)).map(Path::to_owned).collect();
        ancestors.into_iter().filter_map(move |at| Group::open(&at, version))
    });
    chain.min_by_key(|group| group.limit)
}

/// Where the hierarchy of a line of `/proc/self/cgroup` is mounted, and Pen's own group in it, if it
/// knows memory. In a container the root of the mount is a group further down.
fn place(line: &str, mounts: &str) -> Option<(PathBuf, PathBuf, Version)> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let version = match number {
        "0" => Version::Two,
        _ if controllers.split(',').any(|c| c == "memory") => Version::One,
        _ => return None,
    };
    let (root, mounted) = mounts.lines().find_map(|line| mount(line, version))?;
    let below = path.strip_prefix(root.as_str()).unwrap_or(path).trim_start_matches('/');
    let own = mounted.join(below);
    let own = if own.is_dir() { own } else { mounted.clone() };
    Some((mounted, own, version))
}

/// Root and mount point of a line of `/proc/self/mountinfo`, if it is that of the memory hierarchy.
fn mount(line: &str, version: Version) -> Option<(String, PathBuf)> {
    let (own, system) = line.split_once(" - ")?;
    let mut system = system.split(' ');
    let (kind, options) = (system.next()?, system.nth(1)?);
    let fits = match version {
        Version::One => kind == "cgroup" && options.split(',').any(|o| o == "memory"),
        Version::Two => kind == "cgroup2",
    };
    let mut own = own.split(' ').skip(3);
    let (root, at) = (own.next()?, own.next()?);
    let root = if root == "/" { "" } else { root };
    fits.then(|| (root.to_owned(), PathBuf::from(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
10:31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
12 31 0:29 / /nowhere/cpu rw - cgroup cgroup rw,cpu
13 31 0:30 /docker/x /nowhere/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
14 31 0:31 / /nowhere/unified rw - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn the_own_group_is_found() {
        let rows = [
            ("4:memory:/docker/x", Some(("/nowhere/memory", Version::One))),
            ("4:cpu,memory:/docker/x", Some(("/nowhere/memory", Version::One))),
            ("0::/", Some(("/nowhere/unified", Version::Two))),
            ("1:cpu:/", None),
            ("nonsense", None),
            ("", None),
        ];
        for (line, expected) in rows {
            let found = place(line, MOUNTS);
            let expected = expected.map(|(at, version)| (PathBuf::from(at), version));
            assert_eq!(found.map(|(root, _, version)| (root, version)), expected, "{line}");
        }
        assert!(place("0::/", "").is_none());
        assert!(tightest("0::/\n4:memory:/docker/x", MOUNTS).is_none(), "nothing is there");
    }

    #[test]
    fn this_process_uses_memory() {
        let gauge = Gauge::open();
        let before = gauge.resident().expect("/proc/self/statm");
        let held = vec![1_u8; 64 << 20];
        let after = gauge.used().expect("/proc/self/statm");
        assert!(after >= before + (60 << 20), "{before} {after}");
        assert_eq!(held.iter().map(|b| u64::from(*b)).sum::<u64>(), 64 << 20);
    }
}
