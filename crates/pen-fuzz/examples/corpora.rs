//! Writes the seeds of all targets to the committed corpora: `cargo run -p pen-fuzz --example corpora`.
#![forbid(unsafe_code)]

fn main() -> std::io::Result<()> {
    let all = pen_fuzz::TARGETS.iter();
    all.copied().try_for_each(|t| pen_fuzz::corpus::write(t.name, &(t.seeds)()))
}
