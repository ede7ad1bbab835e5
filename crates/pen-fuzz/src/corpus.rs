//! The committed corpora: a folder for each target, below `fuzz/corpus`.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder of a target.
#[must_use]
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

/// Runs every input of a target, and looks whether each seed is among them as it is.
///
/// # Panics
/// There is no corpus, a seed is missing or another one, or `run` finds a promise broken.
pub fn check<N: AsRef<str>>(target: &str, seeds: &[(N, Vec<u8>)], run: fn(&[u8])) {
    let folder = folder(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder that can be read").path();
        println!("{}", path.display());
        run(&fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
    }
    for (name, seed) in seeds {
        let name = name.as_ref();
        let kept = fs::read(folder.join(name)).unwrap_or_default();
        assert!(
            kept == *seed,
            "{name}: `cargo test -p pen write_the_corpus -- --ignored` writes it"
        );
    }
}

/// Writes the seeds of a target to its corpus.
///
/// # Errors
/// What the system says.
pub fn write<N: AsRef<str>>(target: &str, seeds: &[(N, Vec<u8>)]) -> io::Result<()> {
    let folder = folder(target);
    fs::create_dir_all(&folder)?;
    seeds.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name.as_ref()), bytes))
}
