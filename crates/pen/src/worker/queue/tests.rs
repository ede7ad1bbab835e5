//! The lists beside ordered maps: the inputs of the fuzzer `queue`, and others.

use super::witness;

#[test]
fn every_input_of_the_fuzzer_keeps_the_promises() {
    pen_fuzz::corpus::check("queue", &witness::seeds(), witness::run);
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
    pen_fuzz::corpus::write("queue", &witness::seeds()).unwrap();
}
