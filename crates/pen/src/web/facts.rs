//! The process as the kernel sees it, for the metrics.
//!
//! The files of /proc are opened at the start and stay open: later a jail or the sandbox may hide them.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use pen_core::report::openmetrics::Facts;
use pen_sys::files::short_text;
use rustix::fs::{Mode, OFlags, RawDir, SeekFrom, open, seek};
use rustix::time::{ClockId, clock_gettime};

/// Where the facts come from.
#[derive(Debug, Default)]
pub struct Sources {
    status: Option<File>,
    descriptors: Option<OwnedFd>,
}

impl Sources {
    /// Opens what there is. After the process went to the background, before it is shut in.
    #[must_use]
    pub fn open() -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self {
            status: File::open("/proc/self/status").ok(),
            descriptors: open("/proc/self/fd", flags, Mode::empty()).ok(),
        }
    }

    /// The facts of this moment.
    pub(super) fn facts(&self) -> Facts {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let status = self.status.as_ref().and_then(short_text).unwrap_or_default();
        let bytes = |key| field(&status, key).and_then(|kilobytes| kilobytes.checked_mul(1024));
        Facts {
            cpu_s: Some(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9),
            resident: bytes("VmRSS:"),
            virtual_size: bytes("VmSize:"),
            threads: field(&status, "Threads:"),
            descriptors: self.count_descriptors(),
            ..Facts::default()
        }
    }

    fn count_descriptors(&self) -> Option<u64> {
        let dir = self.descriptors.as_ref()?;
        seek(dir, SeekFrom::Start(0)).ok()?;
        let mut buffer = [MaybeUninit::<u8>::uninit(); 8_192];
        let mut entries = RawDir::new(dir, &mut buffer);
        let mut count = 0;
        while let Some(entry) = entries.next() {
            count += u64::from(!entry.ok()?.file_name().to_bytes().starts_with(b"."));
        }
        Some(count)
    }
}

fn field(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_seen_as_it_is() {
        let sources = Sources::open();
        let before = sources.facts();
        let held: Vec<File> = (0..20).map(|_| File::open("/dev/null").unwrap()).collect();
        let with = sources.facts();
        assert!(with.descriptors.unwrap() >= before.descriptors.unwrap().min(5));
        assert!(with.descriptors.unwrap() > 20, "{with:?}");
        drop(held);
        assert!(before.threads.unwrap() >= 1 && before.resident.unwrap() > 100_000, "{before:?}");
        assert!(before.virtual_size >= before.resident && with.cpu_s >= before.cpu_s);
        let nothing = Sources::default().facts();
        assert_eq!((nothing.resident, nothing.descriptors, nothing.threads), (None, None, None));
    }
}
