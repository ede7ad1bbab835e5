//! The inputs of the fuzzer `certificates`, cut and changed.

use super::{run, seeds};

#[test]
fn every_input_of_the_fuzzer_keeps_the_promises() {
    pen_fuzz::corpus::check("certificates", &seeds(), run);
    for (_, seed) in seeds() {
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
    pen_fuzz::corpus::write("certificates", &seeds()).unwrap();
}
