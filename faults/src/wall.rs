//! What happens to packets on their way: rules of nftables in the namespace of the case.

use std::process::{Command, Stdio};

use crate::programs::in_path;
use crate::verdict::Verdict;

/// A table of rules; they go with it.
#[derive(Debug)]
pub struct Wall;

impl Wall {
    /// One rule for what comes in.
    ///
    /// # Errors
    /// There is no nft here, or it may not; with the verdict for the row.
    pub fn with(rule: &str) -> Result<Self, Verdict> {
        if in_path("nft").is_none() {
            return Err(Verdict::skipped("Debian package nftables is not installed"));
        }
        let wall = Self;
        nft("add table inet faults")?;
        nft("add chain inet faults in { type filter hook input priority 0; }")?;
        nft(&format!("add rule inet faults in {rule}"))?;
        Ok(wall)
    }
}

impl Drop for Wall {
    fn drop(&mut self) {
        // If it cannot be taken down the row will say so: nobody comes through.
        let _ = nft("delete table inet faults");
    }
}

fn nft(words: &str) -> Result<(), Verdict> {
    let output = Command::new("nft").arg(words).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(Verdict::skipped(format!("nft {words}: {why}")))
        }
        Err(why) => Err(Verdict::skipped(format!("nft: {why}"))),
    }
}
