//! The inputs of the fuzzer `certificates`, cut and changed.

use super::{run, seeds};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/certificates");

#[test]
fn every_input_of_the_fuzzer_keeps_the_promises() {
    for entry in std::fs::read_dir(CORPUS).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&std::fs::read(path).unwrap());
    }
    for (name, seed) in seeds() {
        let kept = std::fs::read(format!("{CORPUS}/{name}")).unwrap_or_default();
        assert!(
            kept == seed,
            "{name}: `cargo test -p pen write_the_corpus -- --ignored` writes it"
        );
        for end in 0..seed.len() {
            run(&seed[..end]);
        }
    }
}

#[test]
fn whatever_is_in_the_files_keeps_the_promises() {
    let seeds: Vec<Vec<u8>> = seeds().into_iter().map(|(_, seed)| seed).collect();
    let mut dice = pen_fuzz::dice::Dice(1);
    for _ in 0..5_000 {
        let input = dice.mutate(&seeds);
        println!("{input:?}");
        run(&input);
    }
}

#[test]
#[ignore = "writes the corpus of the fuzzer"]
fn write_the_corpus() {
    std::fs::create_dir_all(CORPUS).unwrap();
    for (name, bytes) in seeds() {
        std::fs::write(format!("{CORPUS}/{name}"), bytes).unwrap();
    }
}
