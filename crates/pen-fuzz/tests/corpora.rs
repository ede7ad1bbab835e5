//! Every input of the committed corpora, and every seed cut at every place, through its target.

use std::fs;
use std::path::Path;

use pen_fuzz::{TARGETS, Target, corpus};

/// The inputs of a target with their names, in order.
fn inputs(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = corpus::folder(target.name);
    let read = || -> std::io::Result<Vec<(String, Vec<u8>)>> {
        let named = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?))
        };
        fs::read_dir(&folder)?.map(named).collect()
    };
    let mut all = read().unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    all.sort();
    all
}

#[test]
fn every_input_keeps_the_promises() {
    for target in TARGETS {
        let all = inputs(target);
        assert!(!all.is_empty(), "{}: no corpus", target.name);
        for (name, bytes) in all {
            println!("{}/{name}", target.name);
            (target.run)(&bytes);
        }
    }
}

#[test]
fn the_corpora_hold_every_seed() {
    for target in TARGETS {
        let all = inputs(target);
        for seed in (target.seeds)() {
            let hint = "cargo run -p pen-fuzz --example corpora writes it";
            assert!(all.contains(&seed), "{}/{}: {hint}", target.name, seed.0);
        }
    }
}

#[test]
fn seeds_cut_anywhere_keep_the_promises() {
    for target in TARGETS {
        for (name, bytes) in (target.seeds)() {
            println!("{}/{name}", target.name);
            for end in 0..bytes.len().min(400) {
                (target.run)(&bytes[..end]);
            }
        }
    }
}

#[test]
fn every_word_of_the_language() {
    for spec in pen_core::command::table::all() {
        let word = spec.word;
        for door in 0..4_u8 {
            let lines = format!("{word}\nno {word}\n{word} 1\n{word} x y\nno {word}\n");
            println!("{door} {lines}");
            (pen_fuzz::target("commands").run)(&[&[door][..], lines.as_bytes()].concat());
        }
    }
}

#[test]
fn every_target_has_a_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let settings = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        assert!(settings.contains(&format!("name = \"{name}\"")), "{name}: not in fuzz/Cargo.toml");
        let main = fs::read_to_string(folder.join(format!("targets/{name}.rs"))).unwrap();
        assert!(main.contains(&format!("target(\"{name}\")")), "{name}: another target is run");
    }
}
