//! A control group with little memory, and what the kernel says of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Scratch, until};

/// A control group that ends with this value; its processes have to end before.
#[derive(Debug)]
pub struct Group(PathBuf);

impl Group {
    /// A new one with so many bytes; nothing where there are no such groups.
    #[must_use]
    pub fn limited(bytes: u64) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let one = Path::new("/sys/fs/cgroup/memory");
        let (root, limit) = match one.join("memory.limit_in_bytes").exists() {
            true => (one, "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max"),
        };
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("pen-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        fs::write(group.0.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A program that starts another one in it.
    #[must_use]
    pub fn program(&self, program: &Path, scratch: &Scratch) -> PathBuf {
        let (group, program) = (self.0.display(), program.display());
        let text = format!("#!/bin/sh\necho $$ > {group}/cgroup.procs\nexec {program} \"$@\"\n");
        let file = scratch.write("in-group", &text);
        drop(fs::set_permissions(&file, fs::Permissions::from_mode(0o755)));
        file
    }

    /// How often the kernel ended a process of it for memory.
    #[must_use]
    pub fn kills(&self) -> u64 {
        let text = self.text("memory.events") + &self.text("memory.oom_control");
        let number = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok();
        text.lines().filter_map(number).sum()
    }

    /// The most bytes it had.
    #[must_use]
    pub fn most(&self) -> u64 {
        let text = self.text("memory.max_usage_in_bytes") + &self.text("memory.peak");
        text.trim().parse().unwrap_or_default()
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes have ended, or are about to.
        until("the group to be empty", || fs::remove_dir(&self.0).ok());
    }
}
