//! The lists beside ordered maps: the inputs of the fuzzer `queue`, and others.

use super::witness;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/queue");

#[test]
fn every_input_of_the_fuzzer_keeps_the_promises() {
    for entry in std::fs::read_dir(CORPUS).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        witness::run(&std::fs::read(path).unwrap());
    }
    for (name, seed) in witness::seeds() {
        let kept = std::fs::read(format!("{CORPUS}/{name}")).unwrap_or_default();
        assert!(
            kept == seed,
            "{name}: `cargo test -p pen write_the_corpus -- --ignored` writes it"
        );
    }
}

#[test]
fn lists_are_like_maps_in_the_order_of_coming() {
    let mut dice = pen_fuzz::dice::Dice(1);
    for _ in 0..500 {
        let input: Vec<u8> = (0..801).map(|_| dice.roll(256) as u8).collect();
        witness::run(&input);
    }
}

#[test]
#[ignore = "writes the corpus of the fuzzer"]
fn write_the_corpus() {
    std::fs::create_dir_all(CORPUS).unwrap();
    for (name, bytes) in witness::seeds() {
        std::fs::write(format!("{CORPUS}/{name}"), bytes).unwrap();
    }
}
